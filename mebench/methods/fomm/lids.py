"""Lids that close: what covers an eye comes from above it, which no warp of the eye can show.

How far each eye of the driving clip closes is found by drawing its first frame with lids further
and further closed and asking which one a frame looks like. The template's lids are then drawn as
far down: the skin above an eye unfolds over it, the eyeball stays where it is.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from mebench.methods.fomm.eyes import Array, Eye, soft
from mebench.preprocess.canonical import eye_distance
from mebench.types import FaceClip, Frames, Points

_UPPER, _LOWER = 0.93, 0.07
"""How far each lid goes to close the eye, of the opening."""
_STEPS = 21
_PATCH = (24, 32)
"""Rows and columns of the picture of an eye that is compared."""
_SHIFTS = np.linspace(-0.06, 0.06, 9)
"""Places tried for an eye, of its width: heads move."""
_LEAST, _SURE = 0.35, 0.6
"""Share of a frame's difference that closing must explain to count at all, and to count fully."""
_STEADY_MS = 5.0


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
        eye = Eye.of(driving.landmarks, side)
        if not eye.is_open or iod < 1:
            continue
        found[:, side] = _closing(eye, first, frames)
    steady = _STEADY_MS * driving.fps / 1000
    smooth = gaussian_filter1d(found, steady, axis=0, mode="nearest") if steady > 0 else found
    smooth[0] = 0
    return smooth.astype(np.float32)


def _closing(eye: Eye, first: Array, frames: Frames) -> Array:
    steps = np.linspace(0, 1, _STEPS)
    shifts = [(dx, dy) for dy in _SHIFTS for dx in _SHIFTS]
    drawn = [_closed(first, eye, float(step)) for step in steps]
    models = np.stack([_patch(eye, picture, shift) for picture in drawn for shift in shifts])
    seen = np.stack([_patch(eye, np.asarray(frame, np.float32), (0, 0)) for frame in frames])
    gaps = (seen**2).sum(1)[:, None] - 2 * seen @ models.T + (models**2).sum(1)[None]
    gaps = gaps.reshape(len(seen), _STEPS, len(shifts)).min(axis=2)
    best = gaps.argmin(axis=1)
    explained = 1 - gaps[np.arange(len(seen)), best] / np.maximum(gaps[:, 0], 1e-6)
    found: Array = (steps[best] * soft(explained, _LEAST, _SURE)).astype(np.float32)
    return found


def _patch(eye: Eye, picture: Array, shift: tuple[float, float]) -> Array:
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
            picture = _closed(picture, Eye.of(landmarks, side), float(closing[side]))
    return picture


def _closed(picture: Array, eye: Eye, closing: float) -> Array:
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
