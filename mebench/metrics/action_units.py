"""Does the generated clip make the driving clip's facial action units, when and as strongly?

Measured from dense motion of FACS regions, so it needs no network weights, and landmarks of frame
0 only. See ``docs/metrics/action_units.md`` for the values and ``docs/metrics-motion.md`` for how
motion is measured and how every value behaves on SynthME.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from mebench.facs.regions import (
    AU_DIRECTIONS,
    CURVE_NAMES,
    CURVES,
    EYE_CURVES,
    EYE_SITES,
    curve_weights,
    motion_templates,
)
from mebench.metrics.action_unit_infos import INFOS, LOG2_CAP
from mebench.metrics.base import Case, Missing, Value
from mebench.metrics.regional import RegionalMetric
from mebench.types import ActionUnit

Array = NDArray[np.float64]

NO_MOTION = 0.0015
"""Peak region motion below which a generated clip counts as still, IOD."""
WEAK_DRIVING = 0.007
"""Peak action unit below which a driving clip is too weak to score, IOD."""

_RIDGE = 0.15
_ACTIVE_FLOOR = 0.005
_ACTIVE_SHARE = 0.5
_WEIGHTS = curve_weights()
_VISIBLE = frozenset(d.au for d in AU_DIRECTIONS)


def au_curves(vectors: Array) -> Array:
    """Return the action-unit curves (T, K) of region vectors (T, S, 2), IOD; see `CURVE_NAMES`."""
    curves: Array = np.einsum("tsd,ksd->tk", vectors, _WEIGHTS)
    return curves


def eye_weight(vectors: Array) -> float:
    """Return min(1, √(non-eye energy / eye energy)) of region vectors: caps a blink."""
    energy = (vectors**2).sum(axis=(0, 2))
    eyes = float(energy[EYE_SITES].sum())
    return min(1.0, float(np.sqrt(energy[~EYE_SITES].sum() / eyes))) if eyes > 0 else 1.0


def pearson(x: Array, y: Array) -> Array:
    """Return Pearson's r of each column of two (T, K) arrays; 0 where one does not vary."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return _ratio((x * y).sum(axis=0), np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0)))


def concordance(x: Array, y: Array) -> Array:
    """Return Lin's concordance of each column of two (T, K) arrays; 0 where neither varies.

    Source: Lin 1989, Biometrics 45, 255-268.
    """
    gap = (x.mean(axis=0) - y.mean(axis=0)) ** 2
    dx, dy = x - x.mean(axis=0), y - y.mean(axis=0)
    spread = (dx * dx).mean(axis=0) + (dy * dy).mean(axis=0)
    return _ratio(2.0 * (dx * dy).mean(axis=0), spread + gap)


@dataclass(frozen=True)
class Agreement:
    """What `ActionUnitConsistency` keeps of one case: region vectors of both clips, IOD.

    Attributes:
        generated: (T, S, 2), smoothed.
        driving: (T, S, 2), smoothed, the same T.
        fps: frames per second.
        labels: FACS labels of the driving clip.
    """

    generated: Array
    driving: Array
    fps: float
    labels: tuple[ActionUnit, ...] = ()

    @property
    def still(self) -> bool:
        """True when the generated clip does not move."""
        return peak_motion(self.generated) < NO_MOTION

    @property
    def weak(self) -> bool:
        """True when the driving clip moves too little to be followed."""
        return float(np.abs(au_curves(self.driving)).max()) < WEAK_DRIVING


def peak_motion(vectors: Array) -> float:
    """Return the longest region vector of a clip, IOD."""
    return float(np.linalg.norm(vectors, axis=-1).max())


def consistency(driving: Array, generated: Array, weight: float = 1.0) -> tuple[float, float]:
    """Return (au_consistency, au_concordance) of two clips' AU curves (T, K).

    Each curve counts by the driving clip's energy in it, e_k = w_k² Σ_t A_k²; `weight` is w on AU 5
    and 7, and w is 1 elsewhere.

    Range: -1 to 1, higher is better.
    """
    return agreement(driving, generated, np.where(EYE_CURVES, weight, 1.0))


