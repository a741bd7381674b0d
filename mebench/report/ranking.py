"""Places in a table: methods that a paired interval does not tell apart share one."""

from __future__ import annotations

from collections.abc import Sequence

from mebench.record import MetricResult, Record
from mebench.stats import ranks_by_interval

RULE = (
    "methods share a place where the 95 % interval of their paired difference holds 0; controls, "
    "partial results, copies and faces that are not the template's have none"
)


def rank_key(known: dict[str, MetricResult], keys: Sequence[str], sort: str | None) -> str | None:
    """Return the headline metric that methods are ranked by, or None when there is none.

    That is the one the rows are sorted by, else the first one shown. It needs a value for each
    pair, a direction, and no stand-in weights.
    """
    named = [key for key in (sort, *keys) if key is not None and known[key].headline]
    if not named:
        return None
    chosen = known[named[0]]
    fit = chosen.level == "clip" and chosen.higher_is_better is not None
    return named[0] if fit and "~seeded" not in named[0] else None


def can_rank(record: Record) -> bool:
    """Whether a record's own row may have a place, and be marked as best."""
    return record.status != "partial" and not record.result.unranked


def places(records: Sequence[Record], key: str) -> list[int | None]:
    """Return the place of each record's own row; None for one that can have none, or when alone."""
    ranked = [record for record in records if can_rank(record)]
    pairs = sorted({pair for record in ranked for pair in record.result.per_clip})
    groups = {pair: group for record in ranked for pair, group in record.groups.items()}
    columns = [
        [record.result.per_clip.get(pair, {}).get(key) for pair in pairs]
        if can_rank(record)
        else [None] * len(pairs)
        for record in records
    ]
    higher = any(
        record.result.metrics[key].higher_is_better
        for record in records
        if key in record.result.metrics
    )
    found = ranks_by_interval(
        columns, [groups.get(pair, pair) for pair in pairs], higher_is_better=higher
    )
    alone = sum(place is not None for place in found) < 2
    return [None] * len(records) if alone else found
