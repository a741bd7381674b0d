"""The annotation files of an export, with the quirks of the real ones."""

from __future__ import annotations

import re
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

from mebench.facs.objective import CLASSES, objective_class
from mebench.io.files import atomic_path
from mebench.synthme.plan import ClipPlan, text_of
from mebench.types import ActionUnit

CASME2_FILE = "CASME2-coding-20140508.xlsx"
SAMM_FILE = "SAMM_Micro_FACS_Codes_v2.xlsx"

_CASME2_HEADER = (
    "Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None,
    "Action Units", "Estimated Emotion",
)  # fmt: skip
_SAMM_HEADER = (
    "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame",
    "Duration", "Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
)  # fmt: skip
_SAMM_NOTES = (
    "SynthME: synthetic faces in the layout of SAMM v2",
    None,
    "All clips are rendered at 200 frames per second",
    "Frame numbers count from the start of the recording",
    None,
    "Notation of the action units",
    "'/' = either of the two",
    "'L' or 'R' = one side only",
    "'A' before a number = both sides, one of them stronger",
    "A letter after a number = intensity",
    "'?' = unclear offset",
    None,
    None,
)


def class_number(clip: ClipPlan) -> int:
    """Return the objective class 1..7 of a clip's action units, sides and levels ignored."""
    units = [ActionUnit(part.au) for part in clip.expression.components]
    return CLASSES.index(objective_class(units)) + 1


def write_casme2(target: Path, clips: tuple[ClipPlan, ...]) -> None:
    """Write the coding file of CASME II: text subjects, spacer columns, numeric single AUs."""
    rows: list[tuple[Any, ...]] = [_CASME2_HEADER]
    for clip in clips:
        rows.append(
            (
                clip.subject,
                clip.clip_id,
                None,
                clip.onset,
                clip.apex,
                clip.offset,
                None,
                _cell("+".join(text_of(p, graded=False) for p in clip.expression.components)),
                clip.expression.emotion,
            )
        )
    _write(target, {"Sheet1": rows, "Sheet2": [], "Sheet3": []})


def write_samm(target: Path, clips: tuple[ClipPlan, ...]) -> None:
    """Write the coding file of SAMM: 13 rows of notes, the header in row 14."""
    rows: list[tuple[Any, ...]] = [(note,) for note in _SAMM_NOTES]
    rows.append(_SAMM_HEADER)
    for clip in clips:
        parts = clip.expression.components
        plain = len(parts) == 1 and parts[0].side == "both" and abs(parts[0].asymmetry) <= 0.14
        text = "+".join(text_of(part, graded=not plain) for part in parts)
        emotion = clip.expression.emotion.capitalize()
        rows.append(
            (
                clip.subject,
                clip.clip_id,
                int(clip.clip_id.split("_")[1]),
                clip.onset,
                clip.apex,
                clip.offset,
                clip.offset - clip.onset + 1,
                "Micro - 1/2",
                _cell(text),
                "Other" if emotion == "Others" else emotion,
                class_number(clip),
                None,
            )
        )
    _write(target, {"MICRO_ONLY": rows})


def _cell(text: str) -> str | int:
    return int(text) if text.isdigit() else text


def _write(target: Path, sheets: dict[str, list[tuple[Any, ...]]]) -> None:
    from openpyxl import Workbook  # type: ignore[import-untyped]

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    with atomic_path(target) as temporary:
        book.save(temporary)
        _strip_times(temporary)


def _strip_times(path: Path) -> None:
    """Give every member the same date: the same export must be the same bytes."""
    with zipfile.ZipFile(path) as book:
        members = [(name, book.read(name)) for name in book.namelist()]
    fixed = datetime(2014, 5, 8).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, data in members:
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", fixed, data)
            book.writestr(zipfile.ZipInfo(name, (2014, 5, 8, 0, 0, 0)), data)
