"""Dense sub-pixel motion of a face clip, and the head's part of it.

DIS (Kroeger et al., ECCV 2016) down to its finest scale: a coarser one shrinks sub-pixel motion by
a third. The metrics use another estimator, so that method and judge make different errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mebench.preprocess.canonical import eye_distance
from mebench.types import Frames, Points

Array = NDArray[np.float32]
Double = NDArray[np.float64]

AT_ONCE = 64
"""Frames of a clip that are worked on together: those of a long one need much memory."""
_FLOW_SIZE = 192
_SMOOTHNESS = 30.0
_TEXTURE = 0.25
_TUKEY_ROUNDS = 8


@contextmanager
def single_thread() -> Iterator[None]:
    """Run OpenCV on one thread: DIS splits the image by threads and its result depends on it."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def averaged(gray: Array, smooth: float) -> Array:
    """Return frames averaged over time, `smooth` the standard deviation in frames; 0 leaves them.

    Shapes: gray (T, H, W).
    """
    if smooth == 0 or len(gray) < 2:
        return gray
    return np.asarray(gaussian_filter1d(gray, smooth, axis=0, mode="nearest"), np.float32)


def few_changes(gray: Array, rank: int) -> Array:
    """Return frames of which only the strongest principal components over time are kept.

    Motion below a pixel changes an image almost linearly, so a few components hold all of it; the
    noise of the sensor is spread over as many as there are frames.

    Shapes: gray (T, H, W).

    Args:
        gray: the frames.
        rank: how many components are kept; 0 keeps all.
    """
    if not 0 < rank < len(gray):
        return gray
    change = gray.reshape(len(gray), -1).astype(np.float64)
    mean = change.mean(axis=0)
    change -= mean
    _, vectors = np.linalg.eigh(change @ change.T)
    kept = vectors[:, -rank:]
    found = kept.T @ change
    del change
    few = np.empty((len(gray), len(mean)), np.float32)
    for start in range(0, len(gray), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        few[part] = mean + kept[part] @ found
    return few.reshape(gray.shape)


def texture(gray: Array) -> Array:
    """Return how well each pixel's motion can be seen, 0..1, from the structure tensor.

    Shapes: gray (H, W), 0..255; returns (H, W).
    """
    soft = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 1.0)
    gx = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3) / 8
    gy = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3) / 8
    side = max(5, round(gray.shape[0] / 18) | 1)
    xx, yy, xy = (cv2.blur(a, (side, side)) for a in (gx * gx, gy * gy, gx * gy))
    smaller = np.maximum((xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2), 0)
    seen: Array = (smaller / (smaller + _TEXTURE)).astype(np.float32)
    return seen


def gray_frames(frames: Frames) -> Array:
    """Return the luma (T, H, W) float32, 0..255, of RGB frames."""
    mix = np.array([0.299, 0.587, 0.114], np.float32)
    gray = np.empty(frames.shape[:3], np.float32)
    for frame, made in zip(frames, gray, strict=True):
        made[:] = np.asarray(frame, np.float32) @ mix
    return gray


def head_flow(flow: Array, weight: Array, landmarks: Points) -> Array:
    """Return the part of a flow that is the head's own motion.

    Six numbers a frame: shift, roll, growth, and the parallax of a turn and a nod over a generic
    depth of the face. Fitted robustly (Tukey), so that a moving mouth does not turn the head.

    Shapes: flow (T, H, W, 2), weight (H, W) 0..1; returns (T, H, W, 2).
    """
    height, width = weight.shape
    ys, xs = np.nonzero(weight > 0.02)
    if len(xs) < 50:
        return np.zeros_like(flow)
    iod = eye_distance(landmarks)
    depth = face_depth(landmarks, height, width)
    centre = (float(xs.mean()), float(ys.mean()), float(depth[ys, xs].mean()))
    design = _head_design(xs, ys, depth[ys, xs], centre, iod)
    all_y, all_x = (a.ravel() for a in np.mgrid[:height, :width])
    everywhere = _head_design(all_x, all_y, depth.ravel(), centre, iod)
    base = np.tile(weight[ys, xs].astype(np.float64), 2)
    head = np.zeros_like(flow)
    for index, field in enumerate(flow):
        values = np.concatenate([field[ys, xs, 0], field[ys, xs, 1]]).astype(np.float64)
        fit = _tukey(design, values, base, 0.002 * iod)
        head[index] = (everywhere @ fit).reshape(2, height, width).transpose(1, 2, 0)
    return head


