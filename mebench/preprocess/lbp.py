"""Local binary patterns of the brows and the mouth, and the divide-and-conquer search on them.

Source: Yan, Wang, Chen, Zhao, Fu, "Quantifying micro-expressions with constraint local model and
local binary pattern", ECCV workshops 2014; Liong, See, Wong, Le Ngo, Oh, Phan, "Automatic apex
frame spotting in micro-expression database", ACPR 2015.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.preprocess.canonical import eye_distance
from mebench.types import Frames

_GROUPS = (range(17, 22), range(22, 27), range(48, 68))
"""Landmarks of the left brow, the right brow and the mouth."""
_MARGIN = 0.12
_BLOCKS = 3
_RADIUS = 3 / 76.8
"""IOD: 3 pixels of a crop of 256."""
_UNIFORM = 59
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


def _uniform_table() -> NDArray[np.uint8]:
    """Return the bin of each of the 256 codes: one for each uniform code, one for all others."""
    table = np.full(256, _UNIFORM - 1, np.uint8)
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    table[uniform] = np.arange(uniform.sum())
    return table


_TABLE = _uniform_table()


def lbp_codes(grey: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    """Return the bin (0..58) of the uniform pattern of 8 neighbours on a square of `radius`.

    Shapes: grey (H, W); result (H - 2·radius, W - 2·radius).
    """
    height, width = grey.shape
    centre = grey[radius : height - radius, radius : width - radius]
    codes = np.zeros(centre.shape, np.uint8)
    for bit, (down, right) in enumerate(_NEIGHBOURS):
        y, x = radius * (1 + down), radius * (1 + right)
        other = grey[y : y + centre.shape[0], x : x + centre.shape[1]]
        codes |= (other >= centre).astype(np.uint8) << np.uint8(bit)
    return _TABLE[codes]


def lbp_difference(frames: Frames, landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how far each frame's patterns are from those of the onset frame.

    1 less the correlation of the histograms, averaged over 3 × 3 blocks of both brows and the
    mouth.

    Shapes: frames (T, H, W, 3) uint8, landmarks (68, 2) of frame 0; result (T,).
    Range: 0 (the same) to 2.
    """
    points = np.asarray(landmarks, np.float64)
    iod = eye_distance(points)
    radius = max(1, round(_RADIUS * iod))
    boxes = [_box(points[list(group)], _MARGIN * iod, frames.shape[1:3]) for group in _GROUPS]
    first: NDArray[np.float64] | None = None
    differences = []
    for frame in frames:
        grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
        padded = np.pad(grey, radius, mode="edge").astype(np.uint8, copy=False)
        codes = lbp_codes(padded, radius)
        parts = np.concatenate([_histograms(codes[rows, columns]) for rows, columns in boxes])
        first = parts if first is None else first
        differences.append(1.0 - float((parts * first).sum(axis=1).mean()))
    return np.array(differences)


def divide_and_conquer(difference: NDArray[np.float64]) -> int:
    """Return the frame left when the half with the larger sum is kept again and again.

    First and last frame are left out.
    """
    low, high = 1, len(difference) - 1
    while high - low > 1:
        middle = (low + high) // 2
        # Of an odd number of frames the later half has one more: means are compared, not sums.
        if difference[low:middle].mean() >= difference[middle:high].mean():
            high = middle
        else:
            low = middle
    return low


def _box(points: NDArray[np.float64], margin: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    low = np.floor(points.min(axis=0) - margin).astype(int)
    high = np.ceil(points.max(axis=0) + margin).astype(int)
    # A block needs a pixel at least, also where the points lie outside the picture.
    spans = [
        (min(max(a, 0), side - _BLOCKS), max(min(b, side), _BLOCKS))
        for a, b, side in zip(low, high, shape[::-1], strict=True)
    ]
    (left, right), (top, bottom) = ((a, max(b, a + _BLOCKS)) for a, b in spans)
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _histograms(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return one centred histogram of unit length a block, so that a product is a correlation."""
    height, width = codes.shape
    rows, columns = (np.arange(side) * _BLOCKS // side for side in (height, width))
    places = (rows[:, None] * _BLOCKS + columns) * _UNIFORM + codes
    counts = np.bincount(places.ravel(), minlength=_BLOCKS**2 * _UNIFORM).astype(np.float64)
    parts = counts.reshape(-1, _UNIFORM)
    parts -= parts.mean(axis=1, keepdims=True)
    parts /= np.maximum(np.linalg.norm(parts, axis=1, keepdims=True), 1e-12)
    return parts
