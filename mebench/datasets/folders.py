"""Finds annotation files and frame folders in a copy that is unpacked one way or another."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from mebench.errors import DatasetError
from mebench.io.files import ways_to

TABLE_SUFFIXES = frozenset({".xlsx", ".xls", ".csv"})
_DEPTH = 3
_MAX_FOLDERS = 5000
"""Folders looked at on one level: a root such as a home folder must not take minutes."""
_TRUTH = "truth"
"""The folder in which SynthME keeps what only it knows; never searched."""
_STAMP = "synthme.json"
"""Written last by SynthME."""


def subfolders(folder: Path) -> list[Path]:
    """Return the visible subfolders in name order, empty when the folder cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return []
    return [folder / name for name in names]


def walk(root: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """Yield `root` and the folders below it, the upper ones first."""
    level = [root]
    for _ in range(depth + 1):
        yield from level
        below = (sub for folder in level for sub in subfolders(folder) if sub.name != _TRUTH)
        level = list(islice(below, _MAX_FOLDERS))


def find_tables(root: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Return annotation files below `root`, else those right beside it.

    `wanted` judges the lower-case file name.
    """
    # A root that is a link stands beside its table, or what it leads to does.
    for folders in (walk(root, 2), *([way.parent] for way in ways_to(root))):
        found = [
            folder / name
            for folder in folders
            for name in _table_names(folder)
            if wanted(name.lower())
        ]
        if found:
            return found
    return []


def synthme_keys(root: Path) -> frozenset[str]:
    """Return the keys of the clips of the SynthME export that `root` lies in, empty without one.

    Raises:
        DatasetError: when the export was interrupted.
    """
    place = _export_of(root)
    if place is None:
        return frozenset()
    try:
        stamp = json.loads((place / _STAMP).read_text(encoding="utf-8"))
        return frozenset(str(key) for key in stamp["clips"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{place}: an unfinished SynthME export; run 'mebench data synth' again with the same "
            "--out, --preset and --seed"
        ) from error


def truth_landmarks(root: Path) -> Path | None:
    """Return the folder of true landmarks of the SynthME export that `root` lies in, or None."""
    place = _export_of(root)
    return None if place is None else place / _TRUTH / "landmarks"


def _export_of(root: Path) -> Path | None:
    resolved = root.resolve()
    for place in (resolved, *list(resolved.parents)[:3]):
        if (place / _TRUTH / "clips.json").is_file():
            return place
    return None


def _table_names(folder: Path) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    hidden = (".", "~$")
    return [
        name
        for name in names
        if not name.startswith(hidden) and os.path.splitext(name)[1].lower() in TABLE_SUFFIXES
    ]
