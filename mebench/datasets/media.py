"""How the frames of a clip are read: from image files or from one clip file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mebench.errors import DatasetError
from mebench.io.frames import damage, iter_frames, read_frames
from mebench.io.video import clip_facts, read_clip_file
from mebench.types import Frames, Image

CLIP_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv"})


@dataclass(frozen=True)
class FrameFiles:
    """Reads a clip from the image files of a folder; small and picklable.

    Names are kept apart from the folder: a data set has a hundred thousand of them.
    """

    folder: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> FrameFiles:
        """Return the reader of files that lie in one folder, in this order."""
        return FrameFiles(str(paths[0].parent), tuple(path.name for path in paths))

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in order of time."""
        folder = Path(self.folder)
        return tuple(folder / name for name in self.names)

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
    """Reads a clip from one avi or mp4 file, the only one of `paths`.

    Attributes:
        places: places of the clip's frames in the file, from 0.
    """

    places: range = range(0)

    @classmethod
    def part(cls, path: Path, places: range) -> ClipFile:
        """Return the reader of some frames of a file."""
        return cls(str(path.parent), (path.name,), places)

    def __call__(self) -> Frames:
        """Return all frames (T, H, W, 3)."""
        (path,) = self.paths
        frames, _ = read_clip_file(path)
        if self.places.stop > len(frames):
            raise DatasetError(
                f"{path}: frames {self.places.start}..{self.places.stop - 1} needed, "
                f"{len(frames)} can be decoded; copy it again"
            )
        return frames[self.places.start : self.places.stop]

    def stream(self) -> Iterator[Image]:
        """Yield the frames one by one."""
        return iter(self())

    def damaged(self) -> list[str]:
        """Return a line when the file cannot be opened, or ends before its last frame."""
        lines: list[str] = []
        try:
            clip_facts(self.paths[0], lines.append)
        except DatasetError as error:
            return [str(error)]
        return lines


@dataclass(frozen=True)
class NoFrames:
    """Stands for the frames of a clip of which only the annotation was asked for."""

    name: str

    def __call__(self) -> Frames:
        """Raise: there is nothing to read."""
        raise DatasetError(f"{self.name}: listed from the annotation alone; load it with frames")
