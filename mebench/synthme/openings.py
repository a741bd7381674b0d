"""Eyes and mouth as openings: each edge carries its own skin over what lies behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.synthme import eyes, motion
from mebench.synthme.canvas import FULL, SCALE, Canvas, step
from mebench.synthme.geometry import Geometry
from mebench.synthme.portrait import Portrait
from mebench.synthme.stage import remapped

Array = NDArray[Any]
Float = NDArray[np.float32]
Move = tuple[int, int, float]
"""(AU, image side, size)."""

EYE_AUS, MOUTH_AUS = (5, 7, 43), (25, 26)


@dataclass(frozen=True)
class Opening:
    """A window of the canvas around one opening, with what is needed to redraw it.

    Attributes:
        aus: the action units that move its edges.
        sides: the image sides whose action units do.
        at: slices of the canvas.
        inner: (h, w, 3) what lies behind.
        upper: (h, w, 4) skin that moves with the upper edge, and where it is.
        lower: (h, w, 4) skin that moves with the lower edge, and where it is.
    """

    geometry: Geometry
    aus: tuple[int, ...]
    sides: tuple[int, ...]
    canvas: Canvas
    at: tuple[slice, slice]
    inner: Float
    upper: Float
    lower: Float
    _edges: dict[tuple[int, int], tuple[Float, Float]] = field(default_factory=dict, repr=False)

    def draw(self, moves: list[Move], gaze: Array) -> Float:
        """Return the window (h, w, 3), edges moved and what lies behind shifted by `gaze`."""
        grid = _pixel_grid(self.inner.shape)
        up = np.zeros(self.inner.shape[:2], np.float32)
        down = np.zeros_like(up)
        for au, side, size in moves:
            one, two = self._edge_moves(au, side)
            up, down = up + np.float32(size) * one, down + np.float32(size) * two
        upper, lower = _source(grid, up), _source(grid, down)
        image = self.inner
        if np.any(gaze):
            image = remapped(image, grid - np.float32(SCALE) * gaze.astype(np.float32))
        for skin, at in ((self.lower, lower), (self.upper, upper)):
            layer = remapped(skin, at)
            image = image + (layer[..., :3] - image) * layer[..., 3:]
        return np.asarray(image, np.float32)

    def _edge_moves(self, au: int, side: int) -> tuple[Float, Float]:
        """Return how far up each edge's skin goes, in IOD per unit."""
        if (au, side) not in self._edges:
            x, y = (g.astype(np.float64) for g in self.canvas.grid())
            if self.aus == MOUTH_AUS:
                both = motion.mouth_edges(self.geometry, au, side, x, y)
            else:
                eye = self.geometry.eyes[0 if side < 0 else 1]
                both = motion.eye_edges(eye, au, x, y)
            self._edges[au, side] = (both[0].astype(np.float32), both[1].astype(np.float32))
        return self._edges[au, side]


def _source(grid: Float, up: Float) -> Float:
    """Return where the skin that is now at each pixel came from, for a move `up` in IOD."""
    move = -np.float32(SCALE) * up
    at = grid.copy()
    # A blink squeezes lid skin by almost its own height, so it needs more steps to settle.
    for _ in range(7 if float(np.abs(up).max()) > 0.05 else 2):
        at[..., 1] = grid[..., 1] - remapped(move, at)
    return at


def openings(scene: Portrait) -> tuple[Opening, Opening, Opening]:
    """Return the image-left eye, the image-right eye and the mouth."""
    return _eye(scene, 0), _eye(scene, 1), _mouth(scene)


def _eye(scene: Portrait, k: int) -> Opening:
    eye = scene.geometry.eyes[k]
    window = eyes.window(eye)
    x, y = window.canvas.grid()
    s, v = eye.local(x.astype(np.float64), y.astype(np.float64))
    middle = 0.5 * (eye.upper_lid(s) + eye.lower_lid(s))
    opened = scene.openings[window.at]
    upper = step((v - middle).astype(np.float32), 0.5 / SCALE, -0.5 / SCALE)
    cut = upper * (np.abs(s) < 0.985)
    return Opening(
        geometry=scene.geometry,
        aus=EYE_AUS,
        sides=(eye.side,),
        canvas=window.canvas,
        at=window.at,
        inner=np.ascontiguousarray(scene.balls[window.at]),
        upper=_layer(scene.skin[window.at], upper * (1 - opened)),
        lower=_layer(scene.skin[window.at], (1 - opened) * (1 - cut)),
    )


def _mouth(scene: Portrait) -> Opening:
    p = scene.identity
    window = FULL.window(-0.62, p.mouth_y - 0.42, 0.62, p.mouth_y + 0.62)
    x, y = window.canvas.grid()
    s = x / p.mouth_width
    line = np.asarray(scene.geometry.lip_line(s.astype(np.float64)), np.float32)
    upper = step(y - line, 0.6 / SCALE, -0.6 / SCALE)
    lower = np.where(np.abs(s) < 1.0, step(y - line, -2.0 / SCALE, -0.5 / SCALE), 1.0)
    dark = np.array([42.0, 18.0, 17.0], np.float32)
    teeth = np.array([150.0, 138.0, 126.0], np.float32)
    bite = np.exp(-0.5 * ((y - line - 0.005) / 0.05) ** 4) * np.clip(1 - np.abs(s) * 1.25, 0, 1)
    inner = dark + (teeth - dark) * (0.75 * bite)[..., None]
    return Opening(
        geometry=scene.geometry,
        aus=MOUTH_AUS,
        sides=(-1, 1),
        canvas=window.canvas,
        at=window.at,
        inner=np.asarray(inner, np.float32),
        upper=_layer(scene.image[window.at], upper),
        lower=_layer(scene.image[window.at], lower),
    )


def _layer(colour: Float, alpha: NDArray[Any]) -> Float:
    return np.concatenate([colour, alpha[..., None]], axis=-1, dtype=np.float32)


@lru_cache(maxsize=8)
def _pixel_grid(shape: tuple[int, ...]) -> Float:
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
    return np.stack([x, y], axis=-1)
