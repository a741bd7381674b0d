"""Finds the clips of a copy, however it was unpacked, by the last parts of their paths."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mebench.datasets.media import CLIP_SUFFIXES
from mebench.errors import DatasetError, did_you_mean
from mebench.io.files import ways_to

MAX_FOLDERS = 20_000
"""Folders looked at: a root such as a home folder must not take minutes."""
_DEPTH = 9
_BESIDE = 7
_SKIPPED = frozenset({"truth", "non_micro", "__macosx"})

Media = Literal["frames", "file"]


@dataclass(frozen=True)
class Layout:
    """One way in which the clips of a data set lie on disk.

    Attributes:
        name: what reports and ``--layout`` call it.
        clips: whole match of the last parts of a clip's path, lower-case, joined by "/"; a clip
            file goes without its suffix. Named groups are the loader's.
        base: found in the lower-case path above those parts; None when any will do.
        media: a folder of images, or one clip file.
        whole: whether more than onset..offset is expected there.
        scattered: whether the clips of several folders belong together.
    """

    name: str
    clips: re.Pattern[str]
    base: re.Pattern[str] | None = None
    media: Media = "frames"
    whole: bool = False
    scattered: bool = False

    @property
    def parts(self) -> int:
        """How many parts of a path `clips` covers."""
        return self.clips.pattern.replace("[^/]", "").count("/") + 1

    def match(self, path: Path) -> Place | None:
        """Return the clip that lies at a path, or None."""
        parts = path.parts
        if len(parts) <= self.parts:
            return None
        tail = [*parts[-self.parts : -1], path.stem if self.media == "file" else path.name]
        found = self.clips.fullmatch("/".join(tail).lower())
        if found is None:
            return None
        base = Path(*parts[: -self.parts])
        if self.base is not None and not self.base.search(base.as_posix().lower()):
            return None
        return Place(self, base, path, found.groupdict(default=""))


@dataclass(frozen=True)
class Place:
    """A clip's folder or file: its layout, what lies above, and the named parts of its path."""

    layout: Layout
    base: Path
    path: Path
    groups: Mapping[str, str]


@dataclass(frozen=True)
class Found:
    """The clips below one base folder, and the other bases that could have been taken.

    `rivals` are those in the same layout: another copy, which ``--layout`` cannot name.
    """

    layout: Layout
    base: Path
    places: tuple[Place, ...]
    others: tuple[str, ...] = ()
    outside: bool = False
    rivals: tuple[Path, ...] = ()


def find_clips(root: Path, layouts: Sequence[Layout], wanted: str | None = None) -> Found | None:
    """Return the clips at or below `root`, else those right beside it when they are one copy.

    Of several layouts the first one wins.

    Raises:
        DatasetError: when the layout asked for is unknown or not there.
    """
    if wanted is not None:
        names = [layout.name for layout in layouts]
        if wanted not in names:
            raise DatasetError(f"unknown layout '{wanted}'.{did_you_mean(wanted, names)}")
        layouts = [layout for layout in layouts if layout.name == wanted]
    for way in ways_to(root):
        found = _found_at(way, layouts)
        if found is not None:
            return found
    return None


def _found_at(root: Path, layouts: Sequence[Layout]) -> Found | None:
    groups = _grouped(scan(root, layouts), layouts, root)
    if not groups:
        beside = (p for p in scan(root.parent, layouts, _BESIDE) if _near(root, p.base))
        groups = _grouped(beside, layouts, root.parent)
        if len({base for rank, base in groups if rank == min(groups)[0]}) > 1:
            return None
    return _best(root, layouts, groups) if groups else None


def _near(root: Path, base: Path) -> bool:
    """Whether a base is the folder above a root, or at most two levels below that."""
    above = root.parent
    return base.is_relative_to(above) and len(base.relative_to(above).parts) <= 2


def _grouped(
    places: Iterable[Place], layouts: Sequence[Layout], start: Path
) -> dict[tuple[int, Path], list[Place]]:
    groups: dict[tuple[int, Path], list[Place]] = defaultdict(list)
    for place in places:
        base = start if place.layout.scattered else place.base
        groups[layouts.index(place.layout), base].append(place)
    return groups


def scan(root: Path, layouts: Sequence[Layout], depth: int = _DEPTH) -> Iterator[Place]:
    """Yield the clips at and below `root`, in order of path; nothing below a clip is looked at."""
    level, seen = [root], 0
    for _ in range(depth):
        below: list[Path] = []
        for folder in level:
            places = [p for one in layouts if one.media == "frames" and (p := one.match(folder))]
            if places:
                yield places[0]
                continue
            seen += 1
            if seen > MAX_FOLDERS:
                return
            files, folders = _listing(folder)
            for path in files:
                found = [p for one in layouts if one.media == "file" and (p := one.match(path))]
                yield from found[:1]
            below += folders
        level = below


def _best(
    root: Path, layouts: Sequence[Layout], groups: Mapping[tuple[int, Path], list[Place]]
) -> Found:
    def key(item: tuple[int, Path]) -> tuple[int, int, int, Path]:
        return item[0], -len(groups[item]), len(item[1].parts), item[1]

    best = min(groups, key=key)
    layout, base = layouts[best[0]], best[1]
    inside = base == root or root in base.parents
    # A root inside the data set shows only a part of it.
    places = groups[best]
    if not inside:
        places = [p for p in scan(base, [layout]) if layout.scattered or p.base == base]
    others = tuple(
        f"{layouts[rank].name} in {place} ({len(groups[rank, place])} clips)"
        for rank, place in sorted(groups, key=key)
        if (rank, place) != best
    )
    rivals = tuple(place for rank, place in sorted(groups) if rank == best[0] and place != base)
    return Found(layout, base, tuple(places), others, not inside, rivals)


def _listing(folder: Path) -> tuple[list[Path], list[Path]]:
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    if entry.name.lower() not in _SKIPPED:
                        folders.append(folder / entry.name)
                elif os.path.splitext(entry.name)[1].lower() in CLIP_SUFFIXES:
                    files.append(folder / entry.name)
    except OSError:
        return [], []
    return sorted(files), sorted(folders)
