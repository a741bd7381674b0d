"""How smoothly and how strongly a generated clip moves, compared with its driving clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.facs.regions import EYE_SITES
from mebench.metrics.action_units import LOG2_CAP, peak_motion
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


class Temporal(RegionalMetric):
    """Jitter and subtlety of the generated clip, beside the driving clip's."""

    shared_infos = (
        MetricInfo("jitter", "jitter", "% IOD", 0.0, higher_is_better=False),
        MetricInfo(
            "jitter_driving",
            "driving jitter",
            "% IOD",
            0.0,
            higher_is_better=None,
            needs=("driving",),
        ),
        MetricInfo("subtlety", "subtlety", "% IOD", 0.0, higher_is_better=None),
        MetricInfo(
            "subtlety_driving",
            "driving subtlety",
            "% IOD",
            0.0,
            higher_is_better=None,
            needs=("driving",),
        ),
        MetricInfo(
            "subtlety_log2", "subtlety error", "log2", 0.0, LOG2_CAP, False, needs=("driving",)
        ),
        MetricInfo("head_motion", "head motion", "% IOD", 0.0, higher_is_better=None),
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