def agreement(driving: Array, generated: Array, weights: Array) -> tuple[float, float]:
    """Return the energy-weighted means of Pearson's r and Lin's concordance over curves (T, K)."""
    shares = weights**2 * (driving**2).sum(axis=0)
    total = shares.sum()
    if total <= 0.0:
        return 0.0, 0.0
    pair = pearson(driving, generated), concordance(driving, generated)
    return float(shares @ pair[0] / total), float(shares @ pair[1] / total)


def similarity(driving: Array, generated: Array) -> float:
    """Return the cosine of two clips' weighted region vectors over all sites and frames."""
    norm = np.sqrt((driving**2).sum() * (generated**2).sum())
    return float((driving * generated).sum() / norm) if norm > 0 else 0.0


def amplitude(driving: Array, generated: Array) -> float:
    """Return P95 over time of the weighted AU-curve norm, generated over driving."""
    size = [float(np.percentile(np.linalg.norm(a, axis=1), 95)) for a in (generated, driving)]
    return size[0] / size[1] if size[1] > 0 else 0.0


def apex_shift(driving: Array, generated: Array) -> int:
    """Return |argmax_t ⟨generated(t), driving(t*)⟩ - t*| in frames; t* is driving's peak."""
    flat_driving, flat_generated = (a.reshape(len(a), -1) for a in (driving, generated))
    apex = int(np.argmax(np.linalg.norm(flat_driving, axis=1)))
    return abs(int(np.argmax(flat_generated @ flat_driving[apex])) - apex)


def leak(driving: Array, generated: Array) -> float:
    """Return the share of AU energy outside the driving clip's active AUs, generated minus driving.

    Range: 0 to 1, lower is better; curves already weighted.
    """
    active = _over_threshold(np.percentile(np.abs(driving), 98, axis=0))
    energy = np.stack([(a**2).sum(axis=0) for a in (generated, driving)])
    outside = _ratio(energy[:, ~active].sum(axis=1), energy.sum(axis=1))
    return max(0.0, float(outside[0] - outside[1]))


def active_units(vectors: Array) -> frozenset[int]:
    """Return the FACS numbers seen in region vectors (T, S, 2).

    Non-negative least squares of each frame on the region templates (ridge .15); an action unit is
    active when the 98th percentile of its activation reaches max(.5 % IOD, half the largest).
    """
    columns = motion_templates().reshape(len(CURVES), -1).T
    count = columns.shape[1]
    system = np.vstack([columns, np.sqrt(_RIDGE) * np.eye(count)])
    frames = vectors.reshape(len(vectors), -1)
    found = np.array([nnls(system, np.concatenate([f, np.zeros(count)]))[0] for f in frames])
    active = _over_threshold(np.percentile(found, 98, axis=0))
    return frozenset(au for (au, _), on in zip(CURVES, active, strict=True) if on)


def au_f1(found: frozenset[int], labels: tuple[ActionUnit, ...]) -> Value:
    """Return F1 of the found action units against FACS labels.

    Uncertain codes and alternatives count neither way; nor do codes that the table does not hold.
    """
    sure = {u.au for u in labels if not u.uncertain and u.alt_group is None}
    unsure = {u.au for u in labels} - sure
    wanted = sure & _VISIBLE
    if not wanted:
        return Missing("no certain FACS label that motion can show")
    seen = found - unsure
    return 2.0 * len(seen & wanted) / (len(seen) + len(wanted))


def _over_threshold(levels: Array) -> NDArray[np.bool_]:
    over: NDArray[np.bool_] = levels >= max(_ACTIVE_FLOOR, _ACTIVE_SHARE * float(levels.max()))
    return over


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


