"""Consistency and concordance of AU intensities that another program measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mebench.metrics.action_units import agreement
from mebench.metrics.base import Metric, MetricInfo, Missing, Value
from mebench.metrics.regional import LENGTH_SLACK

Array = NDArray[np.float64]

LOST_SHARE = 0.2
"""A clip in which the face was lost in more of its frames is not scored."""
_EYES = frozenset({5, 7, 45})


@dataclass(frozen=True)
class UnitPair:
    """AU intensities above frame 0 of both clips, (T, K) with columns `units`, or why not."""

    driving: Array = field(default_factory=lambda: np.zeros((0, 0)))
    generated: Array = field(default_factory=lambda: np.zeros((0, 0)))
    units: tuple[int, ...] = ()
    lacking: str = ""


def above_onset(table: Array, seen: NDArray[np.bool_], where: str) -> Array:
    """Return intensities (T, K) above those of frame 0, lost frames filled from their neighbours.

    Raises:
        ValueError: when there is no frame, or the face was lost in more than a fifth of them.
    """
    if not len(table):
        raise ValueError(f"{where}: holds no frame")
    seen = seen & np.isfinite(table).all(axis=1)
    lost = int((~seen).sum())
    if lost > LOST_SHARE * len(seen):
        raise ValueError(
            f"{where}: the face was lost in {lost} of {len(seen)} frames, at most "
            f"{LOST_SHARE:.0%} are filled in; leave this clip out"
        )
    time = np.arange(len(table))
    filled = np.column_stack([np.interp(time, time[seen], column[seen]) for column in table.T])
    above: Array = filled - filled[0]
    return above


def unit_pair(driving: Array, generated: Array, units: tuple[int, ...]) -> UnitPair:
    """Return both clips cut to their common length; lengths may differ by two frames."""
    if abs(len(driving) - len(generated)) > LENGTH_SLACK:
        return UnitPair(
            lacking=f"expected {len(driving)} frames (within {LENGTH_SLACK}), got {len(generated)}"
        )
    length = min(len(driving), len(generated))
    if length < 3:
        return UnitPair(lacking="clip is shorter than 3 frames")
    return UnitPair(driving[:length], generated[:length], units)


class UnitConsistency(Metric):
    """What the families of other programs share: two values in columns of their own.

    Formula: A_k(t) is the program's intensity of AU k above frame 0; e_k = w_k² Σ_t A_k(D)², w
    capping AU 5, 7 and 45, the lids, as in au_consistency. D is the driving clip, G the other.
    Reading: as au_consistency and au_concordance, in columns of their own: never mixed.
    Blind to: what the program does not see; such networks learnt from much larger expressions, and
    a driving clip in which they see nothing has no value.
    """

    program: ClassVar[str]

    def clip_values(self, described: UnitPair) -> Mapping[str, Value]:
        """Return both values; `Missing` when the program sees nothing in the driving clip."""
        return dict(zip((info.key for info in self.infos), self._values(described), strict=True))

    def _values(self, pair: UnitPair) -> tuple[Value, Value]:
        lacking = pair.lacking
        if not lacking and not pair.driving.any():
            lacking = f"{self.program} sees no action unit in the driving clip"
        if lacking:
            return Missing(lacking), Missing(lacking)
        eyes = np.array([unit in _EYES for unit in pair.units])
        energy = (pair.driving**2).sum(axis=0)
        weights = np.ones(len(eyes))
        if energy[eyes].sum() > 0:
            weights[eyes] = min(1.0, float(np.sqrt(energy[~eyes].sum() / energy[eyes].sum())))
        if not (weights * energy).any():
            return Missing("the driving clip only blinks"), Missing("the driving clip only blinks")
        return agreement(pair.driving, pair.generated, weights)


def unit_infos(end: str, program: str) -> tuple[MetricInfo, ...]:
    """Return how to read the two values under keys that end in ``~<end>``."""
    return tuple(
        MetricInfo(
            f"au_{name}~{end}",
            f"AU {name} ({program})",
            low=-1.0,
            high=1.0,
            needs=("driving",),
            formula=f"Σ_k e_k {measure}(A_k(D), A_k(G)) / Σ_k e_k",
        )
        for name, measure in (("consistency", "Pearson"), ("concordance", "Lin"))
    )
