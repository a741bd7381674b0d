"""What can be said of each rater, and what the ranking owes to any one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from mebench.rating import careless
from mebench.rating.scores import clip_means, tails
from mebench.rating.unblind import Floats, Panel
from mebench.stats import Interval


@dataclass(frozen=True)
class Rater:
    """How a rater rates, on the form's score.

    Attributes:
        clips: marks given, repeats and planted real clips among them.
        shown: clips in the bundle.
        mean: of the first marks of the methods' clips.
        spread: their standard deviation.
        bias: how much higher the rater marks the methods' clips than the whole panel does.
        bias_interval: over subjects of driving clips.
        consensus: Spearman's correlation with the other raters that look, bias taken off.
        chance: how often the same marks dealt out at random agree as well.
        repeats: clips marked twice.
        exact: share of them given the same mark.
        within_one: share of them given a mark at most one step off.
        gap: mean distance of the two marks.
        reals: planted real clips marked.
        real_auc: how often a real clip is marked above a method's, ties counting half.
        seconds: median time a clip, None where it is not known.
        flags: why the rater may not have looked; see ``careless.RULE``.
        remarks: what else is odd.
    """

    id: str
    clips: int
    shown: int
    mean: float | None
    spread: float | None
    bias: float | None
    bias_interval: Interval | None
    consensus: float | None
    chance: float | None
    repeats: int
    exact: float | None
    within_one: float | None
    gap: float | None
    reals: int
    real_auc: float | None
    seconds: float | None
    flags: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Without:
    """The ranking when one rater is left out.

    Attributes:
        tau: Kendall's tau-b with the ranking by all; None below 2 methods.
        winner: method with the highest mean then.
        changed: whether that is another one.
    """

    rater: str
    tau: float | None
    winner: str
    changed: bool


def rate_raters(panel: Panel, *, resamples: int = 2000, seed: int = 0) -> list[Rater]:
    """Return what can be said of every rater."""
    marks = panel.marks(panel.score)
    bias, intervals = biases(marks[:-1], panel.subjects, resamples=resamples, seed=seed)
    found = careless.chances(panel, marks, bias, seed=seed)
    blind = {rater for rater, p in found.items() if p is not None and p >= careless.CHANCE}
    # Where most of a panel agrees no better than chance, nobody can be told from the others.
    named = blind if 2 * len(blind) <= max(2, len(panel.raters)) else set()
    times = {rater: _median_seconds(panel, rater) for rater in panel.raters}
    looking = [number for number, rater in enumerate(panel.raters) if rater not in named]
    return [
        _rater(
            panel,
            number,
            marks,
            bias=None if len(panel.raters) < 2 else float(bias[number]),
            interval=intervals[number],
            others=careless.consensus(marks, bias, [one for one in looking if one != number]),
            chance=found[rater],
            named=rater in named,
            times=times,
        )
        for number, rater in enumerate(panel.raters)
    ]


def _rater(
    panel: Panel,
    number: int,
    marks: Floats,
    *,
    bias: float | None,
    interval: Interval | None,
    others: Floats,
    chance: float | None,
    named: bool,
    times: dict[str, float | None],
) -> Rater:
    rater = panel.raters[number]
    own, real = marks[:-1, :, number], marks[-1, :, number]
    entries, reals = own[~np.isnan(own)], real[~np.isnan(real)]
    looks = careless.looks_of(panel, rater)
    again = panel.repeats(rater, panel.score)
    gaps = np.abs(again[:, 0] - again[:, 1])
    rest = [time for name, time in times.items() if name != rater and time is not None]
    same = careless.straight(looks)
    flags = [same] if same else []
    if named and not same:
        flags.append(f"agrees no better than marks dealt out at random (p {chance:.2f})")
    fast = careless.hasty(times[rater], median(rest) if rest else None)
    flags += [fast] if fast else []
    auc = real_auc(reals, entries)
    low = auc is not None and auc <= 0.5 and len(reals) >= 3
    return Rater(
        id=rater,
        clips=len(looks.marks),
        shown=len(panel.key.raters[rater]),
        mean=_mean(entries),
        spread=float(np.std(entries, ddof=1)) if len(entries) > 1 else None,
        bias=bias,
        bias_interval=interval,
        consensus=careless.correlation(looks, others),
        chance=chance,
        repeats=len(gaps),
        exact=_mean(gaps == 0),
        within_one=_mean(gaps <= 1),
        gap=_mean(gaps),
        reals=len(reals),
        real_auc=auc,
        seconds=times[rater],
        flags=tuple(flags),
        remarks=(f"marks planted real clips no higher than entries (AUC {auc:.2f})",)
        if low
        else (),
    )


def biases(
    marks: Floats, subjects: Sequence[object], *, resamples: int = 2000, seed: int = 0
) -> tuple[Floats, list[Interval | None]]:
    """Return each rater's bias from the panel's mean, and its interval over subjects.

    Least squares of mark = clip + rater with the raters' effects summing to 0, so that raters who
    left out clips are compared on those they share.

    Shapes: marks (methods, pairs, raters), one subject a pair.
    """
    raters = marks.shape[2]
    names: dict[object, int] = {}
    codes = np.array([names.setdefault(subject, len(names)) for subject in subjects])
    sides, sums = np.zeros((len(names), raters, raters)), np.zeros((len(names), raters))
    there = ~np.isnan(marks)
    middle = clip_means(marks)
    for pair, code in enumerate(codes):
        for row in range(marks.shape[0]):
            own = there[row, pair].astype(np.float64)
            if own.sum() < 2:
                continue
            sides[code] += np.diag(own) - np.outer(own, own) / own.sum()
            sums[code] += np.where(there[row, pair], marks[row, pair] - middle[row, pair], 0.0)
    whole = np.linalg.pinv(sides.sum(axis=0), hermitian=True) @ sums.sum(axis=0)
    count = len(names)
    if count < 2 or raters < 2:
        return whole, [None] * raters
    draws = np.random.default_rng(seed).integers(0, count, size=(resamples, count))
    times = np.stack([np.bincount(draw, minlength=count) for draw in draws]).astype(np.float64)
    left = np.linalg.pinv(np.einsum("dg,gij->dij", times, sides), hermitian=True)
    drawn = np.einsum("dij,dj->di", left, times @ sums)
    low, high = np.quantile(drawn, tails(count), axis=0)
    return whole, [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def real_auc(reals: Floats, entries: Floats) -> float | None:
    """Return how often a real clip is marked above a method's clip, ties counting half.

    Range: 0 to 1, 0.5 is what chance gives.
    """
    if not len(reals) or not len(entries):
        return None
    gaps = reals[:, None] - entries[None, :]
    return float(np.mean(gaps > 0) + np.mean(gaps == 0) / 2)


def leave_one_out(panel: Panel) -> list[Without]:
    """Return the ranking by mean without each rater; nothing for fewer than 3 raters."""
    from scipy.stats import kendalltau

    if len(panel.raters) < 3:
        return []
    marks = panel.entries(panel.score)
    whole = _ranking(marks)
    found = []
    for number, rater in enumerate(panel.raters):
        means = _ranking(np.delete(marks, number, axis=2))
        both = ~np.isnan(whole) & ~np.isnan(means)
        tau = float(kendalltau(whole[both], means[both]).statistic) if both.sum() > 1 else None
        best, before = int(np.nanargmax(means)), int(np.nanargmax(whole))
        changed = best != before and means[best] > means[before]
        name = panel.methods[best if changed else before]
        undefined = tau is None or np.isnan(tau)
        found.append(Without(rater, None if undefined else tau, name, bool(changed)))
    return found


def _ranking(marks: Floats) -> Floats:
    """Return the mean over clips of the mean over raters of each method."""
    means = clip_means(marks)
    return clip_means(means)


def _median_seconds(panel: Panel, rater: str) -> float | None:
    times = [r.seconds for r in panel.answers[rater].values() if r.seconds is not None]
    return median(times) if len(times) >= careless.FEWEST else None


def _mean(values: Floats | np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None