class ActionUnitConsistency(RegionalMetric):
    """Agreement of the generated clip's action-unit (AU) motion with the driving clip's.

    Formula: A_k(t), k = 1..29, is the motion of an AU's regions along its direction, from frame 0
    to t, head motion removed; D is the driving clip, G the generated one. w_k = min(1, √(non-eye
    energy / eye energy)) of D for AU 5 and 7, else 1; e_k = w_k² Σ_t A_k(D)².
    Reading: au_consistency first, au_concordance and au_amplitude beside it. A still generated clip
    (au_still 1) has agreement, amplitude, leak and F1 of 0, an amplitude error of 5, and its apex
    at frame 0. A driving clip whose largest AU is below .7 % IOD has no values, whoever generates.
    Blind to: the size of the motion (au_consistency); AUs that flow does not tell apart (5, 7, 14
    and 20, 23 and 24) or that change texture only; identity and appearance. A head that turns out
    of the image plane stays in the curves, and gaze and blinks can have half of the weight.
    Source: regions and directions after FACS (Ekman and Friesen 1978); concordance by Lin,
    Biometrics 45, 1989; the weighted means are mebench's own.
    """

    shared_infos = INFOS

    def describe(self, case: Case) -> Agreement:
        """Return the region vectors of the generated and the driving clip.

        Raises:
            SubmissionError: when their lengths differ by more than 2 frames.
        """
        generated, driving, length = self.motions(case)
        labels = case.labels or case.driving.action_units
        return Agreement(
            generated.vectors[:length], driving.vectors[:length], case.driving.fps, labels
        )

    def own_clip_values(self, described: Agreement) -> Mapping[str, Value]:
        """Return the values of one case; `Missing` for a driving clip too weak or too short."""
        keys = [info.key for info in self.shared_infos]
        if len(described.driving) < 3:
            return dict.fromkeys(keys, Missing("driving clip is shorter than 3 frames"))
        if described.weak:
            peak = 100 * float(np.abs(au_curves(described.driving)).max())
            reason = (
                f"driving clip too weak: peak AU {peak:.2f} % IOD, needs {100 * WEAK_DRIVING:.2f} %"
            )
            return dict.fromkeys(keys, Missing(reason))
        if described.still:
            described = replace(described, generated=np.zeros_like(described.generated))
        return {**_agreement_values(described), "au_still": float(described.still)}

    def curves(self, described: Agreement) -> Mapping[str, Any]:
        """Return AU curves in % IOD: ``driving/12L``, ``generated/12L``, ..."""
        sides = {"driving": described.driving, "generated": described.generated}
        return {
            f"{name}/{curve}": 100.0 * values
            for name, vectors in sides.items()
            for curve, values in zip(CURVE_NAMES, au_curves(vectors).T, strict=True)
        }


def _agreement_values(pair: Agreement) -> dict[str, Value]:
    weight = eye_weight(pair.driving)
    on_sites = np.where(EYE_SITES, weight, 1.0)[:, None]
    on_curves = np.where(EYE_CURVES, weight, 1.0)
    driving, generated = au_curves(pair.driving), au_curves(pair.generated)
    regions = pair.driving * on_sites, pair.generated * on_sites
    curves = driving * on_curves, generated * on_curves
    headline, lin = consistency(driving, generated, weight)
    ratio = amplitude(*curves)
    shift = apex_shift(*regions)
    return {
        "au_consistency": headline,
        "au_concordance": lin,
        "motion_similarity": similarity(*regions),
        "au_amplitude": ratio,
        "au_amplitude_log2": min(abs(float(np.log2(ratio))), LOG2_CAP) if ratio > 0 else LOG2_CAP,
        "apex_error_ms": 1000.0 * shift / pair.fps,
        "apex_error_share": shift / (len(driving) - 1),
        "au_leak": leak(*curves),
        "au_f1": au_f1(active_units(pair.generated), pair.labels),
    }
