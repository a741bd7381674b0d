"""Compares two rows of a record on the same pairs: mean difference and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from mebench.errors import UsageError, did_you_mean
from mebench.record import MethodRow, MetricResult, Record
from mebench.stats import PairedDifference, holm, paired_difference

_LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """How much one row differs from another on one metric.

    Attributes:
        key: metric.
        unit: of the difference; empty for a bare number.
        difference: first row less second row, over the pairs that both have a value for.
        better: whether the first row is better; None where that cannot be said.
        verdict: the same in words, with the reason.
        wins: pairs in which the first row is better, and in which it is worse; larger and smaller
            for a metric without a better end.
    """

    key: str
    unit: str
    difference: PairedDifference
    better: bool | None
    verdict: str
    wins: tuple[int, int]

    def line(self) -> str:
        """Return one line for people, such as ``flow_epe_px -0.010 px [-0.014, -0.006], n 8``."""
        interval = self.difference.interval
        span = "" if interval is None else f" [{interval[0]:+.4f}, {interval[1]:+.4f}]"
        unit = f" {self.unit}" if self.unit else ""
        count = f", n {self.difference.n}: {self.verdict}"
        return f"{self.key} {self.difference.mean:+.4f}{unit}{span}{count}"


def compare_rows(record: Record, first: str, second: str, key: str, *, seed: int = 0) -> Comparison:
    """Compare two rows of a record on a metric that has a value for each pair.

    Raises:
        UsageError: for an unknown row or metric, or fewer than two pairs with both values.
    """
    a, b = row_of(record, first), row_of(record, second)
    return compare_same_pairs(a, b, record.groups, key, seed=seed)


def compare_same_pairs(
    a: MethodRow, b: MethodRow, groups: Mapping[str, str], key: str, *, seed: int = 0
) -> Comparison:
    """Compare two rows on a metric, over the pairs that both have a value for.

    Args:
        a: first row.
        b: second row.
        groups: subject of the driving clip by pair.
        key: metric.
        seed: of the resampling.

    Raises:
        UsageError: for an unknown metric, or fewer than two pairs with both values.
    """
    for row in (a, b):
        if key not in row.metrics:
            raise UsageError(
                f"row '{row.id}' has no metric '{key}'.{did_you_mean(key, row.metrics)}"
            )
    # In one order: resampling draws by place, and a record read from a file has another order.
    values = {
        pair: (a.per_clip[pair].get(key), b.per_clip[pair].get(key))
        for pair in sorted(a.per_clip)
        if pair in b.per_clip
    }
    both = {p: (x, y) for p, (x, y) in values.items() if x is not None and y is not None}
    if len(both) < 2:
        raise UsageError(
            f"'{a.id}' and '{b.id}' share {len(both)} values of '{key}'; a paired interval "
            "needs at least 2"
        )
    difference = paired_difference(
        [x for x, _ in both.values()],
        [y for _, y in both.values()],
        [groups.get(pair, pair) for pair in both],
        seed=seed,
    )
    return _judged(key, a.metrics[key], difference, difference.p_value)


def _judged(
    key: str,
    metric: MetricResult,
    difference: PairedDifference,
    p_value: float | None,
    together: int = 1,
) -> Comparison:
    """Return a comparison with its verdict, the one rule for all of them.

    A difference is told where its p-value, corrected for all comparisons shown with it, is at most
    5 % and its interval excludes 0. The p-value of the test over subjects is at least 2 / 2**n, and
    is multiplied by the number of comparisons `together`: too few subjects are named as the reason.
    """
    higher, interval, subjects = metric.higher_is_better, difference.interval, difference.groups
    sides = (difference.wins, difference.losses)
    wins = sides[::-1] if higher is False else sides
    apart = interval is not None and (interval[0] > 0 or interval[1] < 0)
    better = None
    if p_value is None or together * 2.0 ** (1 - subjects) > _LEVEL:
        verdict = f"cannot be told with {subjects} subject{'s' if subjects != 1 else ''}"
    elif not apart or p_value > _LEVEL:
        verdict = "not told apart"
    elif higher is None:
        verdict = "larger" if difference.mean > 0 else "smaller"
    else:
        better = (difference.mean > 0) == higher
        verdict = "better" if better else "worse"
    return Comparison(key, metric.unit, difference, better, verdict, wins)


def _together(
    found: Sequence[tuple[MethodRow, Comparison]],
) -> list[tuple[Comparison, float | None]]:
    """Return comparisons judged as those that are shown together, with their p-values."""
    corrected = holm([one.difference.p_value for _, one in found])
    count = sum(p is not None for p in corrected)
    return [
        (_judged(one.key, row.metrics[one.key], one.difference, p, count), p)
        for (row, one), p in zip(found, corrected, strict=True)
    ]


def training_effect(record: Record, keys: tuple[str, ...], *, seed: int = 0) -> list[Comparison]:
    """Return what training changed on each of `keys` that can be compared."""
    if "untrained" not in {row.id for row in record.controls}:
        return []
    found = []
    for key in keys:
        if key in record.result.metrics:
            try:
                one = compare_rows(record, record.result.id, "untrained", key, seed=seed)
            except UsageError:
                continue
            found.append((record.result, one))
    return [one for one, _ in _together(found)]


@dataclass(frozen=True)
class Side:
    """One of the rows that are compared, with the name it was given."""

    name: str
    record: Record
    row: MethodRow


@dataclass(frozen=True)
class Versus:
    """One comparison of many; `p_holm` holds for all of them together."""

    first: str
    second: str
    comparison: Comparison
    p_holm: float | None


def side(text: str) -> Side:
    """Return the row that ``record.json`` or ``record.json:row`` names.

    Raises:
        UsageError: for a record that cannot be read, or an unknown row.
    """
    path, row = text, ""
    if not Path(text).is_file() and ":" in text:
        path, _, row = text.rpartition(":")
    record = Record.load(Path(path))
    return Side(text, record, row_of(record, row or record.result.id))


def compare_sides(
    sides: Sequence[Side], keys: Sequence[str] = (), *, seed: int = 0
) -> list[Versus]:
    """Compare every two rows on every metric; without `keys` on the headline metrics of the first.

    Raises:
        UsageError: for rows of other protocols, clips or pairs, or an unknown metric.
    """
    first = sides[0]
    for other in sides[1:]:
        _require_same(first, other)
    shown = keys or [
        key
        for key, metric in first.row.metrics.items()
        if metric.headline
        and metric.level == "clip"
        and all(key in other.row.metrics for other in sides)
    ]
    if not shown:
        raise UsageError(f"{first.name}: no headline metric to compare; name one with --metric")
    pairs = [(a, b, key) for a, b in combinations(sides, 2) for key in shown]
    judged = _together(
        [
            (a.row, compare_same_pairs(a.row, b.row, first.record.groups, key, seed=seed))
            for a, b, key in pairs
        ]
    )
    return [
        Versus(a.name, b.name, one, p) for (a, b, _), (one, p) in zip(pairs, judged, strict=True)
    ]


def _require_same(a: Side, b: Side) -> None:
    checks = (
        ("protocol", a.record.protocol.digest, b.record.protocol.digest),
        ("clips", a.record.dataset.index_digest, b.record.dataset.index_digest),
        ("pairs", sorted(a.row.per_clip), sorted(b.row.per_clip)),
    )
    for what, mine, theirs in checks:
        if mine != theirs:
            raise UsageError(
                f"{b.name}: has other {what} than {a.name}; only results on the same {what} "
                "can be compared"
            )


def row_of(record: Record, name: str) -> MethodRow:
    """Return the row of a record, its own or a control.

    Raises:
        UsageError: for an unknown row.
    """
    rows = {row.id: row for row in [record.result, *record.controls]}
    if name not in rows:
        raise UsageError(f"the record has no row '{name}'.{did_you_mean(name, rows)}")
    return rows[name]
