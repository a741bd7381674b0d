"""How skin moves and folds for each action unit: displacement fields and shading maps of a face.

A field is a sum of smooth hills with a direction, placed on the person's own features. It splits
in two: `common` moves everything at a place; `split` moves the two edges of an opening (lids, lips)
apart or together, each edge with its own skin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.synthme.geometry import Eye, Geometry
from mebench.synthme.identity import Identity

Array = NDArray[Any]


@dataclass(frozen=True)
class Hill:
    """One hill of a field: place, direction (outwards, up), widths in IOD, weight."""

    x: float
    y: float
    out: float
    up: float
    wide: float
    above: float
    below: float
    weight: float = 1.0

    def at(self, side: int, x: Array, y: Array) -> Array:
        """Return the displacement (..., 2) at points, for one side of the face."""
        dy = y - self.y
        tall = np.where(dy < 0, self.above, self.below)
        h = self.weight * np.exp(-0.5 * (((side * x - self.x) / self.wide) ** 2 + (dy / tall) ** 2))
        return np.stack([h * self.out * side, -h * self.up], axis=-1)


@lru_cache(maxsize=64)
def _hills(g: Geometry, au: int) -> tuple[Hill, ...]:
    p = g.identity
    t = np.array([0.10, 0.5, 0.80])
    (ix, iy), (mx, my), (ox, oy) = g.brow(1, t).tolist()
    cx, cy = p.mouth_width, float(g.lip_line(np.array(1.0)))
    nose, wing = g.nose_base, p.nose_width
    lip, chin = p.mouth_y, p.chin_y
    lower_lid = Hill(0.52, 0.13, -0.15, 1.0, 0.20, 0.05, 0.10)
    table: dict[int, tuple[Hill, ...]] = {
        1: (
            Hill(ix, iy, 0.0, 1.0, 0.16, 0.30, 0.12),
            Hill(mx, my, 0.0, 1.0, 0.13, 0.25, 0.1, 0.25),
        ),
        2: (
            Hill(ox, oy, 0.05, 1.0, 0.24, 0.30, 0.12),
            Hill(mx, my, 0.0, 1.0, 0.14, 0.25, 0.1, 0.2),
        ),
        4: (
            Hill(ix + 0.03, iy, -0.6, -0.8, 0.19, 0.22, 0.13),
            Hill(mx, my, -0.3, -0.5, 0.20, 0.20, 0.11, 0.5),
        ),
        5: (Hill(0.5, -0.2, 0.0, 1.0, 0.2, 0.08, 0.05, 0.12),),
        6: (
            Hill(0.60, 0.38, -0.10, 1.0, 0.26, 0.17, 0.22),
            Hill(0.80, 0.06, -0.8, 0.3, 0.12, 0.12, 0.12, 0.35),
            Hill(0.5, 0.13, -0.1, 1.0, 0.20, 0.05, 0.10, 0.3),
        ),
        7: (Hill(lower_lid.x, lower_lid.y, -0.15, 1.0, 0.20, 0.05, 0.10, 0.45),),
        9: (
            Hill(0.5 * wing + 0.06, nose - 0.38, 0.05, 1.0, 0.12, 0.24, 0.20),
            Hill(0.85 * wing, nose - 0.07, 0.10, 1.0, 0.11, 0.13, 0.09, 0.75),
            Hill(ix, iy, -0.35, -0.9, 0.16, 0.16, 0.12, 0.35),
            Hill(0.5 * cx, lip - 0.11, 0.0, 1.0, 0.16, 0.12, 0.08, 0.35),
        ),
        10: (
            Hill(0.50 * cx, lip - 0.09, 0.08, 1.0, 0.16, 0.15, 0.09),
            Hill(0.85 * cx, lip - 0.24, 0.30, 0.9, 0.14, 0.15, 0.14, 0.55),
            Hill(0.9 * wing, nose - 0.06, 0.10, 1.0, 0.09, 0.1, 0.08, 0.35),
        ),
        12: (
            Hill(cx + 0.01, cy, 0.71, 0.71, 0.21, 0.17, 0.16),
            Hill(0.58, 0.56, 0.10, 1.0, 0.22, 0.18, 0.22, 0.33),
            Hill(0.5, 0.14, 0.0, 1.0, 0.18, 0.05, 0.1, 0.10),
        ),
        14: (
            Hill(cx + 0.01, cy, 1.0, 0.0, 0.15, 0.11, 0.11),
            Hill(cx + 0.20, cy, -1.0, 0.0, 0.07, 0.10, 0.10, 0.3),
        ),
        15: (
            Hill(cx, cy + 0.01, 0.05, -1.0, 0.15, 0.12, 0.17),
            Hill(0.75 * cx, lip + 0.16, 0.1, -1.0, 0.14, 0.10, 0.14, 0.25),
        ),
        17: (
            Hill(0.0, chin - 0.21, 0.0, 1.0, 0.25, 0.17, 0.16),
            Hill(0.0, lip + 0.09, 0.0, 1.0, 0.24, 0.07, 0.10, 0.55),
            Hill(0.0, lip - 0.05, 0.0, 1.0, 0.22, 0.09, 0.04, 0.20),
        ),
        20: (
            Hill(cx, cy, 0.95, -0.30, 0.20, 0.13, 0.17),
            Hill(0.9 * cx, lip + 0.24, 0.5, -0.2, 0.18, 0.1, 0.16, 0.4),
        ),
        23: (
            Hill(cx, cy, -1.0, 0.0, 0.15, 0.10, 0.10, 0.8),
            Hill(0.0, lip - 0.9 * p.lip_upper, 0.0, -1.0, 0.26, 0.11, 0.05, 0.75),
            Hill(0.0, lip + 0.9 * p.lip_lower, 0.0, 1.0, 0.26, 0.06, 0.12, 0.75),
        ),
        24: (
            Hill(0.0, lip - 0.9 * p.lip_upper, 0.0, -1.0, 0.30, 0.12, 0.05),
            Hill(0.0, lip + 0.9 * p.lip_lower, 0.0, 1.0, 0.30, 0.06, 0.13),
        ),
        25: (),
        26: (
            Hill(0.0, chin - 0.12, 0.0, -1.0, 0.46, 0.26, 0.16),
            Hill(0.0, lip + 0.22, 0.0, -1.0, 0.34, 0.11, 0.2, 0.25),
        ),
    }
    return table[au]


# Edge motion of openings: (upper edge up, lower edge up) for a unit of the AU.
_EYE_EDGES = {5: (1.0, 0.0), 7: (-0.22, 1.0)}
_MOUTH_EDGES = {25: (0.42, -1.0), 26: (0.0, -0.75)}
_CENTRAL = (17, 23, 24, 25, 26)


def _half(side: int, x: Array) -> Array:
    t = np.clip((side * x + 0.14) / 0.28, 0, 1)
    return t * t * (3 - 2 * t)


@lru_cache(maxsize=8)
def _scales(identity: Identity) -> dict[int, float]:
    g = Geometry(identity)
    x, y = np.meshgrid(np.arange(-0.3, 1.2, 0.02), np.arange(-1.0, 2.1, 0.02))
    scales = {}
    for au in (1, 2, 4, 6, 9, 10, 12, 14, 15, 17, 20, 23, 24, 26):
        field = sum((hill.at(1, x, y) for hill in _hills(g, au)), np.zeros((*x.shape, 2)))
        scales[au] = 1.0 / float(np.hypot(field[..., 0], field[..., 1]).max())
    return scales


def common(g: Geometry, au: int, side: int, x: Array, y: Array) -> Array:
    """Return the displacement (..., 2) in IOD per unit of `au` on one side (+1 image right)."""
    field = np.zeros((*np.shape(x), 2))
    for hill in _hills(g, au):
        field += hill.at(side, x, y)
    if au in _CENTRAL:
        field *= _half(side, x)[..., None]
    hairline = np.clip((y - (g.identity.hair_line - 0.25)) / 0.3, 0, 1)
    return np.asarray(field * (_scales(g.identity).get(au, 1.0) * hairline)[..., None])


def eye_edges(eye: Eye, au: int, x: Array, y: Array) -> tuple[Array, Array]:
    """Return vertical moves (upwards, IOD per unit) of upper-lid skin and of lower-lid skin.

    AU 43 stands for a blink: one unit closes the eye.
    """
    s, v = eye.local(x, y)
    top, low = eye.upper_lid(s), eye.lower_lid(s)
    inside = np.clip(1 - s**2, 0, 1)
    above = np.exp(-0.5 * (np.clip(top - v, 0, None) / 0.10) ** 2)
    below = np.exp(-0.5 * (np.clip(v - low, 0, None) / 0.09) ** 2)
    if au == 43:
        gap = low - top
        return -0.93 * gap * above, 0.07 * gap * below
    up, down = _EYE_EDGES.get(au, (0.0, 0.0))
    return up * inside**0.7 * above, down * inside**0.7 * below


def mouth_edges(g: Geometry, au: int, side: int, x: Array, y: Array) -> tuple[Array, Array]:
    """Return vertical moves (upwards, IOD per unit) of upper-lip skin and of lower-lip skin."""
    up, down = _MOUTH_EDGES.get(au, (0.0, 0.0))
    s = x / g.identity.mouth_width
    line = g.lip_line(s)
    inside = np.clip(1 - s**2, 0, 1) * _half(side, x)
    above = np.exp(-0.5 * (np.clip(line - g.lip_top(s) - y, 0, None) / 0.10) ** 2)
    below = np.exp(-0.5 * (np.clip(y - line - g.lip_bottom(s), 0, None) / 0.15) ** 2)
    return up * inside * above, down * inside * below


def in_mouth_box(g: Geometry, x: Array, y: Array) -> NDArray[np.bool_]:
    """Return where lip edges may move skin."""
    p = g.identity
    return (np.abs(x) < p.mouth_width) & (np.abs(y - p.mouth_y) < 0.62)


def split(g: Geometry, au: int, side: int, x: Array, y: Array) -> Array:
    """Return the displacement (..., 2) per unit that edges give their skin; 0 on eyeballs."""
    out = np.zeros((*np.shape(x), 2))
    if au in _EYE_EDGES or au == 43:
        for eye in g.eyes:
            if eye.side != side:
                continue
            s, v = eye.local(x, y)
            top, low = eye.upper_lid(s), eye.lower_lid(s)
            upper, lower = eye_edges(eye, au, x, y)
            slack = 1e-6
            move = np.where(v <= top + slack, upper, np.where(v >= low - slack, lower, 0.0))
            move = np.where(np.abs(s) < 1, move, 0.0)
            out[..., 1] -= move * np.cos(eye.tilt)
            out[..., 0] -= move * -side * np.sin(eye.tilt)
    if au in _MOUTH_EDGES:
        upper, lower = mouth_edges(g, au, side, x, y)
        line = g.lip_line(x / g.identity.mouth_width)
        move = np.where(y < line, upper, lower)
        out[..., 1] -= np.where(in_mouth_box(g, x, y), move, 0.0)
    return out


def landmark_peak(sizes: dict[tuple[int, int], float]) -> float:
    """Return how far the fastest landmark of a reference face moves, IOD.

    Action units that move the same place add up, so this exceeds the size of each.

    Args:
        sizes: size at the apex, IOD, by (action unit, side), the left side being 1, the right -1.
    """
    g = _reference()
    x, y = g.landmarks.T
    move = np.zeros((68, 2))
    for (au, side), size in sizes.items():
        move += size * (common(g, au, side, x, y) + split(g, au, side, x, y))
    return float(np.linalg.norm(move, axis=1).max())


@lru_cache(maxsize=1)
def _reference() -> Geometry:
    return Geometry(Identity.from_seed(0))
