"""Motion against the truth: how far each pixel's movement is from where it should have gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mebench.metrics.action_units import au_curves, match_lengths
from mebench.metrics.base import Case, Metric, MetricInfo, Missing, Value
from mebench.preprocess.canonical import IOD, apply, canonical_transform, invert
from mebench.preprocess.flow import Engine, fit_similarity
from mebench.preprocess.region_motion import MotionCache, MotionField, shared_cache
from mebench.types import Flow

Array = NDArray[np.float64]

MOVING_SHARE = 0.10
"""A pixel counts in a frame where it truly moves by more than this share of the clip's peak."""
_FIT_STRIDE = 3
_NO_TRUTH = "the true flow of this pair is not known"


@dataclass(frozen=True)
class MotionError:
    """What `TrueMotion` keeps of one case.

    Attributes:
        epe_px: mean end-point error, pixels of the generated frames, or None.
        true_px: mean true displacement over the same pixels and frames: what a still copy scores.
        per_frame: (T,) mean error a frame, NaN where nothing moves.
        iod_px: inter-ocular distance, pixels of the generated frames.
        curve_rmse: RMS difference of the AU curves of generated and reference frames, IOD, or None.
    """

    epe_px: float | None
    true_px: float
    per_frame: Array
    iod_px: float
    curve_rmse: float | None


def end_point_error(
    measured: Array, truth: Array, moving: NDArray[np.bool_]
) -> tuple[float, float, Array]:
    """Return mean ‖measured - truth‖ and mean ‖truth‖ where `moving`, and the error of each frame.

    Shapes: measured and truth (T, N, 2), moving (T, N); errors (T,), NaN where none moves.
    """
    error = np.linalg.norm(measured - truth, axis=-1)
    size = np.linalg.norm(truth, axis=-1)
    count = moving.sum(axis=1)
    frames = np.full(len(error), np.nan)
    some = count > 0
    frames[some] = (error * moving).sum(axis=1)[some] / count[some]
    return float(error[moving].mean()), float(size[moving].mean()), frames


def moving_pixels(truth: Array) -> NDArray[np.bool_]:
    """Return where a true displacement (T, N, 2) exceeds 10 % of the clip's peak."""
    size = np.linalg.norm(truth, axis=-1)
    moving: NDArray[np.bool_] = size > MOVING_SHARE * size.max()
    return moving


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


class TrueMotion(Metric):
    """End-point error of the generated clip's measured motion against the true flow.

    The flow of the generated clip is measured from frame 0 to t in the canonical frame (IOD 96 px),
    head motion removed, refined pixel by pixel, smoothed over time, and expressed in pixels of the
    generated frames. It is compared with the reference's true flow, head motion removed alike, on
    the pixels inside the eroded face hull that truly move by more than 10 % of the clip's peak in
    that frame, all such pixels of all frames together. A still copy scores exactly the mean true
    displacement there.

    Args:
        cache: a folder for results by content, or None for memory only.
        flow: ``farneback`` or ``dis``.
        store: a cache to use in place of the process-wide one for these two.
    """

    infos = (
        MetricInfo("flow_epe_px", "flow EPE", "px", 0.0, higher_is_better=False, needs=("truth",)),
        MetricInfo(
            "flow_epe_iod", "flow EPE", "% IOD", 0.0, higher_is_better=False, needs=("truth",)
        ),
        MetricInfo(
            "au_curve_rmse_iod",
            "AU curve RMSE",
            "% IOD",
            0.0,
            higher_is_better=False,
            needs=("reference",),
        ),
    )

    def __init__(
        self,
        cache: Path | None = None,
        *,
        flow: Engine = "farneback",
        store: MotionCache | None = None,
    ) -> None:
        self.store = store if store is not None else shared_cache(cache, flow)

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
        right = self.store.motion(reference.frames, landmarks, fps)
        if reference.flow is None:
            made, field = self.store.motion(case.generated, landmarks, fps), None
        else:
            made, field = self.store.field(case.generated, landmarks, fps)
        gap = au_curves(made.vectors[:length]) - au_curves(right.vectors[:length])
        rmse = float(np.sqrt((gap**2).mean()))
        if field is None or reference.flow is None:
            return MotionError(None, 0.0, np.zeros(0), iod_px, rmse)
        compared = _compare(field, reference.flow[:length], length, iod_px)
        return MotionError(*compared, iod_px, rmse)

    def clip_values(self, described: MotionError) -> Mapping[str, Value]:
        """Return the values of one case; `Missing` where the truth is not known."""
        epe, rmse = described.epe_px, described.curve_rmse
        return {
            "flow_epe_px": Missing(_NO_TRUTH) if epe is None else epe,
            "flow_epe_iod": Missing(_NO_TRUTH) if epe is None else 100.0 * epe / described.iod_px,
            "au_curve_rmse_iod": Missing("no reference frames") if rmse is None else 100.0 * rmse,
        }

    def curves(self, described: MotionError) -> Mapping[str, Array]:
        """Return the end-point error of each frame, pixels; NaN where nothing moves."""
        return {"generated/epe_px": described.per_frame} if len(described.per_frame) else {}


def _compare(
    field: MotionField, flow: Flow, length: int, iod_px: float
) -> tuple[float | None, float, Array]:
    """Return (mean error, mean true displacement, error of each frame) in pixels."""
    height, width = flow.shape[1:3]
    ys, xs = np.mgrid[0:height, 0:width].reshape(2, -1)
    hull, weight = field.canvas.sample(np.stack([xs, ys], axis=1))
    sparse = (xs % _FIT_STRIDE == 0) & (ys % _FIT_STRIDE == 0)
    pixels = np.stack([xs, ys], axis=1)[hull].astype(np.float64)
    truth = flow.reshape(len(flow), -1, 2)[:, hull].astype(np.float64)
    truth = remove_head(truth, pixels, (weight * sparse)[hull], iod_px)
    if not truth.any():
        return None, 0.0, np.zeros(0)
    measured = field.at(pixels)[:length]
    return end_point_error(measured, truth, moving_pixels(truth))
