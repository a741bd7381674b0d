"""Which face points move the face: the 18 published ones, or a denser set for measured tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError
from mebench.methods.fomm.prior import NUM_PRIOR_POINTS, landmarks_to_prior_points
from mebench.preprocess.canonical import eye_distance

PointSet = Literal["published-18", "face-44"]

IntArray = NDArray[np.intp]
Positions = NDArray[np.float32]
"""(..., K, 2), (x, y) in pixels."""

_MIRROR_18 = (1, 0, 2, 5, 6, 3, 4, 8, 7, 11, 10, 9, 13, 12, 15, 14, 17, 16)


@dataclass(frozen=True)
class FacePoint:
    """A mean of landmarks, shifted in units of the eye distance.

    Attributes:
        landmarks: iBUG-68 indices that are averaged, image-left version.
        out: shift away from the face's midline.
        down: shift towards the chin.
    """

    landmarks: tuple[int, ...]
    out: float = 0.0
    down: float = 0.0


def _mirror_table() -> IntArray:
    table = np.arange(68)
    pairs = [(i, 16 - i) for i in range(8)] + [(17 + i, 26 - i) for i in range(5)]
    pairs += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (31, 35), (32, 34)]
    pairs += [(48, 54), (49, 53), (50, 52), (60, 64), (61, 63), (59, 55), (58, 56), (67, 65)]
    for a, b in pairs:
        table[a], table[b] = b, a
    return table


MIRROR_68 = _mirror_table()
"""Index of each landmark's partner in a horizontally flipped image."""

_SIDE = (
    FacePoint((17,)),
    FacePoint((18,)),
    FacePoint((19,)),
    FacePoint((20,)),
    FacePoint((21,)),
    FacePoint((19,), down=-0.28),
    FacePoint((37, 38)),
    FacePoint((40, 41)),
    FacePoint((36,)),
    FacePoint((39,)),
    FacePoint((36, 39), out=0.06, down=0.33),
    FacePoint((36,), out=0.08, down=0.45),
    FacePoint((39, 31)),
    FacePoint((31,), out=0.03),
    FacePoint((50, 31), out=0.05),
    FacePoint((48,)),
    FacePoint((48,), out=0.18, down=0.0),
    FacePoint((50,)),
    FacePoint((58,)),
    FacePoint((57, 8), out=0.12),
)
_MIDDLE = (
    FacePoint((21, 22), down=-0.25),
    FacePoint((27,)),
    FacePoint((51,)),
    FacePoint((57,)),
)
"""Twice the side points and these four make 44."""


def count(point_set: PointSet) -> int:
    """Return how many points a set has."""
    return NUM_PRIOR_POINTS if point_set == "published-18" else 2 * len(_SIDE) + len(_MIDDLE)


def mirror(point_set: PointSet) -> IntArray:
    """Return each point's partner in a horizontally flipped image."""
    if point_set == "published-18":
        return np.asarray(_MIRROR_18, dtype=np.intp)
    side = len(_SIDE)
    left, right = np.arange(side), np.arange(side, 2 * side)
    return np.concatenate([right, left, np.arange(2 * side, 2 * side + len(_MIDDLE))])


def pick(landmarks: Positions, point_set: PointSet) -> Positions:
    """Return the points (K, 2) of a set from 68 landmarks.

    Shapes: landmarks (68, 2), pixels; returns (K, 2) float32.

    Raises:
        UsageError: when the landmarks are not (68, 2) or not finite.
    """
    marks = np.asarray(landmarks, dtype=np.float64)
    if marks.shape != (68, 2) or not np.isfinite(marks).all():
        raise UsageError(
            f"expected 68 finite (x, y) landmarks, got shape {marks.shape}; detect them again"
        )
    if point_set == "published-18":
        return landmarks_to_prior_points(marks)
    scale, across = eye_distance(marks), _across(marks)
    below = np.array([-across[1], across[0]])
    left = [_place(marks, p, -across * scale, below * scale) for p in _SIDE]
    flipped = marks[MIRROR_68]
    right = [_place(flipped, p, across * scale, below * scale) for p in _SIDE]
    middle = [_place(marks, p, across * 0, below * scale) for p in _MIDDLE]
    return np.asarray([*left, *right, *middle], dtype=np.float32)


def _across(marks: NDArray[np.float64]) -> NDArray[np.float64]:
    line = marks[42:48].mean(0) - marks[36:42].mean(0)
    length = float(np.linalg.norm(line))
    if length < 1.0:
        raise UsageError("the two eyes of the landmarks coincide; detect the landmarks again")
    direction: NDArray[np.float64] = line / length
    return direction


def _place(
    marks: NDArray[np.float64],
    point: FacePoint,
    out: NDArray[np.float64],
    down: NDArray[np.float64],
) -> NDArray[np.float64]:
    where: NDArray[np.float64] = (
        marks[list(point.landmarks)].mean(0) + out * point.out + down * point.down
    )
    return where
