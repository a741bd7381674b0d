"""Annotation spreadsheets: the header row is searched for, columns go by name, cells stay raw."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mebench.errors import DatasetError
from mebench.facs.codes import cell_text
from mebench.io.frames import DAMAGE_ERRORS
from mebench.io.kinds import HEAD, kind_of
from mebench.io.tables import read_cells, whole_number

COLUMNS: Mapping[str, frozenset[str]] = {
    "subject": frozenset({"subject", "sub", "subid"}),
    "filename": frozenset({"filename", "clip", "foldname"}),
    "onset": frozenset({"onsetframe", "onset", "onsetf"}),
    "apex": frozenset({"apexframe", "apex", "apexf", "apexf1"}),
    "offset": frozenset({"offsetframe", "offset", "offsetf"}),
    "au": frozenset({"actionunits", "actionunit", "au", "aus"}),
    "emotion": frozenset({"estimatedemotion", "emotion"}),
    "objective": frozenset({"objectiveclasses", "objectiveclass"}),
    "duration": frozenset({"duration"}),
    "expression": frozenset({"expressiontype", "type", "micro"}),
    "inducement": frozenset({"inducementcode"}),
    "fps": frozenset({"fps"}),
}
"""Our column name and the headers that mean it, lower-case without blanks and signs."""
_HEADER_ROWS = 60

Cells = tuple[object, ...]


@dataclass(frozen=True)
class Sheet:
    """One sheet of a book: its name, its rows of raw cells and remarks on how it was read."""

    name: str
    rows: Sequence[Cells]


@dataclass(frozen=True)
class Row:
    """One data row: its number in the sheet (from 1) and its raw cells by our column names.

    `file` names the table where rows of several were put together.
    """

    number: int
    cells: Mapping[str, object]
    file: str = ""

    def text(self, column: str) -> str:
        """Return a cell as text, "" when it is empty."""
        return cell_text(self.cells.get(column))

    def whole(self, column: str) -> int | None:
        """Return a cell as a whole number, or None when it is empty or something else."""
        return whole_number(self.text(column))


@dataclass(frozen=True)
class Table:
    """The data rows of a sheet, and which of our columns its header names at which place."""

    sheet: str
    columns: Mapping[str, int]
    rows: tuple[Row, ...]


def read_table(
    path: Path,
    required: Sequence[str],
    *,
    spellings: Mapping[str, frozenset[str]] | None = None,
    sheet: str | None = None,
    prefer: Sequence[str] = (),
    keep: str = "filename",
) -> Table:
    """Return the data rows of the first sheet that has a header row with the required columns.

    `spellings` adds columns of one data set to `COLUMNS`; `sheet` asks for a sheet by name (letter
    case is ignored; a book of one sheet, such as a CSV, is taken as it is); sheets named in
    `prefer` are looked at first; a row without a `keep` cell is blank.

    Raises:
        DatasetError: when the file cannot be read, or no sheet has the columns.
    """
    known = {**COLUMNS, **(spellings or {})}
    sheets = read_sheets(path)
    sheets.sort(key=lambda one: one.name.strip().lower() not in prefer)
    if sheet is not None and len(sheets) > 1:
        sheets = [one for one in sheets if one.name.strip().lower() == sheet.lower()]
        if not sheets:
            raise DatasetError(f"{path}: no sheet '{sheet}'; use the annotation file as published")
    missing: list[str] = []
    for one in sheets:
        for index, cells in enumerate(one.rows[:_HEADER_ROWS]):
            columns = _columns(cells, known)
            if "subject" not in columns:
                continue
            lacking = [name for name in required if name not in columns]
            if not lacking:
                rows = tuple(_rows(one.rows, index, columns, keep))
                return Table(one.name, columns, rows)
            missing = missing or lacking
    if missing:
        raise DatasetError(
            f"{path}: the header row has no column for {', '.join(missing)}; "
            "use the annotation file as published"
        )
    raise DatasetError(
        f"{path}: no header row with 'Subject' in the first {_HEADER_ROWS} rows of any sheet; "
        "use the annotation file as published"
    )


def placed_table(sheet: Sheet, columns: Sequence[str], is_row: Callable[[Row], bool]) -> Table:
    """Return the rows of a sheet without a usable header: columns go by their place.

    A row that `is_row` does not know, such as a note or a header, is left out.
    """
    rows = [
        Row(number, dict(zip(columns, cells, strict=False)))
        for number, cells in enumerate(sheet.rows, 1)
    ]
    places = {name: place for place, name in enumerate(columns)}
    return Table(sheet.name, places, tuple(row for row in rows if is_row(row)))


def read_sheets(path: Path) -> list[Sheet]:
    """Return every sheet of an xlsx, xls or csv file; its content decides, not its suffix.

    Raises:
        DatasetError: when the file cannot be read, or a cell is a formula without a stored value.
    """
    try:
        data = path.read_bytes()
    except PermissionError as error:
        raise DatasetError(f"{path}: permission denied; allow reading it: chmod u+r") from error
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read as a spreadsheet ({error.strerror}); copy it again"
        ) from error
    try:
        if data.startswith(b"PK"):
            return _xlsx(path, data)
        if data.startswith(b"\xd0\xcf\x11\xe0"):
            return _xls(data)
    except DatasetError:
        raise
    except (*DAMAGE_ERRORS, zipfile.BadZipFile) as error:
        raise _unreadable(path, type(error).__name__) from error
    if not data.strip():
        raise _unreadable(path, "empty")
    what = kind_of(data[:HEAD])
    if what is not None:
        raise DatasetError(f"{path}: {what}")
    return [Sheet("", _csv(path, data))]


def _rows(
    cells: Sequence[Cells], header: int, columns: Mapping[str, int], keep: str
) -> Iterator[Row]:
    for index in range(header + 1, len(cells)):
        line = cells[index]
        named = {name: line[at] for name, at in columns.items() if at < len(line)}
        if cell_text(named.get(keep)):
            yield Row(index + 1, named)


def _columns(cells: Sequence[object], known: Mapping[str, frozenset[str]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, cell in enumerate(cells):
        plain = re.sub(r"[\W_]+", "", str(cell).lower()) if isinstance(cell, str) else ""
        for name, spellings in known.items():
            if plain in spellings and name not in found:
                found[name] = position
    return found


def _xlsx(path: Path, data: bytes) -> list[Sheet]:
    import openpyxl  # type: ignore[import-untyped]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book: Any = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
        sheets = [
            Sheet(
                one.title,
                _merged(
                    list(one.iter_rows(values_only=True)),
                    [
                        (m.min_row - 1, m.max_row, m.min_col - 1, m.max_col)
                        for m in one.merged_cells.ranges
                    ],
                ),
            )
            for one in book.worksheets
        ]
        formulas = any(b"<f" in part for part in _sheet_parts(data))
        if formulas:
            written: Any = openpyxl.load_workbook(io.BytesIO(data))
            for sheet, stored in zip(written.worksheets, sheets, strict=True):
                _refuse_lost_formulas(path, sheet, stored.rows)
    return sheets


def _merged(rows: list[Cells], merged: Sequence[tuple[int, int, int, int]]) -> list[Cells]:
    """Return rows in which every row of cells merged downwards holds their value.

    `merged`: first row, row after the last, and the columns alike, from 0.
    """
    for top, end, left, right in merged:
        for row in range(top + 1, min(end, len(rows))):
            cells = list(rows[row])
            cells[left:right] = rows[top][left:right]
            rows[row] = tuple(cells)
    return rows


def _sheet_parts(data: bytes) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                yield archive.read(name)


def _refuse_lost_formulas(path: Path, sheet: Any, stored: Sequence[Cells]) -> None:
    """Programs that write formulas without computing them leave nothing to read."""
    for line in sheet.iter_rows():
        for cell in line:
            if cell.data_type == "f" and stored[cell.row - 1][cell.column - 1] is None:
                raise DatasetError(
                    f"{path}: row {cell.row}: cell {cell.coordinate} of sheet '{sheet.title}' is a "
                    "formula without a stored value; save the file with values instead of formulas"
                )


def _xls(data: bytes) -> list[Sheet]:
    import xlrd  # type: ignore[import-untyped]

    try:
        book = _opened_xls(xlrd, data)
    except xlrd.XLRDError as error:
        raise ValueError(str(error)) from error
    sheets = []
    for sheet in book.sheets():
        lines = [
            tuple(v if v != "" else None for v in sheet.row_values(r)) for r in range(sheet.nrows)
        ]
        sheets.append(Sheet(sheet.name, _merged(lines, sheet.merged_cells)))
    return sheets


def _opened_xls(xlrd: Any, data: bytes) -> Any:
    """Open a book with what tells merged cells; without it where its styles cannot be read."""
    try:
        return xlrd.open_workbook(file_contents=data, logfile=io.StringIO(), formatting_info=True)
    except DAMAGE_ERRORS:
        return xlrd.open_workbook(file_contents=data, logfile=io.StringIO())


def _csv(path: Path, data: bytes) -> list[Cells]:
    try:
        return [tuple(row) for row in read_cells(data, ("utf-8-sig", "gb18030"))]
    except ValueError as error:
        raise _unreadable(path, "neither xlsx, xls nor CSV text") from error


def _unreadable(path: Path, why: str) -> DatasetError:
    return DatasetError(f"{path}: cannot be read as a spreadsheet ({why}); copy it again")
