"""The one row model every table format is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mebench.errors import UsageError, did_you_mean
from mebench.record import MetricResult, Record, unlike
from mebench.report.model import (
    CLAIMED,
    PARTIAL,
    SEEDED,
    UNRANKED,
    Cell,
    Column,
    Entry,
    Mark,
    Spread,
    printed_number,
)
from mebench.report.model import Row as Row
from mebench.report.model import Table as Table
from mebench.report.notes import caption_of, notes_of
from mebench.report.parts import by_part, part_keys, part_title
from mebench.report.ranking import RULE, can_rank, places, rank_key

_ROW_MARKS = {"partial": (PARTIAL,), "self-reported": (CLAIMED,)}


def build_table(
    records: Sequence[Record],
    *,
    metrics: Sequence[str] | None = None,
    by_dataset: Sequence[str] = (),
    sort: str | None = None,
    caption: str | None = None,
    controls: bool = True,
    spread: Spread = "interval",
    decimals: int | None = None,
) -> Table:
    """Return the table of some records of one protocol on one index.

    Args:
        records: a record a method.
        metrics: columns; where neither these nor `by_dataset` are given the headline ones, and
            where there are none of those, all that have a better end.
        by_dataset: metrics with a column a data set and one for their composite.
        sort: column to order methods by, ``fid`` or ``fid:composite``.
        caption: in place of the default one.
        controls: whether control rows are shown.
        spread: what stands beside a mean: its interval, ± half its width, or nothing.
        decimals: digits after the point in place of those that fit each column.

    Raises:
        UsageError: when the records are not comparable, or a metric key is unknown.
    """
    if not records:
        raise UsageError("no records given; make one with: mebench run baseline fomm-prior")
    _require_comparable(records)
    entries = _entries(records, controls, by_dataset)
    known: dict[str, MetricResult] = {}
    for entry in entries:
        known.update({key: r for key, r in entry.results.items() if key not in known})
    keys = list(metrics or ())
    if not metrics and not by_dataset:
        keys = _shown(known)
    for key in [*keys, *by_dataset, *([sort] if sort else [])]:
        if key not in known:
            raise UsageError(f"unknown metric '{key}'.{did_you_mean(key, known)}")
    keys += part_keys(by_dataset, known)
    if sort is not None:
        entries = _sorted(entries, sort, known[sort].higher_is_better)
    whole = list(dict.fromkeys(key.partition(":")[0] for key in keys))
    by = rank_key(known, whole, sort)
    ranks = _ranks(records, by)
    ranked_by = by if by is not None and ranks else ""
    columns = tuple(_column(key, known[key], entries, decimals) for key in keys)
    marks = {column.key: _best_two(entries, column) for column in columns}
    essential, details = notes_of(records, entries, columns)
    if ranked_by:
        essential.insert(0, f"rank: by {known[ranked_by].title}; {RULE}.")
    return Table(
        columns=columns,
        rows=tuple(_row(entry, columns, marks, ranks) for entry in entries),
        caption=caption or caption_of(records, spread),
        notes=(*essential, *details),
        essential=len(essential),
        ranked_by=ranked_by,
        spread=spread,
        protocol=records[0].protocol.id,
    )


def _shown(known: Mapping[str, MetricResult]) -> list[str]:
    whole = {key: result for key, result in known.items() if ":" not in key}
    return [key for key, result in whole.items() if result.headline] or [
        key for key, result in whole.items() if result.higher_is_better is not None
    ]


def _row(
    entry: Entry,
    columns: Sequence[Column],
    marks: Mapping[str, Mapping[str, Mark]],
    ranks: Mapping[int, int],
) -> Row:
    status = "verified" if entry.control else entry.record.status
    unranked = bool(entry.row.unranked) and not entry.control
    return Row(
        id=entry.row.id,
        title=entry.row.title,
        control=entry.control,
        cells={
            column.key: _cell(entry, column, {} if _unmarked(entry) else marks[column.key])
            for column in columns
        },
        marks=(*_ROW_MARKS.get(status, ()), *([UNRANKED] if unranked else [])),
        rank=None if entry.control else ranks.get(id(entry.row)),
        status=status,
        unranked=unranked,
    )


def _ranks(records: Sequence[Record], key: str | None) -> dict[int, int]:
    """Return the ranks of the records' own rows, by the rows' identity."""
    found = [None] * len(records) if key is None else places(records, key)
    return {
        id(record.result): rank
        for record, rank in zip(records, found, strict=True)
        if rank is not None
    }


def _require_comparable(records: Sequence[Record]) -> None:
    first = records[0]
    given: set[tuple[str, str, str]] = set()
    for record in records:
        same = (record.result.id, record.result.pixel_digest, record.digest)
        if same in given and record.digest:
            raise UsageError(f"the record of '{record.result.id}' is given twice; leave one out")
        given.add(same)
    for other in records[1:]:
        found = unlike(first, other)
        if found:
            raise UsageError(
                f"records '{first.result.id}' and '{other.result.id}' differ in {found[0]}; "
                "rows of one table must share them: score both again on the same data"
            )


def _entries(records: Sequence[Record], controls: bool, by_dataset: Sequence[str]) -> list[Entry]:
    rows = [(record.result, record, False) for record in records]
    seen = {(row.id, row.pixel_digest) for row, _, _ in rows}
    for record in records if controls else ():
        for row in record.controls:
            if (row.id, row.pixel_digest) not in seen:
                seen.add((row.id, row.pixel_digest))
                rows.append((row, record, True))
    return [
        Entry(row, record, control, {**row.metrics, **by_part(row, record.groups, by_dataset)})
        for row, record, control in rows
    ]


def _sorted(entries: Sequence[Entry], key: str, higher: bool | None) -> list[Entry]:
    sign = -1.0 if higher else 1.0

    def place(entry: Entry) -> tuple[bool, bool, float]:
        result = entry.results.get(key)
        value = result.value if result else None
        return entry.control, value is None, sign * value if value is not None else 0.0

    return sorted(entries, key=place)


def _unmarked(entry: Entry) -> bool:
    return entry.control or not can_rank(entry.record)


def _best_two(entries: Sequence[Entry], column: Column) -> dict[str, Mark]:
    """Return the printed values that are best and second; what prints alike shares its mark."""
    if column.higher_is_better is None or column.mark == SEEDED:
        return {}
    results = [entry.results.get(column.key) for entry in entries if not _unmarked(entry)]
    values = [r.value for r in results if r is not None and r.value is not None]
    values.sort(reverse=column.higher_is_better)
    printed = [printed_number(value, column) for value in values]
    if len(set(printed)) < 2:
        return {}
    marks: dict[str, Mark] = {printed[0]: "best"}
    if printed[1] != printed[0]:  # two that share the first place leave no second one
        marks[printed[1]] = "second"
    return marks


def _cell(entry: Entry, column: Column, marks: Mapping[str, Mark]) -> Cell:
    result = entry.results.get(column.key)
    if result is None:
        return Cell(reason="not computed")
    if result.value is None:
        return Cell(reason=next(iter(result.failed.values()), "no value"))
    mark = marks.get(printed_number(result.value, column))
    return Cell(result.value, result.ci95, result.n, mark=mark)


def _column(
    key: str, result: MetricResult, entries: Sequence[Entry], decimals: int | None
) -> Column:
    found = [entry.results[key].value for entry in entries if key in entry.results]
    largest = max((abs(value) for value in found if value is not None), default=0.0)
    fitting = 3 if largest < 2 else 2 if largest < 100 else 1
    return Column(
        key,
        result.title,
        result.unit,
        result.higher_is_better,
        fitting if decimals is None else decimals,
        part_title(key),
    )
