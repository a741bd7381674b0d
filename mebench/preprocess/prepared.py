"""Prepared clips in the order asked for; their frames stay on disk until they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from mebench.errors import DatasetError
from mebench.preprocess.cache import Entry
from mebench.types import Clip, Colour, FaceClip


@dataclass(frozen=True)
class Failure:
    """A clip that could not be prepared, and why."""

    key: str
    reason: str


class PreparedSet(Sequence[FaceClip]):
    """Prepared clips in the order asked for; frames stay on disk until they are read.

    Attributes:
        items: each clip, with its spotted apex where one was asked for, and its cache entry.
        failures: clips left out, with the reason.
        notes: remarks made while preparing.
        made: how many were prepared now; the others were in the cache.
    """

    def __init__(
        self,
        items: Sequence[tuple[Clip, Entry]],
        *,
        colour: Colour = "rgb",
        failures: Sequence[Failure] = (),
        notes: Sequence[str] = (),
        made: int = 0,
    ) -> None:
        self.items = tuple(items)
        self._colour = colour
        self.failures = tuple(failures)
        self.notes = tuple(notes)
        self.made = made

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> FaceClip: ...
    @overload
    def __getitem__(self, index: slice) -> PreparedSet: ...
    def __getitem__(self, index: int | slice) -> FaceClip | PreparedSet:
        if isinstance(index, slice):
            return PreparedSet(self.items[index], colour=self._colour)
        clip, entry = self.items[index]
        return FaceClip(
            key=clip.key,
            subject=f"{clip.dataset}.{clip.subject}",
            frames=entry.frames(),
            landmarks=entry.landmarks,
            fps=clip.fps * _stretch(clip, entry),
            apex_index=apex_index(clip, entry),
            action_units=clip.annotation.action_units,
            colour="gray" if "gray" in (self._colour, clip.colour) else "rgb",
            to_source=entry.to_source,
            apex_source=clip.annotation.apex_source,
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the clips, in order."""
        return tuple(clip.key for clip, _ in self.items)

    @property
    def clips(self) -> tuple[Clip, ...]:
        """The clips, in order, with the apexes that were spotted."""
        return tuple(clip for clip, _ in self.items)

    def find(self, key: str) -> FaceClip:
        """Return the clip of a key.

        Raises:
            DatasetError: when it is not there; says so when preparing it failed.
        """
        if key in self.keys:
            return self[self.keys.index(key)]
        reasons = [failure.reason for failure in self.failures if failure.key == key]
        raise DatasetError(reasons[0] if reasons else f"{key}: not among the prepared clips")


def apex_index(clip: Clip, entry: Entry) -> int | None:
    """Return the apex among an entry's frames, which may be fewer or more than the clip's."""
    index = clip.apex_index
    return None if index is None else round(index * _stretch(clip, entry))


def _stretch(clip: Clip, entry: Entry) -> float:
    """Return the prepared intervals between frames for one of the recording's."""
    recorded, prepared = len(clip.frame_numbers), entry.shape[0]
    return 1.0 if recorded == prepared else (prepared - 1) / (recorded - 1)
