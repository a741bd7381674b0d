"""How far raters agree: intraclass correlation, Krippendorff's alpha, Cohen's kappa."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mebench.errors import UsageError, did_you_mean
from mebench.stats import Interval

Level = Literal["nominal", "ordinal", "interval"]
Floats = NDArray[np.float64]
_LEVELS = ("nominal", "ordinal", "interval")


@dataclass(frozen=True)
class Coefficient:
    """A coefficient of agreement; `value` is None where it is not defined and `reason` says why.

    Attributes:
        n: clips behind it.
        raters: raters behind it.
    """

    value: float | None
    interval: Interval | None = None
    n: int = 0
    raters: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Icc:
    """ICC(2,1), how far one rater can be trusted, and ICC(2,k), how far the mean of all can."""

    single: Coefficient
    average: Coefficient


def icc(ratings: ArrayLike, *, level: float = 0.95) -> Icc:
    """Return the intraclass correlations of absolute agreement, both ways random.

    Shapes: (clips, raters); NaN is a missing rating, and clips with one are left out.
    Range: at most 1, higher is better; negative where raters differ more within clips than between.

    Source: Shrout and Fleiss, Intraclass correlations, Psychological Bulletin 86, 1979, ICC(2,1)
        and ICC(2,k); intervals of McGraw and Wong, Forming inferences about some intraclass
        correlation coefficients, Psychological Methods 1, 1996, table 7, ICC(A,1) and ICC(A,k).
    """
    data = _matrix(ratings)
    whole = data[~np.isnan(data).any(axis=1)]
    n, k = whole.shape
    if n < 2 or k < 2:
        why = f"needs 2 raters and 2 clips rated by all, got {k} and {n}"
        return Icc(Coefficient(None, None, n, k, why), Coefficient(None, None, n, k, why))
    rows, columns, rest = _mean_squares(whole)
    if rows + columns + rest == 0.0:
        why = "all ratings are the same"
        return Icc(Coefficient(None, None, n, k, why), Coefficient(None, None, n, k, why))
    between = rows - rest
    whole_spread = rows + (k - 1) * rest + k / n * (columns - rest)
    if whole_spread <= 0.0:
        why = "clips and raters do not differ"
        return Icc(Coefficient(None, None, n, k, why), Coefficient(None, None, n, k, why))
    one = between / whole_spread
    below = rows + (columns - rest) / n
    ends = _icc_interval(n, k, rows, columns, rest, one, level)
    # Below -1 / (k - 1) the mean of all has no reliability to speak of.
    known = ends is not None and ends[0] * (k - 1) > -1.0
    wider = (_of_mean(ends[0], k), _of_mean(ends[1], k)) if ends is not None and known else None
    return Icc(
        Coefficient(one, ends, n, k),
        Coefficient(between / below, wider, n, k)
        if below > 0.0
        else Coefficient(None, None, n, k, "clips differ less than raters do"),
    )


def _mean_squares(data: Floats) -> tuple[float, float, float]:
    """Return the mean squares of clips, of raters, and of what is left."""
    n, k = data.shape
    grand = data.mean()
    by_row, by_column = data.mean(axis=1), data.mean(axis=0)
    rest = data - by_row[:, None] - by_column[None, :] + grand
    squares = float(np.sum(rest**2))
    # Whole marks leave rounding behind where nothing is left.
    left = squares if squares > 1e-12 * max(1.0, float(np.sum(data**2))) else 0.0
    rows = k * float(np.sum((by_row - grand) ** 2)) / (n - 1)
    columns = n * float(np.sum((by_column - grand) ** 2)) / (k - 1)
    return rows, columns, left / ((n - 1) * (k - 1))


def _icc_interval(
    n: int, k: int, rows: float, columns: float, rest: float, r: float, level: float
) -> Interval | None:
    from scipy.stats import f

    if rest == 0.0:
        return None
    ratio, tail = columns / rest, 1.0 - (1.0 - level) / 2.0
    share = n * (1.0 + (k - 1) * r) - k * r
    below = (n - 1) * k**2 * r**2 * ratio**2 + share**2
    if below <= 0.0:
        return None
    freedom = (k - 1) * (n - 1) * (k * r * ratio + share) ** 2 / below
    if freedom <= 0.0:
        return None
    lower, upper = float(f.ppf(tail, n - 1, freedom)), float(f.ppf(tail, freedom, n - 1))
    spread = k * columns + (k * n - k - n) * rest
    if not np.isfinite([lower, upper]).all():
        return None  # next to no degrees of freedom are left
    low = n * (rows - lower * rest) / (lower * spread + n * rows)
    high = n * (upper * rows - rest) / (spread + n * upper * rows)
    return low, high


def _of_mean(one: float, k: int) -> float:
    """Return the reliability of a mean of `k` raters (Spearman and Brown)."""
    return k * one / (1.0 + (k - 1) * one)


def krippendorff_alpha(
    ratings: ArrayLike,
    measure: Level = "ordinal",
    *,
    groups: Sequence[Hashable] | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Coefficient:
    """Return Krippendorff's alpha; with `groups` also its bootstrap interval over whole groups.

    Shapes: (clips, raters); NaN is a missing rating, clips with fewer than two count for nothing.
    Range: at most 1, higher is better; 0 is what chance gives.

    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, sections C and E:
        alpha = 1 - (n - 1) sum(o d) / sum(n_c n_k d).

    Raises:
        UsageError: for an unknown measure or unequal lengths.
    """
    if measure not in _LEVELS:
        raise UsageError(f"unknown measure '{measure}'.{did_you_mean(measure, _LEVELS)}")
    data = _matrix(ratings)
    paired = (~np.isnan(data)).sum(axis=1) > 1
    n, raters = int(paired.sum()), data.shape[1]
    values = np.unique(data[paired][~np.isnan(data[paired])])
    if n == 0:
        return Coefficient(None, None, 0, raters, "no clip has two ratings")
    if len(values) < 2:
        return Coefficient(None, None, n, raters, "all ratings are the same")
    units = np.stack([_coincidences(row, values) for row in data[paired]])
    alpha = float(_alphas(units.sum(axis=0)[None], values, measure)[0])
    interval = None
    if groups is not None:
        if len(groups) != len(data):
            raise UsageError(f"expected {len(data)} groups, got {len(groups)}")
        kept = [g for g, there in zip(groups, paired, strict=True) if there]
        interval = _alpha_interval(units, kept, values, measure, resamples, level, seed)
    return Coefficient(alpha, interval, n, raters)


def _coincidences(row: Floats, values: Floats) -> Floats:
    """Return one clip's part of the coincidence matrix."""
    given = row[~np.isnan(row)]
    counts = np.array([(given == value).sum() for value in values], dtype=np.float64)
    pairs: Floats = (np.outer(counts, counts) - np.diag(counts)) / (len(given) - 1)
    return pairs


