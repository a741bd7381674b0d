"""One person before one camera: everything a frame needs that does not change over time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synthme import motion
from mebench.synthme.canvas import FULL, SCALE, Map
from mebench.synthme.expression import Component
from mebench.synthme.folds import shading
from mebench.synthme.geometry import Geometry
from mebench.synthme.identity import Identity
from mebench.synthme.portrait import Portrait, portrait

Array = NDArray[Any]
Float = NDArray[np.float32]
# OpenCV takes None for the unused second map; its stubs do not say so.
_NO_MAP: Any = None


@dataclass(frozen=True)
class Camera:
    """A similarity from face units to pixels of a recording.

    Attributes:
        height: rows of the recording.
        width: columns of the recording.
        iod: pixels per inter-ocular distance.
        x: pixel column of the point between the eyes.
        y: pixel row of that point.
        roll: turn in radians, clockwise on the image.
    """

    height: int
    width: int
    iod: float
    x: float
    y: float
    roll: float = 0.0

    @classmethod
    def fit(cls, size: int | tuple[int, int], *, zoom: float = 1.0) -> Camera:
        """Return the usual view: head and shoulders, hairline to chin about half of the height."""
        height, width = (size, size) if isinstance(size, int) else size
        return cls(height, width, 0.173 * height * zoom, (width - 1) / 2, 0.425 * height)

    def matrix(self) -> Array:
        """Return the (2, 3) map from IOD to pixels."""
        c, s = np.cos(self.roll) * self.iod, np.sin(self.roll) * self.iod
        return np.array([[c, -s, self.x], [s, c, self.y]])

    def project(self, points: Array) -> Array:
        """Return pixels of points (..., 2) in IOD."""
        m = self.matrix()
        return np.asarray(np.asarray(points) @ m[:, :2].T + m[:, 2])

    def unproject(self, pixels: Array) -> Array:
        """Return IOD of pixels (..., 2)."""
        m = self.matrix()
        return np.asarray((np.asarray(pixels) - m[:, 2]) @ np.linalg.inv(m[:, :2]).T)


def remapped(image: Float, at: Float) -> Float:
    """Return `image` read at pixels `at` (H, W, 2), bilinear."""
    moved = cv2.remap(image, at, _NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


class Stage:
    """A portrait before a camera, with motion fields sampled on the camera's grid."""

    def __init__(self, identity: Identity, camera: Camera) -> None:
        self.portrait: Portrait = portrait(identity)
        self.geometry: Geometry = self.portrait.geometry
        self.camera = camera
        h, w = camera.height, camera.width
        gx, gy = np.meshgrid(np.arange(w, dtype=np.float64), np.arange(h, dtype=np.float64))
        self.pixels: Float = np.stack([gx, gy], axis=-1).astype(np.float32)
        self.points: Array = camera.unproject(np.stack([gx, gy], axis=-1))
        # Averaging over a pixel's footprint keeps a frame free of aliasing when it is sampled.
        ratio = SCALE / camera.iod
        self.blur = 0.42 * float(np.sqrt(max(ratio**2 - 1, 0.0)))
        self.image: Float = self.filtered(self.portrait.image)
        inverse = np.linalg.inv(np.vstack([camera.matrix(), [0, 0, 1]]))
        to_canvas = np.array(
            [[SCALE, 0, -FULL.left * SCALE], [0, SCALE, -FULL.top * SCALE], [0, 0, 1]]
        )
        self.to_canvas: Array = (to_canvas @ inverse)[:2]
        self.head: Float = remapped(self.portrait.head, self.canvas_map(self.pixels))
        self._rigid: Float | None = None
        self._columns: dict[tuple[int, str, float], tuple[Float, Float]] = {}

    def filtered(self, image: Map | Float) -> Float:
        """Return canvas pixels blurred to the camera's resolution."""
        if self.blur < 0.2:
            return image
        return np.asarray(cv2.GaussianBlur(image, (0, 0), self.blur), np.float32)

    def canvas_map(self, pixels: Float) -> Float:
        """Return canvas pixels (H, W, 2) of camera pixels."""
        return np.asarray(cv2.transform(pixels, self.to_canvas), np.float32)

    def head_fields(self, points: Array, weight: Array) -> Array:
        """Return the six head motions (6, ..., 2) in IOD at points: shifts, roll, growth, turns."""
        dx, dy = points[..., 0], points[..., 1] - 0.8
        nose = np.exp(-0.5 * ((points[..., 0] / 0.18) ** 2 + ((points[..., 1] - 0.6) / 0.3) ** 2))
        near = np.clip(1 - (dx / 1.2) ** 2 - ((points[..., 1] - 0.2) / 1.9) ** 2, 0, 1)
        depth = 0.8 * near + 0.35 * nose
        zero, one = np.zeros_like(dx), np.ones_like(dx)
        fields = [(one, zero), (zero, one), (-dy, dx), (dx, dy), (depth, zero), (zero, depth)]
        return np.stack([np.stack(f, axis=-1) * weight[..., None] for f in fields])

    @property
    def rigid(self) -> Float:
        """(6, H, W, 2) head motions in pixels."""
        if self._rigid is None:
            fields = self.head_fields(self.points, self.head.astype(np.float64))
            self._rigid = self.turned(fields)
        return self._rigid

    def head_at(self, points: Array) -> Array:
        """Return the six head motions (6, n, 2) in IOD at points (n, 2)."""
        pixels = self.camera.project(points).astype(np.float32)[None]
        weight = remapped(self.head, pixels)[0].astype(np.float64)
        return self.head_fields(points, weight)

    def turned(self, field: Array) -> Float:
        """Return a displacement field in IOD as one in pixels."""
        return np.asarray(field @ self.camera.matrix()[:, :2].T, np.float32)

    def column(self, part: Component) -> tuple[Float, Float]:
        """Return (field (H, W, 2) in pixels, shading (H, W)) per unit of one component."""
        key = (part.au, part.side, part.asymmetry)
        if key not in self._columns:
            field = np.zeros((*self.points.shape[:2], 2))
            dark = np.zeros(self.points.shape[:2])
            x, y = self.points[..., 0], self.points[..., 1]
            for side, weight in sides(part):
                field += weight * motion.common(self.geometry, part.au, side, x, y)
                dark += weight * shading(self.geometry, part.au, side, x, y)
            self._columns[key] = (self.turned(field), dark.astype(np.float32))
        return self._columns[key]


def sides(part: Component) -> list[tuple[int, float]]:
    """Return (image side, weight) of a component; the person's own left is the image's right."""
    left, right = (1, 1 + part.asymmetry), (-1, 1 - part.asymmetry)
    if part.side == "L":
        return [left]
    return [right] if part.side == "R" else [left, right]


@lru_cache(maxsize=4)
def stage(identity: Identity, camera: Camera) -> Stage:
    """Return the stage of a person before a camera (kept for the last few)."""
    return Stage(identity, camera)
