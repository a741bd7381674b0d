"""How smoothly and how strongly a generated clip moves, compared with its driving clip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.facs.regions import EYE_SITES
from mebench.metrics.action_unit_infos import LOG2_CAP
from mebench.metrics.action_units import peak_motion
from mebench.metrics.base import Case, MetricInfo, Missing, Value
from mebench.metrics.regional import RegionalMetric
from mebench.preprocess.region_motion import RegionMotion

Array = NDArray[np.float64]


def jitter(motion: RegionMotion) -> float:
    """Return √(mean ‖second difference over time‖² / 6) of the unsmoothed flow, IOD.

    Independent errors of standard deviation σ in every frame give σ (both axes together). The mean
    runs over frames and over textured skin outside the eyes; head motion is taken out before.
    """
    return float(np.sqrt(motion.roughness.mean() / 6.0)) if len(motion.roughness) else 0.0


def subtlety(vectors: Array) -> float:
    """Return the peak non-eye region motion of vectors (T, S, 2), IOD."""
    return peak_motion(vectors[:, ~EYE_SITES])


@dataclass(frozen=True)
class Steadiness:
    """What `Temporal` keeps of one case: per-frame motion in IOD and the summary values."""

    jitter: float
    jitter_driving: float
    peaks: Array
    peaks_driving: Array
    rigid: Array


def _info(key: str, title: str, formula: str, reading: str, better: bool | None) -> MetricInfo:
    needs = ("driving",) if key.endswith(("_driving", "_log2")) else ()
    high, unit = (LOG2_CAP, "log2") if key.endswith("_log2") else (math.inf, "% IOD")
    return MetricInfo(
        key, title, unit, 0.0, high, better, needs=needs, formula=formula, reading=reading
    )


class Temporal(RegionalMetric):
    """Jitter and subtlety of the generated clip, beside the driving clip's.

    Formula: u is the unsmoothed flow from frame 0 on textured skin outside the eyes, head motion
    removed; v the motion of a region outside the eyes. Errors of standard deviation σ, independent
    in every frame, give a jitter of σ.
    Reading: each beside its driving twin; a micro-expression is small and smooth.
    Blind to: whether the motion is the right one: a still clip has the least jitter of all; errors
    that last longer than a few frames.
    Source: mebench's own; the 6 is the variance of a second difference of unit noise.
    """

    shared_infos = (
        _info(
            "jitter",
            "jitter",
            "√(mean ‖second difference of u over time‖² / 6)",
            "0 for a still clip: read it beside au_still",
            better=False,
        ),
        _info("jitter_driving", "driving jitter", "the same of the driving clip", "", better=None),
        _info("subtlety", "subtlety", "largest ‖v‖ over regions and frames", "", better=None),
        _info(
            "subtlety_driving", "driving subtlety", "the same of the driving clip", "", better=None
        ),
        _info(
            "subtlety_log2",
            "subtlety error",
            "|log2 (subtlety / subtlety_driving)|, at most 5",
            "1 is half or double",
            better=False,
        ),
        _info(
            "head_motion",
            "head motion",
            "largest shift of the face centre over frames",
            "taken out of all other motion values",
            better=None,
        ),
    )

    def describe(self, case: Case) -> Steadiness:
        """Return the per-frame motion of both clips.

        Raises:
            SubmissionError: when their lengths differ by more than 2 frames.
        """
        generated, driving, length = self.motions(case)
        return Steadiness(
            jitter(generated),
            jitter(driving),
            _peaks(generated, length),
            _peaks(driving, length),
            generated.rigid[:length],
        )

    def own_clip_values(self, described: Steadiness) -> Mapping[str, Value]:
        """Return the values of one case."""
        if len(described.peaks) < 3:
            reason = Missing("clip is shorter than 3 frames")
            return {info.key: reason for info in self.shared_infos}
        peak, target = float(described.peaks.max()), float(described.peaks_driving.max())
        error: Value = Missing("driving clip does not move")
        if target > 0:
            error = min(abs(float(np.log2(peak / target))), LOG2_CAP) if peak > 0 else LOG2_CAP
        return {
            "jitter": 100.0 * described.jitter,
            "jitter_driving": 100.0 * described.jitter_driving,
            "subtlety": 100.0 * peak,
            "subtlety_driving": 100.0 * target,
            "subtlety_log2": error,
            "head_motion": 100.0 * float(np.linalg.norm(described.rigid[:, :2], axis=1).max()),
        }

    def curves(self, described: Steadiness) -> Mapping[str, Any]:
        """Return the largest non-eye motion of each frame and the head's shift, % IOD."""
        return {
            "driving/motion": 100.0 * described.peaks_driving,
            "generated/motion": 100.0 * described.peaks,
            "generated/head_x": 100.0 * described.rigid[:, 0],
            "generated/head_y": 100.0 * described.rigid[:, 1],
        }


def _peaks(motion: RegionMotion, length: int) -> Array:
    moved: Array = np.linalg.norm(motion.vectors[:length, ~EYE_SITES], axis=-1).max(axis=1)
    return moved
