"""The report's figures as SVG text."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mebench.rating.bridge import Agreement
from mebench.rating.panel import Rater
from mebench.report.figure import drawing, label
from mebench.report.model import Table
from mebench.report.rank_plot import draw_ranks
from mebench.stats import Interval

_WIDTH, _ROW = 5.6, 0.26
_INK, _PALE, _ALERT = "#1f4e79", "#8a8a8a", "#a33a1f"
_SHADES = ("#1f4e79", "#8fb1d1", "#d9d9d9")


@dataclass(frozen=True)
class Dot:
    """A value with its interval; `colour` and `filled` tell kinds apart."""

    name: str
    value: float
    interval: Interval | None = None
    colour: str = _INK
    filled: bool = True


def rank_figure(table: Table) -> str:
    """Draw the methods by place, planted real clips below."""
    return _svg(
        lambda path: draw_ranks(
            path, table, table.columns[0], hollow="planted real clips", width=_WIDTH
        )
    )


def bias_figure(raters: Sequence[Rater]) -> str:
    """Draw how severe or lenient each rater is; flagged ones in another colour."""
    dots = [
        Dot(one.id, one.bias, one.bias_interval, _ALERT if one.flags else _INK)
        for one in raters
        if one.bias is not None
    ]
    flagged = "\nred: flagged" if any(one.flags for one in raters) else ""
    return dots_figure(dots, f"bias from the panel's mean, severe to the left{flagged}")


def agreement_figure(table: Table) -> str:
    """Draw the coefficients of the score, and one of each other question."""
    dots = []
    for number, row in enumerate(table.rows):
        wanted = ("alpha", "icc1", "icck", "kappa") if number == 0 else ("alpha", "kappa")
        for column in table.columns:
            cell = row.cells[column.key]
            if column.key in wanted and cell.value is not None:
                dots.append(Dot(f"{column.title}: {row.title}", cell.value, cell.ci95))
    return dots_figure(dots, "0 is chance, 1 is full agreement")


def bridge_figure(found: Sequence[Agreement]) -> str:
    """Draw how far each metric ranks clips, and methods, as the experts do."""
    dots = []
    for one in found:
        for part, what, filled in ((one.clips, "clips", True), (one.methods, "methods", False)):
            if part.value is not None:
                name = f"{label(one.title, 30)}, {what}"
                dots.append(Dot(name, part.value, part.interval, _INK, filled))
    return dots_figure(dots, "Kendall's tau-b with the experts")


def dots_figure(dots: Sequence[Dot], below: str) -> str:
    """Draw a line a value, and where 0 is."""
    if not dots:
        return ""

    def draw(path: Path) -> None:
        with drawing(path, width=_WIDTH, height=0.75 + _ROW * (len(dots) + 1)) as figure:
            axes = figure.add_subplot()
            axes.axvline(0.0, color="#999999", linewidth=0.8, zorder=1)
            for place, dot in enumerate(dots):
                if dot.interval is not None:
                    axes.plot(dot.interval, (place, place), color=dot.colour, linewidth=1.2)
                axes.plot(
                    [dot.value],
                    [place],
                    marker="o",
                    markersize=4,
                    color=dot.colour,
                    markerfacecolor=dot.colour if dot.filled else "white",
                    zorder=3,
                )
            axes.set_yticks(range(len(dots)), [label(dot.name) for dot in dots])
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.grid(axis="x", color="#dddddd", linewidth=0.5)
            axes.set_axisbelow(True)
            axes.set_ylim(len(dots) - 0.4, -0.6)
            axes.set_xlabel(below)

    return _svg(draw)


def repeats_figure(raters: Iterable[Rater]) -> str:
    """Draw how near the second mark of a clip came to the first."""
    shown = [one for one in raters if one.exact is not None and one.within_one is not None]
    if not shown:
        return ""

    def draw(path: Path) -> None:
        with drawing(path, width=_WIDTH, height=1.05 + _ROW * (len(shown) + 1)) as figure:
            axes = figure.add_subplot()
            for place, one in enumerate(shown):
                same, near = one.exact or 0.0, one.within_one or 0.0
                left = 0.0
                for share, colour in zip((same, near - same, 1 - near), _SHADES, strict=True):
                    axes.barh(place, share, left=left, color=colour, height=0.6)
                    left += share
            for name, colour in zip(("same mark", "one apart", "further"), _SHADES, strict=True):
                axes.barh(0, 0, color=colour, label=name)
            axes.set_yticks(
                range(len(shown)), [f"{label(one.id)} ({one.repeats} repeats)" for one in shown]
            )
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.set_xlim(0, 1)
            axes.set_ylim(len(shown) - 0.4, -0.6)
            axes.set_xlabel("share of the repeated clips")
            figure.legend(loc="outside upper left", ncols=3)

    return _svg(draw)


def _svg(draw: Callable[[Path], object]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.svg"
        draw(path)
        return path.read_text(encoding="utf-8")
