"""``mebench plot``: figures for papers, as pdf, svg or png."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mebench.cli.options import data_roots, job_count
from mebench.cli.progress import console_progress
from mebench.cli.record import record_files
from mebench.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from mebench.protocol.data import ProtocolData
    from mebench.report.curve_plot import PairCurves
    from mebench.submission.validate import Submission
    from mebench.types import Frames, Pair

_CURVES = ".csv"


@click.group()
def plot() -> None:
    """Draw figures for papers; --out FILE.pdf, .svg or .png says the format."""


def _shared(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--dpi", type=click.IntRange(50, 1200), default=200, show_default=True),
        click.option("--width", type=click.FloatRange(1.0, 20.0), help="Inches."),
        click.option(
            "--out",
            "-o",
            required=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help="File to write.",
        ),
    ):
        command = option(command)
    return command


def _on_protocol(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--jobs", type=click.IntRange(min=1), help="Worker processes."),
        click.option("--data", multiple=True, metavar="DATASET=ROOT", help="Data root."),
        click.option("--protocol", default="synthme", show_default=True, help="Id or YAML."),
        click.option("--pair", metavar="TEMPLATE/DRIVING", help="Which output; default: first."),
    ):
        command = option(command)
    return command


@plot.command()
@click.argument("submissions", nargs=-1, required=True, type=click.Path(path_type=Path))
@_on_protocol
@click.option("--frames", type=click.IntRange(3, 15), default=5, show_default=True)
@click.option("--gain", type=click.FloatRange(0.1, 100.0), default=5.0, show_default=True)
@click.option("--private", is_flag=True, help="Draw gated data; the figure is stamped.")
@_shared
def strip(
    submissions: tuple[Path, ...],
    pair: str | None,
    protocol: str,
    data: tuple[str, ...],
    jobs: int | None,
    frames: int,
    gain: float,
    private: bool,
    out: Path,
    width: float | None,
    dpi: int,
) -> None:
    """Frames of one output from onset to offset, of the driving clip and of each submission."""
    import numpy as np

    from mebench.report.figure import WIDTH, require_format, stamp_of
    from mebench.report.strip_plot import plot_strip

    require_format(out)
    opened = _opened(protocol, data, jobs)
    stamp = stamp_of(opened.gated, private=private)
    chosen = _pair(opened, pair)
    driving, reference = opened.driving[chosen.driving], opened.reference(chosen)
    rows: dict[str, Frames] = {"driving": np.asarray(driving.frames)}
    if reference is not None and opened.protocol.reference == "truth":
        rows["truth"] = np.asarray(reference.frames)
    for one in _submissions(submissions, opened, chosen):
        rows[_free(one.manifest.method.title, rows)] = one.frames(chosen)
    apex = driving.apex_index
    plot_strip(
        out,
        rows,
        apex=len(driving.frames) // 2 if apex is None else apex,
        fps=driving.fps,
        columns=frames,
        gain=gain,
        stamp=stamp,
        width=width or WIDTH,
        dpi=dpi,
    )
    click.echo(f"{chosen.key}: {out}")


@plot.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@_on_protocol
@click.option("--units", help="AUs such as 4,12L; default: the strongest of the driving clip.")
@click.option("--most", type=click.IntRange(1, 12), default=3, show_default=True, help="How many.")
@_shared
def curves(
    paths: tuple[Path, ...],
    pair: str | None,
    protocol: str,
    data: tuple[str, ...],
    jobs: int | None,
    units: str | None,
    most: int,
    out: Path,
    width: float | None,
    dpi: int,
) -> None:
    """AU curves of one output, driving and generated: of submissions, or of their curves.csv."""
    from mebench.report.curve_plot import plot_curves
    from mebench.report.figure import WIDTH, require_format

    require_format(out)
    tables = [path.suffix.lower() == _CURVES for path in paths]
    if any(tables) and not all(tables):
        raise UsageError("give submissions or tables of curves (.csv), not both")
    methods = _read(paths, pair) if all(tables) else _measured(paths, pair, protocol, data, jobs)
    drawn = plot_curves(
        out,
        methods,
        units=[
            unit.strip().upper().removeprefix("AU") for unit in (units or "").split(",") if unit
        ],
        most=most,
        width=width or WIDTH,
        dpi=dpi,
    )
    click.echo(f"AU {', '.join(drawn)}: {out}")


@plot.command()
@click.argument("records", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--metric", help="Metric key; default: the first headline one.")
@click.option("--controls/--no-controls", default=True, help="Show the control rows.")
@_shared
def ranks(
    records: tuple[Path, ...],
    metric: str | None,
    controls: bool,
    out: Path,
    width: float | None,
    dpi: int,
) -> None:
    """Means and intervals of one metric by place; methods on one band share theirs."""
    from mebench.record import Record
    from mebench.report.figure import WIDTH, require_format
    from mebench.report.rank_plot import plot_ranks

    require_format(out)
    loaded = [Record.load(path) for path in record_files(records)]
    key = plot_ranks(
        out, loaded, metric=metric, controls=controls, width=width or 0.75 * WIDTH, dpi=dpi
    )
    click.echo(f"{key}: {out}")


def _opened(protocol: str, data: tuple[str, ...], jobs: int | None) -> ProtocolData:
    from mebench import settings
    from mebench.protocol.opening import open_protocol
    from mebench.protocol.spec import load_protocol

    spec = load_protocol(protocol)
    return open_protocol(
        spec,
        data_roots(data, spec.sources),
        cache=settings.cache_folder(),
        jobs=job_count(jobs),
        progress=console_progress(),
    )


def _pair(data: ProtocolData, name: str | None) -> Pair:
    known = {pair.key: pair for pair in data.pairs}
    if name is None:
        return data.pairs[0]
    if name not in known:
        raise UsageError(f"no pair '{name}'.{did_you_mean(name, known)}")
    return known[name]


def _submissions(paths: Sequence[Path], data: ProtocolData, pair: Pair) -> list[Submission]:
    from mebench.scoring import requirement_of
    from mebench.submission.validate import open_submission

    found = []
    for path in paths:
        place = path / "submission" if (path / "submission").is_dir() else path
        one = open_submission(place, requirement_of(data), allow_missing=True)
        if pair in one.missing:
            raise UsageError(f"{path}: has no output {pair.key}; choose another with --pair")
        found.append(one)
    return found


def _measured(
    paths: Sequence[Path], pair: str | None, protocol: str, data: tuple[str, ...], jobs: int | None
) -> list[tuple[str, PairCurves]]:
    from mebench import settings
    from mebench.report.curve_plot import from_arrays
    from mebench.scoring import ScoringOptions, curves_of

    opened = _opened(protocol, data, jobs)
    chosen = _pair(opened, pair)
    options = ScoringOptions(metrics=("action_units",), cache=settings.cache_folder())
    found: dict[str, Any] = {}
    for one in _submissions(paths, opened, chosen):
        curves = curves_of(one, chosen, opened, options)
        fps = opened.driving[chosen.driving].fps
        found[_free(one.manifest.method.title, found)] = from_arrays(curves, fps)
    return list(found.items())


def _read(paths: Sequence[Path], pair: str | None) -> list[tuple[str, PairCurves]]:
    from mebench.report.curve_plot import read_curves

    found: dict[str, PairCurves] = {}
    for path in paths:
        pair, curves = read_curves(path, pair)
        own = path.stem.removesuffix(".curves")
        name = path.parent.name if own == "curves" else own
        found[_free(name, found)] = curves
    return list(found.items())


def _free(name: str, taken: dict[str, Any]) -> str:
    """Return a name that no other row has."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free
