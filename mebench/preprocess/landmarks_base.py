"""What every finder of landmarks gives: 68 sub-pixel points of a face and how sure they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mebench.types import Image, Points


@dataclass(frozen=True)
class Landmarks68:
    """The 68 iBUG points of one face.

    Attributes:
        points: (68, 2) float32, (x, y) in pixels of the image, not rounded.
        confidence: 0 to 1; what it measures is each finder's own, so compare it within one finder.
    """

    points: Points
    confidence: float


class Landmarker(Protocol):
    """Finds the 68 iBUG points of the face in an image.

    Attributes:
        name: what reports call it.
    """

    name: str

    def find(self, key: str, image: Image, notes: list[str] | None = None) -> Landmarks68:
        """Return points and confidence for the clip `key` whose frame 0 is `image`.

        Raises:
            DatasetError: when there are none; the clip is named.
        """

    def points(self, key: str, image: Image, notes: list[str] | None = None) -> Points:
        """Return the points of `find` alone, (68, 2) float32."""

    def track(
        self, key: str, frames: Iterable[Image], notes: list[str] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return points (T, 68, 2) and confidence (T,) of every frame of a clip.

        Raises:
            DatasetError: when a frame has none; clip and frame are named.
        """

    def digest(self, key: str) -> str:
        """Return a text that changes whenever the points of `key` could change."""


class Finder(ABC):
    """What the finders share."""

    name: str

    @abstractmethod
    def find(self, key: str, image: Image, notes: list[str] | None = None) -> Landmarks68:
        """Return points and confidence; see `Landmarker`."""

    def points(self, key: str, image: Image, notes: list[str] | None = None) -> Points:
        """Return the points of `find` alone, (68, 2) float32."""
        return self.find(key, image, notes).points

    def track(
        self, key: str, frames: Iterable[Image], notes: list[str] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return points (T, 68, 2) and confidence (T,), each frame looked at by itself."""
        found = [
            self.find(f"{key} frame {number}", frame, notes if number == 0 else [])
            for number, frame in enumerate(frames)
        ]
        return stack(found)


def stack(found: list[Landmarks68]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return points (T, 68, 2) and confidence (T,) of the frames of a clip."""
    points = np.stack([one.points for one in found]).astype(np.float32)
    return points, np.asarray([one.confidence for one in found], np.float32)
