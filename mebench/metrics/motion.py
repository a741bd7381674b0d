"""Motion against the truth: how far each pixel's movement is from where it should have gone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mebench.metrics.action_units import au_curves
from mebench.metrics.base import Case, MetricInfo, Missing, Value
from mebench.metrics.regional import RegionalMetric, match_lengths
from mebench.preprocess.canonical import (
    IOD,
    Canvas,
    apply,
    canonical_transform,
    invert,
    prepare_canvas,
)
from mebench.preprocess.flow import fit_similarity
from mebench.preprocess.region_motion import RegionMotion
from mebench.types import Frames, Points

Array = NDArray[np.float64]

MOVING_SHARE = 0.10
"""A pixel counts in a frame where it truly moves by more than this share of the clip's peak."""
_FIT_STRIDE = 5
_NO_TRUTH = "the true flow of this pair is not known"


@dataclass(frozen=True)
class MotionError:
    """What `TrueMotion` keeps of one case.

    Attributes:
        epe_px: mean end-point error against the true flow, pixels of the aligned view, or None.
        true_px: mean true displacement over the same pixels and frames: what a still copy scores.
        per_frame: (T,) that mean error a frame, NaN where nothing moves.
        iod_px: inter-ocular distance, pixels of the aligned view.
        curve_rmse: RMS difference of the AU curves of generated and reference frames, IOD, or None.
        seen_epe_px: mean end-point error against the flow measured on the reference frames, or
            None.
        seen_px: mean of that measured displacement: what a still copy scores.
    """

    epe_px: float | None
    true_px: float
    per_frame: Array
    iod_px: float
    curve_rmse: float | None
    seen_epe_px: float | None = None
    seen_px: float = 0.0


def end_point_error(
    measured: Array, truth: Array, moving: NDArray[np.bool_]
) -> tuple[float, float, Array]:
    """Return mean ‖measured - truth‖ and mean ‖truth‖ where `moving`, and the error of each frame.

    Shapes: measured and truth (T, N, 2), moving (T, N); errors (T,), NaN where none moves.
    """
    error = _length(measured - truth)
    size = _length(truth)
    count = moving.sum(axis=1)
    frames = np.full(len(error), np.nan)
    some = count > 0
    frames[some] = (error * moving).sum(axis=1)[some] / count[some]
    return float(error[moving].mean()), float(size[moving].mean()), frames


def moving_pixels(truth: Array) -> NDArray[np.bool_]:
    """Return where a true displacement (T, N, 2) exceeds 10 % of the clip's peak."""
    size = _length(truth)
    moving: NDArray[np.bool_] = size > MOVING_SHARE * size.max()
    return moving


def _length(vectors: Array) -> Array:
    # Several times as fast as np.linalg.norm along a short last axis.
    length: Array = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
    return length


def remove_head(flow: Array, pixels: Array, weights: Array, iod_px: float) -> Array:
    """Return a true flow with the head's motion taken out as it is from a measured one.

    Fit a similarity S to the flow u, take v = S⁻¹(x + u) - x, subtract the similarity left in v.

    Shapes: flow (T, N, 2), pixels (N, 2), weights (N,); a pixel of weight 0 is in no fit.
    """
    points = pixels / iod_px
    used = weights > 0
    if not used.any():
        return flow
    out = np.zeros_like(flow)
    for index, frame in enumerate(flow / iod_px):
        if not frame.any():
            continue
        head = fit_similarity(points[used], frame[used], weights[used])
        straight = apply(invert(head), points + frame) - points
        rest = fit_similarity(points[used], straight[used], weights[used])
        out[index] = (straight - (apply(rest, points) - points)) * iod_px
    return out


_LENGTH = "mean over moving pixels and frames of ‖u measured - u {}‖"
_STILL = "a still copy scores the answer's mean displacement"


def _info(key: str, title: str, unit: str, formula: str, reading: str) -> MetricInfo:
    needs = ("truth",) if "_true_" in key else ("reference",)
    bounds = 0.0, math.inf
    return MetricInfo(key, title, unit, *bounds, False, "clip", needs, False, formula, reading)


