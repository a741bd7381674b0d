"""Smooth motion fields on a face: random ones, measured ones, and what they do to points."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mebench.methods.fomm.points import MIRROR_68, Positions
from mebench.methods.fomm.spline import sharp_warp
from mebench.preprocess.canonical import eye_distance
from mebench.types import Points

Array = NDArray[np.float32]


def scaled_to(field: Array, peak: float) -> Array:
    """Return a field with its strongest motion (but for outliers) at `peak` pixels."""
    now = float(np.percentile(np.hypot(field[..., 0], field[..., 1]), 99.5))
    return field * np.float32(peak / max(now, 1e-3))


def warp(images: Tensor, backward: Tensor) -> Tensor:
    """Return images (B, 3, H, W) read at each pixel plus `backward` (B, H, W, 2), by splines."""
    height, width = images.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float32), torch.arange(width, dtype=torch.float32),
        indexing="ij",
    )  # fmt: skip
    grid = torch.stack([x, y], -1) + backward
    grid = grid * 2 / torch.tensor([width - 1, height - 1], dtype=torch.float32) - 1
    return sharp_warp(images, grid, align_corners=True)


def carried(start: Positions, backward: Array) -> tuple[Positions, Array]:
    """Return where points go under a backward field, and the forward Jacobian there.

    A template point s is seen at the driving pixel d with d + backward(d) = s.

    Shapes: start (K, 2); backward (H, W, 2); returns (K, 2) and (K, 2, 2) float32.
    """
    at = start.astype(np.float32).copy()
    for _ in range(6):
        at = (start - _bilinear(backward, at)).astype(np.float32)
    right, below = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    dx = (_bilinear(backward, at + right) - _bilinear(backward, at - right)) / 2
    dy = (_bilinear(backward, at + below) - _bilinear(backward, at - below)) / 2
    towards_template = np.stack([dx, dy], -1) + np.eye(2, dtype=np.float32)
    return at, inverse2x2(towards_template.astype(np.float32))


def random_field(landmarks: Points, size: int, rng: np.random.Generator) -> Array:
    """Return a smooth field of one to four moving face regions, half of them on both sides.

    Shapes: landmarks (68, 2); returns (size, size, 2), arbitrary units.
    """
    iod = eye_distance(landmarks)
    # The bumps are wide: half the resolution shows them as well.
    half = size // 2
    y, x = np.mgrid[:half, :half].astype(np.float32) * 2 + np.float32(0.5)
    field = np.zeros((half, half, 2), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        index = int(rng.integers(17, 68)) if rng.random() < 0.85 else int(rng.integers(5, 12))
        shift = rng.normal(0, 0.12, 2)
        angle = rng.uniform(0, 2 * np.pi)
        push = rng.uniform(0.3, 1.0) * np.array([np.cos(angle), np.sin(angle)])
        wide, narrow = np.exp(rng.uniform(np.log(0.09), np.log(0.4), 2)) * iod
        turn = rng.uniform(0, np.pi)
        sides = [(index, 1.0)]
        if rng.random() < 0.5 and MIRROR_68[index] != index:
            sides.append((int(MIRROR_68[index]), -1.0))
        for mark, sign in sides:
            cx, cy = landmarks[mark] + np.array([sign, 1.0]) * shift * iod
            dx, dy = (x - np.float32(cx)) * np.float32(sign), y - np.float32(cy)
            along = dx * np.cos(turn) + dy * np.sin(turn)
            across = dy * np.cos(turn) - dx * np.sin(turn)
            bump = np.exp(-0.5 * ((along / wide) ** 2 + (across / narrow) ** 2))
            field += bump[..., None] * (push * (sign, 1.0)).astype(np.float32)
    return np.asarray(cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR))


def laid_on(measured: Array, source: Points, target: Points, size: int) -> Array:
    """Return the measured forward motion of one face, laid onto another by the landmarks.

    Shapes: measured (h, w, 2); source and target (68, 2); returns (size, size, 2), a backward
    field in pixels.
    """
    coarse = 32
    y, x = (np.mgrid[:coarse, :coarse].astype(np.float32) + 0.5) * (size / coarse) - 0.5
    offset = (source - target).astype(np.float32)
    sigma = 0.25 * eye_distance(target)
    gaps = (x[..., None] - target[:, 0]) ** 2 + (y[..., None] - target[:, 1]) ** 2
    near = np.exp(-0.5 * gaps / sigma**2)
    shift = (near @ offset) / (near.sum(-1, keepdims=True) + 0.05)
    shift = cv2.resize(shift.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    gy, gx = np.mgrid[:size, :size].astype(np.float32)
    scale = measured.shape[0] / size
    at_x = (gx + shift[..., 0] + 0.5) * scale - 0.5
    at_y = (gy + shift[..., 1] + 0.5) * scale - 0.5
    moved = cv2.remap(measured, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return -np.asarray(moved, np.float32)


def _bilinear(field: Array, at: Positions) -> Array:
    height, width = field.shape[:2]
    x = np.clip(at[:, 0], 0, width - 1.001)
    y = np.clip(at[:, 1], 0, height - 1.001)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    top = field[y0, x0] * (1 - fx) + field[y0, x0 + 1] * fx
    bottom = field[y0 + 1, x0] * (1 - fx) + field[y0 + 1, x0 + 1] * fx
    mixed: Array = (top * (1 - fy) + bottom * fy).astype(np.float32)
    return mixed


def inverse2x2(matrices: Array) -> Array:
    """Return the inverses of matrices (..., 2, 2)."""
    inverse: Array = np.linalg.inv(matrices.astype(np.float64)).astype(np.float32)
    return inverse
