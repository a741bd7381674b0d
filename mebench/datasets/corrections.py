"""Corrections of annotation rows: data in ``corrections/*.yaml``, keyed by ``subject/clip``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mebench.spec import parse, read_mapping

Column = Literal["onset", "apex", "offset", "emotion", "au", "objective_class"]
Rule = Literal["always", "if_missing", "if_invalid", "by_frames", "optional"]
Mode = Literal["default", "off", "all"]
MODES: tuple[Mode, ...] = ("default", "off", "all")
"""Without the optional ones, none, or all corrections."""
_FOLDER = Path(__file__).parent / "corrections"


class Correction(BaseModel):
    """A published replacement for values of one row; see the head of casme2.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    apply: Rule
    kind: str
    file: dict[Column, int | str | None] | None = None
    values: dict[Column, int | str | None] = Field(default_factory=dict, alias="set")
    alternatives: dict[Column, list[int | str]] = Field(default_factory=dict)
    drop: bool = False
    confidence: Literal["low", "medium", "high"]
    reason: str
    source: str

    @property
    def adds(self) -> bool:
        """Whether it stands for a row that the annotation file lacks."""
        return self.file is None and {"onset", "offset"} <= set(self.values)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    corrections: dict[str, list[Correction]]


@dataclass(frozen=True)
class Draft:
    """A row as its file holds it, names normalised; what is missing or no number is None.

    `file` names the table where a data set has several; `words` tell what the loader itself put
    in the place of a cell.
    """

    subject: str
    clip_id: str
    onset: int | None
    apex: int | None
    offset: int | None
    au: object = None
    emotion: str = ""
    objective_class: str | None = None
    apex_text: str = ""
    fps: float | None = None
    expression: Literal["micro", "macro"] = "micro"
    row: int | None = None
    file: str = ""
    words: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``subject/clip``."""
        return f"{self.subject}/{self.clip_id}"

    @property
    def ordered(self) -> bool:
        """Whether onset <= offset, both known."""
        return self.onset is not None and self.offset is not None and self.onset <= self.offset

    @property
    def has_apex(self) -> bool:
        """Whether the apex lies in onset..offset."""
        if self.apex is None or self.onset is None or self.offset is None:
            return False
        return self.onset <= self.apex <= self.offset


@dataclass(frozen=True)
class Applied:
    """A correction that was applied, or (`by_frames`, `optional`) could be.

    Attributes:
        clip: ``subject/clip``.
        changes: column and its old and new value.
        correction: where it comes from, and why.
    """

    clip: str
    changes: Mapping[str, tuple[Any, Any]]
    correction: Correction

    def words(self) -> str:
        """Return the change as a sentence for reports."""
        changes = ", ".join(
            f"{column} {_shown(new)} instead of {_shown(old)}"
            for column, (old, new) in self.changes.items()
        )
        item = self.correction
        return f"{changes or 'left out'}: {item.reason} [{item.apply}; {item.source}]"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        item = self.correction
        return {
            "clip": self.clip,
            "changes": {name: {"old": o, "new": n} for name, (o, n) in self.changes.items()},
            "apply": item.apply,
            "kind": item.kind,
            "confidence": item.confidence,
            "reason": item.reason,
            "source": item.source,
        }


@cache
def corrections_of(dataset: str) -> dict[str, tuple[Correction, ...]]:
    """Return the corrections of a data set, empty when none are shipped."""
    path = _FOLDER / f"{dataset}.yaml"
    if not path.is_file():
        return {}
    loaded = parse(_File, read_mapping(path), str(path))
    return {key: tuple(items) for key, items in loaded.corrections.items()}


def corrected(dataset: str, draft: Draft, mode: Mode) -> tuple[Draft, list[Applied]]:
    """Return the row after the corrections that do not need the frames, and what was done."""
    applied: list[Applied] = []
    if mode == "off":
        return draft, applied
    for item in corrections_of(dataset).get(draft.name, ()):
        if item.adds or not _matches(item, draft) or not _due(item, draft, mode):
            continue
        before, draft = draft, _changed(draft, item)
        changes = _changes(before, draft, item)
        if changes:
            applied.append(Applied(draft.name, changes, item))
    return draft, applied


def variants(dataset: str, draft: Draft, mode: Mode) -> list[tuple[Draft, Applied]]:
    """Return the other published intervals of a row, for the frames on disk to choose from."""
    if mode == "off":
        return []
    found = []
    for item in corrections_of(dataset).get(draft.name, ()):
        if item.apply == "by_frames" and _matches(item, draft, interval_only=True):
            other = _changed(draft, item)
            found.append((other, Applied(draft.name, _changes(draft, other, item), item)))
    return found


def added(dataset: str, present: set[str], mode: Mode) -> list[tuple[str, Correction]]:
    """Return the rows that the file lacks and that are to be added (mode "all" only)."""
    if mode != "all":
        return []
    return [
        (name, item)
        for name, items in corrections_of(dataset).items()
        for item in items
        if item.adds and name not in present
    ]


def dropped(dataset: str, draft: Draft, mode: Mode) -> Correction | None:
    """Return the correction that leaves a clip out (mode "all" only), or None."""
    items = corrections_of(dataset).get(draft.name, ()) if mode == "all" else ()
    return next((item for item in items if item.drop and _matches(item, draft)), None)


def optional(dataset: str, draft: Draft) -> list[Applied]:
    """Return the optional corrections that fit a row and were left alone."""
    found = []
    for item in corrections_of(dataset).get(draft.name, ()):
        if item.apply == "optional" and not item.adds and _matches(item, draft):
            changes = _changes(draft, _changed(draft, item), item)
            if changes or item.drop:
                found.append(Applied(draft.name, changes, item))
    return found


def _due(item: Correction, draft: Draft, mode: Mode) -> bool:
    if item.apply == "by_frames":
        return False
    if item.apply == "if_missing":
        return draft.apex is None
    if item.apply == "if_invalid":
        return not draft.ordered or (draft.apex is not None and not draft.has_apex)
    return item.apply == "always" or mode == "all"


def _matches(item: Correction, draft: Draft, *, interval_only: bool = False) -> bool:
    """Whether the row holds what the correction was published for."""
    for column, value in (item.file or {}).items():
        if interval_only and column not in ("onset", "offset"):
            continue
        held = getattr(draft, column)
        if column == "au":
            held = None if held is None else str(held).replace(" ", "")
            value = str(value).replace(" ", "")
        if held != value:
            return False
    return item.file is not None


def _changed(draft: Draft, item: Correction) -> Draft:
    values: Any = dict(item.values)
    return replace(draft, **values)


def _changes(before: Draft, after: Draft, item: Correction) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in item.values}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
