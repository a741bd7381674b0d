"""How a warp moves an image by displacements of a few points in it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mebench.methods.base import BaselineConfig
from mebench.methods.interpolation import Kernel, gaussian, still_points, thin_plate
from mebench.preprocess.crop import alignment
from mebench.types import Face, Image

_STILL_PX = 5e-3
_SQUARE, _SPARE = 256, 0.05
_FINE = 512 * 512
"""Pixels up to which a field is solved at each of them; a larger one is smooth between nodes."""


class WarpConfig(BaselineConfig):
    """Settings of the landmark-driven warp.

    Attributes:
        amplitude: factor on the motion; 1 copies it.
        kernel: how the points' motion reaches the pixels between them; see `interpolation`.
        reach: standard deviation of a point's influence, in eye distances (gaussian alone).
        ridge: how far the field may miss a point's motion to be smoother; 0 meets every point.
    """

    amplitude: float = Field(default=1.0, ge=0.0, le=10.0)
    kernel: Kernel = "thin-plate"
    reach: float = Field(default=0.28, gt=0.0, le=2.0)
    ridge: float = Field(default=0.003, ge=0.0, le=10.0)


def around(template: Face) -> tuple[slice, slice]:
    """Return rows and columns of the usual aligned square around the face; all of such a square."""
    height, width = template.image.shape[:2]
    matrix = alignment(template.landmarks, _SQUARE)
    ends = (-0.5 - _SPARE * _SQUARE, (1 + _SPARE) * _SQUARE - 0.5)
    corners = np.array([[x, y, 1.0] for x in ends for y in ends]) @ matrix.T
    left, top = np.maximum(np.floor(corners.min(axis=0) + 0.5).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0) + 0.5).astype(int), [width, height])
    return slice(int(top), int(bottom)), slice(int(left), int(right))


class WarpField:
    """Warps one image by displacements of its points; the kernel is solved once."""

    def __init__(
        self, image: Image, points: NDArray[np.float64], iod: float, config: WarpConfig
    ) -> None:
        from mebench.preprocess.known_flow import Spline

        self.image = np.ascontiguousarray(image)
        height, width = image.shape[:2]
        ys, xs = np.mgrid[:height, :width]
        self.grid = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.float64)
        self.step = math.ceil(math.sqrt(height * width / _FINE))
        rows, columns = (math.ceil((side - 1) / self.step) + 1 for side in (height, width))
        ys, xs = np.mgrid[:rows, :columns] * self.step
        nodes = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.float64)
        self.coarse = (rows, columns)
        if config.kernel == "gaussian":
            self.basis = gaussian(points, nodes, config.reach * iod, config.ridge)
        else:
            still = still_points(points, width, height)
            self.basis = thin_plate(points, still, nodes, iod, config.ridge)
        self.spline = Spline(self.image)

    def warped(self, moves: NDArray[np.float64]) -> Image:
        """Return the image with its points displaced by `moves` (K, 2), pixels."""
        from scipy.ndimage import map_coordinates

        height, width = self.image.shape[:2]
        field = self._at_every_pixel(self.basis @ moves)
        planes = [field[:, k].reshape(height, width) for k in range(2)]
        moving = np.flatnonzero(np.abs(field).max(axis=1) > _STILL_PX)
        result = self.image.copy()
        if len(moving) == 0:
            return result
        # The field lives on the template's pixels; one fixed-point step finds where a pixel came
        # from: the field changes by less than a tenth over the length of a micro-expression.
        target = self.grid[moving]
        at = (target - field[moving])[:, ::-1].T
        shift = [map_coordinates(plane, at, order=1, mode="nearest") for plane in planes]
        source = target - np.stack(shift, axis=1)
        rows, columns = np.divmod(moving, width)
        result[rows, columns] = np.clip(np.rint(self.spline.at(source)), 0, 255)
        return result

    def _at_every_pixel(self, field: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a field (N, 2) of the nodes at all pixels, linear between the nodes."""
        if self.step == 1:
            return field
        from scipy.ndimage import map_coordinates

        at = self.grid[:, ::-1].T / self.step
        planes = [field[:, k].reshape(self.coarse) for k in range(2)]
        return np.stack([map_coordinates(p, at, order=1, mode="nearest") for p in planes], axis=1)
