"""Lids that close: what covers an eye comes from above it, which no warp of the eye can show.

How far each eye of the driving clip closes is found by drawing its first frame with lids further
and further closed and asking which one a frame looks like. The template's lids are then drawn as
far down: the skin above an eye unfolds over it, the eyeball stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from mebench.methods.fomm.blocks import coordinate_grid
from mebench.methods.fomm.placement import soft_step
from mebench.preprocess.canonical import eye_distance
from mebench.types import FaceClip, Frames, Points

Array = NDArray[np.float32]

_EYES = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))
"""Of the 68 landmarks: left corner, two on the upper lid, right corner, two on the lower one."""
_BROWS = (slice(17, 22), slice(22, 27))
_UPPER, _LOWER = 0.93, 0.07
"""How far each lid goes to close the eye, of the opening."""
_FOLD, _ROOM = 2.0, 0.9
"""Skin above an eye that unfolds, in openings, and at most this much of the way to the brow."""
_SLIMMEST = 0.04
"""An eye whose opening is less than this, of its width, is closed from the start."""
_STEPS = 21
_PATCH = (24, 32)
"""Rows and columns of the picture of an eye that is compared."""
_SHIFTS = np.linspace(-0.06, 0.06, 9)
"""Places tried for an eye, of its width: heads move."""
_LEAST, _SURE = 0.35, 0.6
"""Share of a frame's difference that closing must explain to count at all, and to count fully."""
_SLIGHT, _PLAIN = 0.15, 0.4
"""Up to the first closing the networks draw the eyes alone, from the second on the lids do."""
_STEADY_MS = 5.0
_AROUND = 0.12
"""Of the average that carries the motion of the skin around an eye into it, eye distances."""


