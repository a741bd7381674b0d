"""Apexes that somebody else spotted: a CSV of file names and frame numbers."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mebench.errors import DatasetError, UsageError
from mebench.io.tables import read_cells, whole_number
from mebench.types import Clip

_FILE = frozenset({"filename", "file", "clip", "name", "video", "sample", "foldername"})
_SUBJECT = frozenset({"subject", "sub", "subid", "subjectid"})
_APEX = frozenset({"apex", "apexframe", "apexindex", "apexf"})


@dataclass(frozen=True)
class ListedApexes:
    """The rows of a list: subject ("" where none is stated), clip, frame number of the apex."""

    path: Path
    rows: tuple[tuple[str, str, int], ...]


def read_apexes(path: Path) -> ListedApexes:
    """Return the apexes of a CSV with the columns file name and apex, and perhaps subject.

    Raises:
        UsageError: when it cannot be read, lacks a column, or holds something else than numbers.
    """
    try:
        head, *lines = read_cells(path.read_bytes()) or [[]]
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as CSV; give columns filename and apex") from (
            error
        )
    places = {re.sub(r"[\W_]+", "", cell.lower()): at for at, cell in reversed([*enumerate(head)])}
    name, apex, subject = (
        next((at for cell, at in places.items() if cell in known), None)
        for known in (_FILE, _APEX, _SUBJECT)
    )
    if name is None or apex is None:
        raise UsageError(
            f"{path}: needs columns filename and apex, got {', '.join(head) or 'none'}"
        )
    rows = []
    for number, line in enumerate(lines, 2):
        cells = [cell.strip() for cell in (*line, *[""] * (len(head) - len(line)))]
        if not cells[apex]:
            continue
        frame = whole_number(cells[apex])
        if frame is None or frame < 0:
            raise UsageError(f"{path} row {number}: apex '{cells[apex][:40]}' is no frame number")
        person = "" if subject is None else cells[subject]
        rows.append((person, os.path.splitext(cells[name])[0], frame))
    return ListedApexes(path, tuple(rows))


def with_listed(clips: Sequence[Clip], listed: ListedApexes) -> tuple[list[Clip], list[str]]:
    """Return clips with the listed apexes where the annotation has none, and remarks.

    Raises:
        DatasetError: when a name without a subject is that of several people's clips, or an apex
            lies outside its clip.
    """
    by_name: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        by_name[_plain(clip.annotation.clip_id)].append(clip)
    given: dict[str, int] = {}
    unknown = 0
    for subject, name, apex in listed.rows:
        alike = by_name.get(_plain(name), [])
        if subject:
            alike = [one for one in alike if _person(one.annotation.subject) == _person(subject)]
        if len(alike) > 1:
            people = ", ".join(sorted({clip.annotation.subject for clip in alike})[:10])
            raise DatasetError(
                f"{listed.path}: '{name}' is a clip of several subjects ({people}); add a column "
                "subject"
            )
        unknown += not alike
        for clip in alike:
            row = clip.annotation
            if row.apex is None and not row.onset <= apex <= row.offset:
                raise DatasetError(
                    f"{listed.path}: apex {apex} of '{name}' lies outside {row.onset}..{row.offset}"
                )
            given[clip.key] = apex
    found, kept = [], 0
    for clip in clips:
        if clip.key in given and clip.annotation.apex is None:
            row = replace(clip.annotation, apex=given[clip.key], apex_source="listed")
            clip = replace(clip, annotation=row)
        elif clip.key in given:
            kept += 1
        found.append(clip)
    told = [
        f"{listed.path}: {count} {what}"
        for count, what in (
            (kept, "clips keep the apex of their annotation"),
            (unknown, "rows name no clip of this copy"),
        )
        if count
    ]
    return found, told


def _plain(name: str) -> str:
    return name.strip().casefold()


def _person(subject: str) -> str:
    digits = re.findall(r"[0-9]+", subject)
    return str(int(digits[-1])) if digits else subject.casefold()