def steady_region(landmarks: Points, height: int, width: int) -> Array:
    """Return (H, W): 1 on the face, 0 at its border and on the eyes, which move by themselves."""
    iod = eye_distance(landmarks)
    mask = np.zeros((height, width), np.uint8)
    hull = cv2.convexHull(np.asarray(landmarks, np.float32)).round().astype(np.int32)
    cv2.fillConvexPoly(mask, hull, 1)
    rim = max(1, round(0.08 * iod))
    mask = np.asarray(cv2.erode(mask, np.ones((rim, rim), np.uint8)), np.uint8)
    for eye in (landmarks[36:42], landmarks[42:48]):
        x, y = eye.mean(0)
        axes = (max(1, round(0.34 * iod)), max(1, round(0.2 * iod)))
        cv2.ellipse(mask, (round(float(x)), round(float(y))), axes, 0, 0, 360, 0, -1)
    return mask.astype(np.float32)


def face_window(landmarks: Points, height: int, width: int) -> Array:
    """Return (H, W): 1 on the face from chin to forehead, falling softly to 0 around it."""
    marks = np.asarray(landmarks, np.float32)
    iod = eye_distance(marks)
    forehead = marks[17:27] - np.array([0, 0.55 * iod], np.float32)
    mask = np.zeros((height, width), np.uint8)
    hull = cv2.convexHull(np.concatenate([marks, forehead])).round().astype(np.int32)
    cv2.fillConvexPoly(mask, hull, 1)
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.08 * iod), np.float32)


def face_depth(landmarks: Points, height: int, width: int) -> Double:
    """Return a generic depth of a face, in eye distances: half an ellipsoid and a nose."""
    marks = np.asarray(landmarks, np.float64)
    iod = eye_distance(landmarks)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    half = max(0.5 * iod, float(np.linalg.norm(marks[16] - marks[0])) / 2)
    cx, cy = marks[27:31, 0].mean(), (marks[28, 1] + marks[30, 1]) / 2
    tall = max(0.5 * iod, float(marks[8, 1] - cy))
    inside = 1 - ((x - cx) / (1.05 * half)) ** 2 - ((y - cy) / (1.15 * tall)) ** 2
    head = 0.9 * half * np.sqrt(np.clip(inside, 0.02, 1))
    nx, ny = marks[30, 0], 0.35 * marks[27, 1] + 0.65 * marks[30, 1]
    nose = np.exp(-0.5 * (((x - nx) / (0.18 * iod)) ** 2 + ((y - ny) / (0.28 * iod)) ** 2))
    deep: Double = head / iod + 0.35 * nose
    return deep


def _head_design(
    xs: NDArray[np.intp],
    ys: NDArray[np.intp],
    depth: Double,
    centre: tuple[float, float, float],
    iod: float,
) -> Double:
    x, y, z = (xs - centre[0]) / iod, (ys - centre[1]) / iod, depth - centre[2]
    one, zero = np.ones_like(x), np.zeros_like(x)
    across = np.stack([x, -y, one, zero, z, zero], 1)
    down = np.stack([y, x, zero, one, zero, z], 1)
    return np.concatenate([across, down])


def _tukey(design: Double, values: Double, base: Double, floor: float) -> Double:
    """Reweighted least squares; rows of both components of one pixel share a weight."""
    robust: Double = np.ones_like(base)
    fit: Double = np.zeros(design.shape[1])
    for _ in range(_TUKEY_ROUNDS):
        scaled = design * (base * robust)[:, None]
        normal = design.T @ scaled + 1e-9 * np.eye(len(fit))
        fit = np.asarray(np.linalg.solve(normal, scaled.T @ values), np.float64)
        rest = (values - design @ fit).reshape(2, -1)
        size = np.hypot(rest[0], rest[1])
        cut = 2.5 * max(floor, 1.4826 * float(np.median(size)))
        robust = np.tile(np.clip(1 - (size / cut) ** 2, 0, None) ** 2, 2)
    return fit


def dense_flow(gray: Array, part: slice) -> Array:
    """Return the flow from frame 0 to the frames of a part, on frame 0's grid.

    Shapes: gray (T, H, W), 0..255; returns (frames of the part, H, W, 2), pixels.
    """
    height, width = gray.shape[1:]
    factor = max(1.0, _FLOW_SIZE / height)
    size = (round(width * factor), round(height * factor))
    low, high = (float(v) for v in np.percentile(gray[0], [1, 99]))
    gain = min(4.0, 235.0 / max(1.0, high - low))

    def eight_bit(image: Array) -> NDArray[np.uint8]:
        big = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        return np.asarray(np.clip((big - low) * gain + 10, 0, 255).round(), np.uint8)

    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    engine.setFinestScale(0)
    engine.setPatchStride(3)
    engine.setVariationalRefinementAlpha(_SMOOTHNESS)
    first, later = eight_bit(gray[0]), range(len(gray))[part]
    flows = np.zeros((len(later), height, width, 2), np.float32)
    with single_thread():
        for index, flow in zip(later, flows, strict=True):
            if index == 0:
                continue
            start = np.zeros((*size[::-1], 2), np.float32)
            full = engine.calc(first, eight_bit(gray[index]), start)
            small = cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA)
            flow[:] = small / np.float32(factor)
    return flows
