"""A table as LaTeX with booktabs, and siunitx columns where they are asked for."""

from __future__ import annotations

import re
from itertools import groupby

from mebench.report.escape import latex as escaped
from mebench.report.model import Cell, Column, Row, Table, printed_number

_ARROWS = {"↑": r" $\uparrow$", "↓": r" $\downarrow$", "": ""}
_DASH = "--"
_SHRINK = r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def render_latex(
    table: Table,
    *,
    siunitx: bool = False,
    wide: bool = False,
    fit: bool = False,
    label: str | None = None,
) -> str:
    r"""Return a table environment.

    Best values are bold, second ones underlined. The notes that the numbers need are printed below;
    the others are comments. With `siunitx` means stand in ``S`` columns, aligned at their points.

    Args:
        table: what to print.
        siunitx: use ``S`` columns.
        wide: over both columns of a page, ``table*``.
        fit: shrink a table that is wider than the line.
        label: of ``\label``; ``tab:<protocol>`` where none is given.
    """
    form = _SiunitxForm(table) if siunitx else _PlainForm(table)
    environment = "table*" if wide else "table"
    packages = "booktabs" + (",siunitx" if siunitx else "") + (",graphicx" if fit else "")
    name = re.sub(r"[^A-Za-z0-9:._-]+", "-", label or f"tab:{table.protocol}")
    return "\n".join(
        [
            rf"% needs \usepackage{{{packages}}}",
            *(f"% {escaped(note)}" for note in table.notes[table.essential :]),
            rf"\begin{{{environment}}}",
            r"  \centering",
            rf"  \caption{{{escaped(table.caption)}}}",
            rf"  \label{{{name}}}",
            *([_SHRINK] if fit else []),
            rf"  \begin{{tabular}}{{{form.columns()}}}",
            r"    \toprule",
            *(f"    {line}" for line in form.head()),
            r"    \midrule",
            *(f"    {line}" for line in form.body()),
            r"    \bottomrule",
            r"  \end{tabular}" + ("}" if fit else ""),
            r"  \par\smallskip",
            r"  \begin{minipage}{\linewidth}\footnotesize\raggedright",
            *(rf"    {escaped(note)}\par" for note in table.notes[: table.essential]),
            r"  \end{minipage}",
            rf"\end{{{environment}}}",
            "",
        ]
    )


class _PlainForm:
    """Every metric in one right-aligned column."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.first = 2 if table.ranked_by else 1
        """Columns before the metrics."""

    def columns(self) -> str:
        return "l" + "r" * (self.first - 1) + "".join(self.column(c) for c in self.table.columns)

    def column(self, column: Column) -> str:
        return "r"

    def span(self, column: Column) -> int:
        return 1

    def head(self) -> list[str]:
        """Return the heading: one line, or two and a rule where metrics are split by data set."""
        columns = self.table.columns
        names = [
            escaped(self.table.rows_are.capitalize()),
            *(["Rank"] if self.table.ranked_by else []),
        ]
        if not any(column.part for column in columns):
            return [" & ".join(names + [self.over(c, _title(c), "r") for c in columns]) + r" \\"]
        upper, lower, rules = [""] * self.first, names, ""
        place = self.first + 1
        for (title, parted), group in groupby(columns, lambda c: (_title(c), bool(c.part))):
            members = list(group)
            width = sum(self.span(column) for column in members)
            upper.append(rf"\multicolumn{{{width}}}{{c}}{{{title if parted else ''}}}")
            rules += rf"\cmidrule(lr){{{place}-{place + width - 1}}}" if parted else ""
            lower += [self.over(c, escaped(c.part) if parted else title, "r") for c in members]
            place += width
        return [" & ".join(upper) + r" \\", rules, " & ".join(lower) + r" \\"]

    def over(self, column: Column, title: str, align: str) -> str:
        """Return a heading over the columns of a metric."""
        return title

    def body(self) -> list[str]:
        lines: list[str] = []
        last = self.first + sum(self.span(column) for column in self.table.columns)
        was_control = False
        for row in self.table.rows:
            if row.control and not was_control:
                lines += [r"\midrule", rf"\multicolumn{{{last}}}{{l}}{{\emph{{Controls}}}} \\"]
            was_control = row.control
            lines.append(" & ".join(self.line(row)) + r" \\")
        return lines

    def line(self, row: Row) -> list[str]:
        marks = "".join(map(escaped, row.marks))
        cells = [escaped(row.title) + marks]
        if self.table.ranked_by:
            cells.append(row.place)
        for column in self.table.columns:
            cells += self.cells(row.cells[column.key], column)
        return cells

    def cells(self, cell: Cell, column: Column) -> list[str]:
        if cell.value is None:
            return [_DASH]
        return [_marked(cell, column) + self.spread(cell, column)]

    def spread(self, cell: Cell, column: Column) -> str:
        """Return what stands behind a mean, with the space before it."""
        if cell.ci95 is None or self.table.spread == "none":
            return ""
        low, high = cell.ci95
        if self.table.spread == "pm":
            return rf" $\pm$ ${printed_number((high - low) / 2, column)}$"
        bounds = f"[{printed_number(low, column)}, {printed_number(high, column)}]"
        return rf" {{\scriptsize ${bounds}$}}"


class _SiunitxForm(_PlainForm):
    """Means in ``S`` columns, what stands behind them in a column of its own."""

    def column(self, column: Column) -> str:
        digits = [
            printed_number(row.cells[column.key].value or 0.0, column) for row in self.table.rows
        ]
        sign = "-" if any(one.startswith("-") for one in digits) else ""
        whole = max((len(one.lstrip("-").partition(".")[0]) for one in digits), default=1)
        form = f"table-format={sign}{whole}.{column.decimals}"
        # Text is aligned as numbers are: bold and underlined ones are text to siunitx.
        place = "table-number-alignment=right,table-text-alignment=right"
        return f"S[{form},{place}]" + (r"@{\,}l" if self.span(column) == 2 else "")

    def span(self, column: Column) -> int:
        cells = [row.cells[column.key] for row in self.table.rows]
        return 2 if any(self.spread(cell, column) for cell in cells) else 1

    def over(self, column: Column, title: str, align: str) -> str:
        if self.span(column) == 1:
            return f"{{{title}}}"
        return rf"\multicolumn{{2}}{{{align}}}{{{title}}}"

    def cells(self, cell: Cell, column: Column) -> list[str]:
        more = [self.spread(cell, column).strip()] if self.span(column) == 2 else []
        if cell.value is None:
            return [f"{{{_DASH}}}", *more]
        plain = printed_number(cell.value, column)
        return [f"{{{_marked(cell, column)}}}" if cell.mark else plain, *more]


def _title(column: Column) -> str:
    unit = f" ({escaped(column.unit)})" if column.unit else ""
    return f"{escaped(column.title)}{unit}{escaped(column.mark)}{_ARROWS[column.arrow]}"


def _marked(cell: Cell, column: Column) -> str:
    shown = "" if cell.value is None else printed_number(cell.value, column)
    if cell.mark == "best":
        return rf"$\mathbf{{{shown}}}$"
    return rf"\underline{{${shown}$}}" if cell.mark == "second" else f"${shown}$"
