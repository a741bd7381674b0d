"""Do the objective metrics say what the experts say? Rank correlation of the two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mebench.errors import UsageError
from mebench.rating.agreement import Coefficient
from mebench.rating.model import Key
from mebench.rating.scores import clip_means
from mebench.rating.unblind import Floats, Panel
from mebench.record import RATED, MetricResult, Record

FEWEST_METHODS, FEWEST_CLIPS = 3, 5
HOW = (
    "tau: Kendall's tau-b with the experts' means, positive where a metric prefers what they "
    "prefer; 95 % percentile bootstrap over driving subjects and raters, which leans towards 0 as "
    "a drawn panel holds fewer different raters"
)


@dataclass(frozen=True)
class Agreement:
    """How far a metric ranks as the experts do.

    Attributes:
        direction: 1 for higher is better, -1 for lower; None for a diagnostic, taken as it is.
        methods: over the methods' means.
        clips: over all generated clips.
        within: mean over methods of tau over that method's clips: which clips came out well.
    """

    key: str
    title: str
    direction: int | None
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
    """Return how far each metric of the records ranks as the panel does, by metric key.

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
            if not key.startswith(RATED):
                known.setdefault(key, result)
    draws = _Draws(panel, [record.result.id for record in ordered], resamples, seed)
    return [_agreement(key, result, ordered, panel, draws) for key, result in known.items()]


class _Draws:
    """The experts' means of each clip, for the panel itself and for each resample of raters."""

    def __init__(self, panel: Panel, names: Sequence[str], resamples: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        rows = [panel.methods.index(name) for name in names]
        self.marks = panel.entries(panel.score)[rows]
        self.experts = clip_means(self.marks)
        raters = self.marks.shape[2]
        self.chosen = rng.integers(0, raters, size=(resamples, raters))
        numbers: dict[object, int] = {}
        codes = np.array([numbers.setdefault(one, len(numbers)) for one in panel.subjects])
        count = len(numbers)
        self.enough = count >= 2
        drawn = rng.integers(0, count, size=(resamples, count))
        self.times = np.stack([np.bincount(d, minlength=count)[codes] for d in drawn])

    def __iter__(self) -> Iterator[tuple[Floats, Floats]]:
        """Yield the experts' means and the weight of each pair in each resample."""
        for chosen, times in zip(self.chosen, self.times, strict=True):
            yield clip_means(self.marks[:, :, chosen]), times.astype(np.float64)


def _agreement(
    key: str, result: MetricResult, records: Sequence[Record], panel: Panel, draws: _Draws
) -> Agreement:
    direction = None if result.higher_is_better is None else 1 if result.higher_is_better else -1
    sign = direction or 1
    if result.level == "set":
        values = np.array([_value(record, key) for record in records]) * sign
        none = Coefficient(None, reason="one value for all clips")
        return Agreement(key, result.title, direction, _over_methods(values, draws), none, none)
    clips = sign * np.array(
        [[_clip(record, key, pair) for pair in panel.pairs] for record in records]
    )
    return Agreement(
        key,
        result.title,
        direction,
        _over_methods(clips, draws),
        _over_clips(clips, draws, within=False),
        _over_clips(clips, draws, within=True),
    )


def _over_methods(values: Floats, draws: _Draws) -> Coefficient:
    """Compare methods' means.

    Shapes: (methods,) of set values or (methods, pairs).
    """
    fixed = values.ndim == 1
    clips = np.repeat(values[:, None], draws.experts.shape[1], axis=1) if fixed else values
    one = np.ones(clips.shape[1])
    mine, theirs = _weighted(clips, draws.experts, one)
    known = ~np.isnan(mine) & ~np.isnan(theirs)
    count = int(known.sum())
    if count < FEWEST_METHODS:
        return Coefficient(None, None, count, 0, f"{count} methods; needs {FEWEST_METHODS}")
    tau = tau_b(mine[known], theirs[known])
    if tau is None:
        return Coefficient(None, None, count, 0, "all values or all marks are the same")
    drawn = []
    for experts, times in draws if draws.enough else ():
        a, b = _weighted(clips[known], experts[known], times)
        if not np.isnan(a).any() and not np.isnan(b).any():
            drawn.append(tau_b(a, b))
    return Coefficient(tau, _ends(drawn), count)


def _weighted(clips: Floats, experts: Floats, times: Floats) -> tuple[Floats, Floats]:
    """Return both means of each method over the pairs that both have."""
    there = (~np.isnan(clips) & ~np.isnan(experts)) * times
    count = there.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mine: Floats = (there * np.nan_to_num(clips)).sum(axis=1) / count
        theirs: Floats = (there * np.nan_to_num(experts)).sum(axis=1) / count
    return mine, theirs


def _over_clips(clips: Floats, draws: _Draws, *, within: bool) -> Coefficient:
    """Compare clips, all together or within each method.

    Shapes: (methods, pairs).
    """
    known = ~np.isnan(clips) & ~np.isnan(draws.experts)
    parts = [known[[row]] for row in range(len(known))] if within else [known]
    places = [
        (np.array([row]) if within else np.arange(len(known)), part)
        for row, part in enumerate(parts)
        if part.sum() >= FEWEST_CLIPS
    ]
    n = int(sum(part.sum() for _, part in places))
    if not places:
        return Coefficient(None, None, n, 0, f"fewer than {FEWEST_CLIPS} clips with both")
    pairs = np.broadcast_to(np.arange(clips.shape[1]), clips.shape)
    signs = [_signs(clips[rows][part]) for rows, part in places]

    def mean(experts: Floats, times: Floats) -> float | None:
        found = [
            _tau(sign, _signs(experts[rows][part]), times[pairs[rows][part]])
            for sign, (rows, part) in zip(signs, places, strict=True)
        ]
        there = [one for one in found if one is not None]
        return float(np.mean(there)) if there else None

    tau = mean(draws.experts, np.ones(clips.shape[1]))
    if tau is None:
        return Coefficient(None, None, n, 0, "all values or all marks are the same")
    drawn = [mean(experts, times) for experts, times in (draws if draws.enough else ())]
    return Coefficient(tau, _ends(drawn), n)


def tau_b(a: Floats, b: Floats) -> float | None:
    """Return Kendall's tau-b, None where one side is all the same.

    Source: Kendall, The treatment of ties in ranking problems, Biometrika 33, 1945.
    """
    return _tau(_signs(a), _signs(b), np.ones(len(a)))


def _signs(values: Floats) -> Floats:
    found: Floats = np.sign(np.subtract.outer(values, values))
    return found


def _tau(a: Floats, b: Floats, times: Floats) -> float | None:
    """Return tau-b of points that stand `times` times each, as a bootstrap sample has them."""
    b = np.nan_to_num(b)
    same = times @ (a * b) @ times
    below = (times @ (a * a) @ times) * (times @ (b * b) @ times)
    return float(same / np.sqrt(below)) if below > 0 else None


def _ends(drawn: Sequence[float | None]) -> tuple[float, float] | None:
    kept = [one for one in drawn if one is not None]
    if len(kept) < 2:
        return None
    low, high = np.quantile(kept, (0.025, 0.975))
    return float(low), float(high)


def _value(record: Record, key: str) -> float:
    result = record.result.metrics.get(key)
    return float("nan") if result is None or result.value is None else result.value


def _clip(record: Record, key: str, pair: str) -> float:
    values: Mapping[str, float | None] = record.result.per_clip.get(pair, {})
    value = values.get(key)
    return float("nan") if value is None else value
