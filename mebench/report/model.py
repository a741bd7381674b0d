"""What a table is, before it has a format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mebench.record import RATED, MethodRow, MetricResult, Record

Mark = Literal["best", "second"]
Spread = Literal["interval", "pm", "none"]
SEEDED, PARTIAL, CLAIMED, JUDGED, UNRANKED = "†", "‡", "§", "¶", "#"
"""Marks of a column with stand-in weights, of a partial row, of one nobody scored again, of a
column that experts rated, and of a row that can have no rank."""
_NO_RANK = "none"
_ARROWS = {True: "↑", False: "↓", None: ""}


@dataclass(frozen=True)
class Column:
    """One metric as a table shows it; `part` is the data set it is restricted to, if any."""

    key: str
    title: str
    unit: str
    higher_is_better: bool | None
    decimals: int
    part: str = ""

    @property
    def arrow(self) -> str:
        """Return the direction as an arrow, empty for a diagnostic."""
        return _ARROWS[self.higher_is_better]

    @property
    def mark(self) -> str:
        """Return the mark of a column that stand-ins or experts measured, else nothing."""
        return SEEDED if "~seeded" in self.key else JUDGED if self.key.startswith(RATED) else ""


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
    """One method or control; `rank` is None where it has no place, `unranked` where it can't."""

    id: str
    title: str
    control: bool
    cells: dict[str, Cell]
    marks: tuple[str, ...] = ()
    rank: int | None = None
    status: str = "verified"
    unranked: bool = False

    @property
    def place(self) -> str:
        """Return what stands in the column of ranks."""
        return _NO_RANK if self.unranked else "" if self.rank is None else str(self.rank)


@dataclass(frozen=True)
class Table:
    """Columns, rows and what must be said below them.

    Attributes:
        columns: in order.
        rows: methods, then controls.
        caption: above the table.
        notes: below it, those that a reader of the numbers needs first.
        essential: how many of the notes those are.
        ranked_by: metric of the rows' ranks, empty where fewer than two methods have one.
        spread: what stands beside a mean.
        protocol: its id.
        rows_are: heading of the rows.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str
    notes: tuple[str, ...] = ()
    essential: int = 0
    ranked_by: str = ""
    spread: Spread = "interval"
    protocol: str = ""
    rows_are: str = "method"


@dataclass(frozen=True)
class Entry:
    """A row of a record with all its results, those by data set among them."""

    row: MethodRow
    record: Record
    control: bool
    results: Mapping[str, MetricResult]


def printed_number(value: float, column: Column) -> str:
    """Return a number with the digits of its column; what rounds to zero has no sign.

    >>> printed_number(-0.0001, Column("k", "K", "", True, 3))
    '0.000'
    """
    text = f"{value:.{column.decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text
