"""Follows face points through a clip by sub-pixel optical flow, without the motion of the head.

Detectors run on every frame jitter more than a micro-expression moves; flow from frame 0 does not.
The estimator is DIS (Kroeger et al., ECCV 2016); the metrics use another one, so that method and
judge make different errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mebench.methods.fomm.config import PointsConfig
from mebench.methods.fomm.points import Positions, eye_distance, pick
from mebench.types import FaceClip, Frames, Points

Array = NDArray[np.float32]

_FLOW_SIZE = 256
_TEXTURE = 0.25
_TUKEY_ROUNDS = 6


@dataclass(frozen=True)
class Tracks:
    """Where the points of frame 0 are in every frame, the head held still.

    Attributes:
        start: (K, 2) float32, pixels of frame 0.
        motion: (T, K, 2) float32, pixels, displacement from frame 0.
        jacobians: (T, K, 2, 2) float32, local affine part: rows d(new x), d(new y) by (x, y).
        eye_distance: pixels.
        rigid: (T, 2, 3) float32, the motion of the head that was taken out.
    """

    start: Positions
    motion: Array
    jacobians: Array
    eye_distance: float
    rigid: Array

    def with_head(self) -> tuple[Array, Array]:
        """Return motion and Jacobians as recorded, the motion of the head put back."""
        linear = self.rigid[:, None, :, :2]
        moved = (
            np.einsum("tij,kj->tki", self.rigid[..., :2], self.start) + self.rigid[:, None, :, 2]
        )
        eye = np.eye(2, dtype=np.float32)
        motion = self.motion + moved - self.start
        return motion.astype(np.float32), self.jacobians + (linear - eye)


@dataclass(frozen=True)
class Motion:
    """Dense motion of a clip from frame 0, on frame 0's grid, the head held still.

    Attributes:
        flow: (T, H, W, 2) float32, pixels.
        weight: (H, W) float32, 0..1, how much a pixel's flow can be trusted.
        rigid: (T, 2, 3) float64, the motion of the head that was taken out.
    """

    flow: Array
    weight: Array
    rigid: NDArray[np.float64]


def track(
    clip: FaceClip, config: PointsConfig, *, point_set_points: Positions | None = None
) -> Tracks:
    """Return the tracks of a clip's points.

    Deterministic, and independent of OpenCV's thread count.

    Shapes: clip.frames (T, H, W, 3); see `Tracks`.
    """
    start = pick(clip.landmarks, config.point_set)
    n_frames, n_points = len(clip.frames), len(start)
    if config.tracking == "none":
        motion = np.zeros((n_frames, n_points, 2), np.float32)
        eye = np.broadcast_to(np.eye(2, dtype=np.float32), (n_frames, n_points, 2, 2)).copy()
        still = np.tile(np.eye(2, 3, dtype=np.float32), (n_frames, 1, 1))
        return Tracks(start, motion, eye, eye_distance(clip.landmarks), still)
    return follow(measure(clip, config), start, clip.landmarks, config)


def follow(motion: Motion, start: Positions, landmarks: Points, config: PointsConfig) -> Tracks:
    """Return the tracks of points in a dense motion, each a weighted local affine fit."""
    iod = eye_distance(landmarks)
    moved, jacobians = _local_affine(motion, start, config.radius * iod)
    return Tracks(start, moved, jacobians, iod, motion.rigid.astype(np.float32))


def measure(clip: FaceClip, config: PointsConfig) -> Motion:
    """Return the dense motion of a clip, smoothed over time.

    Shapes: clip.frames (T, H, W, 3); see `Motion`.
    """
    gray = _gray_frames(clip.frames)
    smooth = config.smooth_ms * clip.fps / 1000.0
    height, width = gray.shape[1:]
    with single_thread():
        flow = _flow_from_first(gray)
        weight = texture(gray[0])
    rigid = np.tile(np.eye(2, 3), (len(gray), 1, 1))
    if config.remove_head_motion:
        steady = weight * _steady_region(clip.landmarks, height, width)
        rigid = _rigid_motions(flow, steady, eye_distance(clip.landmarks))
        flow = flow - _rigid_flow(rigid, height, width)
    if smooth > 0:
        flow = gaussian_filter1d(flow, smooth, axis=0, mode="nearest")
    flow[0] = 0.0
    return Motion(flow.astype(np.float32), weight, rigid)


@contextmanager
def single_thread() -> Iterator[None]:
    """Run OpenCV on one thread: DIS splits the image by threads and its result depends on it."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def texture(gray: Array) -> Array:
    """Return how well each pixel's motion can be seen, 0..1, from the structure tensor.

    Shapes: gray (H, W), 0..255; returns (H, W).
    """
    soft = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 1.0)
    gx = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3) / 8
    gy = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3) / 8
    side = max(5, round(gray.shape[0] / 18) | 1)
    xx, yy, xy = (cv2.blur(a, (side, side)) for a in (gx * gx, gy * gy, gx * gy))
    smaller = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    seen: Array = (np.maximum(smaller, 0) / (np.maximum(smaller, 0) + _TEXTURE)).astype(np.float32)
    return seen


def _gray_frames(frames: Frames) -> Array:
    mix = np.array([0.299, 0.587, 0.114], np.float32)
    return np.stack([np.asarray(frame, np.float32) @ mix for frame in frames])


