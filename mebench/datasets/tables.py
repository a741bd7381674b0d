"""Annotation spreadsheets: the header row is searched for, columns go by name, cells stay raw."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mebench.errors import DatasetError
from mebench.facs.codes import cell_text
from mebench.io.frames import DAMAGE_ERRORS

COLUMNS: Mapping[str, frozenset[str]] = {
    "subject": frozenset({"subject", "sub", "subid"}),
    "filename": frozenset({"filename", "clip", "foldname"}),
    "onset": frozenset({"onsetframe", "onset", "onsetf"}),
    "apex": frozenset({"apexframe", "apex", "apexf", "apexf1"}),
    "offset": frozenset({"offsetframe", "offset", "offsetf"}),
    "au": frozenset({"actionunits", "actionunit", "au", "aus"}),
    "emotion": frozenset({"estimatedemotion", "emotion"}),
}
"""Our column name and the headers that mean it, lower-case without blanks and signs."""
_HEADER_ROWS = 60


@dataclass(frozen=True)
class Row:
    """One data row: its number in the sheet (from 1) and its raw cells by our column names."""

    number: int
    cells: Mapping[str, object]

    def text(self, column: str) -> str:
        """Return a cell as text, "" when it is empty."""
        return cell_text(self.cells.get(column))

    def whole(self, column: str) -> int | None:
        """Return a cell as a whole number, or None when it is empty or something else."""
        text = self.text(column)
        return int(text) if re.fullmatch(r"-?[0-9]{1,12}", text) else None


def read_rows(path: Path, required: Sequence[str]) -> list[Row]:
    """Return the data rows of the first sheet that has a header row with the required columns.

    Raises:
        DatasetError: when the file cannot be read, or no sheet has the columns.
    """
    missing: list[str] = []
    for sheet in _sheets(path):
        for index, cells in enumerate(sheet[:_HEADER_ROWS]):
            columns = _columns(cells)
            if "subject" not in columns:
                continue
            missing = [name for name in required if name not in columns]
            if not missing:
                return list(_rows(sheet, index, columns))
    if missing:
        raise DatasetError(
            f"{path}: the header row has no column for {', '.join(missing)}; "
            "use the annotation file as published"
        )
    raise DatasetError(
        f"{path}: no header row with 'Subject' in the first {_HEADER_ROWS} rows of any sheet; "
        "use the annotation file as published"
    )


def _rows(sheet: Sequence[Sequence[object]], header: int, columns: dict[str, int]) -> Iterable[Row]:
    for index in range(header + 1, len(sheet)):
        cells = sheet[index]
        named = {name: cells[at] for name, at in columns.items() if at < len(cells)}
        if cell_text(named.get("filename")):
            yield Row(index + 1, named)


def _columns(cells: Sequence[object]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, cell in enumerate(cells):
        plain = re.sub(r"[\W_]+", "", str(cell).lower()) if isinstance(cell, str) else ""
        for name, spellings in COLUMNS.items():
            if plain in spellings and name not in found:
                found[name] = position
    return found


def _sheets(path: Path) -> list[list[tuple[object, ...]]]:
    if path.suffix.lower() == ".csv":
        return [_csv(path)]
    if path.suffix.lower() == ".xls":
        raise DatasetError(f"{path}: the old .xls format is not read; save it as .xlsx or .csv")
    import openpyxl  # type: ignore[import-untyped]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book: Any = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), data_only=True)
            return [list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets]
    except (*DAMAGE_ERRORS, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"{path}: cannot be read as a spreadsheet ({type(error).__name__}); copy it again"
        ) from error


def _csv(path: Path) -> list[tuple[object, ...]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        sign = max(",;\t", key=text[:4000].count)
        return [tuple(row) for row in csv.reader(io.StringIO(text), delimiter=sign)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as UTF-8 CSV; copy it again") from error
