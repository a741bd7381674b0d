"""What a rating leaves behind: the organiser's key and the collected answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mebench.errors import UsageError
from mebench.io.files import write_json
from mebench.rating.form import Form
from mebench.record import ProtocolStamp
from mebench.spec import explain, read_mapping

Kind = Literal["entry", "repeat", "real"]
RaterId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
"""Pseudonym of a rater; the person behind it is known to the organiser alone."""
Stored = TypeVar("Stored", bound="_Stored")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class _Stored(_Part):
    schema_: str = Field(alias="schema")

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, self.model_dump(mode="json", by_alias=True))

    @classmethod
    def load(cls: type[Stored], path: Path) -> Stored:
        """Read back.

        Raises:
            UsageError: when it is missing, cut short, or of another schema.
        """
        try:
            return cls.model_validate(_mapping(path))
        except ValidationError as error:
            raise UsageError(f"{path}: {explain(cls, error)}") from error


def _mapping(path: Path) -> Any:
    """Return the mapping in a JSON file; the reader of specs takes seconds for a panel."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return read_mapping(path)


class Item(_Part):
    """What one rater's blinded clip really is.

    Attributes:
        id: as the rater sees it, ``c001``; another one for each rater.
        kind: an ``entry`` of a method, its hidden ``repeat``, or a planted ``real`` clip.
        method: whose clip; None for a real one.
        pair: ``<template>/<driving>``.
        dataset: of the driving clip.
        subject: of the driving clip, the unit of bootstraps.
        aus: target AUs in FACS code.
        repeat_of: the rater's own earlier item, for a repeat.
        real: for a planted clip, which real one it is: ``truth``, or the clip's key.
    """

    id: str
    kind: Kind = "entry"
    method: str | None = None
    pair: str
    dataset: str
    subject: str
    aus: tuple[str, ...] = ()
    repeat_of: str | None = None
    real: str | None = None


class RatedMethod(_Part):
    """A method whose clips are rated: its name in tables and the digest of its frames."""

    title: str
    pixel_digest: str


class Key(_Stored):
    """``mebench-rating-key/1``: who and what is behind the blinded items. Organisers only.

    Attributes:
        bundle: id of the panel's bundles, 16 hex digits.
        seed: of every order and name.
        form: the form as it was asked.
        private: whether pixels of gated data are inside.
        gated: those data sets.
        methods: by method id.
        raters: items of each rater, in the order shown.
    """

    schema_: Literal["mebench-rating-key/1"] = Field("mebench-rating-key/1", alias="schema")
    bundle: str
    protocol: ProtocolStamp
    index_digest: str
    form: Form
    seed: int
    private: bool = False
    gated: tuple[str, ...] = ()
    methods: dict[str, RatedMethod]
    raters: dict[RaterId, tuple[Item, ...]]
    mebench: str = ""


class Rating(_Part):
    """One rater's answers for one item; what is not answered has no key.

    Attributes:
        values: by question: int (scale, yes/no), str (choice, text) or a list (AUs, checks).
        aus: by target AU, then by question.
        seconds: time spent, where the player told it.
        complete: whether every required question is answered.
    """

    rater: RaterId
    item: str
    values: dict[str, Any] = Field(default_factory=dict)
    aus: dict[str, dict[str, Any]] = Field(default_factory=dict)
    seconds: float | None = None
    complete: bool = True


class ReadFile(_Part):
    """A file that ratings came from."""

    name: str
    sha256: str
    rater: RaterId
    ratings: int


class Ratings(_Stored):
    """``mebench-panel/1``: everything collected from a panel, still blinded.

    Attributes:
        ratings: by rater and item, in the key's order; every item at most once a rater.
        files: what was read.
        notes: what a reader must know, such as raters who stopped halfway.
    """

    schema_: Literal["mebench-panel/1"] = Field("mebench-panel/1", alias="schema")
    bundle: str
    ratings: tuple[Rating, ...]
    files: tuple[ReadFile, ...] = ()
    notes: tuple[str, ...] = ()
