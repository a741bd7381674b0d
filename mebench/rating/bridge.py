"""Do the objective metrics say what the experts say? Rank correlation of the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError
from mebench.rating.agreement import Coefficient
from mebench.rating.model import Key
from mebench.rating.scores import clip_means
from mebench.rating.unblind import Floats, Panel
from mebench.record import RATED, MetricResult, Record

FEWEST_METHODS, FEWEST_CLIPS = 3, 5
_MOST = 4_000_000
"""Numbers held at once, a block of metrics or of draws."""
Indices = NDArray[np.intp]
HOW = (
    "tau: Kendall's tau-b with the experts' means, positive where a metric prefers what they "
    "prefer; 95 % percentile bootstrap over driving subjects and raters, which leans towards 0 as "
    "a drawn panel holds fewer different raters"
)


@dataclass(frozen=True)
class Agreement:
    """How far a metric ranks as the experts do.

    Attributes:
        methods: over the methods' means.
        clips: over all generated clips.
        within: mean over methods of tau over that method's clips: which clips came out well.
    """

    key: str
    title: str
    methods: Coefficient
    clips: Coefficient
    within: Coefficient


def require_rated(key: Key, records: Sequence[Record]) -> None:
    """Refuse records of other pixels, protocol or clips than were rated.

    Raises:
        UsageError: names the record, what differs, and what to do.
    """
    seen: set[str] = set()
    for record in records:
        name = record.result.id
        if name not in key.methods:
            raise UsageError(f"record of '{name}': the panel rated {', '.join(key.methods)} only")
        if name in seen:
            raise UsageError(f"record of '{name}' is given twice; leave one out")
        seen.add(name)
        for what, rated, own in (
            ("protocol", key.protocol.digest, record.protocol.digest),
            ("clips", key.index_digest, record.dataset.index_digest),
            ("outputs", key.methods[name].pixel_digest, record.result.pixel_digest),
        ):
            if rated != own:
                raise UsageError(
                    f"record of '{name}': its {what} ({own[:12]}) are not those that were rated "
                    f"({rated[:12]}); score the submission that was rated, on the same protocol"
                )


def compare(
    panel: Panel, records: Sequence[Record], *, resamples: int = 500, seed: int = 0
) -> list[Agreement]:
    """Return how far each metric of the records that has a better end ranks as the panel does.

    Raises:
        UsageError: for records that were not what was rated.
    """
    require_rated(panel.key, records)
    ordered = [record for name in panel.methods for record in records if record.result.id == name]
    if not ordered:
        return []
    known: dict[str, MetricResult] = {}
    for record in ordered:
        for key, result in record.result.metrics.items():
            if result.higher_is_better is not None and not key.startswith(RATED):
                known.setdefault(key, result)
    draws = _Draws(panel, [record.result.id for record in ordered], resamples, seed)
    clip = {
        key: _clips(ordered, panel, key, one) for key, one in known.items() if one.level == "clip"
    }
    over_clips, within = _over_clips(clip, draws)
    found = []
    for key, result in known.items():
        none = Coefficient(None, reason="one value for all clips")
        values = clip.get(key)
        if values is None:
            fixed = np.array([_value(record, key) for record in ordered]) * _sign(result)
            values = np.repeat(fixed[:, None], len(panel.pairs), axis=1)
        found.append(
            Agreement(
                key=key,
                title=f"{result.title} ({result.unit})" if result.unit else result.title,
                methods=_over_methods(values, draws),
                clips=over_clips.get(key, none),
                within=within.get(key, none),
            )
        )
    return found


class _Draws:
    """The experts' means of each clip and how often it stands, for the panel and its resamples.

    Attributes:
        experts: (1 + draws, methods, pairs), the panel itself first.
        times: (1 + draws, pairs).
    """

    def __init__(self, panel: Panel, names: Sequence[str], resamples: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        marks = panel.entries(panel.score)[[panel.methods.index(name) for name in names]]
        numbers: dict[object, int] = {}
        codes = np.array([numbers.setdefault(one, len(numbers)) for one in panel.subjects])
        raters, count = marks.shape[2], len(numbers)
        chosen = rng.integers(0, raters, size=(resamples, raters))
        drawn = rng.integers(0, count, size=(resamples, count))
        # One subject says nothing about others.
        if count < 2:
            chosen, drawn = chosen[:0], drawn[:0]
        means = [clip_means(marks), *(clip_means(marks[:, :, one]) for one in chosen)]
        times = [np.ones(len(codes)), *(np.bincount(d, minlength=count)[codes] for d in drawn)]
        self.experts = np.stack(means)
        self.times = np.stack(times).astype(np.float64)


def _over_methods(clips: Floats, draws: _Draws) -> Coefficient:
    """Compare methods' means over the pairs that both sides have.

    Shapes: (methods, pairs).
    """
    there = ~np.isnan(clips) & ~np.isnan(draws.experts)
    times = there * draws.times[:, None, :]
    count = times.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mine = (times * np.nan_to_num(clips)).sum(axis=2) / count
        theirs = (times * np.nan_to_num(draws.experts)).sum(axis=2) / count
    n = int((count[0] > 0).sum())
    if n < FEWEST_METHODS:
        return Coefficient(None, None, n, 0, f"{n} methods; needs {FEWEST_METHODS}")
    rated = count[0] > 0
    taus = [tau_b(a, b) for a, b in zip(mine[:, rated], theirs[:, rated], strict=True)]
    return _coefficient(np.array([np.nan if tau is None else tau for tau in taus]), n)


def _over_clips(
    clips: Mapping[str, Floats], draws: _Draws
) -> tuple[dict[str, Coefficient], dict[str, Coefficient]]:
    """Compare clips, all together and within each method, for all metrics at once.

    Shapes: (methods, pairs) a metric.
    """
    if not clips:
        return {}, {}
    stack = np.stack(list(clips.values()))
    metrics, methods, _ = stack.shape
    known = ~np.isnan(stack) & ~np.isnan(draws.experts[0])
    flat = draws.experts.reshape(len(draws.experts), -1)
    together = taus(stack.reshape(metrics, -1), flat, np.tile(draws.times, (1, methods)))
    few = known.sum(axis=2) < FEWEST_CLIPS
    each = np.stack(
        [taus(stack[:, row], draws.experts[:, row], draws.times) for row in range(methods)]
    )
    each[few.T] = np.nan
    there = ~np.isnan(each)
    total = np.where(there, each, 0.0).sum(axis=0)
    within = np.where(there.any(axis=0), total / np.maximum(there.sum(axis=0), 1), np.nan)
    why = f"fewer than {FEWEST_CLIPS} clips with both"
    found: tuple[dict[str, Coefficient], dict[str, Coefficient]] = {}, {}
    for number, key in enumerate(clips):
        n = int(known[number].sum())
        inside = int(known[number][~few[number]].sum())
        none = Coefficient(None, None, n, 0, why)
        found[0][key] = _coefficient(together[number], n) if n >= FEWEST_CLIPS else none
        found[1][key] = _coefficient(within[number], inside) if inside else none
    return found


def taus(values: Floats, experts: Floats, times: Floats) -> Floats:
    """Return Kendall's tau-b of every metric in every draw, NaN where one side is all the same.

    A point that stands n times counts as n tied points do. Missing points are left out.

    Shapes: values (metrics, points), experts and times (draws, points) to (metrics, draws).
    Source: Kendall, The treatment of ties in ranking problems, Biometrika 33, 1945.
    """
    first, second = np.triu_indices(values.shape[1], 1)
    found = np.full((len(values), len(experts)), np.nan)
    step = max(1, _MOST // max(1, len(first)))
    for row in range(0, len(values), step):
        part = values[row : row + step]
        mine, known = _signs(part, first, second)
        for start in range(0, len(experts), step):
            place = slice(start, start + step)
            theirs, rated = _signs(experts[place], first, second)
            weight = times[place][:, first] * times[place][:, second]
            same = mine @ (weight * theirs).T
            below = (mine**2 @ (weight * rated).T) * (known @ (weight * theirs**2).T)
            with np.errstate(invalid="ignore", divide="ignore"):
                found[row : row + step, place] = np.where(
                    below > 0, same / np.sqrt(np.maximum(below, 1e-300)), np.nan
                )
    return found


def tau_b(a: Floats, b: Floats) -> float | None:
    """Return Kendall's tau-b, None where one side is all the same."""
    found = float(taus(a[None], b[None], np.ones((1, len(a))))[0, 0])
    return None if np.isnan(found) else found


