"""Compares two rows of a record on the same pairs: mean difference and its interval."""

from __future__ import annotations

from dataclasses import dataclass

from mebench.errors import UsageError, did_you_mean
from mebench.record import MethodRow, Record
from mebench.stats import PairedDifference, paired_difference


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
    a, b = _row(record, first), _row(record, second)
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
            f"'{first}' and '{second}' share {len(both)} values of '{key}'; a paired interval "
            "needs at least 2"
        )
    difference = paired_difference(
        [x for x, _ in both.values()],
        [y for _, y in both.values()],
        [record.groups.get(pair, pair) for pair in both],
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


def _row(record: Record, name: str) -> MethodRow:
    rows = {row.id: row for row in [record.result, *record.controls]}
    if name not in rows:
        raise UsageError(f"the record has no row '{name}'.{did_you_mean(name, rows)}")
    return rows[name]
