"""The portrait's own raster: a fixed scale and extent, masks, noise and colour conversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

SCALE = 128
"""Canvas pixels per inter-ocular distance."""
_SHIFT = 4


@dataclass(frozen=True)
class Canvas:
    """A raster window: `left`, `top` in IOD, `width`, `height` in pixels."""

    left: float
    top: float
    width: int
    height: int

    def grid(self) -> tuple[Map, Map]:
        """Return x and y of the pixel centres in IOD, (H, W) each."""
        x = self.left + np.arange(self.width, dtype=np.float32) / SCALE
        y = self.top + np.arange(self.height, dtype=np.float32) / SCALE
        gx, gy = np.meshgrid(x, y)
        return gx.astype(np.float32), gy.astype(np.float32)

    def pixels(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return canvas pixels of points (..., 2) in IOD."""
        return (np.asarray(points, np.float64) - (self.left, self.top)) * SCALE

    def window(self, left: float, top: float, right: float, bottom: float) -> Window:
        """Return the sub-raster that covers a box in IOD, clipped to this one."""
        x0 = max(0, round((left - self.left) * SCALE))
        y0 = max(0, round((top - self.top) * SCALE))
        x1 = min(self.width, round((right - self.left) * SCALE))
        y1 = min(self.height, round((bottom - self.top) * SCALE))
        part = Canvas(self.left + x0 / SCALE, self.top + y0 / SCALE, x1 - x0, y1 - y0)
        return Window(part, (slice(y0, y1), slice(x0, x1)))

    def polygon(self, points: NDArray[np.floating], blur: float = 0.0) -> Map:
        """Return the antialiased mask 0..1 of a polygon (n, 2) in IOD, blurred by `blur` IOD."""
        mask = np.zeros((self.height, self.width), np.uint8)
        cv2.fillPoly(mask, [self._fixed(points)], 255, cv2.LINE_AA, _SHIFT)
        out = mask.astype(np.float32) / np.float32(255)
        return soften(out, blur)

    def lines(
        self, tone: NDArray[np.uint8], path: NDArray[np.floating], value: int, px: int
    ) -> None:
        """Draw an open polyline (n, 2) in IOD into an 8-bit map."""
        cv2.polylines(tone, [self._fixed(path)], False, int(value), px, cv2.LINE_AA, _SHIFT)

    def _fixed(self, points: NDArray[np.floating]) -> NDArray[np.int32]:
        return np.round(self.pixels(points) * (1 << _SHIFT)).astype(np.int32)


@dataclass(frozen=True)
class Window:
    """A sub-raster and the slices that cut it from its parent."""

    canvas: Canvas
    at: tuple[slice, slice]


FULL = Canvas(-4.0, -2.6, 1024, 784)
HEAD = FULL.window(-1.55, -2.2, 1.55, 2.1)
BODY = FULL.window(-4.0, 0.85, 4.0, 4.0)
MANE = FULL.window(-1.9, -2.5, 1.9, 3.1)


def soften(image: NDArray[Any], sigma: float) -> Map:
    """Blur by a Gaussian of `sigma` IOD."""
    image = np.asarray(image, np.float32)
    if sigma <= 0:
        return image
    px = sigma * SCALE
    if px < 6:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), px), np.float32)
    # A wide blur has no detail that a quarter of the raster could not hold.
    h, w = image.shape[:2]
    small = cv2.resize(image, ((w + 3) // 4, (h + 3) // 4), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), px / 4)
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)


def bump(x: NDArray[Any], y: NDArray[Any], cx: float, cy: float, sx: float, sy: float) -> Map:
    """Return a Gaussian hill of height 1."""
    return np.asarray(np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2)), np.float32)


def step(value: NDArray[Any], low: float, high: float) -> Map:
    """Return the smooth step from 0 at `low` to 1 at `high` (which may be the smaller)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def noise(rng: np.random.Generator, shape: tuple[int, int], size: float) -> Map:
    """Return smooth noise of unit variance whose grains are about `size` IOD wide."""
    cell = max(1.0, size * SCALE)
    small = (max(4, int(shape[0] / cell) + 4), max(4, int(shape[1] / cell) + 4))
    values = rng.standard_normal(small).astype(np.float32)
    if cell > 1.0:
        whole = (shape[1], shape[0])
        values = np.asarray(cv2.resize(values, whole, interpolation=cv2.INTER_CUBIC), np.float32)
    values = values[: shape[0], : shape[1]]
    return np.asarray((values - values.mean()) / (values.std() + 1e-6), np.float32)


def to_linear(srgb: tuple[float, float, float] | NDArray[np.floating]) -> NDArray[np.float32]:
    """Return linear light 0..1 of sRGB 0..255."""
    return np.asarray((np.asarray(srgb, np.float32) / 255.0) ** 2.2, np.float32)


def to_srgb(linear: NDArray[Any]) -> Map:
    """Return sRGB 0..255 of linear light, highlights rolled off."""
    value = np.maximum(linear, 0)
    rolled = np.where(value < 0.7, value, 0.7 + 0.3 * np.tanh((value - 0.7) / 0.3))
    return np.asarray(255.0 * rolled ** np.float32(1 / 2.2), np.float32)


def over(base: NDArray[Any], colour: NDArray[Any], alpha: NDArray[Any]) -> Map:
    """Return `colour` laid over `base` (H, W, 3) with `alpha` (H, W)."""
    return np.asarray(base + (colour - base) * alpha[..., None], np.float32)
