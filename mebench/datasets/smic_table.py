"""The table of SMIC-E: one row a long clip, one to three micro-expressions in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from mebench.datasets.corrections import Draft
from mebench.datasets.folders import find_tables
from mebench.datasets.tables import Row, Table, read_table
from mebench.errors import DatasetError

Part = Literal["HS", "VIS", "NIR"]
NAME = re.compile(r"s0*([0-9]{1,2})_(ne|po|sur)_([0-9]+)", re.IGNORECASE)
HOSTS: Mapping[str, tuple[str, ...]] = {
    "s3_ne_02": ("s3_ne_03",),
    "s4_ne_04": ("s4_ne_05", "s4_ne_06"),
    "s9_sur_01": ("s9_sur_02",),
}
"""Long clips that hold other named micro-expressions after their own, in this order."""
_WORDS = {"ne": "negative", "po": "positive", "sur": "surprise"}
_SPELLINGS = {
    "onset": frozenset({"onsetf", "onsetfnir", "onset1f", "onsetfvis"}),
    "offset": frozenset({"offsetf", "offsetfnir", "offset1f", "offsetfvis"}),
    "onset2": frozenset({"onset2f", "onset2fnir"}),
    "offset2": frozenset({"offset2f", "offset2fnir"}),
    "onset3": frozenset({"onset3f", "onset3fnir"}),
    "offset3": frozenset({"offset3f", "offset3fnir"}),
    "length1": frozenset({"totalmf1", "totalmf"}),
    "length2": frozenset({"totalmf2"}),
    "length3": frozenset({"totalmf3"}),
    "first": frozenset({"firstf", "firstfnir"}),
    "last": frozenset({"lastf", "lastfnir"}),
}


def label_of(clip_id: str) -> str:
    """Return the label a clip's name holds: negative, positive or surprise.

    >>> label_of("s18_sur_03")
    'surprise'
    """
    match = NAME.match(clip_id)
    if match is None:
        raise DatasetError(f"'{clip_id}' is no clip name of SMIC, expected one such as s1_ne_01")
    return _WORDS[match[2].lower()]


def host_of(clip_id: str) -> str:
    """Return the long clip that holds a micro-expression.

    >>> host_of("s4_ne_06"), host_of("s20_ne_06_2"), host_of("s1_ne_01")
    ('s4_ne_04', 's20_ne_06', 's1_ne_01')
    """
    for host, held in HOSTS.items():
        if clip_id in held:
            return host
    return re.sub(r"(_[0-9]+)_[23]$", r"\1", clip_id)


def table_rank(name: str, part: Part) -> int | None:
    """Return how well a lower-case file name fits (0 best), or None: the original sheet first."""
    plain = re.sub(r"[\W_]+", "", name)
    if "smic" not in plain or "annotation" not in plain:
        return None
    own = part.lower() in plain
    if part == "NIR" or ("vis" in plain and part == "HS") or "nir" in plain:
        return 0 if own else None
    return (0 if own else 2) + (0 if "orig" in plain or "2019" in plain else 1)


def find_table(root: Path, part: Part) -> Path | None:
    """Return the table of a part at or near a root, or None."""
    found = find_tables(root, lambda name: table_rank(name, part) is not None)
    return min(found, key=lambda path: table_rank(path.name.lower(), part) or 0, default=None)


class SmicTable:
    """The rows of one part, and the micro-expressions they stand for."""

    def __init__(self, path: Path, part: Part) -> None:
        self.path = path
        self.part = part
        self.dropped: list[str] = []

    @cached_property
    def content(self) -> Table:
        """The rows as they are.

        Raises:
            DatasetError: when the file cannot be read or has other columns.
        """
        # Copies call the sheet of HS anything, and so may a book of one part.
        own = self.part == "HS" or self.part.lower() in self.path.name.lower()
        return read_table(
            self.path,
            ("subject", "filename", "onset", "offset"),
            spellings=_SPELLINGS,
            sheet=None if own else self.part,
            prefer=(self.part.lower(),),
        )

    def drafts(self) -> list[Draft]:
        """Return one draft a micro-expression, those held by other clips under their own name."""
        return [draft for row in self.content.rows for draft in self.events(row)]

    def events(self, row: Row) -> list[Draft]:
        """Return the micro-expressions of a row.

        Raises:
            DatasetError: when the row's name is no clip name.
        """
        match = NAME.fullmatch(row.text("filename"))
        if match is None:
            raise DatasetError(
                f"'{row.text('filename')}' is no clip name of SMIC, expected one such as s1_ne_01"
            )
        subject = f"s{int(match[1])}"
        clip_id = f"{subject}_{match[2].lower()}_{match[3]}"
        seen: list[tuple[int, int]] = []
        drafts: list[Draft] = []
        for index in ("", "2", "3"):
            onset, offset = row.whole(f"onset{index}"), row.whole(f"offset{index}")
            if index and (onset is None or offset is None):
                continue
            if index and self._misplaced(row, index, seen):
                self._drop(f"{clip_id}: interval {index} ({onset}..{offset}) left out")
                continue
            if onset is not None and offset is not None:
                seen.append((onset, offset))
            drafts.append(
                Draft(
                    subject=subject,
                    clip_id=_event_name(clip_id, len(drafts)),
                    onset=onset,
                    apex=None,
                    offset=offset,
                    emotion=row.text("emotion") or label_of(clip_id),
                    row=row.number,
                )
            )
        return drafts

    def checks(self) -> list[str]:
        """Return rows whose length or label contradicts the interval or the name."""
        remarks = list(self.dropped)
        for row in self.content.rows:
            name = row.text("filename")
            where = f"{self.path.name} row {row.number}: {name}"
            onset, offset, length = (row.whole(n) for n in ("onset", "offset", "length1"))
            if (
                onset is not None
                and offset is not None
                and length not in (None, offset - onset + 1)
            ):
                remarks.append(
                    f"{where}: length {length}, but {onset}..{offset} are {offset - onset + 1} "
                    "frames"
                )
            stated = row.text("emotion").lower()
            if NAME.fullmatch(name) and stated and stated != label_of(name):
                remarks.append(f"{where}: labelled '{stated}', by name '{label_of(name)}'")
            first, last = row.whole("first"), row.whole("last")
            if None not in (onset, offset, first) and not (
                first <= onset and (last is None or offset <= last)  # type: ignore[operator]
            ):
                remarks.append(f"{where}: {onset}..{offset} lies outside the clip {first}..{last}")
            if first is None and row.text("first"):
                remarks.append(f"{where}: first frame is given as '{row.text('first')}'")
        return remarks

    def _misplaced(self, row: Row, index: str, seen: list[tuple[int, int]]) -> bool:
        """Whether a further interval is a shifted cell or repeats an earlier one."""
        onset, offset = row.whole(f"onset{index}") or 0, row.whole(f"offset{index}") or 0
        length = row.whole(f"length{index}")
        return offset <= onset or (onset, offset) in seen or (length is not None and length <= 0)

    def _drop(self, what: str) -> None:
        line = f"{self.path.name}: {what}: cells shifted, or the second interval again"
        if line not in self.dropped:
            self.dropped.append(line)


def _event_name(clip_id: str, place: int) -> str:
    if place == 0:
        return clip_id
    held = HOSTS.get(clip_id, ())
    return held[place - 1] if place <= len(held) else f"{clip_id}_{place + 1}"
