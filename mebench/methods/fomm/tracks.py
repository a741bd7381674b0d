"""Follows face points through a clip by sub-pixel optical flow, without the motion of the head.

Detectors run on every frame jitter more than a micro-expression moves; flow from frame 0 does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench import spec
from mebench.environment import code_digest
from mebench.methods.fomm.config import PointsConfig
from mebench.methods.fomm.dense_flow import (
    AT_ONCE,
    averaged,
    dense_flow,
    few_changes,
    gray_frames,
    head_flow,
    steady_region,
    texture,
)
from mebench.methods.fomm.kept import kept
from mebench.methods.fomm.points import Positions, pick
from mebench.preprocess.canonical import eye_distance
from mebench.types import FaceClip, Points

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Tracks:
    """Where the points of frame 0 are in every frame, the head held still.

    Attributes:
        start: (K, 2) float32, pixels of frame 0.
        motion: (T, K, 2) float32, pixels, displacement from frame 0.
        jacobians: (T, K, 2, 2) float32, local affine part: rows d(new x), d(new y) by (x, y).
        head: (T, K, 2) float32, pixels, the displacement by the head that was taken out.
        eye_distance: pixels.
    """

    start: Positions
    motion: Array
    jacobians: Array
    head: Array
    eye_distance: float

    def arrays(self) -> dict[str, Any]:
        """Return what `from_arrays` needs, for a file."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> Tracks:
        """Return the tracks of `arrays`.

        Raises:
            KeyError: when one is missing.
        """
        found = {name: stored[name] for name in cls.__dataclass_fields__}
        return cls(**{**found, "eye_distance": float(found["eye_distance"])})


@dataclass(frozen=True)
class Motion:
    """Dense motion of a clip from frame 0, on frame 0's grid, the head held still.

    Attributes:
        flow: (T, H, W, 2) float32, pixels.
        head: (T, H, W, 2) float32, pixels, the motion of the head that was taken out.
        weight: (H, W) float32, 0..1, how much a pixel's flow can be trusted.
    """

    flow: Array
    head: Array
    weight: Array


def track(clip: FaceClip, config: PointsConfig) -> Tracks:
    """Return the tracks of a clip's points.

    Deterministic, and independent of OpenCV's thread count.

    Shapes: clip.frames (T, H, W, 3); see `Tracks`.
    """
    start = pick(clip.landmarks, config.point_set)
    if config.tracking == "flow":
        pieces = _pieces(gray_frames(clip.frames), clip.fps, clip.landmarks, config)
        found = [follow(piece, start, clip.landmarks, config) for piece in pieces]
        motion, jacobians, head = (
            np.concatenate([getattr(one, name) for one in found])
            for name in ("motion", "jacobians", "head")
        )
        return replace(found[0], motion=motion, jacobians=jacobians, head=head)
    still = np.zeros((len(clip.frames), len(start), 2), np.float32)
    eye = np.tile(np.eye(2, dtype=np.float32), (*still.shape[:2], 1, 1))
    return Tracks(start, still, eye, still, eye_distance(clip.landmarks))


def stored_track(clip: FaceClip, config: PointsConfig, cache: Path | None) -> Tracks:
    """Return the tracks of a clip's points from the cache, or make them and put them there.

    Every row of a run tracks the same driving clips.
    """
    if cache is None:
        return track(clip, config)
    settings = [clip_digest(clip), spec.digest(config), _code()]
    path = cache / "tracks" / f"{spec.digest(settings)}.npz"
    return Tracks.from_arrays(kept(path, lambda: track(clip, config).arrays()))


def clip_digest(clip: FaceClip) -> str:
    """Return a digest of what a clip's tracks depend on."""
    digest = hashlib.sha256(f"{clip.frames.shape} {clip.fps}".encode())
    digest.update(np.ascontiguousarray(clip.landmarks, dtype=np.float32).tobytes())
    digest.update(np.ascontiguousarray(clip.frames).tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _code() -> str:
    return code_digest("methods/fomm")


def follow(motion: Motion, start: Positions, landmarks: Points, config: PointsConfig) -> Tracks:
    """Return the tracks of points in a dense motion, each a weighted local affine fit."""
    iod = eye_distance(landmarks)
    moved, jacobians = local_affine(motion.flow, motion.weight, start, config.radius * iod)
    head, _ = local_affine(motion.head, motion.weight, start, config.radius * iod)
    return Tracks(start, moved, jacobians, head, iod)


def measure(clip: FaceClip, config: PointsConfig) -> Motion:
    """Return the dense motion of a clip.

    Shapes: clip.frames (T, H, W, 3); see `Motion`.
    """
    return measure_gray(gray_frames(clip.frames), clip.fps, clip.landmarks, config)


def measure_gray(gray: Array, fps: float, landmarks: Points, config: PointsConfig) -> Motion:
    """Return the dense motion of grey frames.

    Shapes: gray (T, H, W), 0..255; landmarks (68, 2); see `Motion`.
    """
    pieces = list(_pieces(gray, fps, landmarks, config))
    flow = np.concatenate([piece.flow for piece in pieces])
    return Motion(flow, np.concatenate([piece.head for piece in pieces]), pieces[0].weight)


def _pieces(gray: Array, fps: float, landmarks: Points, config: PointsConfig) -> Iterator[Motion]:
    """Yield the motion of `AT_ONCE` frames after another."""
    height, width = gray.shape[1:]
    weight = texture(gray[0])
    steady = weight * steady_region(landmarks, height, width)
    gray = averaged(gray, config.smooth_ms * fps / 1000.0)
    gray = few_changes(gray, config.rank)
    before: Array | None = None
    for start in range(0, len(gray), AT_ONCE):
        flow = dense_flow(gray, slice(start, start + AT_ONCE))
        head = np.zeros_like(flow)
        if config.remove_head_motion:
            head = head_flow(flow, steady, landmarks)
            before = head[0].copy() if before is None else before
            head -= before
        yield Motion(flow - head, head, weight)


def local_affine(flow: Array, weight: Array, start: Positions, sigma: float) -> tuple[Array, Array]:
    """Weighted least squares of value and gradient of a flow around each point."""
    height, width = weight.shape
    moved = np.zeros((len(flow), len(start), 2), np.float32)
    jacobians = np.zeros((len(flow), len(start), 2, 2), np.float32)
    reach = int(np.ceil(2.5 * sigma))
    for k, (px, py) in enumerate(start.astype(np.float64)):
        x0, x1 = np.clip([round(px) - reach, round(px) + reach + 1], 0, width)
        y0, y1 = np.clip([round(py) - reach, round(py) + reach + 1], 0, height)
        if x1 - x0 < 2 or y1 - y0 < 2:
            continue
        y, x = np.mgrid[y0:y1, x0:x1]
        dx, dy = ((x - px) / sigma).ravel(), ((y - py) / sigma).ravel()
        near = np.exp(-0.5 * (dx**2 + dy**2)) * (weight[y, x].ravel() + 0.05)
        design = np.stack([np.ones_like(dx), dx, dy], 1)
        normal = design.T @ (design * near[:, None]) + near.sum() * np.diag([0.0, 0.1, 0.1])
        solve = np.linalg.solve(normal, (design * near[:, None]).T)
        local = flow[:, y0:y1, x0:x1].reshape(len(flow), -1, 2).astype(np.float64)
        fit = np.einsum("cn,tnd->tcd", solve, local)
        moved[:, k] = fit[:, 0]
        jacobians[:, k] = fit[:, 1:].transpose(0, 2, 1) / sigma
    return moved, jacobians + np.eye(2, dtype=np.float32)
