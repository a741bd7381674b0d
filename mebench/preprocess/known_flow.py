"""Images read between their pixels, and moved by a flow that is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

from mebench.types import Flow, Frames, Image

Array = NDArray[np.float64]

_STEPS = 8
"""Of the fixed-point iteration; the flow of a face changes by less than a half from pixel to pixel
almost everywhere, so that each step more than halves what is left."""


class Spline:
    """An image as cubic splines, which are exact at any shift; OpenCV's remap rounds to 1/32 pixel.

    Args:
        image: (H, W, C), any numbers.
    """

    def __init__(self, image: NDArray[np.generic]) -> None:
        channels = range(image.shape[2])
        self._planes = [spline_filter(image[..., c].astype(np.float64)) for c in channels]

    def at(self, points: Array) -> Array:
        """Return the values (N, C) at points (N, 2) in pixels, x first."""
        where = points[:, ::-1].T
        planes = [
            map_coordinates(plane, where, order=3, mode="mirror", prefilter=False)
            for plane in self._planes
        ]
        return np.stack(planes, axis=1)


def sources(flow: NDArray[np.floating], pixels: Array) -> Array:
    """Return where the flow brings something to given pixels from: q with q + flow(q) = p.

    Shapes: flow (H, W, 2) on the grid of the first frame, pixels (N, 2), result (N, 2); x first.
    """
    found = pixels
    for _ in range(_STEPS):
        where = found[:, ::-1].T
        steps = [map_coordinates(flow[..., k], where, order=1, mode="nearest") for k in range(2)]
        found = pixels - np.stack(steps, axis=1)
    return found


def grid(height: int, width: int) -> Array:
    """Return all pixels (H * W, 2) of an image row by row, x first."""
    ys, xs = np.mgrid[:height, :width]
    return np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.float64)


def moved_by(image: Image, flow: Flow) -> Frames:
    """Return an image moved by a known flow and not changed otherwise: the best a warp can do.

    Shapes: image (H, W, 3) uint8, flow (T, H, W, 2) from the image on its own grid; frames
    (T, H, W, 3).
    """
    spline, pixels = Spline(image), grid(*image.shape[:2])
    frames = [spline.at(sources(np.asarray(one), pixels)).reshape(image.shape) for one in flow]
    return np.clip(np.rint(np.stack(frames)), 0, 255).astype(np.uint8)