def _signs(values: Floats, first: Indices, second: Indices) -> tuple[Floats, Floats]:
    """Return the sign of each difference, 0 where one side is missing, and where none is."""
    gaps = values[:, first] - values[:, second]
    return np.nan_to_num(np.sign(gaps)), (~np.isnan(gaps)).astype(np.float64)


def _coefficient(found: Floats, n: int) -> Coefficient:
    """Return tau, its draws behind it, as a coefficient with its interval."""
    if np.isnan(found[0]):
        return Coefficient(None, None, n, 0, "all values or all marks are the same")
    kept = found[1:][~np.isnan(found[1:])]
    if len(kept) < 2:
        return Coefficient(float(found[0]), None, n)
    low, high = np.quantile(kept, (0.025, 0.975))
    return Coefficient(float(found[0]), (float(low), float(high)), n)


def _sign(result: MetricResult) -> int:
    """Return 1 for higher is better, else -1."""
    return -1 if result.higher_is_better is False else 1


def _clips(records: Sequence[Record], panel: Panel, key: str, result: MetricResult) -> Floats:
    values = [[_clip(record, key, pair) for pair in panel.pairs] for record in records]
    return _sign(result) * np.array(values, dtype=np.float64)


def _value(record: Record, key: str) -> float:
    result = record.result.metrics.get(key)
    return float("nan") if result is None or result.value is None else result.value


def _clip(record: Record, key: str, pair: str) -> float:
    values: Mapping[str, float | None] = record.result.per_clip.get(pair, {})
    value = values.get(key)
    return float("nan") if value is None else value