def _alphas(observed: Floats, values: Floats, measure: Level) -> Floats:
    """Return the alpha of each coincidence matrix; NaN where all its ratings are the same.

    Shapes: (draws, values, values) to (draws,).
    """
    totals = observed.sum(axis=2)
    n = totals.sum(axis=1)
    if measure == "nominal":
        distance = np.broadcast_to(1.0 - np.eye(len(values)), observed.shape)
    elif measure == "interval":
        distance = np.broadcast_to((values[:, None] - values[None, :]) ** 2, observed.shape)
    else:
        # Between c and k stand all values from c to k, the ends counting half.
        middle = np.cumsum(totals, axis=1) - totals / 2
        distance = (middle[:, :, None] - middle[:, None, :]) ** 2
    found = (observed * distance).sum(axis=(1, 2))
    chance = (totals[:, :, None] * totals[:, None, :] * distance).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        alphas: Floats = 1.0 - (n - 1.0) * found / np.where(chance > 0.0, chance, np.nan)
    return alphas


def _alpha_interval(
    units: Floats,
    groups: Sequence[Hashable],
    values: Floats,
    measure: Level,
    resamples: int,
    level: float,
    seed: int,
) -> Interval | None:
    numbers: dict[Hashable, int] = {}
    codes = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
    count = len(numbers)
    if count < 2:
        return None
    parts = np.zeros((count, units[0].size))
    np.add.at(parts, codes, units.reshape(len(units), -1))
    draws = np.random.default_rng(seed).integers(0, count, size=(resamples, count))
    times = np.stack([np.bincount(draw, minlength=count) for draw in draws])
    drawn = _alphas(
        (times.astype(np.float64) @ parts).reshape(-1, *units[0].shape), values, measure
    )
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < 2:
        return None
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(drawn, (tail, 1.0 - tail))
    return float(low), float(high)


