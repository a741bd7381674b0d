"""What every finder of landmarks gives: 68 sub-pixel points of a face and how sure they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mebench.errors import DatasetError
from mebench.io.video import tell
from mebench.preprocess.landmarks_boxes import Box, require_inside
from mebench.types import Image, Points

UNSURE = 0.5
"""Found points with less confidence are told."""


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

    @abstractmethod
    def track(
        self, key: str, frames: Iterable[Image], notes: list[str] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return points (T, 68, 2) and confidence (T,); see `Landmarker`."""

    @abstractmethod
    def digest(self, key: str) -> str:
        """Return a text that changes whenever the points of `key` could change."""


class BoxFinder(Finder):
    """A finder that looks for the face first, then for points inside its box."""

    @abstractmethod
    def box(self, key: str, image: Image, notes: list[str] | None = None) -> Box:
        """Return the box of the face.

        Raises:
            DatasetError: when no face is found, or not the one asked for.
        """

    @abstractmethod
    def at(self, key: str, image: Image, box: Box) -> Landmarks68:
        """Return the points of the face in a box."""

    def find(self, key: str, image: Image, notes: list[str] | None = None) -> Landmarks68:
        """Return points and confidence; see `Landmarker`. Unsure points are told."""
        box = self.box(key, image, notes)
        require_inside(key, box, image.shape)
        found = self.at(key, image, box)
        if found.confidence < UNSURE:
            tell(
                notes,
                f"{key}: the landmarks are unsure (confidence {found.confidence:.2f}); look at "
                "them, or give landmarks yourself (--landmarks given --landmarks-root DIR)",
            )
        return found

    def track(
        self, key: str, frames: Iterable[Image], notes: list[str] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return points (T, 68, 2) and confidence (T,), all in the box of frame 0.

        A detection a frame would add its own jumps to the points.
        """
        found: list[Landmarks68] = []
        box: Box | None = None
        for number, frame in enumerate(frames):
            if box is None:
                box = self.box(key, frame, notes)
                require_inside(key, box, frame.shape)
            found.append(self.at(f"{key} frame {number}", frame, box))
        return stack(found)


def stack(found: list[Landmarks68]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return points (T, 68, 2) and confidence (T,) of the frames of a clip.

    Raises:
        DatasetError: when there is no frame.
    """
    if not found:
        raise DatasetError("a clip without frames has no landmarks; check its folder")
    points = np.stack([one.points for one in found]).astype(np.float32)
    return points, np.asarray([one.confidence for one in found], np.float32)
