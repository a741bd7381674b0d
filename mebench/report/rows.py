"""The one row model every table format is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mebench.comparison import training_effect
from mebench.errors import UsageError, did_you_mean
from mebench.record import MethodRow, MetricResult, Record
from mebench.report.ranking import RULE, places, rank_key

Mark = Literal["best", "second"]
_IMAGE_QUALITY = ("psnr_db",)
_ARROWS = {True: "↑", False: "↓", None: ""}


@dataclass(frozen=True)
class Column:
    """One metric as a table shows it."""

    key: str
    title: str
    unit: str
    higher_is_better: bool | None
    decimals: int

    @property
    def arrow(self) -> str:
        """Return the direction as an arrow, empty for a diagnostic."""
        return _ARROWS[self.higher_is_better]


@dataclass(frozen=True)
class Cell:
    """One value; `value` is None where there is none and `reason` says why."""

    value: float | None = None
    ci95: tuple[float, float] | None = None
    n: int = 0
    reason: str = ""
    mark: Mark | None = None


@dataclass(frozen=True)
class Row:
    """One method or control; `rank` is None where it has no place."""

    id: str
    title: str
    control: bool
    cells: dict[str, Cell]
    marks: tuple[str, ...] = ()
    rank: int | None = None


@dataclass(frozen=True)
class Table:
    """Columns, rows and what must be said below them.

    `ranked_by` is the metric of the rows' ranks, empty where fewer than two methods have one.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str
    notes: tuple[str, ...] = field(default=())
    ranked_by: str = ""


