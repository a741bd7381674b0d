"""Eyeballs that turn: they move under lids that stay, which a smooth field smears over both.

How far they turn is found in the driving clip: the change of the two eyes, which turn together, is
told apart into turning, lids that move, skin and head that move along, and light. Then the
template's eyeballs are moved as far inside their openings.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, median_filter, spline_filter

from mebench.methods.fomm.eyes import Array, Eye, soft
from mebench.preprocess.canonical import eye_distance
from mebench.types import FaceClip, Points

Double = NDArray[np.float64]

_ROWS, _COLUMNS = 20, 40
"""Samples of the picture of an eye that is compared."""
_STEP = 0.25
"""Shift over which a slope is taken, pixels."""
_FALL = 0.5
"""Skin beside a moving lid moves less with the distance, by 1/e in so many openings."""
_AWAKE = 0.02
"""An eye that closes further shows no gaze; it is taken from the frames around."""
_STEADY_MS = 60.0
"""Of the running median: eyes rest, then jump."""
_NOISE = 3.0
"""Of a sample, grey levels; samples lie closer than pixels, so it is more than a pixel's."""
_POOR, _GOOD = 0.7, 0.4
"""Share of an eye's change that is left unexplained: from the first on the networks draw it."""
_EDGE = 0.5
"""Pixels beyond the opening that belong to it, since its edge is soft."""


class Gaze(NamedTuple):
    """How the eyeballs of a clip have turned since its first frame.

    Shapes: turn (T, 2), x and y, eye distances; trust (T,), 0..1, how far that explains what the
    eyes do.
    """

    turn: Array
    trust: Array


class _Basis(NamedTuple):
    """What small motion of each kind changes in one eye, and how large it is taken to be.

    Shapes: common (N, 2), of turning; own (N, M), of the rest; inside (N,); spread (M,).
    """

    common: Double
    own: Double
    inside: Array
    spread: Double


