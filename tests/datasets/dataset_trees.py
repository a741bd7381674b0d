"""Rows and writers for small copies of the data sets in their real layouts."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import openpyxl
from PIL import Image as Pil

from mebench.datasets.base import Options, load_dataset
from mebench.datasets.index import index_csv

CASME2 = "casme2/CASME2-coding-20140508.xlsx"
SAMM = "samm/SAMM_Micro_FACS_Codes_v2.xlsx"
CASME2_HEADER = [
    "Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units",
    "Estimated Emotion",
]  # fmt: skip
CASME2_ROWS: list[list[object]] = [
    ["01", "EP02_01f", None, 46, 48, 51, None, "4+L10", "disgust"],
    ["01", "EP02_01", None, 98, "/", 102, None, 12, "happiness"],
    [2, "EP09f", None, 8, 200, 11, None, "?", "others"],
]
SAMM_HEADER = [
    "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame",
    "Duration", "Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
]  # fmt: skip
SAMM_ROWS: list[list[object]] = [
    ["006", "006_1_2", 1, 5562, 5564, 5567, 6, "Micro - 1/2", "13+T18+39", "Contempt", 7, None],
    [7, "007_6_1", 6, 97, 0, 101, 5, "Micro - 1/2", 4, "Other", 3, "blink"],
]


def save_sheet(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    return save_book(path, {"Sheet": rows, "Sheet2": []})


def save_book(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    return path


def save_csv(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def save_frames(folder: Path, names: Sequence[str], size: tuple[int, int] = (12, 10)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        pixels = np.full((*size, 3), min(10 * index, 255), np.uint8)
        Pil.fromarray(pixels).save(folder / name, quality=95)


def rows_of(root: Path, dataset: str, **how: object) -> list[dict[str, str]]:
    """Return the index without the columns a quirk may change: where it lies, what was told."""
    text = index_csv(load_dataset(dataset, root, Options(**how)).clips())  # type: ignore[arg-type]
    rows = list(csv.DictReader(io.StringIO(text)))
    return [{k: v for k, v in row.items() if k not in ("path", "corrections")} for row in rows]
