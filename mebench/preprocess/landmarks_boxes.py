"""Boxes of faces: which one is meant, nine around it, and what the nine agree on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mebench.errors import DatasetError
from mebench.io.files import sha256_file
from mebench.io.video import tell
from mebench.preprocess.canonical import eye_distance

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


def require_inside(key: str, box: Box, shape: tuple[int, ...]) -> None:
    """Refuse a box that shows less than a quarter of itself in an image of `shape` (H, W, ...).

    Raises:
        DatasetError: with both; a predictor would make a face up there.
    """
    left, top, right, bottom = box
    width = min(right, shape[1] - 0.5) - max(left, -0.5)
    height = min(bottom, shape[0] - 0.5) - max(top, -0.5)
    if max(0.0, width) * max(0.0, height) < area(box) / 4:
        raise DatasetError(
            f"{key}: the box of the face ({left:.0f}, {top:.0f}, {right:.0f}, {bottom:.0f}) lies "
            f"outside the image of {shape[1]}x{shape[0]} pixels; give left, top, right, bottom"
        )


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
    return middle.astype(np.float32), float(away / max(eye_distance(middle), 1.0))


class GivenBoxes:
    """Boxes of ``<folder>/<key>.npy`` or ``.csv``: (4,) sides, or 68 points that span the box.

    Sides are left, top, right, bottom in pixels of frame 0, as a face detector gives them.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise DatasetError(f"{self.folder}: no such folder of boxes; see --landmarks-root")

    def box(self, key: str) -> Box:
        """Return the box of the face of a clip.

        Raises:
            DatasetError: when the file is missing, unreadable or holds something else.
        """
        path = file_of(self.folder, key, "box")
        given = read_numbers(path, "a box")
        if given.shape in ((4,), (1, 4)):
            left, top, right, bottom = (float(side) for side in given.reshape(4))
        elif given.shape[-2:] in ((68, 2), (68, 3)) and given.ndim in (2, 3) and len(given):
            first = given[0] if given.ndim == 3 else given
            left, top, right, bottom = (
                float(side) for side in (*first[:, :2].min(axis=0), *first[:, :2].max(axis=0))
            )
        else:
            raise DatasetError(f"{path}: expected a box (4,) or points (68, 2), got {given.shape}")
        if not (np.isfinite(given).all() and right - left >= 1 and bottom - top >= 1):
            raise DatasetError(
                f"{path}: expected left < right and top < bottom, got "
                f"{left:g}, {top:g}, {right:g}, {bottom:g}"
            )
        return left, top, right, bottom

    def digest(self, key: str) -> str:
        """Return the digest of the file's bytes."""
        return f"given:{sha256_file(file_of(self.folder, key, 'box'))}"


def file_of(folder: Path, key: str, what: str) -> Path:
    """Return ``<folder>/<key>.npy`` or ``.csv``.

    Raises:
        DatasetError: when there is neither.
    """
    for suffix in (".npy", ".csv"):
        path = folder / f"{key}{suffix}"
        if path.is_file():
            return path
    raise DatasetError(
        f"{folder}: no {what} for {key}; add {key}.npy or {key}.csv, or use --landmarks dlib"
    )


def read_numbers(path: Path, what: str) -> NDArray[np.float64]:
    """Return the array of a npy file, or the rows of a csv file.

    Raises:
        DatasetError: when the file cannot be read.
    """
    try:
        if path.suffix == ".npy":
            found = np.load(path, allow_pickle=False)
        else:
            found = np.loadtxt(path, delimiter=",", dtype=np.float64, ndmin=2)
        return np.asarray(found, np.float64)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path}: cannot be read as {what}; write it again") from error


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