@dataclass(frozen=True)
class _Eye:
    """One eye: pixels (x, y) are s along it, -1 to 1 from corner to corner, and v pixels below."""

    middle: Array
    along: Array
    half: float
    upper: tuple[float, float]
    lower: tuple[float, float]
    room: float

    @classmethod
    def of(cls, landmarks: Points, side: int) -> _Eye:
        """Return an eye by its landmarks; `side` is 0 for the one on the image's left."""
        marks = np.asarray(landmarks, np.float64)
        left, *above, right, low_right, low_left = marks[list(_EYES[side])]
        middle, across = (left + right) / 2, right - left
        half = max(float(np.hypot(*across)) / 2, 1e-3)
        along = across / (2 * half)
        turned = np.array([-along[1], along[0]])

        def curve(points: list[NDArray[np.float64]]) -> tuple[float, float]:
            s = np.clip([(p - middle) @ along / half for p in points], -0.9, 0.9)
            system = np.stack([_arch(s), _arch(s) * s], axis=1)
            heights = np.array([(p - middle) @ turned for p in points])
            level, lean = np.linalg.lstsq(system, heights, rcond=None)[0]
            return float(level), float(lean)

        brow = marks[_BROWS[side]]
        upper, lower = curve(above), curve([low_left, low_right])
        away = upper[0] - float(np.mean((brow - middle) @ turned))
        room = max(min(_FOLD * (lower[0] - upper[0]), _ROOM * away), 1e-3)
        as_floats = (middle.astype(np.float32), along.astype(np.float32))
        return cls(*as_floats, half, upper, lower, room)

    @property
    def opening(self) -> float:
        """Return the height of the opening in its middle, pixels."""
        return self.lower[0] - self.upper[0]

    def local(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return (s, v) of pixels."""
        dx, dy = x - self.middle[0], y - self.middle[1]
        s = (dx * self.along[0] + dy * self.along[1]) / np.float32(self.half)
        return s, dy * self.along[0] - dx * self.along[1]

    def lids(self, s: Array) -> tuple[Array, Array]:
        """Return v of the upper and of the lower lid's edge."""
        arch = _arch(s)
        return arch * (self.upper[0] + self.upper[1] * s), arch * (
            self.lower[0] + self.lower[1] * s
        )

    def window(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Return the rows and columns where closing moves anything."""
        reach = self.half * 1.1 + self.room + max(self.opening, 0.0) + 2
        x, y = self.middle
        rows = slice(max(int(y - reach), 0), max(min(int(y + reach) + 1, shape[0]), 0))
        return rows, slice(max(int(x - reach), 0), max(min(int(x + reach) + 1, shape[1]), 0))


def closings(driving: FaceClip) -> Array:
    """Return how far the eyes of a clip are closed beyond its first frame: (T, 2), 0..1.

    0 wherever closing explains little of what an eye does, so also for eyes that only move, that
    are behind reflecting glasses, or closed from the start. The first column is the eye on the
    image's left.
    """
    frames = driving.frames
    first = np.asarray(frames[0], np.float32)
    iod = eye_distance(driving.landmarks)
    found = np.zeros((len(frames), 2), np.float32)
    for side in range(2):
        eye = _Eye.of(driving.landmarks, side)
        if eye.opening < _SLIMMEST * 2 * eye.half or iod < 1:
            continue
        found[:, side] = _closing(eye, first, frames)
    steady = _STEADY_MS * driving.fps / 1000
    smooth = gaussian_filter1d(found, steady, axis=0, mode="nearest") if steady > 0 else found
    smooth[0] = 0
    return smooth.astype(np.float32)


def _closing(eye: _Eye, first: Array, frames: Frames) -> Array:
    steps = np.linspace(0, 1, _STEPS)
    shifts = [(dx, dy) for dy in _SHIFTS for dx in _SHIFTS]
    drawn = [_closed(first, eye, float(step)) for step in steps]
    models = np.stack([_patch(eye, picture, shift) for picture in drawn for shift in shifts])
    seen = np.stack([_patch(eye, np.asarray(frame, np.float32), (0, 0)) for frame in frames])
    gaps = (seen**2).sum(1)[:, None] - 2 * seen @ models.T + (models**2).sum(1)[None]
    gaps = gaps.reshape(len(seen), _STEPS, len(shifts)).min(axis=2)
    best = gaps.argmin(axis=1)
    explained = 1 - gaps[np.arange(len(seen)), best] / np.maximum(gaps[:, 0], 1e-6)
    found: Array = (steps[best] * _soft(explained, _LEAST, _SURE)).astype(np.float32)
    return found


def _patch(eye: _Eye, picture: Array, shift: tuple[float, float]) -> Array:
    """Return an eye's grey values without their mean, flat; `shift` in widths of the eye."""
    rows, columns = _PATCH
    s = np.linspace(-1.15, 1.15, columns, dtype=np.float32)[None] + np.float32(2 * shift[0])
    top, low = eye.upper[0] - 0.5 * eye.opening, eye.lower[0] + 0.3 * eye.opening
    v = np.linspace(top, low, rows, dtype=np.float32)[:, None]
    v = v + np.float32(2 * eye.half * shift[1])
    x = eye.middle[0] + eye.half * s * eye.along[0] - v * eye.along[1]
    y = eye.middle[1] + eye.half * s * eye.along[1] + v * eye.along[0]
    read = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    gray = np.asarray(read, np.float32).mean(axis=2).ravel()
    return np.asarray(gray - gray.mean(), np.float32)


def close(picture: Array, landmarks: Points, closing: Array) -> Array:
    """Return a picture with its lids closed so far; the same picture where nothing closes.

    Shapes: picture (H, W, 3) of any range; landmarks (68, 2) in its pixels; closing (2,), 0..1.
    """
    for side in range(2):
        if closing[side] > 0:
            picture = _closed(picture, _Eye.of(landmarks, side), float(closing[side]))
    return picture


def _closed(picture: Array, eye: _Eye, closing: float) -> Array:
    rows, columns = eye.window(picture.shape)
    if closing <= 0 or rows.start >= rows.stop or columns.start >= columns.stop:
        return picture
    y, x = np.mgrid[rows, columns].astype(np.float32)
    s, v = eye.local(x, y)
    upper, lower = eye.lids(s)
    gap = np.maximum(lower - upper, 0)
    down, up = _UPPER * closing * gap, _LOWER * closing * gap
    above = _unfolded(v - upper, down, np.float32(eye.room))
    below = -_unfolded(lower - v, up, np.float32(eye.room))
    over = np.clip(upper + down - v + 0.5, 0, 1) * (gap > 0)
    under = np.clip(v - (lower - up) + 0.5, 0, 1) * (gap > 0) * (1 - over)
    before = picture[rows, columns]
    result = before.copy()
    for share, shift in ((over, above), (under, below)):
        read = _moved(picture, x, y, shift, eye.along)
        result += share[..., None] * (read - before)
    whole = picture.copy()
    whole[rows, columns] = result
    return whole


def _unfolded(depth: Array, move: Array, room: np.float32) -> Array:
    """Return how far the skin at a depth beyond a lid's resting edge has come, pixels."""
    part = np.clip((depth + room) / (room + move), 0, 1)
    return np.asarray(move * part, np.float32)


def _moved(picture: Array, x: Array, y: Array, shift: Array, along: Array) -> Array:
    at = (x + shift * along[1], y - shift * along[0])
    read = cv2.remap(picture, *at, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(read, np.float32)


def shares(closing: Array, landmarks: Points, size: int) -> Array:
    """Return (T, S, S): how much of the eyes the lids draw, 1 where they are closed.

    Shapes: closing (T, 2); landmarks (68, 2) in pixels of a square of S.
    """
    y, x = np.mgrid[:size, :size].astype(np.float32)
    whole = np.zeros((len(closing), size, size), np.float32)
    for side in range(2):
        eye = _Eye.of(landmarks, side)
        s, v = eye.local(x, y)
        upper, lower = eye.lids(s)
        soft = np.float32(0.3 * max(eye.opening, 1.0))
        # Skin below an eye belongs to the cheek, which the networks move.
        away = np.maximum(np.maximum(upper - v, 3 * (v - lower)), 0) / soft
        aside = np.maximum(np.abs(s) - 1, 0) * eye.half / soft
        place = 1 - _soft(np.hypot(away, aside), 1.0, 3.0)
        strength = _soft(closing[:, side], _SLIGHT, _PLAIN)
        whole = np.maximum(whole, strength[:, None, None] * place)
    return whole


def without_eyes(field: Tensor, share: Tensor, iod: float) -> Tensor:
    """Return a sampling grid that moves the eyes as the skin around them moves.

    Shapes: field (1, S, S, 2), grid units; share (1, S, S), how much of a pixel is to be replaced.
    """
    size = field.shape[1]
    still = coordinate_grid((size, size), field)
    at = torch.arange(size, device=field.device, dtype=field.dtype)
    near = torch.exp(-0.5 * ((at[:, None] - at) / (_AROUND * iod)) ** 2)
    weight = 1 - share[..., None] + 1e-6
    moved = torch.cat([(field - still) * weight, weight], dim=-1)
    spread = torch.einsum("ij,bjkc,lk->bilc", near, moved, near)
    filled = spread[..., :2] / spread[..., 2:]
    return field + share[..., None] * (still + filled - field)


def _arch(s: NDArray[np.floating]) -> Array:
    return np.asarray(np.clip(1 - s**2, 0, 1) ** 0.78, np.float32)


def _soft(value: NDArray[np.floating], start: float, end: float) -> Array:
    """Return a soft step from 0 at the start to 1 at the end."""
    return np.asarray(soft_step((value - start) / (end - start)), np.float32)
