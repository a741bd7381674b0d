"""A table as text, Markdown, LaTeX, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

from mebench.errors import UsageError, did_you_mean
from mebench.report import escape
from mebench.report.rows import Cell, Column, Row, Table

DASH = "--"


def render(table: Table, form: str, *, ci: bool = True) -> str:
    """Return the table in a format: text, markdown, latex, csv or json.

    Raises:
        UsageError: for an unknown format.
    """
    if form not in FORMATS:
        raise UsageError(f"unknown format '{form}'.{did_you_mean(form, FORMATS)}")
    return FORMATS[form](table, ci)


def number(cell: Cell, column: Column, *, ci: bool) -> str:
    """Return a cell as ``0.812 [0.790, 0.834]``, or ``--``."""
    if cell.value is None:
        return DASH
    text = f"{cell.value:.{column.decimals}f}"
    if ci and cell.ci95 is not None:
        low, high = (f"{bound:.{column.decimals}f}" for bound in cell.ci95)
        text += f" [{low}, {high}]"
    return text


def _text(table: Table, ci: bool) -> str:
    from tabulate import tabulate

    body = tabulate(
        _body(table, ci, str),
        headers=_headers(table, str),
        tablefmt="simple",
        disable_numparse=True,
        colalign=_align(table),
    )
    return "\n".join([table.caption, "", body, "", *(f"  {note}" for note in table.notes)]) + "\n"


def _markdown(table: Table, ci: bool) -> str:
    from tabulate import tabulate

    body = tabulate(
        _body(table, ci, escape.markdown, bold=("**", "**")),
        headers=_headers(table, escape.markdown),
        tablefmt="pipe",
        disable_numparse=True,
        colalign=_align(table),
    )
    notes = [f"- {escape.markdown(note)}" for note in table.notes]
    return "\n".join([f"*{escape.markdown(table.caption)}*", "", body, "", *notes]) + "\n"


def _latex(table: Table, ci: bool) -> str:
    arrows = {"↑": r"$\uparrow$", "↓": r"$\downarrow$", "": ""}
    head = ["Method", *(["Rank"] if table.ranked_by else [])]
    for column in table.columns:
        unit = f" ({escape.latex(column.unit)})" if column.unit else ""
        head.append(f"{escape.latex(column.title)}{unit} {arrows[column.arrow]}".strip())
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escape.latex(table.caption)}}}",
        rf"  \begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"    \toprule",
        "    " + " & ".join(head) + r" \\",
        r"    \midrule",
    ]
    was_control = False
    for row in table.rows:
        if row.control and not was_control:
            lines.append(r"    \midrule")
        was_control = row.control
        cells = [_latex_cell(row.cells[c.key], c, ci) for c in table.columns]
        line = [escape.latex(row.title), *_place(table, row), *cells]
        lines.append("    " + " & ".join(line) + r" \\")
    lines += [r"    \bottomrule", r"  \end{tabular}", r"  \par\smallskip\footnotesize"]
    lines += [f"  {escape.latex(note)}\\\\" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _latex_cell(cell: Cell, column: Column, ci: bool) -> str:
    if cell.value is None:
        return DASH
    text = f"${cell.value:.{column.decimals}f}$"
    if cell.mark == "best":
        text = rf"\textbf{{{text[1:-1]}}}"
    elif cell.mark == "second":
        text = rf"\underline{{{text}}}"
    if ci and cell.ci95 is not None:
        low, high = (f"{bound:.{column.decimals}f}" for bound in cell.ci95)
        text += rf" {{\scriptsize $[{low}, {high}]$}}"
    return text


def _csv(table: Table, ci: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["method", "title", "control", "rank"]
    for column in table.columns:
        head += [column.key, f"{column.key}:low", f"{column.key}:high", f"{column.key}:n"]
    writer.writerow(head)
    for row in table.rows:
        rank = "" if row.rank is None else row.rank
        line: list[object] = [escape.csv(row.id), escape.csv(row.title), int(row.control), rank]
        for column in table.columns:
            cell = row.cells[column.key]
            low, high = cell.ci95 or (None, None)
            line += [_plain(cell.value), _plain(low), _plain(high), cell.n]
        writer.writerow(line)
    return out.getvalue()


def _json(table: Table, ci: bool) -> str:
    data = {
        "caption": table.caption,
        "notes": table.notes,
        "ranked_by": table.ranked_by,
        "columns": [vars(column) for column in table.columns],
        "rows": [
            {
                "id": row.id,
                "title": row.title,
                "control": row.control,
                "rank": row.rank,
                "cells": {key: vars(cell) for key, cell in row.cells.items()},
            }
            for row in table.rows
        ],
    }
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _headers(table: Table, clean: Callable[[str], str]) -> list[str]:
    heads = [clean("method"), *(["rank"] if table.ranked_by else [])]
    for column in table.columns:
        unit = f" ({column.unit})" if column.unit else ""
        heads.append(clean(f"{column.title}{unit}") + (f" {column.arrow}" if column.arrow else ""))
    return heads


def _body(
    table: Table, ci: bool, clean: Callable[[str], str], bold: tuple[str, str] = ("", "")
) -> list[list[str]]:
    body = []
    for row in table.rows:
        name = clean(row.title) + (" (control)" if row.control else "")
        line = [name, *_place(table, row)]
        for column in table.columns:
            cell = row.cells[column.key]
            text = number(cell, column, ci=ci)
            line.append(f"{bold[0]}{text}{bold[1]}" if cell.mark == "best" else text)
        body.append(line)
    return body


def _place(table: Table, row: Row) -> list[str]:
    """Return the cell of the rank column, or nothing where the table has none."""
    if not table.ranked_by:
        return []
    return ["" if row.rank is None else str(row.rank)]


def _align(table: Table) -> list[str]:
    return ["left", *["right"] * (len(table.columns) + bool(table.ranked_by))]


def _plain(value: float | None) -> str:
    return "" if value is None else repr(value)


FORMATS: dict[str, Callable[[Table, bool], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
    "csv": _csv,
    "json": _json,
}
