"""Where an eye is: the curves of its lids through the landmarks, and coordinates along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mebench.methods.fomm.placement import soft_step
from mebench.types import Points

Array = NDArray[np.float32]

_EYES = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))
"""Of the 68 landmarks: left corner, two on the upper lid, right corner, two on the lower one."""
_BROWS = (slice(17, 22), slice(22, 27))
_FOLD, _ROOM = 2.0, 0.9
"""Skin above an eye that unfolds, in openings, and at most this much of the way to the brow."""
_SLIMMEST = 0.04
"""An eye whose opening is less than this, of its width, is closed from the start."""


@dataclass(frozen=True)
class Eye:
    """One eye: pixels (x, y) are s along it, -1 to 1 from corner to corner, and v pixels below."""

    middle: Array
    along: Array
    half: float
    upper: tuple[float, float]
    lower: tuple[float, float]
    room: float

    @classmethod
    def of(cls, landmarks: Points, side: int) -> Eye:
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
    def is_open(self) -> bool:
        """Return whether there is an opening at all."""
        return self.opening >= _SLIMMEST * 2 * self.half

    @property
    def opening(self) -> float:
        """Return the height of the opening in its middle, pixels."""
        return self.lower[0] - self.upper[0]

    def local(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return (s, v) of pixels."""
        dx, dy = x - self.middle[0], y - self.middle[1]
        s = (dx * self.along[0] + dy * self.along[1]) / np.float32(self.half)
        return s, dy * self.along[0] - dx * self.along[1]

    def place(self, s: Array, v: Array) -> tuple[Array, Array]:
        """Return pixels (x, y); the inverse of `local`."""
        across = np.float32(self.half) * s
        x = self.middle[0] + across * self.along[0] - v * self.along[1]
        return x, self.middle[1] + across * self.along[1] + v * self.along[0]

    def lids(self, s: Array) -> tuple[Array, Array]:
        """Return v of the upper and of the lower lid's edge."""
        arch = _arch(s)
        return arch * (self.upper[0] + self.upper[1] * s), arch * (
            self.lower[0] + self.lower[1] * s
        )

    def window(self, shape: tuple[int, ...], *, skin: bool = True) -> tuple[slice, slice]:
        """Return the rows and columns where closing moves anything; without skin, the opening's."""
        reach = self.half * 1.1 + 2
        if skin:
            reach += self.room + max(self.opening, 0.0)
        x, y = self.middle
        rows = slice(max(int(y - reach), 0), max(min(int(y + reach) + 1, shape[0]), 0))
        return rows, slice(max(int(x - reach), 0), max(min(int(x + reach) + 1, shape[1]), 0))


def _arch(s: NDArray[np.floating]) -> Array:
    return np.asarray(np.clip(1 - s**2, 0, 1) ** 0.78, np.float32)


def soft(value: NDArray[np.floating], start: float, end: float) -> Array:
    """Return a soft step from 0 at the start to 1 at the end."""
    return np.asarray(soft_step((value - start) / (end - start)), np.float32)
