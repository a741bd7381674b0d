"""Slow, obvious forms of the appearance and distribution metrics."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import sqrtm


def frechet_textbook(x: np.ndarray, y: np.ndarray) -> float:
    """|m1 - m2|^2 + Tr(S1 + S2 - 2 (S1 S2)^1/2) with scipy's matrix root."""
    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    gap = x.mean(axis=0) - y.mean(axis=0)
    return float(gap @ gap + np.trace(s1 + s2 - 2 * np.real(sqrtm(s1 @ s2))))


def frechet_by_eigenvalues(x: np.ndarray, y: np.ndarray) -> float:
    """The same from the eigenvalues of the plain product of covariances.

    Their rank is known; the eigenvalues beyond it are rounding, whose roots are not.
    """
    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    gap = x.mean(axis=0) - y.mean(axis=0)
    rank = min(len(x) - 1, len(y) - 1, x.shape[1])
    eigenvalues = np.sort(np.real(np.linalg.eigvals(s1 @ s2)))[::-1][:rank]
    root = math.fsum(math.sqrt(max(value, 0.0)) for value in eigenvalues)
    return float(gap @ gap + np.trace(s1) + np.trace(s2) - 2 * root)


def kernel_distance_loops(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased MMD^2 with the kernel (x.y / d + 1)^3, pair by pair."""

    def kernel(a, b):
        return (sum(float(p) * float(q) for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    n, m = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j)
    within_y = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j)
    between = sum(kernel(a, b) for a in x for b in y)
    return within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * between / (n * m)


def ssim_loops(x: np.ndarray, y: np.ndarray) -> float:
    """Structural similarity, window by window, mean over channels."""
    offsets = np.arange(-5, 6)
    line = np.exp(-0.5 * (offsets / 1.5) ** 2)
    window = np.outer(line, line)
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for c in range(x.shape[2]):
        for row in range(5, x.shape[0] - 5):
            for column in range(5, x.shape[1] - 5):
                at = (slice(row - 5, row + 6), slice(column - 5, column + 6), c)
                a, b = x[at].astype(float), y[at].astype(float)
                mean_a, mean_b = (window * a).sum(), (window * b).sum()
                var_a = (window * (a - mean_a) ** 2).sum()
                var_b = (window * (b - mean_b) ** 2).sum()
                both = (window * (a - mean_a) * (b - mean_b)).sum()
                top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
                values.append(top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))
    return math.fsum(values) / len(values)


def embedding_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Euclidean distance of two embeddings."""
    return math.sqrt(math.fsum((float(p) - float(q)) ** 2 for p, q in zip(a, b, strict=True)))


def embedding_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of the angle of two embeddings."""

    def dot(p, q):
        return math.fsum(float(u) * float(v) for u, v in zip(p, q, strict=True))

    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def psnr_loops(frames: np.ndarray, other: np.ndarray) -> float:
    """10 log10(255^2 / mean squared error over the clip)."""
    gaps = [(float(a) - float(b)) ** 2 for a, b in zip(frames.flat, other.flat, strict=True)]
    return 10 * math.log10(255**2 / (math.fsum(gaps) / len(gaps)))


def landmark_distance_loops(found: np.ndarray, right: np.ndarray) -> float:
    """Mean over frames and points of the distance to the right place."""
    gaps = [
        math.hypot(*(float(a) - float(b) for a, b in zip(p, q, strict=True)))
        for points, places in zip(found, right, strict=True)
        for p, q in zip(points, places, strict=True)
    ]
    return math.fsum(gaps) / len(gaps)
