"""A figure of one metric: every method's mean with its interval, shared places marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mebench.errors import UsageError
from mebench.record import Record
from mebench.report.figure import DPI, WIDTH, drawing, label
from mebench.report.model import Column, Row, Table
from mebench.report.rows import build_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW = 0.24
_BAND = "#e8edf3"
_INK, _PALE = "#1f4e79", "#8a8a8a"


def plot_ranks(
    path: Path,
    records: Sequence[Record],
    *,
    metric: str | None = None,
    controls: bool = True,
    width: float = WIDTH / 2,
    dpi: int = DPI,
) -> str:
    """Draw the methods by place, controls below; return the metric that is shown.

    Methods that share a place stand on one band. Without `metric` the first headline one is shown.

    Raises:
        UsageError: for an unknown metric, one without a value, or records that cannot be compared.
    """
    wanted = None if metric is None else [metric]
    first = build_table(records, metrics=wanted, controls=controls)
    if not first.columns:
        raise UsageError("the records have no headline metric; name one with --metric")
    key = first.columns[0].key
    table = build_table(records, metrics=[key], sort=key, controls=controls)
    if not any(row.cells[key].value is not None for row in table.rows):
        raise UsageError(f"no record has a value of '{key}'; name another with --metric")
    draw_ranks(path, table, table.columns[0], width=width, dpi=dpi)
    return key


def draw_ranks(
    path: Path,
    table: Table,
    column: Column,
    *,
    hollow: str = "controls",
    width: float = WIDTH / 2,
    dpi: int = DPI,
) -> None:
    """Draw one column of a table, rows in its order; `hollow` says what its control rows are."""
    key = column.key
    rows = [row for row in table.rows if row.cells[key].value is not None]
    with drawing(path, width=width, height=0.75 + _ROW * (len(rows) + 1), dpi=dpi) as figure:
        axes = figure.add_subplot()
        _bands(axes, rows)
        for place, row in enumerate(rows):
            _row(axes, place, row, key)
        _finish(axes, rows, _axis(column) + _legend(rows, hollow))


def _bands(axes: Axes, rows: Sequence[Row]) -> None:
    for rank in sorted({row.rank for row in rows if row.rank is not None}):
        places = [place for place, row in enumerate(rows) if row.rank == rank]
        if len(places) > 1:
            axes.axhspan(places[0] - 0.45, places[-1] + 0.45, color=_BAND, linewidth=0, zorder=0)


def _row(axes: Axes, place: int, row: Row, key: str) -> None:
    cell, colour = row.cells[key], _PALE if row.control else _INK
    if cell.value is None:
        return
    if cell.ci95 is not None:
        axes.plot(cell.ci95, (place, place), color=colour, linewidth=1.2, zorder=2)
    axes.plot(
        [cell.value],
        [place],
        marker="o",
        markersize=4,
        color=colour,
        markerfacecolor="white" if row.control else colour,
        zorder=3,
    )


def _finish(axes: Axes, rows: Sequence[Row], below: str) -> None:
    names = []
    for row in rows:
        rank = "" if row.rank is None else f"{row.rank}  "
        names.append(rank + label(row.title) + "".join(row.marks))
    axes.set_yticks(range(len(rows)), names)
    for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_color("#555555" if row.control else "black")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    controls = [place for place, row in enumerate(rows) if row.control]
    if controls and controls[0] > 0:
        axes.axhline(controls[0] - 0.5, color="#999999", linewidth=0.6)
    axes.set_xlabel(below)


def _axis(column: Column) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    better = {True: ", higher is better", False: ", lower is better", None: ""}
    return f"{label(column.title)}{unit}{column.mark}{better[column.higher_is_better]}"


def _legend(rows: Sequence[Row], hollow: str) -> str:
    ranks = [row.rank for row in rows if row.rank is not None]
    told = [] if len(set(ranks)) == len(ranks) else ["one band: one place"]
    told += [f"hollow: {hollow}"] if any(row.control for row in rows) else []
    return "\n" + "; ".join(told) if told else ""
