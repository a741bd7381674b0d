"""The shading that goes with an action unit: furrows, crow's feet, folds, dimples, chin boss."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.synthme.geometry import Geometry

Array = NDArray[Any]
Line = tuple[tuple[float, float], tuple[float, float], float, float]


def _lines(g: Geometry, au: int) -> list[Line]:
    """Return (start, end, width, darkness) of the creases on the image-right half."""
    p = g.identity
    b, cx, my = p.brow_y, p.mouth_width, p.mouth_y
    fold = [
        ((p.nose_width * 1.0, g.nose_base - 0.16), (p.nose_width * 1.0 + 0.11, g.nose_base + 0.06)),
        ((p.nose_width * 1.0 + 0.11, g.nose_base + 0.06), (cx + 0.075, my - 0.03)),
    ]
    nasolabial: list[Line] = [(a, e, 0.022, 1.0) for a, e in fold]
    feet: list[Line] = [
        ((0.76, 0.02), (0.90, -0.06), 0.014, 0.7),
        ((0.77, 0.06), (0.92, 0.06), 0.014, 0.7),
        ((0.75, 0.10), (0.88, 0.17), 0.014, 0.6),
    ]
    table: dict[int, list[Line]] = {
        1: [
            ((0.0, b - 0.20), (0.34, b - 0.22), 0.018, 0.8),
            ((0.0, b - 0.33), (0.32, b - 0.35), 0.018, 0.6),
        ],
        2: [
            ((0.38, b - 0.24), (0.80, b - 0.16), 0.018, 0.8),
            ((0.40, b - 0.36), (0.74, b - 0.30), 0.018, 0.5),
        ],
        4: [
            ((0.075, b - 0.10), (0.095, b + 0.13), 0.016, 1.2),
            ((0.16, b - 0.02), (0.13, b + 0.10), 0.014, 0.5),
        ],
        5: [],
        6: [*feet, ((0.33, 0.20), (0.62, 0.24), 0.016, 0.5)],
        7: [((0.36, 0.12), (0.66, 0.12), 0.014, 0.6)],
        9: [
            *nasolabial[:1],
            ((0.0, -0.02), (0.11, -0.05), 0.014, 0.9),
            ((0.0, 0.06), (0.12, 0.03), 0.014, 0.7),
            ((0.06, 0.22), (0.16, 0.38), 0.016, 0.7),
        ],
        10: nasolabial,
        12: [*nasolabial, *[(a, e, w, 0.4 * d) for a, e, w, d in feet]],
        14: [((cx + 0.06, my - 0.05), (cx + 0.06, my + 0.05), 0.026, 1.6)],
        15: [((cx + 0.03, my + 0.03), (cx + 0.05, my + 0.16), 0.022, 1.0)],
        17: [
            (
                (0.0, p.mouth_y + 0.135 + p.lip_lower),
                (0.22, p.mouth_y + 0.15 + p.lip_lower),
                0.028,
                0.9,
            )
        ],
        20: [((cx + 0.05, my - 0.05), (cx + 0.07, my + 0.10), 0.022, 0.8)],
        23: [((0.0, my), (0.3, my), 0.012, 0.8)],
        24: [((0.0, my), (0.34, my), 0.014, 0.9)],
        25: [],
        26: [],
    }
    return table[au]


def shading(g: Geometry, au: int, side: int, x: Array, y: Array) -> Array:
    """Return the share of light lost (+) or won (-) per unit of `au` on one side, (...)."""
    p = g.identity
    out = np.zeros(np.shape(x))
    for a, e, width, dark in _lines(g, au):
        out += dark * _crease(side * x, y, a, e, width)
    if au == 17:
        dimples = np.sin(61 * x + 9 * np.sin(23 * y)) * np.sin(57 * y + 7 * np.sin(29 * x))
        boss = np.exp(-0.5 * ((x / 0.19) ** 2 + ((y - p.chin_y + 0.2) / 0.11) ** 2))
        out += 0.7 * boss * dimples * (side * x > 0)
    return out * (2.2 + 2.6 * min(p.wrinkles, 1.0))


def _crease(
    x: Array, y: Array, a: tuple[float, float], e: tuple[float, float], width: float
) -> Array:
    ax, ay = a
    reach = 5 * width
    near_x = (x > min(ax, e[0]) - reach) & (x < max(ax, e[0]) + reach)
    box = near_x & (y > min(ay, e[1]) - reach) & (y < max(ay, e[1]) + reach)
    out = np.zeros(np.shape(x))
    out[box] = _crease_near(x[box], y[box], a, e, width)
    return out


def _crease_near(
    x: Array, y: Array, a: tuple[float, float], e: tuple[float, float], width: float
) -> Array:
    ax, ay = a
    dx, dy = e[0] - ax, e[1] - ay
    length2 = dx * dx + dy * dy
    t = ((x - ax) * dx + (y - ay) * dy) / length2
    near = np.clip(t, 0, 1)
    off = np.hypot(x - ax - near * dx, y - ay - near * dy)
    signed = ((x - ax) * dy - (y - ay) * dx) / np.sqrt(length2)
    taper = np.exp(-(((t - 0.5) / 0.62) ** 4))
    groove = np.exp(-0.5 * (off / width) ** 2)
    # The lit bulge beside the groove: skin pushed up on the side that moved.
    bulge = np.exp(-0.5 * ((np.abs(signed) - 2.3 * width) / (1.3 * width)) ** 2)
    bulge *= np.exp(-0.5 * (np.clip(off - 3 * width, 0, None) / width) ** 2)
    return np.asarray((groove - 0.38 * bulge) * taper)
