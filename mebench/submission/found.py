"""The clips below a team's folder: files that hold one, and folders of images."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mebench.errors import UsageError
from mebench.io.clutter import left_by
from mebench.io.frames import EXTENSIONS
from mebench.submission.source import MAX_ENTRIES

CLIP_FILES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".gif"})


@dataclass(frozen=True)
class Held:
    """A clip file, or a folder of images.

    Attributes:
        name: its path below the folder that was given.
        images: number of images in the folder; 0 for a file.
    """

    name: str
    images: int = 0

    @property
    def title(self) -> str:
        """The name without the suffix of a file."""
        return self.name if self.images else str(PurePosixPath(self.name).with_suffix(""))


def find_held(source: Path) -> list[Held]:
    """Return the clip files and the folders of images in `source`, below it, by name.

    Links are followed, each place once.

    Images that lie in `source` itself belong to no clip.

    Raises:
        UsageError: when the place does not exist or holds no clip.
    """
    if not source.is_dir():
        raise UsageError(f"{source}: no such folder; give the folder that holds your clips")
    found = []
    seen: set[str] = set()
    for count, (place, folders, files) in enumerate(os.walk(source, followlinks=True)):
        # A link leads to clips that lie elsewhere; one that leads back up has no end.
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        if count > MAX_ENTRIES:
            raise UsageError(
                f"{source}: more than {MAX_ENTRIES} folders; give the one of your clips"
            )
        folders[:] = sorted(name for name in folders if name[:1] != "." and left_by(name) is None)
        below = Path(place).relative_to(source)
        kinds = {name: os.path.splitext(name)[1].lower() for name in files if name[:1] != "."}
        found += [Held((below / name).as_posix()) for name in kinds if kinds[name] in CLIP_FILES]
        images = sum(kind in EXTENSIONS for kind in kinds.values())
        if below.parts and images:
            found.append(Held(below.as_posix(), images))
    if not found:
        raise UsageError(f"{source}: holds no mp4, avi, mov, gif or folder of images; give another")
    return sorted(found, key=lambda held: held.name)


def find_clips(source: Path) -> list[str]:
    """Return the names of what `find_held` finds."""
    return [held.name for held in find_held(source)]
