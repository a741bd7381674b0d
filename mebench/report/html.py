"""Pages without scripts: a table by itself, and a run's table with every pair beside its curves."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mebench.record import Record
from mebench.report import escape
from mebench.report.model import Cell, Column, Table


@dataclass(frozen=True)
class PairView:
    """One generated clip as the page shows it; pictures as bytes, empty where there is none."""

    key: str
    emotion: str
    columns: tuple[str, ...]
    animation: bytes
    stills: bytes
    curves: bytes
    values: dict[str, str]


def render_page(record: Record, table: Table, pairs: Sequence[PairView], stamp: str = "") -> str:
    """Return the page as one self-contained HTML text: no script, no network.

    `stamp` is shown above everything, such as that the page must not be passed on.
    """
    from mebench.report.formats import number

    environment = _environment()
    environment.filters["png"] = lambda data: _uri(data, "image/png")
    environment.filters["webp"] = lambda data: _uri(data, "image/webp")
    body = [
        (row, [number(row.cells[column.key], column, ci=True) for column in table.columns])
        for row in table.rows
    ]
    page = environment.get_template("run.html.j2")
    return page.render(record=record, table=table, body=body, pairs=pairs, stamp=stamp)


def render_table(table: Table, number: Callable[[Cell, Column], str]) -> str:
    """Return a table as one self-contained page that runs and loads nothing."""
    environment = _environment()
    environment.filters["line"] = escape.text
    style = environment.get_template("table.css").render()
    return environment.get_template("table.html.j2").render(
        table=table,
        number=number,
        style=Markup(style),
        policy=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("mebench.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def _uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