def cohen_kappa(a: Sequence[Hashable], b: Sequence[Hashable]) -> Coefficient:
    """Return Cohen's kappa of two raters' labels of the same clips.

    Range: at most 1, higher is better; 0 is what chance gives.

    Source: Cohen, A coefficient of agreement for nominal scales, Educational and Psychological
        Measurement 20, 1960, equation 1: (p_o - p_c) / (1 - p_c).

    Raises:
        UsageError: for unequal lengths.
    """
    if len(a) != len(b):
        raise UsageError(f"expected labels of the same clips, got {len(a)} and {len(b)}")
    if not a:
        return Coefficient(None, None, 0, 2, "no clip was rated by both")
    used = set(a) | set(b)
    if len(used) == 1:
        only = next(iter(used))
        return Coefficient(None, None, len(a), 2, f"both said '{only}' of every clip")
    from sklearn.metrics import cohen_kappa_score

    return Coefficient(float(cohen_kappa_score(list(a), list(b))), None, len(a), 2)


def mean_kappa(labels: Sequence[Sequence[Hashable | None]]) -> Coefficient:
    """Return the mean of Cohen's kappa over all pairs of raters; None is a missing label.

    Shapes: (raters, clips).
    """
    found, why = [], "needs two raters"
    clips = {place for row in labels for place, label in enumerate(row) if label is not None}
    for first, second in combinations(labels, 2):
        both = [
            (x, y) for x, y in zip(first, second, strict=True) if x is not None and y is not None
        ]
        kappa = cohen_kappa([x for x, _ in both], [y for _, y in both])
        if kappa.value is None:
            why = kappa.reason
        else:
            found.append(kappa.value)
    value = float(np.mean(found)) if found else None
    return Coefficient(value, None, len(clips), len(labels), "" if found else why)


def percent_agreement(
    labels: Sequence[Sequence[Hashable | None]], *, within: float = 0.0
) -> Coefficient:
    """Return the share of clips given the same label, over all pairs of raters.

    Shapes: (raters, clips); None is a missing label.
    Range: 0 to 1, higher is better; chance is not taken off.

    Args:
        labels: of each rater.
        within: numbers this near are the same.
    """
    same = total = 0
    clips = set()
    for first, second in combinations(labels, 2):
        for place, (x, y) in enumerate(zip(first, second, strict=True)):
            if x is not None and y is not None:
                clips.add(place)
                total += 1
                if isinstance(x, (int, float)) and isinstance(y, (int, float)):
                    same += abs(x - y) <= within
                else:
                    same += x == y
    if not total:
        return Coefficient(None, None, 0, len(labels), "no clip was rated by two")
    return Coefficient(same / total, None, len(clips), len(labels))


def _matrix(ratings: ArrayLike) -> Floats:
    data = np.asarray(ratings, dtype=np.float64)
    if data.ndim != 2:
        raise UsageError(f"expected ratings as (clips, raters), got shape {data.shape}")
    return data