def _flow_from_first(gray: Array) -> Array:
    """DIS flow from frame 0 to each frame at a fixed working size, in the frames' pixels."""
    height, width = gray.shape[1:]
    factor = max(1.0, _FLOW_SIZE / height)
    size = (round(width * factor), round(height * factor))
    low, high = np.percentile(gray[0], [1, 99])
    gain = min(4.0, 235.0 / max(1.0, float(high - low)))
    engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    engine.setFinestScale(1)
    engine.setPatchStride(3)
    flows = np.zeros((len(gray), height, width, 2), np.float32)
    first = _eight_bit(gray[0], low, gain, size)
    for index in range(1, len(gray)):
        full = engine.calc(first, _eight_bit(gray[index], low, gain, size), None)
        small = cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA)
        flows[index] = small / np.float32(factor)
    return flows


def _eight_bit(gray: Array, low: float, gain: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    big = cv2.resize(gray, size, interpolation=cv2.INTER_CUBIC)
    return np.clip((big - low) * gain + 10, 0, 255).round().astype(np.uint8)


def _steady_region(landmarks: Points, height: int, width: int) -> Array:
    """The face without its border and the eyes, whose lids and irises move by themselves."""
    iod = eye_distance(landmarks)
    mask = np.zeros((height, width), np.uint8)
    hull = cv2.convexHull(np.asarray(landmarks, np.float32)).round().astype(np.int32)
    cv2.fillConvexPoly(mask, hull, 1)
    width_px = max(1, round(0.08 * iod))
    mask = cv2.erode(mask, np.ones((width_px, width_px), np.uint8))
    for eye in (landmarks[36:42], landmarks[42:48]):
        x, y = eye.mean(0)
        axes = (max(1, round(0.34 * iod)), max(1, round(0.2 * iod)))
        cv2.ellipse(mask, (round(float(x)), round(float(y))), axes, 0, 0, 360, 0, -1)
    return mask.astype(np.float32)


def _rigid_motions(flow: Array, weight: Array, iod: float) -> NDArray[np.float64]:
    """A similarity a frame by reweighted least squares with Tukey's weights."""
    ys, xs = np.nonzero(weight > 0.02)
    if len(xs) < 50:
        return np.tile(np.eye(2, 3), (len(flow), 1, 1))
    x, y = xs - xs.mean(), ys - ys.mean()
    one, zero = np.ones_like(x), np.zeros_like(x)
    design = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    base = np.tile(weight[ys, xs].astype(np.float64), 2)
    motions = np.empty((len(flow), 2, 3))
    for index, field in enumerate(flow):
        values = np.concatenate([field[ys, xs, 0], field[ys, xs, 1]]).astype(np.float64)
        robust = np.ones_like(base)
        fit = np.zeros(4)
        for _ in range(_TUKEY_ROUNDS):
            scaled = design * (base * robust)[:, None]
            fit = np.linalg.solve(design.T @ scaled + 1e-9 * np.eye(4), scaled.T @ values)
            rest = (values - design @ fit).reshape(2, -1)
            size = np.hypot(rest[0], rest[1])
            cut = 2.5 * max(0.002 * iod, 1.4826 * float(np.median(size)))
            robust = np.tile(np.clip(1 - (size / cut) ** 2, 0, None) ** 2, 2)
        a, b, tx, ty = fit
        linear = np.array([[1 + a, -b], [b, 1 + a]])
        centre = np.array([xs.mean(), ys.mean()])
        motions[index, :, :2] = linear
        motions[index, :, 2] = centre + np.array([tx, ty]) - linear @ centre
    return motions


def _rigid_flow(rigid: NDArray[np.float64], height: int, width: int) -> Array:
    y, x = np.mgrid[:height, :width].astype(np.float64)
    points = np.stack([x, y, np.ones_like(x)], -1)
    moved = np.einsum("tij,hwj->thwi", rigid, points) - points[None, ..., :2]
    return moved.astype(np.float32)


def _local_affine(motion: Motion, start: Positions, sigma: float) -> tuple[Array, Array]:
    """Weighted least squares of value and gradient of the flow around each point."""
    height, width = motion.weight.shape
    moved = np.zeros((len(motion.flow), len(start), 2), np.float32)
    jacobians = np.zeros((len(motion.flow), len(start), 2, 2), np.float32)
    reach = int(np.ceil(2.5 * sigma))
    for k, (px, py) in enumerate(start.astype(np.float64)):
        x0, x1 = np.clip([round(px) - reach, round(px) + reach + 1], 0, width)
        y0, y1 = np.clip([round(py) - reach, round(py) + reach + 1], 0, height)
        if x1 - x0 < 2 or y1 - y0 < 2:
            continue
        y, x = np.mgrid[y0:y1, x0:x1]
        dx, dy = ((x - px) / sigma).ravel(), ((y - py) / sigma).ravel()
        near = np.exp(-0.5 * (dx**2 + dy**2)) * (motion.weight[y, x].ravel() + 0.05)
        design = np.stack([np.ones_like(dx), dx, dy], 1)
        normal = design.T @ (design * near[:, None]) + near.sum() * np.diag([0.0, 0.1, 0.1])
        solve = np.linalg.solve(normal, (design * near[:, None]).T)
        local = motion.flow[:, y0:y1, x0:x1].reshape(len(motion.flow), -1, 2)
        fit = np.einsum("cn,tnd->tcd", solve, local.astype(np.float64))
        moved[:, k] = fit[:, 0]
        jacobians[:, k] = fit[:, 1:].transpose(0, 2, 1) / sigma
    jacobians += np.eye(2, dtype=np.float32)
    return moved, jacobians
