"""From what was measured on each pair to a row: means, intervals, values by data set."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from mebench.metrics.base import Metric, MetricInfo, Missing, Value
from mebench.record import MethodRow, MetricResult
from mebench.types import Pair

INTERVALS = "95 % BCa bootstrap over driving subjects"
"""How the interval of a mean is made; a record says it."""


def add_clip_values(
    row: MethodRow,
    family: Metric,
    pairs: Sequence[Pair],
    described: Sequence[Any],
    groups: Sequence[str],
    seed: int,
) -> None:
    """Add the values of every pair to a row, and their means with intervals."""
    values: dict[str, list[Value]] = defaultdict(list)
    for one in described:
        for key, value in family.clip_values(one).items():
            values[key].append(_finite(value))
    for info in family.infos:
        if info.level == "clip" and info.key in values:
            column = values[info.key]
            for pair, value in zip(pairs, column, strict=True):
                row.per_clip[pair.key][info.key] = None if isinstance(value, Missing) else value
            row.metrics[info.key] = _mean(info, pairs, column, groups, seed)


def _mean(
    info: MetricInfo,
    pairs: Sequence[Pair],
    column: Sequence[Value],
    groups: Sequence[str],
    seed: int,
) -> MetricResult:
    from mebench.stats import bootstrap_interval

    kept = [(v, g) for v, g in zip(column, groups, strict=True) if not isinstance(v, Missing)]
    result = _result(info, n=len(kept))
    result.failed = {
        pair.key: value.reason
        for pair, value in zip(pairs, column, strict=True)
        if isinstance(value, Missing)
    }
    if kept:
        numbers = np.array([value for value, _ in kept], dtype=np.float64)
        result.value = float(numbers.mean())
        result.ci95 = bootstrap_interval(
            numbers, [group for _, group in kept], seed=seed, method="bca"
        )
    return result


def set_values(family: Metric, described: Sequence[Any]) -> dict[str, MetricResult]:
    """Return the values a family has of all pairs together."""
    infos = {info.key: info for info in family.infos if info.level == "set"}
    found: dict[str, MetricResult] = {}
    if not infos or not described:
        return found
    for key, value in family.set_values(described).items():
        result = _result(infos[key], n=len(described))
        checked = _finite(value)
        if isinstance(checked, Missing):
            result.failed = {"*": checked.reason}
        else:
            result.value = checked
        found[key] = result
    return found


def _result(info: MetricInfo, n: int) -> MetricResult:
    return MetricResult(
        title=info.title,
        unit=info.unit,
        higher_is_better=info.higher_is_better,
        level=info.level,
        headline=info.headline,
        n=n,
    )


def _finite(value: Value) -> Value:
    if isinstance(value, Missing):
        return value
    return float(value) if math.isfinite(value) else Missing("not a finite number")


def add_parts(
    row: MethodRow,
    family: Metric,
    pairs: Sequence[Pair],
    described: Sequence[Any],
    parts: Sequence[str],
) -> None:
    """Add the values by data set of the driving clip, and their mean."""
    names = sorted(set(parts))
    found: dict[str, dict[str, float | None]] = {}
    for part in names:
        mine = [i for i, name in enumerate(parts) if name == part]
        values = found[part] = {}
        for info in family.infos:
            column = [row.per_clip[pairs[i].key].get(info.key) for i in mine]
            kept = [value for value in column if value is not None]
            if info.level == "clip" and info.key in row.metrics:
                values[info.key] = float(np.mean(kept)) if kept else None
        for key, result in set_values(family, [described[i] for i in mine]).items():
            values[key] = result.value
        row.by_dataset.setdefault(part, {}).update(values)
    composite = row.by_dataset.setdefault("composite", {})
    for key in found[names[0]]:
        column = [found[part].get(key) for part in names]
        whole = [value for value in column if value is not None]
        composite[key] = float(np.mean(whole)) if len(whole) == len(names) else None
