"""Methods' scores from a panel: means, intervals over clips and raters, and shared places."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mebench.rating.unblind import REAL, Floats, Panel
from mebench.stats import Interval

Unit = Literal["raw", "z", "share"]
WHOLE, COMPOSITE = "", "composite"
RULE = (
    "methods share a place where the 95 % interval of their paired difference, over clips and "
    "raters, holds 0"
)
HOW = "95 % expanded percentile bootstrap over driving subjects and raters"


@dataclass(frozen=True)
class Score:
    """A mean over clips of the mean over raters; None where nothing was rated.

    Attributes:
        interval: over clips and raters; over clips alone for one rater; None below 2 subjects.
        n: clips behind it.
    """

    value: float | None
    interval: Interval | None = None
    n: int = 0


@dataclass(frozen=True)
class MethodScores:
    """What a panel gave a method.

    Attributes:
        rank: place by the form's score, None where it has none.
        scales: mean of each scale over all clips, on the scale itself.
        parts: the form's score by unit and data set, ``""`` for all clips and ``composite`` for the
            mean of the data sets' means. Units: ``raw`` as rated; ``z`` in each rater's own
            standard deviations from the own mean; ``share`` of the scale's way from low to high.
        per_clip: mean over raters by scale and pair.
    """

    id: str
    title: str
    rank: int | None
    scales: Mapping[str, Score]
    parts: Mapping[tuple[Unit, str], Score]
    per_clip: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Scores:
    """Scores of all methods, of the planted real clips, and who could not be standardised."""

    methods: tuple[MethodScores, ...]
    real: MethodScores | None
    constant: tuple[str, ...]


def score_methods(panel: Panel, *, resamples: int = 2000, seed: int = 0) -> Scores:
    """Return every method's scores, the best first.

    A clip counts once a rater: by the first look. Its hidden repeat tells of the rater, and only
    stands in where the first was not answered. Intervals resample subjects of driving clips and
    raters, each with replacement and independently (a two-way, or pigeonhole, bootstrap): with few
    raters they are wide, and where chance outweighs both they are wider than need be. Few subjects
    are made up for, few raters are not: see `tails`.

    Source: Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007.
    """
    marks = {scale: panel.marks(scale) for scale in panel.scales}
    bootstrap = _Bootstrap(panel, resamples, seed)
    own = marks[panel.score]
    standard, constant = standardised(own)
    scale = panel.scales[panel.score]
    units: dict[Unit, Floats] = {
        "raw": own,
        "z": standard,
        "share": (own - scale.low) / (scale.high - scale.low),
    }
    names = (*panel.methods, REAL)
    titles = [method.title for method in panel.key.methods.values()] + ["planted real clips"]
    places = bootstrap.places(own[:-1])
    parts = bootstrap.parts()
    found = [
        MethodScores(
            id=name,
            title=titles[row],
            rank=None if name == REAL else places[row],
            scales={s: bootstrap.score(marks[s][row], WHOLE) for s in marks},
            parts={
                (u, part): bootstrap.score(units[u][row], part) for u in units for part in parts
            },
            per_clip={s: _by_pair(marks[s][row], panel.pairs) for s in marks},
        )
        for row, name in enumerate(names)
    ]
    real = found.pop()
    ordered = sorted(found, key=lambda one: -(one.parts["raw", WHOLE].value or -np.inf))
    return Scores(
        tuple(ordered),
        None if real.parts["raw", WHOLE].value is None else real,
        tuple(name for name, same in zip(panel.raters, constant, strict=True) if same),
    )


def standardised(marks: Floats) -> tuple[Floats, list[bool]]:
    """Return marks as standard deviations from each rater's own mean over the methods' clips.

    Also which raters gave one mark only: theirs become NaN.

    Shapes: (methods + 1, pairs, raters), planted real clips last.
    """
    found, constant = np.full(marks.shape, np.nan), []
    for number in range(marks.shape[2]):
        own = marks[:-1, :, number]
        given = own[~np.isnan(own)]
        spread = float(np.std(given, ddof=1)) if len(given) > 1 else 0.0
        constant.append(spread == 0.0)
        if spread > 0.0:
            found[:, :, number] = (marks[:, :, number] - given.mean()) / spread
    return found, constant


def clip_means(marks: Floats) -> Floats:
    """Return the mean over raters, NaN where nobody rated.

    Shapes: (..., raters) to (...).
    """
    there = ~np.isnan(marks)
    count = there.sum(axis=-1)
    total = np.where(there, marks, 0.0).sum(axis=-1)
    means: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means


def tails(count: int) -> tuple[float, float]:
    """Return the shares of the draws that a 95 % interval of a few groups ends at.

    Percentile intervals of a handful of groups are too narrow; these are as wide as Student's.

    Source: Hesterberg, What teachers should know about the bootstrap, The American Statistician
        69, 2015, section 4.3 (expanded percentile interval).
    """
    from scipy.stats import norm, t

    tail = float(norm.cdf(-np.sqrt(count / (count - 1)) * t.ppf(0.975, count - 1)))
    return tail, 1.0 - tail


def _by_pair(marks: Floats, pairs: Sequence[str]) -> dict[str, float]:
    means = clip_means(marks)
    return {p: float(m) for p, m in zip(pairs, means, strict=True) if not np.isnan(m)}


class _Bootstrap:
    """The same resampled subjects and raters for every method, so that differences are paired."""

    def __init__(self, panel: Panel, resamples: int, seed: int) -> None:
        raters = len(panel.raters)
        self.rng = np.random.default_rng(seed)
        self.raters = _times(self.rng.integers(0, raters, size=(resamples, raters)), raters)
        self.resamples = resamples
        subjects = panel.subjects
        self.members = {WHOLE: np.ones(len(subjects), dtype=bool)}
        if len(panel.datasets) > 1:
            for name in panel.datasets:
                self.members[name] = np.array([dataset == name for dataset, _ in subjects])
        self.counts = {
            part: len({subject for subject, inside in zip(subjects, mask, strict=True) if inside})
            for part, mask in self.members.items()
        }
        self.weights = {part: self._weights(mask, subjects) for part, mask in self.members.items()}

    def parts(self) -> list[str]:
        """Return all clips, the data sets where there are several, and then their composite."""
        names = list(self.members)
        return [*names, COMPOSITE] if len(names) > 1 else names

    def score(self, marks: Floats, part: str) -> Score:
        """Return the mean of one method's marks over a part of the clips.

        Shapes: (pairs, raters).
        """
        names = [name for name in self.members if name] if part == COMPOSITE else [part]
        means = [self._mean(marks, name) for name in names]
        n = int(sum((~np.isnan(clip_means(marks)))[self.members[name]].sum() for name in names))
        if any(mean is None for mean in means):
            return Score(None, None, n)
        draws = [self._draws(marks, name) for name in names]
        value = float(np.mean([mean for mean in means if mean is not None]))
        return Score(value, _ends(_sum(draws), self._subjects(names)), n)

    def _subjects(self, names: Sequence[str]) -> int:
        return sum(self.counts[name] for name in names)

    def places(self, marks: Floats) -> list[int | None]:
        """Return competition ranks, 1 for the best; rows that are not told apart share a place.

        A row is compared with the best of the place above it, as ``stats.ranks_by_interval`` does.

        Shapes: (methods, pairs, raters).
        """
        means = [(self._mean(row, WHOLE), number) for number, row in enumerate(marks)]
        order = sorted((-mean, number) for mean, number in means if mean is not None)
        ranks: list[int | None] = [None] * len(marks)
        leader = rank = -1
        for position, (_, number) in enumerate(order, start=1):
            if leader < 0 or self._told_apart(marks[leader], marks[number]):
                leader, rank = number, position
            ranks[number] = rank
        return ranks

    def _told_apart(self, a: Floats, b: Floats) -> bool:
        both = np.isnan(a) | np.isnan(b)
        first, second = np.where(both, np.nan, a), np.where(both, np.nan, b)
        if both.all():
            return True
        draws = self._draws(first, WHOLE), self._draws(second, WHOLE)
        if draws[0] is None or draws[1] is None:
            return False
        ends = _ends(draws[0] - draws[1], self._subjects([WHOLE]))
        return ends is not None and (ends[0] > 0 or ends[1] < 0)

    def _mean(self, marks: Floats, part: str) -> float | None:
        means = clip_means(marks)[self.members[part]]
        means = means[~np.isnan(means)]
        return float(means.mean()) if len(means) else None

    def _draws(self, marks: Floats, part: str) -> Floats | None:
        """Return the mean of each resample, NaN where one has no mark at all."""
        weights = self.weights[part]
        if weights is None:
            return None
        there = (~np.isnan(marks)).astype(np.float64)
        count = self.raters @ there.T
        total = self.raters @ np.where(there > 0, marks, 0.0).T
        times = weights * (count > 0)
        clips = times.sum(axis=1)
        sums = (times * total / np.maximum(count, 1.0)).sum(axis=1)
        draws: Floats = np.where(clips > 0, sums / np.maximum(clips, 1.0), np.nan)
        return draws

    def _weights(self, mask: NDArray[np.bool_], subjects: Sequence[Hashable]) -> Floats | None:
        """Return how often each pair stands in each resample of the part's subjects."""
        numbers: dict[Hashable, int] = {}
        codes = [
            numbers.setdefault(subject, len(numbers)) if inside else -1
            for subject, inside in zip(subjects, mask, strict=True)
        ]
        count = len(numbers)
        if count < 2:
            return None
        times = _times(self.rng.integers(0, count, size=(self.resamples, count)), count)
        weights: Floats = np.where(mask, times[:, codes], 0.0)
        return weights


def _times(draws: NDArray[np.int64], count: int) -> Floats:
    return np.stack([np.bincount(draw, minlength=count) for draw in draws]).astype(np.float64)


def _sum(draws: Sequence[Floats | None]) -> Floats | None:
    """Return the mean of draws, None where one is missing."""
    there = [draw for draw in draws if draw is not None]
    if len(there) < len(draws):
        return None
    mean: Floats = np.mean(there, axis=0)
    return mean


def _ends(draws: Floats | None, subjects: int) -> Interval | None:
    if draws is None:
        return None
    kept = draws[~np.isnan(draws)]
    if len(kept) < 2:
        return None
    low, high = np.quantile(kept, tails(subjects))
    return float(low), float(high)
