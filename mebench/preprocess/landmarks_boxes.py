"""Boxes of faces: which one is meant, nine around it, and what the nine agree on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mebench.errors import DatasetError
from mebench.io.video import tell

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels."""

SAME_FACE = 0.3
"""Two boxes that share more of the smaller one are the same face."""
JITTER = (
    (0.0, 0.0, 1.0), (-0.03, 0.0, 1.0), (0.03, 0.0, 1.0), (0.0, -0.03, 1.0), (0.0, 0.03, 1.0),
    (0.015, 0.015, 0.95), (-0.015, -0.015, 0.95), (0.015, -0.015, 1.05), (-0.015, 0.015, 1.05),
)  # fmt: skip
"""Shifts (parts of the box) and scales of the boxes that vote."""


def area(box: Box) -> float:
    """Return the area of a box, square pixels."""
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def overlap(a: Box, b: Box) -> float:
    """Return the intersection of two boxes as a share of the smaller one.

    Range: 0 to 1.
    """
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height) / max(1.0, min(area(a), area(b)))


def jittered(box: Box, count: int = len(JITTER)) -> list[Box]:
    """Return `count` boxes around one; a predictor's rounding and its jumps average out."""
    left, top, right, bottom = box
    x, y, width, height = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    boxes = []
    for dx, dy, scale in JITTER[:count]:
        half_w, half_h = scale * width / 2, scale * height / 2
        cx, cy = x + dx * width, y + dy * height
        boxes.append((cx - half_w, cy - half_h, cx + half_w, cy + half_h))
    return boxes


def consensus(votes: NDArray[np.floating]) -> tuple[NDArray[np.float32], float]:
    """Return the median of votes and how far they lie from it, as part of the eye distance.

    Shapes: votes (N, 68, 2); points (68, 2) float32.
    Range: spread 0 (all agree) upwards: the mean over points of the median distance.
    """
    middle = np.median(np.asarray(votes, np.float64), axis=0)
    away = np.median(np.linalg.norm(votes - middle, axis=-1), axis=0).mean()
    eyes = np.linalg.norm(middle[36:42].mean(axis=0) - middle[42:48].mean(axis=0))
    return middle.astype(np.float32), float(away / max(float(eyes), 1.0))


def choose_box(
    key: str, boxes: Sequence[tuple[float, Box]], face: int | None, notes: list[str] | None
) -> Box:
    """Return the box that is meant: number `face` from the left, else the surest of the large ones.

    Args:
        key: the clip, for messages.
        boxes: score and box of every face found.
        face: 0 is the leftmost; None chooses, and tells when there was a choice.
        notes: where remarks go.

    Raises:
        DatasetError: when there is no face, or not the one asked for.
    """
    if not boxes:
        raise DatasetError(
            f"{key}: no face found in the first frame; give landmarks yourself "
            "(--landmarks given --landmarks-root DIR)"
        )
    ordered = sorted(boxes, key=lambda item: (item[1][0], item[1][1]))
    if face is not None:
        if not 0 <= face < len(ordered):
            raise DatasetError(
                f"{key}: face {face} asked for, found {len(ordered)} (0 is the leftmost)"
            )
        return ordered[face][1]
    largest = max(area(box) for _, box in ordered)
    large = [item for item in ordered if area(item[1]) >= largest / 4]
    best = max(large, key=lambda item: item[0])
    if len(ordered) > 1:
        tell(
            notes,
            f"{key}: {len(ordered)} faces, number {ordered.index(best)} from the left taken; "
            "choose another with --face",
        )
    return best[1]
