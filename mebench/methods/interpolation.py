"""Smooth fields through scattered points: how a warp carries the points' motion to every pixel.

Both fields are linear in the points' displacements, so one matrix serves all frames of a clip.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError

Kernel = Literal["thin-plate", "gaussian"]

Array = NDArray[np.float64]

_BORDER_POINTS = 4
"""Points held still on each side of the image."""

_RING, _RING_POINTS = 1.35, 16
"""Size of the still ring around the face, in sizes of the moving points' hull, and its points."""


def still_points(points: Array, width: int, height: int) -> Array:
    """Return places (M, 2) that do not move: a ring around the face and the border of the image.

    Without the ring a spline carries what moves at the edge of the face far into the background.

    Shapes: points (K, 2), the moving ones. Units: pixels.

    Raises:
        UsageError: when the points lie on a line.
    """
    from scipy.spatial import ConvexHull, QhullError

    along = np.linspace(0.0, 1.0, _BORDER_POINTS, endpoint=False)
    zero, one = np.zeros_like(along), np.ones_like(along)
    sides = [(along, zero), (one, along), (1 - along, one), (zero, 1 - along)]
    border = np.concatenate([np.stack(side, axis=1) for side in sides])
    border = border * np.array([width - 1.0, height - 1.0])
    try:
        hull = points[ConvexHull(points).vertices]
    except QhullError as error:
        raise UsageError("landmarks: all points lie on a line; prepare the clip again") from error
    loop = np.concatenate([hull, hull[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(loop, axis=0), axis=1))])
    at = np.linspace(0.0, length[-1], _RING_POINTS, endpoint=False)
    ring = np.stack([np.interp(at, length, loop[:, k]) for k in range(2)], axis=1)
    middle = hull.mean(axis=0)
    return np.concatenate([border, middle + _RING * (ring - middle)])


def thin_plate(points: Array, still: Array, places: Array, unit: float, ridge: float) -> Array:
    """Return B (N, K) with B @ displacements (K, 2) the thin-plate spline at N places.

    The spline is the surface of least bending energy that has the displacements at the points and
    zero at the still ones; it reproduces affine motion exactly where nothing is held still. With a
    `ridge` above 0 it may miss them, at that price against bending.

    Shapes: points (K, 2), still (M, 2), places (N, 2). Units: pixels; `unit` pixels are 1 in the
    kernel r^2 log r, which makes `ridge` a number without unit.
    Source: Bookstein, "Principal Warps", IEEE TPAMI 11(6), 1989; the ridge: Wahba, Spline Models
    for Observational Data, SIAM 1990.
    """
    knots = np.concatenate([points, still])
    count = len(knots)
    middle = knots.mean(axis=0)
    knots, at = (knots - middle) / unit, (places - middle) / unit
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bending(knots, knots) + ridge * np.eye(count)
    system[:count, count:] = _affine(knots)
    system[count:, :count] = system[:count, count:].T
    answers = np.linalg.inv(system)[:, : len(points)]
    basis: Array = _bending(at, knots) @ answers[:count] + _affine(at) @ answers[count:]
    return basis


def gaussian(points: Array, places: Array, sigma: float, ridge: float) -> Array:
    """Return B (N, K) with B @ displacements (K, 2) the Gaussian kernel regression at N places.

    It falls to zero away from the points.

    Shapes: points (K, 2), places (N, 2). Units: pixels.
    """
    among = _bell(points, points, sigma) + ridge * np.eye(len(points))
    solved = np.linalg.solve(among, _bell(points, places, sigma))
    return np.ascontiguousarray(solved.T)


def _affine(at: Array) -> Array:
    return np.concatenate([np.ones((len(at), 1)), at], axis=1)


def _squares(a: Array, b: Array) -> Array:
    """Squared distances, (len(a), len(b))."""
    x = a[:, None, 0] - b[None, :, 0]
    y = a[:, None, 1] - b[None, :, 1]
    squares: Array = x * x + y * y
    return squares


def _bending(a: Array, b: Array) -> Array:
    squares = _squares(a, b)
    # r^2 log r, whose limit at 0 is 0.
    kernel: Array = 0.5 * squares * np.log(np.maximum(squares, np.finfo(np.float64).tiny))
    return kernel


def _bell(a: Array, b: Array, sigma: float) -> Array:
    kernel: Array = np.exp(-0.5 * _squares(a, b) / (sigma * sigma))
    return kernel
