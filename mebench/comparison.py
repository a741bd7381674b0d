"""Compares two rows of a record on the same pairs: mean difference and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from mebench.errors import UsageError, did_you_mean
from mebench.record import MethodRow, Record
from mebench.stats import PairedDifference, holm, paired_difference


@dataclass(frozen=True)
class Comparison:
    """How much one row differs from another on one metric.

    Attributes:
        key: metric.
        unit: of the difference; empty for a bare number.
        difference: first row less second row, over the pairs that both have a value for.
        better: True or False where the interval excludes 0, None where it does not.
    """

    key: str
    unit: str
    difference: PairedDifference
    better: bool | None

    def line(self) -> str:
        """Return one line for people, such as ``flow_epe_px -0.010 px [-0.014, -0.006], n 8``."""
        interval = self.difference.interval
        span = "" if interval is None else f" [{interval[0]:+.4f}, {interval[1]:+.4f}]"
        verdict = {True: "better", False: "worse", None: "not told apart"}[self.better]
        unit = f" {self.unit}" if self.unit else ""
        return (
            f"{self.key} {self.difference.mean:+.4f}{unit}{span}, n {self.difference.n}: {verdict}"
        )


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
    values = {
        pair: (a.per_clip[pair].get(key), b.per_clip[pair].get(key))
        for pair in a.per_clip
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
    metric, interval = a.metrics[key], difference.interval
    sure = interval is not None and (interval[0] > 0 or interval[1] < 0)
    better = (difference.mean > 0) == metric.higher_is_better if sure else None
    return Comparison(key, metric.unit, difference, better)


def training_effect(record: Record, keys: tuple[str, ...], *, seed: int = 0) -> list[Comparison]:
    """Return what training changed on each of `keys` that can be compared."""
    if "untrained" not in {row.id for row in record.controls}:
        return []
    found = []
    for key in keys:
        if key in record.result.metrics:
            try:
                found.append(compare_rows(record, record.result.id, "untrained", key, seed=seed))
            except UsageError:
                continue
    return found


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
    found = [
        (a.name, b.name, compare_same_pairs(a.row, b.row, first.record.groups, key, seed=seed))
        for a, b in combinations(sides, 2)
        for key in shown
    ]
    corrected = holm([one.difference.p_value for _, _, one in found])
    return [Versus(a, b, one, p) for (a, b, one), p in zip(found, corrected, strict=True)]


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
