"""Results by data set of the driving clip, as the papers' tables have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mebench.errors import UsageError
from mebench.record import MethodRow, MetricResult

COMPOSITE = "composite"


def by_part(
    row: MethodRow, groups: Mapping[str, str], metrics: Sequence[str]
) -> dict[str, MetricResult]:
    """Return ``{"metric:data set": result}`` of a row.

    Intervals are made anew from the pairs' values; a composite, and a value that all pairs have
    together, has none.
    """
    return {
        f"{metric}:{part}": _result(row, row.metrics[metric], metric, part, values, groups)
        for metric in metrics
        if metric in row.metrics
        for part, values in row.by_dataset.items()
    }


def _result(
    row: MethodRow,
    whole: MetricResult,
    metric: str,
    part: str,
    values: Mapping[str, float | None],
    groups: Mapping[str, str],
) -> MetricResult:
    mine = [pair for pair in row.per_clip if part in (COMPOSITE, _part_of(pair, groups))]
    kept = [pair for pair in mine if row.per_clip[pair].get(metric) is not None]
    value = values.get(metric)
    failed = {pair: reason for pair, reason in whole.failed.items() if pair in mine}
    return whole.model_copy(
        update={
            "value": value,
            "ci95": None if part == COMPOSITE else _interval(row, metric, kept, groups),
            "n": len(kept if whole.level == "clip" else mine),
            "failed": {} if value is not None else failed or {"*": f"no value on {part}"},
            "headline": False,
        }
    )


def _part_of(pair: str, groups: Mapping[str, str]) -> str:
    return groups.get(pair, "").partition(".")[0]


def _interval(
    row: MethodRow, metric: str, pairs: Sequence[str], groups: Mapping[str, str]
) -> tuple[float, float] | None:
    from mebench.stats import bootstrap_interval

    found = [(row.per_clip[pair][metric], groups.get(pair, pair)) for pair in pairs]
    numbers = [value for value, _ in found if value is not None]
    if not numbers:
        return None
    return bootstrap_interval(numbers, [group for _, group in found], seed=0, method="bca")


def part_keys(metrics: Sequence[str], known: Mapping[str, MetricResult]) -> list[str]:
    """Return the columns of metrics by data set, the composite last of each.

    Raises:
        UsageError: when no record has values by data set.
    """
    keys: list[str] = []
    for metric in metrics:
        mine = [key for key in known if key.partition(":")[0] == metric and ":" in key]
        if not mine:
            raise UsageError(
                f"no record has '{metric}' by data set; those of protocols with several data sets "
                "have it, such as megc2022"
            )
        keys += sorted(mine, key=lambda key: (key.endswith(f":{COMPOSITE}"), key))
    return keys


def part_title(key: str) -> str:
    """Return the name of a column's data set in print, empty for a column of all pairs."""
    from mebench.datasets.base import DATASETS
    from mebench.registry import load_object

    part = key.partition(":")[2]
    if part in DATASETS:
        title: str = load_object(DATASETS[part]).info.title
        return title
    return part.capitalize() if part == COMPOSITE else part
