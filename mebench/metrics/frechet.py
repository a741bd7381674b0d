"""Exact distances of two sets of features: Fréchet (FID) and unbiased kernel distance (KID)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Gaussian:
    """The Gaussian fitted to a set of features, without loss of precision.

    Attributes:
        mean: (d,) float64.
        factor: (k, d) float64 with factorᵀ · factor = covariance and k at most d.
        count: rows it was fitted to.
    """

    mean: Array
    factor: Array
    count: int


def gaussian_of(features: NDArray[np.floating]) -> Gaussian:
    """Return the Gaussian fitted to features (n, d), n at least 2.

    Raises:
        ValueError: for fewer than 2 rows, or values that are not finite.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"expected (n, d) with n at least 2, got {features.shape}")
    values = np.asarray(features, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("features hold values that are not finite")
    mean = values.mean(axis=0)
    rows = (values - mean) / np.sqrt(len(values) - 1)
    if len(rows) > rows.shape[1]:
        # The triangle has the same covariance as all the rows, which need not be kept.
        rows = scipy.linalg.qr(rows, mode="r", check_finite=False)[0][: rows.shape[1]]
    return Gaussian(mean, rows, len(values))


def gaussian_distance(a: Gaussian, b: Gaussian) -> float:
    """Return the Fréchet distance of two Gaussians: |μ1 - μ2|² + Tr(Σ1 + Σ2 - 2 (Σ1 Σ2)^½).

    With Σ = FᵀF on both sides, the trace of the root is the sum of the singular values of F1 F2ᵀ:
    no matrix root is iterated, and no eigenvalue near 0 loses half its digits.

    Range: 0 and up, lower is better.
    Raises: ValueError when the columns differ.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"expected equal columns, got {a.mean.shape} and {b.mean.shape}")
    gap = a.mean - b.mean
    cross = float(np.sum(scipy.linalg.svdvals(a.factor @ b.factor.T)))
    distance = float(gap @ gap + np.sum(a.factor**2) + np.sum(b.factor**2) - 2.0 * cross)
    return max(0.0, distance)


def frechet_distance(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Return the Fréchet distance of the Gaussians fitted to two sets of features, in float64.

    Shapes: x (n1, d), y (n2, d), n1 and n2 at least 2; any n against any d.
    Range: 0 and up, lower is better.
    Raises: ValueError for fewer than 2 rows, unequal columns, or values that are not finite.
    Source: Heusel et al., GANs trained by a two time-scale update rule, NeurIPS 2017, equation 6.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"expected (n1, d) and (n2, d), got {x.shape} and {y.shape}")
    if min(len(x), len(y)) < 2:
        raise ValueError(f"expected at least 2 rows a side, got {len(x)} and {len(y)}")
    return gaussian_distance(gaussian_of(x), gaussian_of(y))


def kernel_distance(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Return the unbiased squared kernel distance of two sets of features, over all pairs.

    The kernel is (x·y / d + 1)³. Being unbiased, the value of equal distributions can be negative.

    Shapes: x (n1, d), y (n2, d), n1 and n2 at least 2.
    Range: lower is better.
    Raises: ValueError for fewer than 2 rows.
    Source: Bińkowski et al., Demystifying MMD GANs, ICLR 2018, equation 4.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(f"expected at least 2 rows a side, got {len(x)} and {len(y)}")
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    width = a.shape[1]
    n, m = len(a), len(b)
    within_a = (a @ a.T / width + 1.0) ** 3
    within_b = (b @ b.T / width + 1.0) ** 3
    between = (a @ b.T / width + 1.0) ** 3
    return float(
        (within_a.sum() - np.trace(within_a)) / (n * (n - 1))
        + (within_b.sum() - np.trace(within_b)) / (m * (m - 1))
        - 2.0 * between.mean()
    )
