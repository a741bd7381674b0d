"""One page of a run: the table, and each pair as a slow animation beside its curves."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from mebench.record import Record
from mebench.report.formats import number
from mebench.report.rows import Table


@dataclass(frozen=True)
class PairView:
    """One generated clip as the page shows it; pictures as encoded bytes."""

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
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mebench.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    environment.filters["png"] = lambda data: _uri(data, "image/png")
    environment.filters["webp"] = lambda data: _uri(data, "image/webp")
    body = [
        (row, [number(row.cells[column.key], column, ci=True) for column in table.columns])
        for row in table.rows
    ]
    page = environment.get_template("run.html.j2")
    return page.render(record=record, table=table, body=body, pairs=pairs, stamp=stamp)


def _uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
