"""Intervals, paired tests and ranks; the unit that is resampled is the subject, never the frame."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError, did_you_mean

Statistic = Literal["mean", "median"]
Method = Literal["percentile", "bca"]
_BLOCK = 200


Interval = tuple[float, float]
"""Lower and upper end."""
Numbers = Sequence[float] | NDArray[np.floating]


@dataclass(frozen=True)
class PairedDifference:
    """How much `a` exceeds `b` on the same pairs.

    Attributes:
        mean: mean of a - b.
        interval: BCa interval of the mean over groups, None below 2 groups.
        p_value: two-sided sign-flip permutation test of the groups' mean differences.
        p_wilcoxon: two-sided Wilcoxon signed-rank test of the same; None when all are zero.
        effect: mean difference of the groups over their standard deviation (Cohen's d_z), or None.
        wins: pairs with a > b.
        losses: pairs with a < b.
        n: pairs.
        groups: units that were resampled and permuted.
    """

    mean: float
    interval: Interval | None
    p_value: float | None
    p_wilcoxon: float | None
    effect: float | None
    wins: int
    losses: int
    n: int
    groups: int


def bootstrap_interval(
    values: Numbers,
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    statistic: Statistic = "mean",
    method: Method = "percentile",
) -> Interval | None:
    """Return the ends of a bootstrap interval, resampling whole groups.

    None below 2 groups: one subject says nothing about others.

    Args:
        values: finite numbers, one a pair.
        groups: unit of each value, such as the driving clip's subject; None: each value its own.
        level: coverage.
        resamples: bootstrap samples.
        seed: of the resampling; equal input and seed give equal ends.
        statistic: ``mean`` or ``median``.
        method: ``percentile``, or ``bca``, corrected for bias and for skew by leaving each group
            out; where all groups agree there is nothing to correct.

    Raises:
        UsageError: for non-finite values, unequal lengths or an unknown statistic or method.
    Source: Davison and Hinkley, Bootstrap methods and their application, 1997, section 3.8; Efron,
        Better bootstrap confidence intervals, JASA 1987 (BCa).
    """
    data, codes, count = _grouped(values, groups)
    if statistic not in ("mean", "median"):
        hint = did_you_mean(statistic, ("mean", "median"))
        raise UsageError(f"unknown statistic '{statistic}'.{hint}")
    if method not in ("percentile", "bca"):
        hint = did_you_mean(method, ("percentile", "bca"))
        raise UsageError(f"unknown method '{method}'.{hint}")
    if not 0.0 < level < 1.0 or resamples < 1:
        raise UsageError(f"expected 0 < level < 1 and resamples >= 1, got {level}, {resamples}")
    if count < 2:
        return None
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, count, size=(resamples, count))
    if statistic == "mean":
        drawn = _resampled_means(data, codes, count, draws)
    else:
        members = [data[codes == g] for g in range(count)]
        drawn = np.array([np.median(np.concatenate([members[g] for g in d])) for d in draws])
    tail = (1.0 - level) / 2.0
    shares = (tail, 1.0 - tail)
    if method == "bca":
        shares = _bca_shares(data, codes, count, drawn, statistic, shares)
    low, high = np.quantile(drawn, shares)
    return float(low), float(high)


def _bca_shares(
    data: NDArray[np.float64],
    codes: NDArray[np.intp],
    count: int,
    drawn: NDArray[np.float64],
    statistic: Statistic,
    shares: tuple[float, float],
) -> tuple[float, float]:
    """Return the shares of the bootstrap distribution that a corrected interval ends at."""
    norm = NormalDist()
    function = np.mean if statistic == "mean" else np.median
    below = float(np.mean(drawn < function(data)) + np.mean(drawn <= function(data))) / 2
    left_out = np.array([float(function(data[codes != group])) for group in range(count)])
    gaps = left_out.mean() - left_out
    spread = float(np.sum(gaps**2))
    if spread == 0.0 or not 0.0 < below < 1.0:
        return shares
    bias = norm.inv_cdf(below)
    skew = float(np.sum(gaps**3)) / (6.0 * spread**1.5)
    ends = [bias + norm.inv_cdf(share) for share in shares]
    low, high = (norm.cdf(bias + end / (1.0 - skew * end)) for end in ends)
    return low, high


def paired_difference(
    a: Numbers,
    b: Numbers,
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> PairedDifference:
    """Compare two methods on the same pairs.

    The tests see one number a group, its mean difference, because clips of one subject are not
    independent. The permutation test is exact while 2**groups is at most `resamples`.

    Raises:
        UsageError: for non-finite values or unequal lengths.
    """
    from scipy.stats import wilcoxon

    if len(a) != len(b):
        raise UsageError(f"paired values differ in number: {len(a)} and {len(b)}")
    data, codes, count = _grouped(np.subtract(a, b), groups)
    interval = bootstrap_interval(
        data, groups, level=level, resamples=resamples, seed=seed, method="bca"
    )
    means = np.bincount(codes, data, count) / np.bincount(codes, minlength=count)
    p_value = p_wilcoxon = effect = None
    if count >= 2:
        p_value = _sign_flip_p(means, resamples, seed)
        if np.any(means != 0.0):
            p_wilcoxon = float(wilcoxon(means).pvalue)
        spread = float(np.std(means, ddof=1))
        effect = float(np.mean(means)) / spread if spread > 0.0 else None
    return PairedDifference(
        mean=float(np.mean(data)),
        interval=interval,
        p_value=p_value,
        p_wilcoxon=p_wilcoxon,
        effect=effect,
        wins=int(np.sum(data > 0)),
        losses=int(np.sum(data < 0)),
        n=len(data),
        groups=count,
    )


def ranks_with_ties(
    values: Sequence[float | None], *, higher_is_better: bool, tolerance: float = 0.0
) -> list[int | None]:
    """Return competition ranks, 1 for the best; values near the best of a tie share its rank.

    Near is within `tolerance`. A missing value (None or NaN) has no rank.

    >>> ranks_with_ties([0.8, None, 0.9, 0.8, 0.1], higher_is_better=True)
    [2, None, 1, 2, 4]
    """
    sign = -1.0 if higher_is_better else 1.0
    present = [(sign * v, i) for i, v in enumerate(values) if v is not None and not np.isnan(v)]
    present.sort()
    ranks: list[int | None] = [None] * len(values)
    leader, rank = None, 0
    for position, (value, index) in enumerate(present, start=1):
        if leader is None or value - leader > tolerance:
            leader, rank = value, position
        ranks[index] = rank
    return ranks


def ranks_by_interval(
    columns: Sequence[Sequence[float | None]],
    groups: Sequence[Hashable] | None = None,
    *,
    higher_is_better: bool,
    seed: int = 0,
) -> list[int | None]:
    """Return ranks by mean, 1 for the best; rows that are not told apart share a place.

    Two columns are told apart when the 95 % interval of their paired difference leaves out 0. A
    column is compared with the best of the place above it, over the pairs that both have; one
    without values has no rank.

    Raises:
        UsageError: for columns of unequal length.
    """
    if len({len(column) for column in columns}) > 1:
        raise UsageError("columns of unequal length cannot be ranked on the same pairs")
    sign = -1.0 if higher_is_better else 1.0
    means: list[tuple[float, int]] = []
    for index, column in enumerate(columns):
        kept = [value for value in column if value is not None]
        if kept:
            means.append((sign * float(np.mean(kept)), index))
    ranks: list[int | None] = [None] * len(columns)
    leader = rank = -1
    for position, (_, index) in enumerate(sorted(means), start=1):
        if leader < 0 or _told_apart(columns[leader], columns[index], groups, seed):
            leader, rank = index, position
        ranks[index] = rank
    return ranks


def _told_apart(
    a: Sequence[float | None],
    b: Sequence[float | None],
    groups: Sequence[Hashable] | None,
    seed: int,
) -> bool:
    names = range(len(a)) if groups is None else groups
    both = [
        (x, y, g) for x, y, g in zip(a, b, names, strict=True) if x is not None and y is not None
    ]
    if not both:
        return True
    gaps = [x - y for x, y, _ in both]
    interval = bootstrap_interval(gaps, [g for _, _, g in both], seed=seed, method="bca")
    return interval is not None and (interval[0] > 0 or interval[1] < 0)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values that hold for all comparisons together; None stays and counts for nothing.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 1979.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    present = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    found: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for place, (p, index) in enumerate(present):
        highest = max(highest, min(1.0, p * (len(present) - place)))
        found[index] = highest
    return found


def _grouped(
    values: Numbers, groups: Sequence[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.intp], int]:
    """Return values, a group number for each in order of first appearance, and their count."""
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or len(data) == 0:
        raise UsageError(f"expected a non-empty list of numbers, got shape {data.shape}")
    if not np.isfinite(data).all():
        where = int(np.flatnonzero(~np.isfinite(data))[0])
        raise UsageError(f"value {where} is {data[where]}; leave missing values out")
    if groups is None:
        return data, np.arange(len(data)), len(data)
    if len(groups) != len(data):
        raise UsageError(f"expected one group a value, got {len(groups)} for {len(data)}")
    numbers: dict[Hashable, int] = {}
    codes = np.array([numbers.setdefault(g, len(numbers)) for g in groups], dtype=np.intp)
    return data, codes, len(numbers)


def _resampled_means(
    data: NDArray[np.float64],
    codes: NDArray[np.intp],
    count: int,
    draws: NDArray[np.int64],
) -> NDArray[np.float64]:
    sums = np.bincount(codes, data, count)
    sizes = np.bincount(codes, minlength=count)
    blocks = [draws[i : i + _BLOCK] for i in range(0, len(draws), _BLOCK)]
    return np.concatenate([sums[d].sum(axis=1) / sizes[d].sum(axis=1) for d in blocks])


def _sign_flip_p(means: NDArray[np.float64], resamples: int, seed: int) -> float:
    """Two-sided p of the mean under random signs; every sign pattern once where that is fewer."""
    count = len(means)
    exact = count <= 20 and 2**count <= resamples
    if exact:
        patterns = np.arange(2**count)[:, None] >> np.arange(count) & 1
    else:
        patterns = np.random.default_rng(seed).integers(0, 2, size=(resamples, count))
    flipped = np.abs((1 - 2 * patterns) @ means)
    # Sums of the same numbers in another order differ in the last bits.
    as_far = int(np.sum(flipped >= abs(float(means.sum())) - 1e-12 * np.abs(means).sum()))
    return as_far / len(patterns) if exact else (as_far + 1) / (len(patterns) + 1)
