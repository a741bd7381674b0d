"""Clips in any folder: which folders and files are clips, and ids that are safe as path parts."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from mebench.datasets.layout import MAX_FOLDERS, Media
from mebench.datasets.media import CLIP_SUFFIXES
from mebench.errors import DatasetError
from mebench.io.files import ways_to
from mebench.io.frames import EXTENSIONS, frame_number

OWN_SUFFIXES = CLIP_SUFFIXES | {".gif", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"}
_SKIPPED = frozenset({"__macosx"})
_DEPTH = 12
_LONGEST = 60
_FEWEST = 2
"""Frames without which a folder is no clip."""
Key = TypeVar("Key")


@dataclass(frozen=True)
class OwnFile:
    """One clip on disk: a folder of numbered images, or one clip file.

    Attributes:
        path: the folder or file.
        name: its path below the root, joined by "/", a file's suffix with it.
    """

    path: Path
    name: str
    media: Media

    @property
    def title(self) -> str:
        """The name without a file's suffix."""
        return os.path.splitext(self.name)[0] if self.media == "file" else self.name

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders above the clip, and the clip."""
        return tuple(self.title.split("/"))


@dataclass
class OwnFiles:
    """The clips below a root in order of their names, and what was not taken, in words."""

    clips: list[OwnFile] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def find_own(root: Path) -> OwnFiles:
    """Return every clip below `root`, or `root` itself when it is one.

    A folder is a clip when it holds two or more numbered images and no clip lies in it or below:
    pictures beside clips, such as previews, are no frames.

    Raises:
        DatasetError: when there are too many folders to be a collection of clips.
    """
    found = OwnFiles()
    _walk(root, root, found, set())
    found.clips.sort(key=lambda clip: clip.name)
    return found


def _walk(root: Path, folder: Path, found: OwnFiles, seen: set[str]) -> bool:
    """Add the clips in and below a folder; tell whether there are any."""
    place = os.path.realpath(folder)
    if place in seen or len(folder.relative_to(root).parts) > _DEPTH:
        return False  # a link that leads back up has no end
    seen.add(place)
    if len(seen) > MAX_FOLDERS:
        raise DatasetError(
            f"{root}: more than {MAX_FOLDERS} folders; give the folder that holds the clips alone"
        )
    files, folders, images, numbered = _listing(folder, found)
    for path in files:
        found.clips.append(OwnFile(path, _name(path, root), "file"))
    below = [_walk(root, path, found, seen) for path in folders]
    if files or any(below):
        if images:
            found.remarks.append(f"{folder}: {images} images beside clips are not taken as frames")
        return True
    if numbered >= _FEWEST:
        found.clips.append(OwnFile(folder, _name(folder, root), "frames"))
        return True
    if images:
        found.remarks.append(
            f"{folder}: {images} images, {numbered} of them numbered; not taken, a clip needs two "
            "or more with numbers in their names (img001.png)"
        )
    return False


def _name(path: Path, root: Path) -> str:
    return ways_to(root)[0].name if path == root else path.relative_to(root).as_posix()


def _listing(folder: Path, found: OwnFiles) -> tuple[list[Path], list[Path], int, int]:
    """Return clip files, folders, and how many images there are and have a number."""
    files, folders, images, numbered = [], [], 0, 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                suffix = os.path.splitext(entry.name)[1].lower()
                if entry.is_dir():
                    if entry.name.lower() not in _SKIPPED:
                        folders.append(folder / entry.name)
                elif suffix in OWN_SUFFIXES:
                    files.append(folder / entry.name)
                elif suffix in EXTENSIONS:
                    images += 1
                    numbered += frame_number(entry.name) is not None
    except OSError as error:
        found.remarks.append(f"{folder}: cannot be listed ({error.strerror}); not taken")
        return [], [], 0, 0
    return sorted(files), sorted(folders), images, numbered


def subject_depth(clips: Sequence[OwnFile]) -> int | None:
    """Return which part of a clip's path names its subject, or None when each is its own.

    Folders that hold everything are looked through; clips one level below the rest have subjects.
    """
    parts = [clip.parts for clip in clips]
    deep = {len(each) for each in parts}
    if len(deep) != 1:
        return None
    depth = deep.pop() - 2
    alike = depth >= 0 and len({each[:depth] for each in parts}) == 1
    return depth if alike else None


def safe_names(texts: Mapping[Key, str]) -> dict[Key, str]:
    """Return names of letters, digits, ``-`` and ``_``, no two alike in any letter case.

    A name that would be that of another, or that keeps nothing of its text, ends in a checksum.

    >>> safe_names({1: "smile 01", 2: "Ann", 3: "ann"})
    {1: 'smile-01', 2: 'Ann-ed48d4', 3: 'ann-57ba37'}
    """
    plain = {key: _plain(text) for key, text in texts.items()}
    taken = Counter(name.casefold() for name in plain.values())
    found: dict[Key, str] = {}
    for digits in (6, 64):
        found = {
            key: name
            if name and len(name) <= _LONGEST and taken[name.casefold()] == 1
            else f"{name[:_LONGEST] or 'clip'}-{_checksum(key, texts[key])[:digits]}"
            for key, name in plain.items()
        }
        if len({name.casefold() for name in found.values()}) == len(found):
            break
    return found


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")


def _checksum(key: object, text: str) -> str:
    return hashlib.sha256(f"{key!r} {text}".encode("utf-8", "surrogateescape")).hexdigest()
