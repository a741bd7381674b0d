"""Corrections of annotation rows: data in ``corrections/*.yaml``, keyed by ``subject/clip``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mebench.spec import parse, read_mapping
from mebench.types import Annotation, ApexSource

Column = Literal["onset", "apex", "offset"]
_FOLDER = Path(__file__).parent / "corrections"


class Correction(BaseModel):
    """A published replacement for values of one row; see the head of casme2.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    apply: Literal["if_missing", "if_invalid", "by_frames"]
    file: dict[Column, int]
    values: dict[Column, int | None] = Field(alias="set")
    reason: str
    source: str

    def words(self) -> str:
        """Return the change as a sentence for reports."""
        changes = ", ".join(f"{name} {value}" for name, value in self.values.items())
        return f"{changes} taken: {self.reason} ({self.source})"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    corrections: dict[str, list[Correction]]


@dataclass(frozen=True)
class Interval:
    """Onset, apex and offset of a row as its file holds them; the apex may be missing."""

    onset: int
    apex: int | None
    offset: int

    @property
    def valid(self) -> bool:
        """Whether onset < offset and the apex, where there is one, lies between."""
        inside = self.apex is None or self.onset <= self.apex <= self.offset
        return 0 <= self.onset < self.offset and inside

    def changed(self, values: Mapping[Column, int | None]) -> Interval:
        """Return the interval with some values replaced; only the apex can become None."""
        onset, offset = values.get("onset"), values.get("offset")
        return Interval(
            self.onset if onset is None else onset,
            values.get("apex", self.apex),
            self.offset if offset is None else offset,
        )


@cache
def corrections_of(dataset: str) -> dict[str, tuple[Correction, ...]]:
    """Return the corrections of a data set, empty when none are shipped."""
    path = _FOLDER / f"{dataset}.yaml"
    if not path.is_file():
        return {}
    loaded = parse(_File, read_mapping(path), str(path))
    return {key: tuple(items) for key, items in loaded.corrections.items()}


def corrected(dataset: str, name: str, interval: Interval) -> tuple[Interval, tuple[str, ...]]:
    """Return the interval after the corrections that do not need the frames, and what was done."""
    words: list[str] = []
    for item in corrections_of(dataset).get(name, ()):
        if not _matches(item, interval):
            continue
        missing = item.apply == "if_missing" and interval.apex is None
        invalid = item.apply == "if_invalid" and not interval.valid
        if missing or invalid:
            interval = interval.changed(item.values)
            words.append(item.words())
    return interval, tuple(words)


def variants(dataset: str, row: Annotation) -> list[Annotation]:
    """Return the row and its other published intervals, for the frames on disk to choose from."""
    rows = [row]
    file = Interval(row.onset, row.apex, row.offset)
    for item in corrections_of(dataset).get(f"{row.subject}/{row.clip_id}", ()):
        if item.apply != "by_frames" or not _matches(item, file):
            continue
        other = file.changed(item.values)
        rows.append(
            replace(
                row,
                onset=other.onset,
                apex=other.apex,
                apex_source=_apex_source(row, other.apex),
                offset=other.offset,
                corrections=(*row.corrections, f"{item.words()}, as the frames on disk show"),
            )
        )
    return rows


def _apex_source(row: Annotation, apex: int | None) -> ApexSource:
    if apex is None:
        return "none"
    return row.apex_source if apex == row.apex else "corrected"


def _matches(item: Correction, interval: Interval) -> bool:
    return all(getattr(interval, name) == value for name, value in item.file.items())
