"""A view: the size of a clip's pixels, and the transform that takes them to the template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from mebench.preprocess.canonical import Matrix, apply, compose, invert
from mebench.preprocess.crop import resample, to_gray
from mebench.types import Face, Frames, Image, Picture, Points
from mebench.views.target import inside_of

ALIGNED = "aligned"
"""How the view of an output is called that is drawn as mebench aligns the template."""


@dataclass(frozen=True)
class View:
    """Where one output lies on the picture of its template.

    Attributes:
        to_picture: (2, 3) float64, pixels of the output to pixels of the template's picture.
        shape: height and width of the output, pixels.
        found: how it was found; see `mebench.views.fit.Fit`.
        correlation: of frame 0 and the picture over the face, -1..1.
        seen: share of the face that lies in both, 0..1.
    """

    to_picture: Matrix
    shape: tuple[int, int]
    found: str
    correlation: float
    seen: float

    @property
    def aligned(self) -> bool:
        """Whether the output is drawn as mebench aligns the template."""
        return self.found == ALIGNED

    @property
    def rotation(self) -> float:
        """Turn of the output against the picture, degrees, -180..180."""
        a = self.to_picture[:, :2]
        return math.degrees(math.atan2(a[1, 0] - a[0, 1], a[0, 0] + a[1, 1]))

    def row(self) -> dict[str, Any]:
        """Return what a record keeps, rounded to what it means.

        Units: scale is pixels of the picture for one of the output; shift is where the output's
        first pixel lies in the picture; rotation in degrees.
        """
        scale = math.sqrt(abs(float(np.linalg.det(self.to_picture[:, :2]))))
        return {
            "found": self.found,
            "size": [self.shape[1], self.shape[0]],
            "scale": round(scale, 4),
            "rotation": round(self.rotation, 2),
            "shift": [round(float(v), 2) for v in self.to_picture[:, 2]],
            "correlation": round(self.correlation, 4),
            "seen": round(self.seen, 3),
        }

    def carried(self, points: Points) -> Points:
        """Return points of the picture (..., 2) in pixels of the output."""
        return apply(invert(self.to_picture), points).astype(np.float32)


def face_in(view: View, picture: Picture, *, gray: bool = False) -> Face:
    """Return the template as it looks in a view: the picture in the output's pixels, its landmarks.

    What lies outside the picture repeats its border; see `seen_in`.
    """
    image = resample(picture.image, view.to_picture, view.shape)
    return Face(to_gray(image) if gray else image, view.carried(picture.landmarks))


def seen_in(view: View, picture: Picture) -> NDArray[np.bool_]:
    """Return which pixels (H, W) of a view lie inside the picture."""
    shape = (picture.image.shape[0], picture.image.shape[1])
    return inside_of(shape, view.to_picture, view.shape)


def aligned_to(view: View, picture: Picture) -> Matrix:
    """Return the (2, 3) map from aligned pixels to pixels of the output."""
    return compose(invert(view.to_picture), picture.to_source)


class Moved(Sequence[Image]):
    """The frames of an output in the aligned view, each made when it is asked for.

    What an output does not show is the template's.

    Args:
        frames: (T, H, W, 3) uint8, the output's.
        matrix: (2, 3), of `aligned_to`.
        template: (S, S, 3) uint8, the aligned template.
    """

    def __init__(self, frames: Frames, matrix: Matrix, template: Image) -> None:
        self._frames, self._matrix, self._template = frames, matrix, template
        shape = (template.shape[0], template.shape[1])
        whole = np.full(frames.shape[1:3], 255, np.uint8)
        self._shown = (resample(whole, matrix, shape, border=0) > 254)[..., None]

    def __len__(self) -> int:
        return len(self._frames)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> list[Image]: ...
    def __getitem__(self, index: int | slice) -> Image | list[Image]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        shape = (self._template.shape[0], self._template.shape[1])
        moved = resample(self._frames[index], self._matrix, shape)
        return np.where(self._shown, moved, self._template).astype(np.uint8)
