"""The leaderboard's records: taken in, scored again, and read for tables and pages."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mebench.errors import MebenchError, UsageError
from mebench.record import RATED, MethodRow, Record, unlike

RECORDS = "records"
TOLERANCE = 1e-6
"""Largest difference of a value scored again, relative to its size where that is above 1."""
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Entry:
    """One row of the board: its file and the record in it."""

    path: Path
    record: Record


def place_of(board: Path, record: Record) -> Path:
    """Return where a record lies on a board.

    Raises:
        UsageError: when the ids cannot be file names.
    """
    protocol, method = (file_name(part) for part in (record.protocol.id, record.result.id))
    return board / RECORDS / protocol / f"{method}.json"


def file_name(name: str) -> str:
    """Return an id as a file name: ``lab+method`` for ``lab/method``.

    Raises:
        UsageError: when it holds anything but letters, digits, ``.``, ``_``, ``-`` and one ``/``.
    """
    parts = name.split("/")
    if len(parts) > 2 or not all(_PART.fullmatch(part) for part in parts):
        raise UsageError(
            f"id '{name}' cannot be a file name; use letters, digits, '.', '_' and '-', and at "
            "most one '/' after the lab's name"
        )
    return "+".join(parts)


def add(board: Path, path: Path, *, replace: bool = False) -> Path:
    """Copy a record onto the board as self-reported, until `check` has scored it again.

    Raises:
        UsageError: for a file that is no record, was edited, or names a method that is there.
    """
    record = Record.load(path)
    place = place_of(board, record)
    if place.exists() and not replace:
        raise UsageError(
            f"{path}: '{record.result.id}' is on the board of '{record.protocol.id}' already "
            f"({place}); give the method another id, or --replace the row"
        )
    if record.status == "verified":
        record.status = "self-reported"
    place.parent.mkdir(parents=True, exist_ok=True)
    record.save(place)
    return place


def read(board: Path) -> tuple[list[Entry], dict[str, str]]:
    """Return the rows of a board, and what is wrong with each file that is none.

    Raises:
        UsageError: when the folder holds no records at all.
    """
    files = sorted((board / RECORDS).glob("*/*.json"))
    if not files:
        raise UsageError(
            f"{board}: holds no {RECORDS}/<protocol>/<method>.json; add one with: "
            "mebench leaderboard add RECORD.json"
        )
    entries: list[Entry] = []
    problems: dict[str, str] = {}
    for file in files:
        name = file.relative_to(board).as_posix()
        try:
            record = Record.load(file)
            if place_of(board, record) != file:
                expected = place_of(board, record).relative_to(board).as_posix()
                problems[name] = f"{file}: holds the record that belongs into {expected}; move it"
                continue
        except MebenchError as error:
            problems[name] = str(error)
            continue
        entries.append(Entry(file, record))
    return entries, problems


def by_protocol(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Return the rows of each protocol that can share a table.

    Rows of another version of a protocol, or of other clips, stand in a group of their own, named
    ``<protocol>@<digest>``; the group with the most rows keeps the plain name.
    """
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        stamp, data = entry.record.protocol, entry.record.dataset
        groups.setdefault((stamp.id, stamp.digest, data.index_digest), []).append(entry)
    named: dict[str, list[Entry]] = {}
    for (name, digest, index), rows in sorted(groups.items(), key=lambda g: (g[0][0], -len(g[1]))):
        named[name if name not in named else f"{name}@{digest[:6]}{index[:6]}"] = rows
    return named


def differences(told: MethodRow, scored: MethodRow) -> list[str]:
    """Return what a row claims and a new score does not find, one line each.

    Experts' scores cannot be measured again and are not asked for; tables mark them.
    """
    found = []
    if told.id != scored.id:
        found.append(f"the submission is of method '{scored.id}'")
    if told.pixel_digest != scored.pixel_digest:
        found.append("the outputs are not those of the record (pixel digest)")
    if told.unranked != scored.unranked:
        why = scored.unranked or "nothing, where the record says why it has none"
        found.append(f"what stands against a rank: {why}")
    for key, old in sorted(told.metrics.items()):
        if key.startswith(RATED):
            continue
        new = scored.metrics.get(key)
        if new is None:
            found.append(f"{key}: not scored again (weights or extras are missing here)")
        elif not _same(old.value, new.value):
            found.append(f"{key}: record {_shown(old.value)}, scored again {_shown(new.value)}")
    return found


def verify(entry: Entry, scored: Record) -> list[str]:
    """Mark a row verified when a new score finds the same; return what differs.

    Raises:
        UsageError: when the new score is of another protocol or other clips.
    """
    record = entry.record
    other = unlike(record, scored)
    if other:
        what, told, here = other
        raise UsageError(
            f"{entry.path.name}: the record's {what} ({told[:12]}) are not those here "
            f"({here[:12]}); use the version of mebench and the data it was scored with, or score "
            "it anew"
        )
    found = differences(record.result, scored.result)
    status = "self-reported" if found else scored.status
    if record.status != status:
        record.status = status
        record.save(entry.path)
    return found


def submissions_of(folder: Path, entries: Sequence[Entry]) -> Mapping[str, Path]:
    """Return the submission in `folder` of each method that has one: ``<id>``, ``<id>.zip``."""
    found = {}
    for entry in entries:
        name = entry.record.result.id
        file = file_name(name)
        for place in (folder / file, folder / f"{file}.zip"):
            if place.exists():
                found[name] = place
                break
    return found


def _same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _shown(value: float | None) -> str:
    return "--" if value is None else f"{value:.6g}"
