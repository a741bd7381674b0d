"""Do the generated clips, taken together, move as the driving clips do?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mebench.facs.regions import SITES
from mebench.metrics.base import Case, MetricInfo, Missing, Value
from mebench.metrics.frechet import frechet_distance
from mebench.metrics.regional import RegionalMetric

Array = NDArray[np.float64]

TIMES = 8
"""Moments of a clip in its descriptor, evenly spaced from the onset to the end."""
_SHORTEST = 3


def motion_descriptor(vectors: Array) -> Array:
    """Return what stands for a clip's motion: its region vectors at 8 moments, % IOD.

    Linear between frames, and divided by the root of moments times regions, so that the squared
    distance of two descriptors is the mean squared distance of a region's motion.

    Shapes: vectors (T, S, 2) in IOD; returns (8 · S · 2,).
    """
    places = np.linspace(0.0, len(vectors) - 1.0, TIMES)
    before = np.minimum(places.astype(int), max(len(vectors) - 2, 0))
    after = np.minimum(before + 1, len(vectors) - 1)
    share = (places - before)[:, None, None]
    chosen = (1.0 - share) * vectors[before] + share * vectors[after]
    flat: Array = 100.0 * chosen.ravel() / np.sqrt(TIMES * len(SITES))
    return flat


@dataclass(frozen=True)
class Descriptors:
    """What `MotionDistribution` keeps of one case; `digest` tells equal driving clips."""

    generated: Array
    driving: Array
    digest: str
    lacking: str = ""


class MotionDistribution(RegionalMetric):
    """Fréchet distance of region-motion descriptors, generated against driving clips.

    Formula: a clip's descriptor is its 34 region vectors (% IOD) at 8 moments from onset to end,
    over √(8 · 34); μ and Σ of all generated (G) and of the different driving (D) clips.
    Reading: 0 when the generated clips, taken together, move as the driving clips do. Few clips
    bias it upwards: one protocol and one number of clips only.
    Blind to: which clip was to follow which; identity and appearance.
    Source: Heusel et al., NeurIPS 2017, equation 6, asked of motion as FVD asks it of network
    features (Unterthiner et al., 2018).
    """

    shared_infos: ClassVar[tuple[MetricInfo, ...]] = (
        MetricInfo(
            "motion_frechet",
            "motion Fréchet distance",
            "(% IOD)²",
            low=0.0,
            higher_is_better=False,
            level="set",
            needs=("driving",),
            formula="|μ_G - μ_D|² + Tr(Σ_G + Σ_D - 2 (Σ_G Σ_D)^½)",
        ),
        MetricInfo(
            "motion_frechet_clips",
            "motion Fréchet clips",
            low=0.0,
            higher_is_better=None,
            level="set",
            formula="number of generated clips",
        ),
    )

    def describe(self, case: Case) -> Descriptors:
        """Return the descriptors of the generated and the driving clip.

        Raises:
            SubmissionError: when their lengths differ by more than 2 frames.
        """
        generated, driving, length = self.motions(case)
        own = hashlib.sha256(np.ascontiguousarray(driving.vectors).tobytes()).hexdigest()
        lacking = "" if length >= _SHORTEST else f"a clip is shorter than {_SHORTEST} frames"
        ours, theirs = (motion_descriptor(m.vectors[:length]) for m in (generated, driving))
        return Descriptors(ours, theirs, own, lacking)

    def own_set_values(self, described: Sequence[Descriptors]) -> Mapping[str, Value]:
        """Return the distance over all cases, and the number of generated clips."""
        lacking = [one.lacking for one in described if one.lacking]
        driving = list({one.digest: one.driving for one in described}.values())
        value: Value
        if lacking:
            value = Missing(f"{len(lacking)} clips: {lacking[0]}")
        elif min(len(described), len(driving)) < 2:
            value = Missing(f"needs 2 clips a side, got {len(described)} and {len(driving)}")
        else:
            ours = np.stack([one.generated for one in described])
            value = frechet_distance(ours, np.stack(driving))
        return {"motion_frechet": value, "motion_frechet_clips": float(len(described))}