class TrueMotion(RegionalMetric):
    """End-point error of the generated clip's measured motion, against two answers.

    Formula: u is the flow from frame 0 to t, measured in the canonical frame (IOD 96 px), head
    motion removed, refined pixel by pixel, smoothed over time, in pixels of the aligned view.
    u reference is measured alike on the reference frames; u true is the known flow, head motion
    removed alike. Moving pixels lie in the eroded face hull and move, in the answer, by more than
    10 % of the clip's peak in that frame.
    Reading: flow_epe_px of the oracle is 0, since what the estimator cannot see is asked of nobody;
    flow_epe_true_px has a floor, the estimator's own error.
    Blind to: false motion where the answer is still (au_leak and jitter show it); pixels outside
    the hull; smooth skin, on which no flow is seen. Fold shading counts as motion.
    Source: end-point error as in Baker et al., A database and evaluation methodology for optical
    flow, IJCV 2011; flow by Farnebäck, SCIA 2003.
    """

    shared_infos = (
        _info("flow_epe_px", "flow EPE", "px", _LENGTH.format("reference"), _STILL),
        _info("flow_epe_iod", "flow EPE", "% IOD", "flow_epe_px over the IOD", ""),
        _info("flow_epe_true_px", "flow EPE to true flow", "px", _LENGTH.format("true"), _STILL),
        _info("flow_epe_true_iod", "flow EPE to true flow", "% IOD", "the same over the IOD", ""),
        _info(
            "au_curve_rmse_iod",
            "AU curve RMSE",
            "% IOD",
            "√ mean over t and k of (A_k generated - A_k reference)²",
            "feels size, time and leak; a still copy scores the reference's own curves",
        ),
    )

    def describe(self, case: Case) -> MotionError:
        """Return the errors of one case.

        Raises:
            SubmissionError: when generated and reference differ in length by more than 2 frames.
        """
        landmarks, fps = case.template.landmarks, case.driving.fps
        iod_px = IOD / float(np.sqrt(np.linalg.det(canonical_transform(landmarks)[:, :2])))
        nothing = MotionError(None, 0.0, np.zeros(0), iod_px, None)
        if case.reference is None:
            return nothing
        reference = case.reference
        length = match_lengths(len(case.generated), len(reference.frames), case.pair.key)
        canvas = prepare_canvas(case.generated[0], landmarks)
        pixels, weights = _hull_pixels(canvas, case.generated.shape[1:3])
        made, measured = self._motion(case.generated, landmarks, fps, pixels, keep=False)
        right, seen = self._motion(reference.frames, landmarks, fps, pixels, keep=True)
        gap = au_curves(made.vectors[:length]) - au_curves(right.vectors[:length])
        rmse = float(np.sqrt((gap**2).mean()))
        measured, seen = measured[:length], seen[:length]
        truth = None
        if reference.flow is not None:
            x, y = pixels.T
            truth = reference.flow[:length][:, y, x].astype(np.float64)
            truth = remove_head(truth, pixels.astype(np.float64), weights, iod_px)
        # Lengths are told in aligned pixels, so that views of any size share a column.
        unit = case.unit
        true_epe, true_size, frames = _error(
            unit * measured, None if truth is None else unit * truth
        )
        seen_epe, seen_size, _ = _error(unit * measured, unit * seen)
        return MotionError(true_epe, true_size, frames, unit * iod_px, rmse, seen_epe, seen_size)

    def _motion(
        self, frames: Frames, landmarks: Points, fps: float, pixels: NDArray[np.int64], keep: bool
    ) -> tuple[RegionMotion, Array]:
        """Return a clip's region motion, and its displacements at `pixels`."""
        motion = self.store.motion(frames, landmarks, fps, expect_field=True)
        return motion, self.store.displacements(frames, landmarks, fps, pixels, keep=keep)

    def own_clip_values(self, described: MotionError) -> Mapping[str, Value]:
        """Return the values of one case; `Missing` where there is nothing to compare with."""
        rmse, share = described.curve_rmse, 100.0 / described.iod_px
        values: dict[str, Value] = {}
        for name, epe, reason in (
            ("flow_epe", described.seen_epe_px, "no reference frames that move"),
            ("flow_epe_true", described.epe_px, _NO_TRUTH),
        ):
            values[f"{name}_px"] = Missing(reason) if epe is None else epe
            values[f"{name}_iod"] = Missing(reason) if epe is None else share * epe
        values["au_curve_rmse_iod"] = (
            Missing("no reference frames") if rmse is None else 100.0 * rmse
        )
        return values

    def curves(self, described: MotionError) -> Mapping[str, Array]:
        """Return the end-point error of each frame, pixels; NaN where nothing moves."""
        return {"generated/epe_px": described.per_frame} if len(described.per_frame) else {}


def _hull_pixels(
    canvas: Canvas, size: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the pixels (N, 2) inside the eroded face hull, and their weights in a head fit."""
    height, width = size
    xs, ys = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([xs.ravel(), ys.ravel()], axis=1)
    hull, weight = canvas.sample(pixels)
    sparse = (pixels % _FIT_STRIDE == 0).all(axis=1)
    return pixels[hull], (weight * sparse)[hull]


def _error(measured: Array, answer: Array | None) -> tuple[float | None, float, Array]:
    """Return (mean error, mean displacement of the answer, error of each frame) in pixels."""
    if answer is None or not answer.any():
        return None, 0.0, np.zeros(0)
    return end_point_error(measured, answer, moving_pixels(answer))