def gazes(driving: FaceClip, closing: Array) -> Gaze:
    """Return how the eyes of a clip turn; no turn where an eye is closed from the start.

    Shapes: closing (T, 2), of `lids.closings`.
    """
    count, iod = len(driving.frames), eye_distance(driving.landmarks)
    nothing = Gaze(np.zeros((count, 2), np.float32), np.zeros(count, np.float32))
    eyes = [Eye.of(driving.landmarks, side) for side in range(2)]
    awake = np.flatnonzero(closing.max(axis=1) < _AWAKE)
    if iod < 1 or len(awake) < 2 or not all(eye.is_open for eye in eyes):
        return nothing
    gray = np.stack([np.asarray(driving.frames[i], np.float32).mean(axis=-1) for i in awake])
    turn, left = _solved(gray, eyes, iod)
    window = 2 * round(_STEADY_MS * driving.fps / 2000) + 1
    steady = np.stack([_median(column, window) for column in (*turn.T, left)], axis=1)
    at = np.arange(count)
    found = np.stack([np.interp(at, awake, column) for column in steady.T], axis=1)
    first = found[: max(1, window // 4), :2].mean(axis=0)
    trust = 1 - soft(found[:, 2], _GOOD, _POOR)
    return Gaze((found[:, :2] - first).astype(np.float32) / np.float32(iod), trust)


def _median(values: Double, window: int) -> Double:
    return np.asarray(median_filter(values, window, mode="nearest"), np.float64)


def _solved(gray: Array, eyes: list[Eye], iod: float) -> tuple[Double, Array]:
    """Return the turn (T, 2), pixels, and how much of the openings' change is left (T,).

    Ridge regression against the clip's median picture.
    """
    middle = np.median(gray, axis=0)
    still = spline_filter(middle)
    bases = [_basis(eye, still, iod) for eye in eyes]
    count = len(bases[0].common)
    width = bases[0].own.shape[1]
    system = np.zeros((2 * count, 2 + 2 * width))
    for k, basis in enumerate(bases):
        rows = slice(k * count, (k + 1) * count)
        system[rows, :2] = basis.common
        system[rows, 2 + k * width : 2 + (k + 1) * width] = basis.own
    change = np.stack(
        [
            np.concatenate([_read(eye, one) for eye in eyes])
            for one in map(spline_filter, gray - middle)
        ],
        axis=1,
    )
    spread = np.concatenate([[0.005 * iod] * 2, bases[0].spread, bases[1].spread])
    normal = system.T @ system / _NOISE**2 + np.diag(1 / spread**2)
    solved = np.linalg.solve(normal, system.T @ change / _NOISE**2)
    inside = np.concatenate([basis.inside for basis in bases])[:, None]
    noise = inside.sum() * float(np.median(np.diff(change, axis=1) ** 2) / 0.455 / 2)
    rest = (inside * (change - system @ solved) ** 2).sum(axis=0)
    whole = (inside * change**2).sum(axis=0)
    left = np.maximum(rest - noise, 0) / np.maximum(whole, 1e-6)
    return solved[:2].T, left.astype(np.float32)


def _grid(eye: Eye) -> tuple[Array, Array]:
    top, low = eye.upper[0] - 0.6 * eye.opening, eye.lower[0] + 0.5 * eye.opening
    v, s = np.meshgrid(
        np.linspace(top, low, _ROWS, dtype=np.float32),
        np.linspace(-1.25, 1.25, _COLUMNS, dtype=np.float32),
        indexing="ij",
    )
    return s, v


def _read(eye: Eye, spline: NDArray[np.floating], shift: tuple[float, float] = (0, 0)) -> Double:
    """Return a picture, given as its spline, at an eye's samples as if it were moved (x, y)."""
    x, y = eye.place(*_grid(eye))
    at = [y - np.float32(shift[1]), x - np.float32(shift[0])]
    read = map_coordinates(spline, at, order=3, mode="nearest", prefilter=False)
    return np.asarray(read, np.float64).ravel()


def _basis(eye: Eye, spline: NDArray[np.floating], iod: float) -> _Basis:
    s, v = _grid(eye)
    upper, lower = eye.lids(s)
    inside = _within(eye, s, v).ravel()
    still = _read(eye, spline)
    dx, dy = (
        (_read(eye, spline, move) - _read(eye, spline, (-move[0], -move[1]))) / (2 * _STEP)
        for move in ((_STEP, 0.0), (0.0, _STEP))
    )
    down = dy * eye.along[0] - dx * eye.along[1]
    arch = (lower - upper).ravel() / np.float32(eye.opening)
    fall = np.float32(_FALL * eye.opening)
    above = np.exp(-np.clip(upper - v, 0, None) / fall) * np.clip(upper - v + 0.5, 0, 1)
    below = np.exp(-np.clip(v - lower, 0, None) / fall) * np.clip(v - lower + 0.5, 0, 1)
    along, across = s.ravel(), v.ravel() / np.float32(eye.half)
    # Each beside how large it is in a clip: pixels in eye distances, then grey levels.
    own = (
        (dx, 0.02 * iod),
        (dy, 0.02 * iod),
        (along * dx, 0.001 * iod),
        (along * dy, 0.001 * iod),
        (across * dx, 0.001 * iod),
        (across * dy, 0.001 * iod),
        (arch * above.ravel() * down, 0.003 * iod),
        (arch * below.ravel() * down, 0.003 * iod),
        (still - still.mean(), 0.02),
        (np.ones_like(still), 3.0),
        (inside, 2.0),
        (along, 2.0),
        (across, 2.0),
    )
    common = np.stack([inside * dx, inside * dy], axis=1)
    columns = np.stack([column for column, _ in own], axis=1)
    return _Basis(common, columns, inside, np.array([size for _, size in own]))


def _within(eye: Eye, s: Array, v: Array, margin: float = 0.0) -> Array:
    """Return 1 inside the opening and its margin, pixels, falling to 0 over a pixel at its edge."""
    upper, lower = eye.lids(s)
    depth = np.minimum(v - upper, lower - v) + np.float32(margin)
    return np.asarray(np.clip(depth + 0.5, 0, 1) * (np.abs(s) < 1), np.float32)


def opening(landmarks: Points, size: int) -> Array:
    """Return (S, S): 1 inside the openings of both eyes."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    whole = np.zeros((size, size), np.float32)
    for side in range(2):
        eye = Eye.of(landmarks, side)
        s, v = eye.local(x, y)
        whole = np.maximum(whole, _within(eye, s, v, _EDGE))
    return whole


def turned(picture: Array, landmarks: Points, turn: Array) -> Array:
    """Return a picture whose eyeballs have turned; the same picture where they have not.

    Shapes: picture (H, W, 3) of any range; landmarks (68, 2) in its pixels; turn (2,), x and y, eye
    distances.
    """
    if not turn.any():
        return picture
    move = turn * np.float32(eye_distance(landmarks))
    whole = picture.copy()
    for side in range(2):
        eye = Eye.of(landmarks, side)
        rows, columns = eye.window(picture.shape, skin=False)
        if eye.is_open and rows.start < rows.stop and columns.start < columns.stop:
            part = np.ascontiguousarray(picture[rows, columns])
            whole[rows, columns] += _turning(part, eye, move, (columns.start, rows.start))
    return whole


def _turning(part: Array, eye: Eye, move: Array, corner: tuple[int, int]) -> Array:
    """Return what turning adds to a part (h, w, 3) of a picture that begins at (x, y)."""
    y, x = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float32)
    s, v = eye.local(x + corner[0], y + corner[1])
    seen = _within(eye, s, v, _EDGE)
    inside = seen > 0
    planes = [spline_filter(plane) for plane in np.moveaxis(part, -1, 0)]
    before, after = (
        _ball(eye, planes, x[inside] + corner[0] - dx, y[inside] + corner[1] - dy, corner)
        for dx, dy in ((0, 0), move)
    )
    added = np.zeros_like(part)
    added[inside] = seen[inside, None] * (after - before)
    return added


def _ball(eye: Eye, planes: list[Double], x: Array, y: Array, corner: tuple[int, int]) -> Array:
    """Return the eyeball (N, 3) at pixels (N,), as if its opening's edge went on under the lids."""
    s, v = eye.local(x, y)
    upper, lower = eye.lids(np.clip(s, -1, 1))
    x, y = eye.place(s, np.clip(v, upper, lower))
    at = [y - np.float32(corner[1]), x - np.float32(corner[0])]
    read = [map_coordinates(one, at, order=3, mode="nearest", prefilter=False) for one in planes]
    return np.stack(read, axis=-1).astype(np.float32)
