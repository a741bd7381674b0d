"""What a finished run leaves for people: tables in four formats, a page, a contact sheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mebench.io.figures import beside_a_result
from mebench.io.files import atomic_path, write_text
from mebench.report.curves import write_curves
from mebench.report.formats import render
from mebench.report.html import PairView, render_page
from mebench.report.plot import curve_figure
from mebench.report.rows import build_table
from mebench.report.sheets import animation, contact_sheet, difference, png_bytes, side_by_side
from mebench.runner.run import RunResult
from mebench.scoring import curves_of, requirement_of
from mebench.submission.placing import place_output
from mebench.submission.validate import Submission, open_submission
from mebench.types import Frames, Image, Pair, Progress

_SLOWER = 8.0
_SIDE = 160
_FILES = {"text": "table.txt", "markdown": "table.md", "latex": "table.tex", "csv": "table.csv"}


@dataclass(frozen=True)
class Written:
    """The text table and the files that were written."""

    text: str
    files: tuple[Path, ...]


def write_report(
    out: Path, result: RunResult, progress: Progress, *, private: bool = False
) -> Written:
    """Write tables, curves, ``report.html`` and ``contact_sheet.png`` into the run's folder.

    Pictures of gated data are left out unless `private`; then the page says that it is.
    """
    table = build_table([result.record])
    files = [out / "record.json"]
    for form, name in _FILES.items():
        write_text(out / name, render(table, form))
        files.append(out / name)
    submission = open_submission(result.folder, requirement_of(result.data))
    write_curves(out / "curves.csv", submission, result.data, result.options)
    files.append(out / "curves.csv")
    gated = ", ".join(result.data.gated)
    views: list[PairView] = []
    rows: list[list[Image]] = []
    columns: tuple[str, ...] = ()
    if gated and not private:
        stamp = f"No pictures: {gated} may not be passed on. `--private` draws them for your eyes."
    else:
        stamp = f"PRIVATE: shows pixels of {gated}, do not pass on." if gated else ""
        with progress.task("report", total=len(result.data.pairs)) as task:
            for pair in result.data.pairs:
                columns, stills, view = _view(pair, submission, result)
                rows.append(stills)
                views.append(view)
                task.advance(note=pair.key)
        with atomic_path(out / "contact_sheet.png") as temporary:
            temporary.write_bytes(png_bytes(contact_sheet(rows, columns, _SIDE)))
        files.append(out / "contact_sheet.png")
    write_text(out / "report.html", render_page(result.record, table, views, stamp))
    files.append(out / "report.html")
    return Written(render(table, "text"), tuple(files))


def _view(
    pair: Pair, submission: Submission, result: RunResult
) -> tuple[tuple[str, ...], list[Image], PairView]:
    data = result.data
    driving = data.driving[pair.driving]
    generated = submission.frames(pair)
    placed = place_output(submission, pair, generated, data, result.options.cache)
    template, reference = placed.face.image, data.answer(pair, placed.view)
    shown = placed.brought(np.asarray(driving.frames), driving.landmarks)
    apex = driving.apex_index if driving.apex_index is not None else len(driving.frames) // 2
    moving: dict[str, Frames] = {
        "template": template[None],
        "driving": shown,
        "generated": generated,
    }
    compared = {"generated": generated}
    if reference is not None:
        moving["truth"] = compared["truth"] = np.asarray(reference.frames)
    still = {name: frames[min(apex, len(frames) - 1)] for name, frames in moving.items()}
    for name, frames in compared.items():
        still[f"5x {name}"] = difference(frames[apex], frames[0])
    found = curves_of(submission, pair, data, result.options)
    values = result.record.result.per_clip[pair.key]
    headline = {
        key: f"{metric.title} ({metric.unit})" if metric.unit else metric.title
        for key, metric in result.record.result.metrics.items()
        if metric.headline
    }
    columns = tuple(name.replace("driving", "driving apex") for name in still)
    stills = list(still.values())
    curves = b""
    with beside_a_result(f"{pair.key}: curves of action units"):
        curves = curve_figure(_side(found, "driving"), _side(found, "generated"), driving.fps)
    view = PairView(
        key=pair.key,
        emotion=" + ".join(f"AU{unit.au}" for unit in driving.action_units),
        columns=tuple(moving),
        animation=animation(side_by_side(list(moving.values())), driving.fps / _SLOWER),
        stills=png_bytes(contact_sheet([stills], columns, 106)),
        curves=curves,
        values={name: _number(values.get(key)) for key, name in headline.items() if key in values},
    )
    return columns, stills, view


def _side(curves: dict[str, np.ndarray], side: str) -> dict[str, np.ndarray]:
    prefix = f"{side}/"
    return {key.removeprefix(prefix): v for key, v in curves.items() if key.startswith(prefix)}


def _number(value: float | None) -> str:
    return "--" if value is None else f"{value:.3f}"
