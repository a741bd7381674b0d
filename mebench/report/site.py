"""The leaderboard as a static site: opens from disk, asks nothing of any network."""

from __future__ import annotations

import base64
import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mebench import __version__
from mebench.board import file_name
from mebench.errors import UsageError
from mebench.io.files import write_text
from mebench.protocol.spec import Protocol
from mebench.record import MethodRow, Record
from mebench.report.formats import DASH, number
from mebench.report.rows import Row, Table, build_table
from mebench.report.site_media import Player

TEMPLATES = Path(__file__).parent / "templates"
Players = Callable[[Path, Record], Sequence[Player]]
"""Returns the players of a record's page; what they need is written below the site's folder."""


@dataclass(frozen=True)
class Group:
    """The records of one protocol that share a table.

    Attributes:
        name: of the group's files.
        records: its rows.
        protocol: the spec, where the one they were scored with is at hand.
        gated: data sets whose pixels the site leaves out.
    """

    name: str
    records: Sequence[Record]
    protocol: Protocol | None
    gated: tuple[str, ...] = ()


def build_site(
    out: Path,
    groups: Sequence[Group],
    published: Path | None,
    players: Players | None = None,
    *,
    stamp: str = "",
) -> list[Path]:
    """Write the site into an empty or earlier site's folder; return its pages.

    Args:
        out: folder; refused when it holds something else.
        groups: one page of results each.
        published: CSV of results printed in papers, shown apart.
        players: makes the players of a record's page; None for values alone.
        stamp: shown on top of every page, such as that it must not be passed on.

    Raises:
        UsageError: when `out` holds something that is no site.
    """
    marker = out / "site.txt"
    if out.exists() and any(out.iterdir()) and not marker.is_file():
        raise UsageError(f"{out}: holds something that is no site of mebench; give another folder")
    out.mkdir(parents=True, exist_ok=True)
    write_text(marker, f"made by mebench {__version__}\n")
    has_published = published is not None and published.is_file()
    page = _Pages(out, groups, stamp, has_published)
    page.write("index.html", "site_index.html.j2")
    page.write("submit.html", "site_submit.html.j2")
    if published is not None and has_published:
        with published.open(newline="", encoding="utf-8") as handle:
            page.write(
                "published.html", "site_published.html.j2", rows=list(csv.DictReader(handle))
            )
    for group in groups:
        table = _table(group, _with_values(group.records))
        records = {record.result.id: record for record in group.records}
        page.write(
            f"{group.name}.html",
            "site_board.html.j2",
            group=group,
            table=table,
            notes=_table(group, _headline(group.records[0].result)).notes,
            body=[_line(group, row, table, records) for row in table.rows],
            head=_headline(group.records[0].result),
        )
        for record in group.records:
            shown = [] if players is None else players(out, record)
            page.write(
                page_of(group, record.result.id),
                "site_method.html.j2",
                group=group,
                record=record,
                players=shown,
                metrics=_metric_lines(record),
                without=_without(record),
                clips=_clip_lines(record),
                head=_headline(record.result),
            )
    return page.written


def page_of(group: Group, method: str) -> str:
    """Return the file name of a method's page."""
    return f"{group.name}--{file_name(method)}.html"


class _Pages:
    """Renders templates; every page carries its own style and script, named in its CSP by hash."""

    def __init__(self, out: Path, groups: Sequence[Group], stamp: str, has_published: bool) -> None:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        self.out = out
        self.written: list[Path] = []
        self.environment = Environment(
            loader=PackageLoader("mebench.report", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        style = (TEMPLATES / "site.css").read_text(encoding="utf-8")
        script = (TEMPLATES / "site.js").read_text(encoding="utf-8")
        self.shared: dict[str, Any] = {
            "groups": groups,
            "stamp": stamp,
            "has_published": has_published,
            "version": __version__,
            "style": style,
            "script": script,
            "style_hash": _hash(style),
            "script_hash": _hash(script),
        }

    def write(self, name: str, template: str, **values: Any) -> None:
        path = self.out / name
        text = self.environment.get_template(template).render(**self.shared, here=name, **values)
        write_text(path, text)
        self.written.append(path)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()


def _headline(row: MethodRow) -> list[str]:
    return [key for key, metric in row.metrics.items() if metric.headline]


def _with_values(records: Sequence[Record]) -> list[str]:
    """Return the keys of which some record has a value, in table order."""
    rows = [record.result.metrics for record in records]
    keys = dict.fromkeys(key for metrics in rows for key in metrics)
    return [k for k in keys if any(k in m and m[k].value is not None for m in rows)]


def _table(group: Group, keys: Sequence[str]) -> Table:
    sort = None if group.protocol is None else group.protocol.rank_by
    return build_table(group.records, metrics=keys or None, sort=sort if sort in keys else None)


def _line(group: Group, row: Row, table: Table, records: Mapping[str, Record]) -> dict[str, Any]:
    record = None if row.control else records[row.id]
    cells = [
        {
            "text": number(row.cells[column.key], column, ci=True),
            "value": row.cells[column.key].value,
            "mark": row.cells[column.key].mark or "",
            "key": column.key,
        }
        for column in table.columns
    ]
    return {
        "row": row,
        "cells": cells,
        "link": "" if record is None else page_of(group, row.id),
        "status": "control" if record is None else record.status,
    }


def _metric_lines(record: Record) -> list[dict[str, str]]:
    lines = []
    for key, metric in record.result.metrics.items():
        if metric.value is None:
            continue
        interval = DASH
        if metric.ci95 is not None:
            interval = f"{metric.ci95[0]:.4g} to {metric.ci95[1]:.4g}"
        lines.append(
            {
                "key": key,
                "title": metric.title,
                "value": f"{metric.value:.4g}",
                "interval": interval,
                "unit": metric.unit,
                "n": str(metric.n),
                "better": {True: "higher", False: "lower", None: ""}[metric.higher_is_better],
                "failed": "; ".join(f"{k}: {v}" for k, v in sorted(metric.failed.items())),
            }
        )
    return lines


def _without(record: Record) -> list[str]:
    """Return one line for each reason why values could not be had, with their keys."""
    reasons: dict[str, list[str]] = {}
    for key, metric in record.result.metrics.items():
        if metric.value is None:
            reason = next(iter(metric.failed.values()), "no value")
            reasons.setdefault(reason, []).append(key)
    return [f"{', '.join(keys)}: {reason}" for reason, keys in reasons.items()]


def _clip_lines(record: Record) -> list[dict[str, Any]]:
    return [
        {"key": pair, "group": record.groups.get(pair, ""), "values": values}
        for pair, values in record.result.per_clip.items()
    ]
