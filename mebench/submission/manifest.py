"""``manifest.json``: who made a submission and for which protocol."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic import ValidationError as ValidationError

from mebench.errors import SubmissionError
from mebench.io.files import ways_to
from mebench.spec import explain
from mebench.submission.source import MANIFEST as MANIFEST
from mebench.submission.text import plain

SCHEMA: Literal["mebench-submission/1"] = "mebench-submission/1"
MAX_BYTES = 1 << 20
_MAX_DEPTH = 8
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}(/[a-z0-9][a-z0-9._-]{0,63})?")
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class Method(BaseModel):
    """The method that made the frames."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(json_schema_extra={"pattern": f"^{_ID.pattern}$"})
    title: str = Field(min_length=1, max_length=120)
    authors: str = Field("", max_length=500)
    url: str = Field("", max_length=500, json_schema_extra={"pattern": "^(https://.*)?$"})

    @field_validator("id")
    @classmethod
    def _id_is_plain(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            raise ValueError("expected lower-case letters, digits, '.', '_', '-' ('vendor/name')")
        return value

    @field_validator("url")
    @classmethod
    def _https_only(cls, value: str) -> str:
        if value and not value.startswith("https://"):
            raise ValueError("expected a link that starts with https://")
        return value

    @field_validator("title", "authors", "url")
    @classmethod
    def _visible_text(cls, value: str) -> str:
        return visible(value)


class Manifest(BaseModel):
    """The content of ``manifest.json``; unknown keys are refused.

    Attributes:
        protocol: id of the protocol the frames were made for.
        method: who made them.
        lossy: True when the frames were converted from a lossy form.
        view: how all outputs lie on their templates, where the team says so: ``aligned`` as mebench
            prepares a face, ``template`` on the template file's own pixels. None: it is found.
        notes: free text, at most 2000 characters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    schema_: Literal["mebench-submission/1"] = Field(SCHEMA, alias="schema")
    protocol: str = Field(min_length=1, max_length=130)
    method: Method
    lossy: bool = False
    view: Literal["aligned", "template"] | None = None
    notes: str = Field("", max_length=2000)

    @field_validator("notes", "protocol")
    @classmethod
    def _visible_notes(cls, value: str) -> str:
        return visible(value)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``manifest.json``."""
    schema = Manifest.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def id_from(folder: Path) -> str:
    """Return a legal method id made from a folder's name.

    >>> id_from(Path("runs/My Résults (final)"))
    'my-results-final'
    """
    apart = unicodedata.normalize("NFKD", ways_to(folder)[0].name)
    name = apart.encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._")[:64] or "submission"


def visible(text: str) -> str:
    """Return `text` when every character can be seen.

    Raises:
        ValueError: for control, bidirectional or zero-width characters, or text that is not NFC.
    """
    for character in text:
        if unicodedata.category(character) in _HIDDEN:
            raise ValueError(f"character U+{ord(character):04X} cannot be seen; remove it")
    if unicodedata.normalize("NFC", text) != text:
        raise ValueError("text is not in Unicode NFC form")
    return text


def read_manifest(data: bytes, where: str) -> Manifest:
    """Return the manifest in `data`.

    Raises:
        SubmissionError: one line that names `where` and the problem.
    """
    if len(data) > MAX_BYTES:
        raise SubmissionError(f"{where}: {len(data)} bytes, at most {MAX_BYTES} are read")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except RecursionError as error:
        raise SubmissionError(f"{where}: nested too deeply") from error
    except ValueError as error:
        raise SubmissionError(plain(f"{where}: not valid JSON: {error}")) from error
    if _depth(value) > _MAX_DEPTH:
        raise SubmissionError(f"{where}: nested deeper than {_MAX_DEPTH}")
    if not isinstance(value, dict):
        raise SubmissionError(f"{where}: expected an object, got {type(value).__name__}")
    try:
        return Manifest.model_validate(value)
    except ValidationError as error:
        others = [".".join(map(str, one["loc"])) for one in error.errors()[1:]]
        more = f" (also wrong: {', '.join(others)})" if others else ""
        raise SubmissionError(plain(f"{where}: {explain(Manifest, error)}{more}")) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key '{key}' stands twice")
        found[key] = value
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _depth(value: Any) -> int:
    depth, layer = 0, [value]
    while layer and depth <= _MAX_DEPTH:
        depth += 1
        layer = [
            inner
            for outer in layer
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth
