"""Where everything on a face is: curves of the features and the 68 points that follow from them.

Lengths are in inter-ocular distances (IOD); x right, y down, origin between the eyes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.synthme.identity import Identity

Array = NDArray[Any]


def smooth_closed(points: Array, count: int) -> Array:
    """Return `count` points of the closed Catmull-Rom curve through `points` (n, 2)."""
    n = len(points)
    t = np.linspace(0, n, count, endpoint=False)
    i = t.astype(int)
    f = (t - i)[:, None]
    p0, p1, p2, p3 = (points[(i + k) % n] for k in (-1, 0, 1, 2))
    return np.asarray(
        0.5
        * (
            2 * p1
            + (p2 - p0) * f
            + (2 * p0 - 5 * p1 + 4 * p2 - p3) * f**2
            + (3 * p1 - p0 - 3 * p2 + p3) * f**3
        )
    )


@dataclass(frozen=True)
class Eye:
    """One eye: centre, half width, lid heights; `side` is -1 (image left) or +1 (image right)."""

    side: int
    x: float
    y: float
    half: float
    upper: float
    lower: float
    tilt: float

    def local(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return (s, v): s from -1 (inner corner) to 1 (outer corner), v downwards in IOD."""
        c, n = np.cos(self.tilt), np.sin(self.tilt)
        dx, dy = (x - self.x) * self.side, y - self.y
        return (dx * c - dy * n) / self.half, dx * n + dy * c

    def place(self, s: Array, v: Array) -> Array:
        """Return image points (..., 2) of lid coordinates; the inverse of `local`."""
        c, n = np.cos(self.tilt), np.sin(self.tilt)
        dx = s * self.half
        return np.stack([self.x + self.side * (dx * c + v * n), self.y - dx * n + v * c], axis=-1)

    def upper_lid(self, s: Array) -> Array:
        """Return v of the upper lid margin; its summit lies a little to the nose."""
        t = np.clip(s, -1, 1)
        return -self.upper * (1 - t**2) ** 0.74 * (1 - 0.08 * t)

    def lower_lid(self, s: Array) -> Array:
        """Return v of the lower lid margin; its low point lies a little outwards."""
        t = np.clip(s, -1, 1)
        return self.lower * (1 - t**2) ** 0.85 * (1 + 0.16 * t)


@dataclass(frozen=True)
class Geometry:
    """The curves of one face."""

    identity: Identity

    @cached_property
    def outline(self) -> Array:
        """Closed outline of skull and jaw, (720, 2), from the top clockwise."""
        p = self.identity
        jaw, w, chin = p.jaw_width, p.face_width, p.chin_y
        right = np.array(
            [
                (0.0, -p.face_height),
                (0.42 * w, -p.face_height + 0.07),
                (0.76 * w, -1.28),
                (0.96 * w, -0.88),
                (1.02 * w, -0.4),
                (1.0 * w, 0.05),
                (0.965 * w * (0.98 + 0.02 * p.cheek), 0.5),
                (0.93 * jaw, 0.56 * chin + 0.02),
                (0.80 * jaw, 0.735 * chin),
                (0.52 * jaw * (0.80 + 0.20 * p.chin_width), 0.90 * chin),
                (0.255 * p.chin_width, 0.985 * chin),
                (0.0, chin + 0.012),
            ]
        )
        left = right[1:-1][::-1] * (-1.0, 1.0)
        return smooth_closed(np.concatenate([right, left]), 720)

    @cached_property
    def eyes(self) -> tuple[Eye, Eye]:
        """The image-left eye and the image-right eye."""
        p = self.identity
        left, right = (
            Eye(
                side=side,
                x=0.5 * side,
                y=0.5 * p.asymmetry[0] * side,
                half=p.eye_width,
                upper=0.097 * p.eye_height,
                lower=0.062 * (0.5 + 0.5 * p.eye_height),
                tilt=p.eye_tilt,
            )
            for side in (-1, 1)
        )
        return left, right

    def brow(self, side: int, t: Array) -> Array:
        """Return centre-line points (n, 2) of a brow, t from 0 (inner end) to 1 (outer end)."""
        p = self.identity
        x = 0.175 + 0.66 * t
        rise = np.sin(np.pi * np.clip(t * 0.86 + 0.06, 0, 1) ** 1.35)
        y = p.brow_y + 0.055 - p.brow_arch * rise - p.brow_tilt * t + 0.05 * np.maximum(t - 0.6, 0)
        return np.stack([side * x, y + side * p.asymmetry[1]], axis=-1)

    def brow_half(self, t: Array) -> Array:
        """Return the half thickness of a brow along its length."""
        p = self.identity
        taper = np.clip(np.minimum((t + 0.12) / 0.25, 1.0) * (1.06 - t) ** 0.6, 0, 1)
        return 0.5 * p.brow_thickness * taper

    # -- mouth: s from -1 (image left corner) to 1, v downwards from the lip line ------------

    def lip_line(self, s: Array) -> Array:
        """Return y of the line where the lips meet."""
        p = self.identity
        t = np.clip(s, -1.15, 1.15)
        bow = 0.016 * np.exp(-((t / 0.2) ** 2)) - 0.008 * np.exp(
            -(((np.abs(t) - 0.45) / 0.22) ** 2)
        )
        return np.asarray(p.mouth_y - p.mouth_curve * 2 * t**2 + bow + p.asymmetry[2] * t * 0.6)

    def lip_top(self, s: Array) -> Array:
        """Return the height of the upper lip above the lip line."""
        t = np.abs(np.clip(s, -1, 1))
        body = (1 - t**1.7) ** 0.95 * (1 - 0.12 * t)
        return np.asarray(
            self.identity.lip_upper * body * (1.08 - 0.30 * np.exp(-((t / 0.15) ** 2)))
        )

    def lip_bottom(self, s: Array) -> Array:
        """Return the depth of the lower lip below the lip line."""
        t = np.abs(np.clip(s, -1, 1))
        return np.asarray(self.identity.lip_lower * (1 - t**2.1) ** 0.9)

    @property
    def nose_tip(self) -> float:
        """Return y of the nose tip."""
        p = self.identity
        return p.nose_length - 0.02 - 0.02 * p.nose_up

    @property
    def nose_base(self) -> float:
        """Return y of the point where the nose meets the upper lip."""
        return self.identity.nose_length + 0.125

    @cached_property
    def landmarks(self) -> Array:
        """The 68 iBUG points (68, 2)."""
        p = self.identity
        points = np.zeros((68, 2))
        points[0:17] = self._jaw()
        t = np.linspace(0.97, -0.03, 5)
        for first, side in ((17, -1), (22, 1)):
            line = self.brow(side, t)
            line[:, 1] -= (0.9 - 1.2 * (t - 0.5) ** 2) * self.brow_half(
                np.clip(t, 0.1, 0.9)
            ) - 0.02 * (t > 0.9)
            points[first : first + 5] = line if side < 0 else line[::-1]
        top, tip = -0.02, self.nose_tip
        points[27:31, 1] = np.linspace(top, tip, 4)
        base, width = self.nose_base, p.nose_width
        points[31:36] = [
            (-0.84 * width, base - 0.045),
            (-0.42 * width, base - 0.012),
            (0.0, base + 0.008),
            (0.42 * width, base - 0.012),
            (0.84 * width, base - 0.045),
        ]
        for first, eye in zip((36, 42), self.eyes, strict=True):
            s = np.array([-1, -0.36, 0.36, 1, 0.36, -0.36]) * eye.side
            s = np.minimum(s, 0.95)
            upper = np.array([0, 1, 1, 0, 0, 0], bool)
            v = np.where(upper, eye.upper_lid(s), eye.lower_lid(s))
            points[first : first + 6] = eye.place(s, v)
        points[48:68] = self._mouth()
        return points

    def _jaw(self) -> Array:
        outline = self.outline
        right = outline[(outline[:, 0] >= -1e-9) & (outline[:, 1] > -0.12)]
        right = right[np.argsort(right[:, 1])]
        length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(right, axis=0).T))])
        at = np.linspace(0.02, 1.0, 9) * length[-1]
        half = np.stack([np.interp(at, length, right[:, k]) for k in (0, 1)], axis=-1)
        half[-1, 0] = 0.0
        return np.concatenate([half * (-1.0, 1.0), half[-2::-1]])

    def _mouth(self) -> Array:
        p = self.identity
        top = np.array([-1, -0.62, -0.24, 0, 0.24, 0.62, 1])
        low = np.array([0.66, 0.3, 0, -0.3, -0.66])
        inner = np.array([-0.86, -0.27, 0, 0.27, 0.86, 0.27, 0, -0.27])
        s = np.concatenate([top, low, inner])
        y = self.lip_line(s)
        y[:7] -= self.lip_top(top)
        y[7:12] += self.lip_bottom(low)
        return np.stack([s * p.mouth_width, y], axis=-1)