def build_table(
    records: Sequence[Record],
    *,
    metrics: Sequence[str] | None = None,
    sort: str | None = None,
    caption: str | None = None,
    controls: bool = True,
) -> Table:
    """Return the table of some records of one protocol on one index.

    Raises:
        UsageError: when the records are not comparable, or a metric key is unknown.
    """
    if not records:
        raise UsageError("no records given; make one with: mebench run baseline fomm-prior")
    _require_comparable(records)
    rows = _unique_rows(records, controls)
    known: dict[str, MetricResult] = {}
    for row, _ in rows:
        known.update({key: result for key, result in row.metrics.items() if key not in known})
    keys = list(metrics) if metrics else [key for key, result in known.items() if result.headline]
    for key in [*keys, *([sort] if sort else [])]:
        if key not in known:
            raise UsageError(f"unknown metric '{key}'.{did_you_mean(key, known)}")
    if sort is not None:
        rows = _sorted(rows, sort, known[sort].higher_is_better)
    by = rank_key(known, keys, sort)
    ranks = _ranks(records, by)
    ranked_by = by if by is not None and ranks else ""
    marks = {key: _best_two([row for row, control in rows if not control], key) for key in keys}
    return Table(
        columns=tuple(_column(key, known[key], rows) for key in keys),
        rows=tuple(
            Row(
                id=row.id,
                title=row.title,
                control=control,
                cells={key: _cell(row, key, {} if control else marks[key]) for key in keys},
                rank=None if control else ranks.get(id(row)),
            )
            for row, control in rows
        ),
        caption=caption or _caption(records[0]),
        notes=(
            *((f"rank: by {known[ranked_by].title}; {RULE}.",) if ranked_by else ()),
            *_notes(records, [row for row, _ in rows], keys),
        ),
        ranked_by=ranked_by,
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
    for other in records[1:]:
        for what, a, b in (
            ("protocol", first.protocol.digest, other.protocol.digest),
            ("clips", first.dataset.index_digest, other.dataset.index_digest),
            ("pairs", first.dataset.pairs, other.dataset.pairs),
        ):
            if a != b:
                raise UsageError(
                    f"records '{first.result.id}' and '{other.result.id}' differ in {what}; "
                    "rows of one table must share them: score both again on the same data"
                )


def _unique_rows(records: Sequence[Record], controls: bool) -> list[tuple[MethodRow, bool]]:
    rows = [(record.result, False) for record in records]
    seen = {(row.id, row.pixel_digest) for row, _ in rows}
    for record in records if controls else ():
        for row in record.controls:
            if (row.id, row.pixel_digest) not in seen:
                seen.add((row.id, row.pixel_digest))
                rows.append((row, True))
    return rows


def _sorted(
    rows: list[tuple[MethodRow, bool]], key: str, higher: bool | None
) -> list[tuple[MethodRow, bool]]:
    sign = -1.0 if higher else 1.0

    def place(item: tuple[MethodRow, bool]) -> tuple[bool, bool, float]:
        result = item[0].metrics.get(key)
        value = result.value if result else None
        return item[1], value is None, sign * value if value is not None else 0.0

    return sorted(rows, key=place)


def _best_two(rows: Sequence[MethodRow], key: str) -> dict[float, Mark]:
    results = [row.metrics[key] for row in rows if key in row.metrics]
    values = sorted({r.value for r in results if r.value is not None})
    if len(values) < 2 or results[0].higher_is_better is None:
        return {}
    if results[0].higher_is_better:
        values.reverse()
    return {values[0]: "best", values[1]: "second"}


def _cell(row: MethodRow, key: str, marks: Mapping[float, Mark]) -> Cell:
    result = row.metrics.get(key)
    if result is None:
        return Cell(reason="not computed")
    if result.value is None:
        return Cell(reason=next(iter(result.failed.values()), "no value"))
    return Cell(result.value, result.ci95, result.n, mark=marks.get(result.value))


def _column(key: str, result: MetricResult, rows: Sequence[tuple[MethodRow, bool]]) -> Column:
    values = [row.metrics[key].value for row, _ in rows if key in row.metrics]
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    decimals = 3 if largest < 2 else 2 if largest < 100 else 1
    return Column(key, result.title, result.unit, result.higher_is_better, decimals)


def _caption(record: Record) -> str:
    data = record.dataset
    return (
        f"{record.protocol.id}: {data.pairs} pairs, driving clips of {data.driving_subjects} "
        f"subjects that training never saw. Mean and interval ({_how(record)})."
    )


def _how(record: Record) -> str:
    return record.intervals or "95 % percentile bootstrap over driving subjects"


def _counts(rows: Sequence[MethodRow], keys: Sequence[str]) -> str:
    """Say how many pairs stand behind the values: the usual number, and which columns differ."""
    found: dict[str, list[int]] = {}
    for key in keys:
        counts = sorted({row.metrics[key].n for row in rows if key in row.metrics})
        title = next((row.metrics[key].title for row in rows if key in row.metrics), key)
        found[title] = counts
    most = max((count for counts in found.values() for count in counts), default=0)
    others = [
        f"{title}: {' or '.join(map(str, counts))}"
        for title, counts in found.items()
        if counts != [most]
    ]
    return f"n = {most} pairs behind each value" + (f" ({'; '.join(others)})." if others else ".")


def _notes(records: Sequence[Record], rows: Sequence[MethodRow], keys: Sequence[str]) -> list[str]:
    notes = [_counts(rows, keys)]
    if len({record.intervals for record in records}) > 1:
        notes += [f"intervals of {record.result.id}: {_how(record)}" for record in records]
    for record in records:
        notes += [
            f"training changed {effect.line()} (paired with {record.result.id} before training)"
            for effect in training_effect(record, tuple(dict.fromkeys((*keys, *_IMAGE_QUALITY))))
        ]
    weights = {name: value for record in records for name, value in record.weights.items()}
    for name, value in sorted(weights.items()):
        seeded = value.startswith("seeded")
        shown = value.rpartition(":")[2][:12]
        notes.append(f"weights {name}: {'seeded stand-in' if seeded else 'sha256'} {shown}")
    if any("~seeded" in key for key in keys):
        notes.append(
            "~seeded: stand-in weights, not the published network; never compare with published "
            "values and never rank by it. Get the real ones with: mebench weights fetch"
        )
    notes.append(
        "SSIM, PSNR, LPIPS and identity reward a frozen face: read them only beside the motion "
        "columns."
    )
    missing = {
        f"without {key}: {place}: {reason}"
        for row in rows
        for key in keys
        if key in row.metrics
        for place, reason in row.metrics[key].failed.items()
    }
    notes += sorted(missing)[:12]
    notes += [note for record in records for note in record.notes]
    return notes
