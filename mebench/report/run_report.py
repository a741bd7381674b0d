"""What a finished run leaves for people: tables in four formats, a page, a contact sheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mebench.io.files import atomic_path, write_text
from mebench.report.formats import render
from mebench.report.html import PairView, render_page
from mebench.report.plot import curve_figure
from mebench.report.rows import build_table
from mebench.report.sheets import animation, contact_sheet, difference, png_bytes, side_by_side
from mebench.runner import RunResult
from mebench.scoring import curves_of, requirement_of
from mebench.submission.validate import Submission, open_submission
from mebench.types import Frames, Image, Pair, Progress

_SLOWER = 8.0
_SIDE = 160
_FILES = {"text": "table.txt", "markdown": "table.md", "latex": "table.tex", "csv": "table.csv"}
_SHEET_COLUMNS = ("template", "driving apex", "generated", "truth", "5x generated", "5x truth")


@dataclass(frozen=True)
class Written:
    """The text table and the files that were written."""

    text: str
    files: tuple[Path, ...]


def write_report(out: Path, result: RunResult, progress: Progress) -> Written:
    """Write tables, ``report.html`` and ``contact_sheet.png`` into the run's folder."""
    table = build_table([result.record])
    files = [out / "record.json"]
    for form, name in _FILES.items():
        write_text(out / name, render(table, form))
        files.append(out / name)
    submission = open_submission(result.folder, requirement_of(result.data))
    views: list[PairView] = []
    rows: list[list[Image]] = []
    with progress.task("report", total=len(result.data.pairs)) as task:
        for pair in result.data.pairs:
            stills, view = _view(pair, submission, result)
            rows.append(stills)
            views.append(view)
            task.advance(note=pair.key)
    with atomic_path(out / "contact_sheet.png") as temporary:
        temporary.write_bytes(png_bytes(contact_sheet(rows, _SHEET_COLUMNS, _SIDE)))
    write_text(out / "report.html", render_page(result.record, table, views))
    files += [out / "contact_sheet.png", out / "report.html"]
    return Written(render(table, "text"), tuple(files))


def _view(pair: Pair, submission: Submission, result: RunResult) -> tuple[list[Image], PairView]:
    data = result.data
    driving = data.driving[pair.driving]
    template = data.templates[pair.template].image
    generated = submission.frames(pair)
    reference = data.reference(pair)
    truth: Frames = generated if reference is None else np.asarray(reference.frames)
    apex = driving.apex_index if driving.apex_index is not None else len(driving.frames) // 2
    still = [
        template,
        np.asarray(driving.frames[apex]),
        generated[apex],
        truth[apex],
        difference(generated[apex], generated[0]),
        difference(truth[apex], truth[0]),
    ]
    found = curves_of(submission, pair, data, result.options)
    values = result.record.result.per_clip[pair.key]
    headline = {
        key: f"{metric.title} ({metric.unit})" if metric.unit else metric.title
        for key, metric in result.record.result.metrics.items()
        if metric.headline
    }
    view = PairView(
        key=pair.key,
        emotion=" + ".join(f"AU{unit.au}" for unit in driving.action_units),
        columns=("template", "driving", "generated", "truth"),
        animation=animation(
            side_by_side([template[None], np.asarray(driving.frames), generated, truth]),
            driving.fps / _SLOWER,
        ),
        stills=png_bytes(contact_sheet([still], _SHEET_COLUMNS, 106)),
        curves=curve_figure(_side(found, "driving"), _side(found, "generated"), driving.fps),
        values={name: _number(values.get(key)) for key, name in headline.items() if key in values},
    )
    return still, view


def _side(curves: dict[str, np.ndarray], side: str) -> dict[str, np.ndarray]:
    prefix = f"{side}/"
    return {key.removeprefix(prefix): v for key, v in curves.items() if key.startswith(prefix)}


def _number(value: float | None) -> str:
    return "--" if value is None else f"{value:.3f}"
