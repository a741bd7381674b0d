"""Finds annotation files and frame folders in a copy that is unpacked one way or another."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

TABLE_SUFFIXES = frozenset({".xlsx", ".xls", ".csv"})
_DEPTH = 3
_TRUTH = "truth"
"""The folder in which SynthME keeps what only it knows; never searched."""


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
        level = [sub for folder in level for sub in subfolders(folder) if sub.name != _TRUTH]


def find_tables(root: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Return annotation files below `root`, else those right beside it.

    `wanted` judges the lower-case file name.
    """
    for folders in (walk(root, 2), iter([root.resolve().parent])):
        found = [
            folder / name
            for folder in folders
            for name in _table_names(folder)
            if wanted(name.lower())
        ]
        if found:
            return found
    return []


def find_frame_roots(root: Path, holds_subjects: Callable[[Path], bool]) -> list[Path]:
    """Return folders of subjects: `root` or below it, else its parent or beside it."""
    below = [folder for folder in walk(root) if holds_subjects(folder)]
    if below:
        return below
    parent = root.resolve().parent
    return [folder for folder in walk(parent, 2) if holds_subjects(folder)]


def matching_subfolders(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """Return the subfolders whose whole name matches."""
    return [sub for sub in subfolders(folder) if pattern.fullmatch(sub.name)]


def is_synthme(root: Path) -> bool:
    """Return whether `root`, its parent or its grandparent is a SynthME export."""
    resolved = root.resolve()
    places = [resolved, *list(resolved.parents)[:2]]
    return any((place / _TRUTH / "landmarks").is_dir() for place in places)


def truth_landmarks(root: Path) -> Path | None:
    """Return the folder of true landmarks of the SynthME export that `root` lies in, or None."""
    resolved = root.resolve()
    for place in [resolved, *list(resolved.parents)[:2]]:
        if (place / _TRUTH / "landmarks").is_dir():
            return place / _TRUTH / "landmarks"
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
