"""Small moving faces without a renderer: a fixed texture, 68 points, Gaussian bumps of motion."""

from __future__ import annotations

import cv2
import numpy as np

from mebench.metrics.base import Case
from mebench.types import Face, FaceClip, Pair, Reference

FPS = 100.0

# An average upright face: (x, y) from the midpoint of the eyes, in inter-ocular distances.
# fmt: off
FACE = np.array([
    (-1.07, 0.07), (-1.04, 0.35), (-1.00, 0.60), (-0.96, 0.88), (-0.86, 1.13), (-0.71, 1.35),
    (-0.50, 1.54), (-0.27, 1.70), (0.00, 1.73), (0.27, 1.70), (0.50, 1.54), (0.71, 1.35),
    (0.86, 1.13), (0.96, 0.88), (1.00, 0.60), (1.04, 0.35), (1.07, 0.07), (-0.91, -0.15),
    (-0.78, -0.30), (-0.60, -0.32), (-0.42, -0.30), (-0.23, -0.24), (0.23, -0.24), (0.42, -0.30),
    (0.60, -0.32), (0.78, -0.30), (0.91, -0.15), (0.00, -0.02), (0.00, 0.19), (0.00, 0.37),
    (0.00, 0.56), (-0.23, 0.66), (-0.11, 0.69), (0.00, 0.72), (0.11, 0.69), (0.23, 0.66),
    (-0.69, 0.00), (-0.58, -0.09), (-0.42, -0.09), (-0.29, 0.05), (-0.44, 0.06), (-0.59, 0.06),
    (0.29, 0.05), (0.42, -0.09), (0.58, -0.09), (0.69, 0.00), (0.59, 0.06), (0.44, 0.06),
    (-0.52, 0.86), (-0.33, 0.84), (-0.14, 0.84), (0.00, 0.88), (0.14, 0.84), (0.33, 0.84),
    (0.52, 0.86), (0.35, 1.10), (0.15, 1.20), (0.00, 1.23), (-0.15, 1.20), (-0.35, 1.10),
    (-0.45, 0.89), (-0.14, 0.92), (0.00, 0.95), (0.14, 0.92), (0.45, 0.89), (0.14, 1.09),
    (0.00, 1.11), (-0.14, 1.09),
])
# fmt: on

SMILE = ((48, -0.71, -0.71), (54, 0.71, -0.71))
FROWN = ((48, 0.0, 1.0), (54, 0.0, 1.0))
BROWS = ((19, 0.0, -1.0), (24, 0.0, -1.0))
RIGHT_SMILE = SMILE[:1]


def landmarks(iod: float = 40.0, centre: tuple[float, float] = (64.0, 48.0)) -> np.ndarray:
    return (FACE * iod + np.array(centre)).astype(np.float32)


def texture(size: int = 128, seed: int = 0) -> np.ndarray:
    """Return (size, size, 3): blotches over pores, the same on every machine."""
    rng = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(rng.normal(size=(size, size, 3)), (0, 0), 1.2)
    rough = cv2.GaussianBlur(rng.normal(size=(size, size, 3)), (0, 0), 5.0)
    image = 128 + 28 * fine / fine.std() + 20 * rough / rough.std()
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def rise(frames: int = 12, peak: float = 0.4) -> np.ndarray:
    """Return (T,): 0 to 1 at `peak`, then down to .2: an expression that does not quite end."""
    time = np.linspace(0, 1, frames)
    up = np.sin(np.clip(time / peak, 0, 1) * np.pi / 2) ** 2
    down = 0.2 + 0.8 * np.cos(np.clip((time - peak) / (1 - peak), 0, 1) * np.pi / 2) ** 2
    return np.where(time < peak, up, down)


def bumps(points: np.ndarray, moves: tuple, size: float, shape: tuple[int, int]) -> np.ndarray:
    """Return (H, W, 2) float32: Gaussian bumps of `size` IOD at landmarks, in pixels."""
    iod = np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0))
    ys, xs = np.mgrid[0 : shape[0], 0 : shape[1]]
    flow = np.zeros((*shape, 2))
    for index, dx, dy in moves:
        x, y = points[index]
        bump = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * (0.22 * iod) ** 2))
        flow += size * iod * bump[..., None] * np.array([dx, dy])
    return flow.astype(np.float32)


def warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Return the image after every pixel x of it went to x + flow(x)."""
    height, width = image.shape[:2]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    back = np.zeros_like(flow)
    for _ in range(6):
        back = -cv2.remap(flow, xs + back[..., 0], ys + back[..., 1], cv2.INTER_LINEAR)
    maps = xs + back[..., 0], ys + back[..., 1]
    return cv2.remap(image, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def moving(
    image: np.ndarray,
    points: np.ndarray,
    moves: tuple,
    size: float = 0.02,
    curve: np.ndarray | None = None,
    drift: np.ndarray | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return frames (T, H, W, 3) and true flow (T, H, W, 2); `drift` (T, 2) moves it all."""
    curve = rise() if curve is None else curve
    drift = np.zeros((len(curve), 2)) if drift is None else drift
    full = bumps(points, moves, size, image.shape[:2])
    flow = np.stack([v * full + d for v, d in zip(curve, drift, strict=True)]).astype(np.float32)
    frames = np.stack([image if not f.any() else warp(image, f) for f in flow])
    if noise:
        grain = np.random.default_rng(seed).normal(0, noise, frames.shape)
        frames = np.clip(np.rint(frames + grain), 0, 255).astype(np.uint8)
    return frames, flow


def case(
    generated: np.ndarray,
    driving: np.ndarray,
    points: np.ndarray,
    reference: Reference | None = None,
    driving_points: np.ndarray | None = None,
    labels: tuple = (),
) -> Case:
    return Case(
        Pair("face", "clip"),
        generated,
        Face(generated[0], points),
        FaceClip(
            "toy.01.clip",
            "toy.01",
            driving,
            points if driving_points is None else driving_points,
            FPS,
        ),
        reference,
        labels,
    )
