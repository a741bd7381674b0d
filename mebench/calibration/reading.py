"""What a calibration says: which values feel which damage, from which level on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mebench.calibration.controls import BAD, GOOD
from mebench.calibration.ladders import FEELS, LADDERS, Ladder
from mebench.calibration.suite import CONTROLS, DISJOINT, OTHERS, OWN, SHARING, Results
from mebench.metrics.base import MetricInfo
from mebench.stats import bootstrap_interval

Array = NDArray[np.float64]

ENOUGH = 0.95
"""Spearman's rho that a value must reach on a ladder it is there to feel."""
_NORMAL_95 = 1.96


@dataclass(frozen=True)
class Feeling:
    """What one value says along one ladder.

    Attributes:
        key: of the value.
        ladder: its name.
        levels: (L,).
        curve: (L,) the value at each level: mean over clips, or of the set.
        spread: (L,) standard error over clips, or of the set's jackknife.
        spearman: rank correlation of `curve` with the level.
        spearman_clips: mean of the clips' own rank correlations; None for a value of a set.
        told: smallest level from which on every level differs from level 0, or None.
        n: clips.
    """

    key: str
    ladder: str
    levels: Array
    curve: Array
    spread: Array
    spearman: float
    spearman_clips: float | None
    told: float | None
    n: int

    @property
    def owed(self) -> bool:
        """Whether the value is there to feel this ladder."""
        return self.ladder in FEELS.get(plain(self.key), ())


def plain(key: str) -> str:
    """Return a key without its variant, ``fid`` for ``fid~seeded``."""
    return key.partition("~")[0]


def feelings(results: Results, infos: Iterable[MetricInfo]) -> list[Feeling]:
    """Return what each value says along each ladder that was measured."""
    wanted = [info.key for info in infos]
    found = []
    for ladder in LADDERS:
        if (ladder.name, ladder.levels[0]) not in results.clips:
            continue
        for key in wanted:
            feeling = _of_clips(results, ladder, key) or _of_sets(results, ladder, key)
            if feeling is not None:
                found.append(feeling)
    return found


def _of_clips(results: Results, ladder: Ladder, key: str) -> Feeling | None:
    rows = [results.clips[ladder.name, level].get(key) for level in ladder.levels]
    if any(row is None for row in rows):
        return None
    table = np.stack([row for row in rows if row is not None])
    table = table[:, np.isfinite(table).all(axis=0)]
    if table.shape[1] < 2:
        return None
    told = [_interval_leaves_zero(row - table[0]) for row in table[1:]]
    each = [rank_correlation(ladder.levels, column) for column in table.T]
    return Feeling(
        key,
        ladder.name,
        np.array(ladder.levels, float),
        table.mean(axis=1),
        table.std(axis=1, ddof=1) / np.sqrt(table.shape[1]),
        rank_correlation(ladder.levels, table.mean(axis=1)),
        float(np.mean(each)),
        _first_of_all(ladder.levels[1:], told),
        table.shape[1],
    )


def _of_sets(results: Results, ladder: Ladder, key: str) -> Feeling | None:
    rows = [results.sets[ladder.name, level].get(key) for level in ladder.levels]
    if any(row is None for row in rows):
        return None
    curve = np.array([row[0] for row in rows if row is not None])
    without = np.stack([row[1] for row in rows if row is not None])
    if not (np.isfinite(curve).all() and np.isfinite(without).all()):
        return None
    gaps = [
        abs(value - curve[0]) > max(_NORMAL_95 * _jackknife(row - without[0]), 1e-9)
        for value, row in zip(curve[1:], without[1:], strict=True)
    ]
    return Feeling(
        key,
        ladder.name,
        np.array(ladder.levels, float),
        curve,
        np.array([_jackknife(row) for row in without]),
        rank_correlation(ladder.levels, curve),
        None,
        _first_of_all(ladder.levels[1:], gaps),
        without.shape[1],
    )


def rank_correlation(levels: Iterable[float], values: Array) -> float:
    """Return Spearman's rho; 0 when all values are equal.

    >>> rank_correlation([0, 1, 2], np.array([5.0, 5.0, 5.0]))
    0.0
    """
    from scipy.stats import spearmanr

    if np.ptp(values) == 0.0:
        return 0.0
    return float(spearmanr(list(levels), values).statistic)


def _interval_leaves_zero(gaps: Array) -> bool:
    interval = bootstrap_interval(gaps)
    return interval is not None and not interval[0] <= 0.0 <= interval[1]


def _jackknife(without: Array) -> float:
    """Return the standard error from values with one unit left out each."""
    n = len(without)
    return float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))


def _first_of_all(levels: Iterable[float], told: Iterable[bool]) -> float | None:
    """Return the first level from which on all are told."""
    first = None
    for level, one in zip(reversed(list(levels)), reversed(list(told)), strict=True):
        if not one:
            break
        first = float(level)
    return first


@dataclass(frozen=True)
class Separation:
    """How well a value parts good answers from bad ones.

    Attributes:
        key: of the value.
        controls: area under the ROC curve, good against bad controls.
        disjoint: own driving clip against those that share no action unit with it.
        every: own driving clip against all others.
        counts: good, bad, own, disjoint and all other clips behind these.
    """

    key: str
    controls: float
    disjoint: float
    every: float
    counts: tuple[int, int, int, int, int]


def separation(results: Results, key: str = "au_consistency") -> Separation:
    """Return how well `key` parts good from bad."""
    good = pooled(results, CONTROLS, GOOD, key)
    bad = pooled(results, CONTROLS, BAD, key)
    own = pooled(results, OTHERS, (OWN,), key)
    disjoint = pooled(results, OTHERS, (DISJOINT,), key)
    every = pooled(results, OTHERS, (DISJOINT, SHARING), key)
    return Separation(
        key,
        area(good, bad),
        area(own, disjoint),
        area(own, every),
        (len(good), len(bad), len(own), len(disjoint), len(every)),
    )


def pooled(results: Results, part: str, labels: Iterable[str], key: str) -> Array:
    """Return all finite values of some labels of a part."""
    rows = [results.clips.get((part, label), {}).get(key) for label in labels]
    flat = np.concatenate([np.zeros(0), *(row.ravel() for row in rows if row is not None)])
    kept: Array = flat[np.isfinite(flat)]
    return kept


def area(good: Array, bad: Array) -> float:
    """Return the area under the ROC curve; NaN when a side is empty."""
    from sklearn.metrics import roc_auc_score

    if not (len(good) and len(bad)):
        return float("nan")
    truth = np.concatenate([np.ones(len(good)), np.zeros(len(bad))])
    return float(roc_auc_score(truth, np.concatenate([good, bad])))
