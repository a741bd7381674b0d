"""The motion of a face's regions over a clip: a small array that every motion metric reads.

A pure function of pixels and landmarks; `mebench.preprocess.motion_cache` keeps its results.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array

from mebench.errors import DatasetError
from mebench.facs.regions import SIGN, SITES, site_discs
from mebench.preprocess.canonical import IOD, Canvas, FloatArray, Matrix, prepare_canvas
from mebench.preprocess.flow import Engine, stabilised_flow
from mebench.types import Frames

SMOOTH_SIGMA = 1.5
"""Gaussian smoothing over time, frames."""

_TEXTURE_FLOOR = 0.05


@dataclass(frozen=True)
class RegionMotion:
    """How the face regions of one clip move against frame 0, head motion removed.

    Attributes:
        vectors: (T, S, 2) float64, (lateral, up) in IOD, smoothed over time, sites as in `SITES`.
        raw: the same before smoothing.
        rigid: (T, 4) head motion: shift x, shift y (IOD), log scale, rotation (rad).
        roughness: (T - 2,) mean squared second difference over time of the unsmoothed dense flow of
            textured skin outside the eyes, IOD².
        fps: frames per second.
    """

    vectors: Matrix
    raw: Matrix
    rigid: Matrix
    roughness: Matrix
    fps: float

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.vectors)


@dataclass(frozen=True)
class MotionField:
    """Dense refined motion of one clip at half the size of its canvas, IOD, not smoothed.

    Attributes:
        canvas: where the field lies.
        flow: (T, h/2, w/2, 2) float32, image axes (x right, y down).
    """

    canvas: Canvas
    flow: FloatArray

    def at(self, pixels: NDArray[np.floating]) -> Matrix:
        """Return the smoothed displacement at `pixels` of the clip's own frames.

        Shapes: pixels (N, 2); result (T, N, 2).
        Units: pixels of the clip's frames.
        """
        matrix = self.canvas.to_canonical
        places = np.asarray(pixels, np.float64) @ matrix[:, :2].T + matrix[:, 2]
        places = (places - np.array(self.canvas.origin) - 0.5) / 2.0
        rows = _as_rows(places[:, 0]), _as_rows(places[:, 1])
        border = cv2.BORDER_REPLICATE
        canonical = np.stack(
            [
                cv2.remap(f, *rows, cv2.INTER_LINEAR, borderMode=border).reshape(-1, 2)[
                    : len(places)
                ]
                for f in self.flow
            ]
        ).astype(np.float64)
        back = np.linalg.inv(matrix[:, :2]) * IOD
        return smooth(canonical @ back.T)


def _as_rows(values: Matrix) -> FloatArray:
    # cv2.remap takes maps of fewer than 32768 rows; wrap a long list into lines of 256.
    padded = np.zeros(-(-len(values) // 256) * 256, np.float32)
    padded[: len(values)] = values
    return padded.reshape(-1, 256)


def smooth(values: Matrix) -> Matrix:
    """Return `values` (T, ...) after the Gaussian over time (σ = 1.5 frames, ends repeated)."""
    smoothed: Matrix = gaussian_filter1d(
        np.asarray(values, np.float64), SMOOTH_SIGMA, axis=0, mode="nearest"
    )
    return smoothed


def region_motion(
    frames: Frames,
    landmarks: NDArray[np.floating],
    fps: float,
    *,
    flow: Engine = "farneback",
) -> RegionMotion:
    """Return the motion of the face regions of a clip.

    Shapes: frames (T, H, W, 3) RGB, landmarks (68, 2) pixels of frame 0.
    Units: IOD; lateral is outward (image right on the midline), up is up.

    Raises:
        DatasetError: for a clip without frames or landmarks that are no face.
    """
    return _analyse(frames, landmarks, fps, flow, refine=False)[0]


def dense_motion(
    frames: Frames,
    landmarks: NDArray[np.floating],
    fps: float,
    *,
    flow: Engine = "farneback",
) -> tuple[RegionMotion, MotionField]:
    """Return the region motion of a clip and its dense field, from one pass.

    Shapes, units and errors are those of `region_motion`.
    """
    motion, canvas, dense = _analyse(frames, landmarks, fps, flow, refine=True)
    return motion, MotionField(canvas, np.stack(dense))


def _analyse(
    frames: Frames, landmarks: NDArray[np.floating], fps: float, flow: Engine, *, refine: bool
) -> tuple[RegionMotion, Canvas, list[FloatArray]]:
    frames = np.asarray(frames) if not hasattr(frames, "shape") else frames
    if frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) == 0:
        raise DatasetError(
            f"clip: expected frames (T, H, W, 3), got shape {tuple(frames.shape)}; decode it as RGB"
        )
    canvas = prepare_canvas(np.asarray(frames[0]), landmarks)
    sites = _SiteMeans(canvas)
    skin = np.flatnonzero(canvas.weight)
    share = canvas.weight.ravel()[skin] / max(float(canvas.weight.sum()), 1e-12)
    raw, rigid, rough, dense = [], [], [], []
    before: list[FloatArray] = []
    for step in stabilised_flow(frames, canvas, flow, refine=refine):
        raw.append(sites(step.flow))
        rigid.append(step.rigid)
        seen = step.flow.reshape(-1, 2)[skin]
        if len(before) == 2:
            second = before[0] - 2.0 * before[1] + seen
            rough.append(float(share @ (second * second).sum(axis=1)))
        before = [*before[-1:], seen]
        if step.refined is not None:
            dense.append(step.refined)
    vectors = np.array(raw)
    motion = RegionMotion(smooth(vectors), vectors, np.array(rigid), np.array(rough), float(fps))
    return motion, canvas, dense


class _SiteMeans:
    """(confidence + .05)-weighted means of a flow over the discs of all sites."""

    def __init__(self, canvas: Canvas) -> None:
        height, width = canvas.confidence.shape
        discs = site_discs(canvas.landmarks, IOD)
        discs[:, :2] -= np.array(canvas.origin)
        # Outside the frames the confidence is 0; only the pixels inside may keep the floor.
        value = (canvas.confidence + _TEXTURE_FLOOR) * (canvas.confidence > 0)
        ys, xs = np.mgrid[0:height, 0:width]
        shares = np.zeros((len(discs), height * width))
        for share, (x, y, radius) in zip(shares, discs, strict=True):
            disc = (xs - x) ** 2 + (ys - y) ** 2 <= radius**2
            share[:] = (value * disc).ravel()
            share /= share.sum() or 1.0
        self.pixels = np.flatnonzero(shares.any(axis=0))
        self.shares = csr_array(shares[:, self.pixels])
        self.sign = np.array([SIGN[side] for _, side in SITES])

    def __call__(self, flow: FloatArray) -> Matrix:
        """Return (S, 2): lateral and up; 0 where a disc lies outside the frames."""
        out: Matrix = self.shares @ flow.reshape(-1, 2)[self.pixels].astype(np.float64)
        out[:, 0] *= self.sign
        out[:, 1] *= -1.0
        return out
