"""The report as one page that runs and loads nothing."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mebench.rating import figures
from mebench.report import escape
from mebench.report.formats import number

if TYPE_CHECKING:
    from mebench.rating.report import Report


def render_page(report: Report) -> str:
    """Return the report as self-contained HTML: no script, no network, figures inside."""
    environment = Environment(
        loader=PackageLoader("mebench.rating", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["line"] = escape.text
    style = environment.get_template("report.css").render()
    return environment.get_template("report.html.j2").render(
        report=report,
        figures=_figures(report),
        number=lambda cell, column: number(cell, column, ci=True),
        style=Markup(style),
        policy=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
    )


def _figures(report: Report) -> dict[str, list[tuple[str, str]]]:
    """Return address and description of the figures that stand above each table."""
    drawn = {
        "scores": [
            (figures.rank_figure(report.tables["scores"]), "Mean and interval of every method")
        ],
        "raters": [
            (figures.bias_figure(report.raters), "Bias and interval of every rater"),
            (figures.repeats_figure(report.raters), "How raters marked a clip shown twice"),
        ],
        "agreement": [
            (
                figures.agreement_figure(report.tables["agreement"]),
                "Coefficients of agreement and their intervals",
            )
        ],
        "bridge": [
            (figures.bridge_figure(report.bridge), "Kendall's tau of every metric with the experts")
        ],
    }
    return {
        name: [(_address(svg), told) for svg, told in parts if svg] for name, parts in drawn.items()
    }


def _address(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode('ascii')}"
