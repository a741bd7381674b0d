"""A table as text, Markdown, LaTeX, CSV, JSON or HTML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

from mebench.errors import UsageError, did_you_mean
from mebench.report import escape
from mebench.report.html import render_table
from mebench.report.latex import render_latex
from mebench.report.model import Cell, Column, Row, Spread, Table, printed_number

DASH = "--"


def render(table: Table, form: str) -> str:
    """Return the table in a format: text, markdown, latex, csv, json or html.

    Raises:
        UsageError: for an unknown format.
    """
    if form not in FORMATS:
        raise UsageError(f"unknown format '{form}'.{did_you_mean(form, FORMATS)}")
    return FORMATS[form](table)


def number(cell: Cell, column: Column, *, ci: bool) -> str:
    """Return a cell as ``0.812 [0.790, 0.834]``, or ``--``."""
    return _number(cell, column, "interval" if ci else "none")


def _number(cell: Cell, column: Column, spread: Spread) -> str:
    if cell.value is None:
        return DASH
    text = printed_number(cell.value, column)
    if spread == "none" or cell.ci95 is None:
        return text
    low, high = cell.ci95
    if spread == "pm":
        return f"{text} ± {printed_number((high - low) / 2, column)}"
    return f"{text} [{printed_number(low, column)}, {printed_number(high, column)}]"


def _text(table: Table) -> str:
    from tabulate import tabulate

    body = tabulate(
        _body(table, escape.text),
        headers=_headers(table, escape.text, "\n"),
        tablefmt="simple",
        disable_numparse=True,
        colalign=_align(table),
    )
    notes = [f"  {escape.text(note)}" for note in table.notes]
    return "\n".join([escape.text(table.caption), "", body, "", *notes]) + "\n"


def _markdown(table: Table) -> str:
    from tabulate import tabulate

    body = tabulate(
        _body(table, escape.markdown, {"best": ("**", "**"), "second": ("<ins>", "</ins>")}),
        headers=_headers(table, escape.markdown, ", "),
        tablefmt="pipe",
        disable_numparse=True,
        colalign=_align(table),
    )
    notes = [f"- {escape.markdown(note)}" for note in table.notes]
    return "\n".join([f"*{escape.markdown(table.caption)}*", "", body, "", *notes]) + "\n"


def _html(table: Table) -> str:
    return render_table(table, lambda cell, column: _number(cell, column, table.spread))


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = [table.rows_are, "title", "control", "rank", "status"]
    for column in table.columns:
        head += [column.key, f"{column.key}:low", f"{column.key}:high", f"{column.key}:n"]
    writer.writerow(escape.csv(name) for name in head)
    for row in table.rows:
        line: list[object] = [escape.csv(row.id), escape.csv(row.title), int(row.control)]
        line.append(row.place)
        line.append(row.status)
        for column in table.columns:
            cell = row.cells[column.key]
            low, high = cell.ci95 or (None, None)
            line += [_plain(cell.value), _plain(low), _plain(high), cell.n]
        writer.writerow(line)
    return out.getvalue()


def _json(table: Table) -> str:
    data = {
        "caption": table.caption,
        "notes": table.notes,
        "protocol": table.protocol,
        "ranked_by": table.ranked_by,
        "columns": [vars(column) for column in table.columns],
        "rows": [
            {**vars(row), "cells": {key: vars(cell) for key, cell in row.cells.items()}}
            for row in table.rows
        ],
    }
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _headers(table: Table, clean: Callable[[str], str], joint: str) -> list[str]:
    heads = [clean(table.rows_are), *(["rank"] if table.ranked_by else [])]
    for column in table.columns:
        unit = f" ({column.unit})" if column.unit else ""
        head = clean(f"{column.title}{unit}") + column.mark
        part = f"{joint}{clean(column.part)}" if column.part else ""
        heads.append(head + part + (f" {column.arrow}" if column.arrow else ""))
    return heads


def _body(
    table: Table,
    clean: Callable[[str], str],
    marks: dict[str, tuple[str, str]] | None = None,
) -> list[list[str]]:
    body = []
    for row in table.rows:
        name = clean(row.title) + "".join(row.marks) + (" (control)" if row.control else "")
        line = [name, *_place(table, row)]
        for column in table.columns:
            cell = row.cells[column.key]
            before, after = (marks or {}).get(cell.mark or "", ("", ""))
            line.append(f"{before}{_number(cell, column, table.spread)}{after}")
        body.append(line)
    return body


def _place(table: Table, row: Row) -> list[str]:
    """Return the cell of the rank column, or nothing where the table has none."""
    if not table.ranked_by:
        return []
    return [row.place]


def _align(table: Table) -> list[str]:
    return ["left", *["right"] * (len(table.columns) + bool(table.ranked_by))]


def _plain(value: float | None) -> str:
    return "" if value is None else repr(value)


FORMATS: dict[str, Callable[[Table], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": render_latex,
    "csv": _csv,
    "json": _json,
    "html": _html,
}

SUFFIXES = {
    ".txt": "text",
    ".md": "markdown",
    ".tex": "latex",
    ".csv": "csv",
    ".json": "json",
    ".html": "html",
}
"""The format that a file's name asks for."""
