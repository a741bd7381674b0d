"""How the frames of a clip are read: from image files or from one clip file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mebench.errors import DatasetError
from mebench.io.frames import damage, iter_frames, read_frames
from mebench.io.video import count_frames, read_clip_file
from mebench.types import Frames, Image

CLIP_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv"})


@dataclass(frozen=True)
class FrameFiles:
    """Reads a clip from its image files; small and picklable."""

    paths: tuple[Path, ...]

    def __call__(self) -> Frames:
        """Return all frames (T, H, W, 3)."""
        return read_frames(self.paths)

    def stream(self) -> Iterator[Image]:
        """Yield the frames one by one."""
        return iter_frames(self.paths)

    def damaged(self) -> list[str]:
        """Return a line for each file that is surely damaged; nothing is decoded."""
        return [f"{path}: {why}" for path in self.paths if (why := damage(path))]


@dataclass(frozen=True)
class ClipFile(FrameFiles):
    """Reads a clip from one avi or mp4 file, `paths[0]`.

    Attributes:
        places: places of the clip's frames in the file, from 0.
    """

    places: range = range(0)

    def __call__(self) -> Frames:
        """Return all frames (T, H, W, 3)."""
        frames, _ = read_clip_file(self.paths[0])
        if self.places.stop > len(frames):
            raise DatasetError(
                f"{self.paths[0]}: frames {self.places.start}..{self.places.stop - 1} needed, "
                f"{len(frames)} can be decoded; copy it again"
            )
        return frames[self.places.start : self.places.stop]

    def stream(self) -> Iterator[Image]:
        """Yield the frames one by one."""
        return iter(self())

    def damaged(self) -> list[str]:
        """Return a line when the file cannot be opened."""
        try:
            count_frames(self.paths[0])
        except DatasetError as error:
            return [str(error)]
        return []


@dataclass(frozen=True)
class NoFrames:
    """Stands for the frames of a clip of which only the annotation was asked for."""

    name: str

    def __call__(self) -> Frames:
        """Raise: there is nothing to read."""
        raise DatasetError(f"{self.name}: listed from the annotation alone; load it with frames")
