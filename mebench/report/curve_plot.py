"""A figure of AU curves: the driving clip's, and what each method made of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError, did_you_mean
from mebench.report.curves import HEADER
from mebench.report.figure import DPI, STYLES, WIDTH, drawing, label

Series = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Times in ms and values in % of the inter-ocular distance."""

_COLUMNS = 3
_ERROR = "epe_px"


@dataclass(frozen=True)
class PairCurves:
    """Curves of one pair by AU, of the driving clip and of one generated clip."""

    driving: Mapping[str, Series]
    generated: Mapping[str, Series]


def from_arrays(curves: Mapping[str, NDArray[np.floating]], fps: float) -> PairCurves:
    """Return curves as `scoring.curves_of` gives them, ``driving/12L`` and ``generated/12L``."""
    sides: dict[str, dict[str, Series]] = {"driving": {}, "generated": {}}
    for name, values in curves.items():
        clip, _, unit = name.partition("/")
        if clip in sides and unit != _ERROR:
            times = np.arange(len(values), dtype=np.float64) * (1000.0 / fps)
            sides[clip][unit] = times, np.asarray(values, np.float64)
    return PairCurves(sides["driving"], sides["generated"])


def read_curves(path: Path, pair: str | None = None) -> tuple[str, PairCurves]:
    """Read the curves of one pair, ``template/driving``, from a ``curves.csv``; else of its first.

    Raises:
        UsageError: for a file of another kind, or without the pair.
    """
    found: dict[str, dict[tuple[str, str], list[tuple[float, float]]]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            lines = csv.DictReader(handle)
            if tuple(lines.fieldnames or ()) != HEADER:
                raise UsageError(f"{path}: not a table of curves; make one with: score --curves")
            for line in lines:
                curves = found.setdefault(f"{line['template']}/{line['driving']}", {})
                value = float(line["value"]) if line["value"] else np.nan
                curve = curves.setdefault((line["clip"], line["curve"]), [])
                curve.append((float(line["ms"]), value))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({type(error).__name__})") from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: not a table of curves ({error})") from error
    if not found:
        raise UsageError(f"{path}: holds no curves")
    key = next(iter(found)) if pair is None else pair
    if key not in found:
        raise UsageError(f"{path}: no pair '{key}'.{did_you_mean(key, found)}")
    sides: dict[str, dict[str, Series]] = {"driving": {}, "generated": {}}
    for (clip, unit), points in found[key].items():
        if clip in sides and unit != _ERROR:
            table = np.array(points, np.float64)
            sides[clip][unit] = table[:, 0], table[:, 1]
    return key, PairCurves(sides["driving"], sides["generated"])


def plot_curves(
    path: Path,
    methods: Sequence[tuple[str, PairCurves]],
    *,
    units: Sequence[str] = (),
    most: int = 3,
    width: float = WIDTH,
    dpi: int = DPI,
) -> list[str]:
    """Draw a panel for each AU: driving thick and grey, methods in colours; return the AUs.

    Without `units` the `most` strongest ones of the driving clip are drawn.

    Raises:
        UsageError: for an AU that was not measured.
    """
    driving = methods[0][1].driving
    if not driving:
        raise UsageError(f"{methods[0][0]}: no curves of the driving clip")
    for unit in units:
        if unit not in driving:
            raise UsageError(f"no curve of AU '{unit}'.{did_you_mean(unit, driving)}")
    shown = list(units) or sorted(driving, key=lambda name: -_peak(driving[name]))[:most]
    columns = min(_COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    height = 1.75 * lines + 0.35
    with drawing(path, width=width * min(1.0, (columns + 0.2) / 3), height=height, dpi=dpi) as page:
        grid = page.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        handles = {}
        for axes, unit in zip(grid.flat, shown, strict=False):
            drawn = axes.plot(*driving[unit], color="#c4c4c4", linewidth=3.5)
            handles["driving"] = drawn[0]
            for number, (name, curves) in enumerate(methods):
                if unit in curves.generated:
                    style = STYLES[number % len(STYLES)]
                    drawn = axes.plot(
                        *curves.generated[unit], color=f"C{number}", linestyle=style, linewidth=1.1
                    )
                    handles[label(name)] = drawn[0]
            axes.set_title(f"AU{unit}")
            axes.axhline(0.0, color="#dddddd", linewidth=0.5, zorder=0)
        for axes in grid.flat[len(shown) :]:
            axes.set_visible(False)
        for axes in grid.flat[max(0, len(shown) - columns) : len(shown)]:
            axes.set_xlabel("ms from onset")
            axes.xaxis.set_tick_params(labelbottom=True)
        for axes in grid[:, 0]:
            axes.set_ylabel("% IOD")
        page.legend(
            handles.values(), handles.keys(), loc="outside upper center", ncols=min(4, len(handles))
        )
    return shown


def _peak(series: Series) -> float:
    values = np.abs(series[1])
    return float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
