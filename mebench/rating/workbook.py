"""ratings.xlsx: the form as a spreadsheet, for experts who prefer one to the page."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import yaml

from mebench.io.files import atomic_path
from mebench.rating.answers import spoken, tidy
from mebench.rating.cells import letters
from mebench.rating.form import FOLDER, Choice, Form, Scale, Text, Units, YesNo
from mebench.rating.layout import (
    ABOUT,
    ABOUT_ROWS,
    CLIP,
    HEAD_ROWS,
    LISTS,
    RATINGS,
    TARGET,
    TARGETS,
    TICK,
    UNITS,
    Column,
    Head,
    columns,
    has_units,
    one_line,
)
from mebench.rating.model import Item

_PROGRAM = re.compile(rb"(?<=<Application>)[^<]*")
_TIMES = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_HEAD, _BAND, _OPEN, _LINE = "FFDCE6F1", "FFF3F6FA", "FFFFF4CC", "FFBFC8D2"
_WIDTHS = {"yesno": 13, "choice": 13, "scale": 17, "checks": 13, "aus": 18, "text": 44}
_INK = ("FF000000", "FF5A6570")
_HEAD_HEIGHT, _ROW_HEIGHT, _TWO_LINES = 80, 18, 28
_LONGEST_LIST = 255
_LONGEST_UNITS = 200


def write_workbook(
    path: Path,
    *,
    form: Form,
    items: Sequence[Item],
    bundle: str,
    rater: str,
    stamp: str = "",
) -> None:
    """Write a rater's empty ratings.xlsx; the same arguments give the same bytes.

    Of `items` only ids and target AUs are written, in the order given. Sheet Ratings holds a row an
    item, sheet AUs a row a target AU of an item, About says whose file it is and how to fill it in.
    """
    from openpyxl import Workbook  # type: ignore[import-untyped]

    book = Workbook()
    book.remove(book.active)
    lists = _Lists(book)
    rows = [((item.id, "+".join(item.aus)), at % 2 == 1) for at, item in enumerate(items)]
    _fill(book.create_sheet(RATINGS), (CLIP, TARGETS), columns(form, per_au=False), rows, lists)
    if has_units(form):
        units = [((i.id, au), at % 2 == 1) for at, i in enumerate(items) for au in i.aus]
        _fill(book.create_sheet(UNITS), (CLIP, TARGET), columns(form, per_au=True), units, lists)
    _tell(book.create_sheet(ABOUT), form, (bundle, rater, form.id), stamp)
    for sheet in book.worksheets:
        _page(sheet, stamp)
    lists.write()
    book.properties.creator = None
    made = io.BytesIO()
    book.save(made)
    with atomic_path(path) as temporary:
        temporary.write_bytes(_timeless(made.getvalue()))


class _Lists:
    """Lists to choose from: in the rule itself where they fit, else on a hidden sheet."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._long: list[tuple[str, ...]] = []

    def formula(self, choices: tuple[str, ...]) -> str:
        joined = ",".join(choices)
        if len(joined) <= _LONGEST_LIST and not any(set(one) & set('",') for one in choices):
            return f'"{joined}"'
        if choices not in self._long:
            self._long.append(choices)
        letter = letters(self._long.index(choices) + 1)
        return f"{LISTS}!${letter}$1:${letter}${len(choices)}"

    def write(self) -> None:
        if not self._long:
            return
        sheet = self._book.create_sheet(LISTS)
        sheet.sheet_state = "hidden"
        sheet.protection.sheet = True
        for column, choices in enumerate(self._long, 1):
            for row, choice in enumerate(choices, 1):
                _text(sheet.cell(row, column), choice)


def _fill(
    sheet: Any,
    heads: tuple[Head, Head],
    asked: Sequence[Column],
    rows: Sequence[tuple[tuple[str, str], bool]],
    lists: _Lists,
) -> None:
    """Write header, rows and rules of a sheet; every second clip is shaded."""
    for at, head in enumerate([*heads, *(column.head for column in asked)], 1):
        for row, text in enumerate(head, 1):
            _dress_head(_text(sheet.cell(row, at), text), titles=row == 1)
    dressed: dict[tuple[int, bool], Any] = {}
    for row, (known, shaded) in enumerate(rows, HEAD_ROWS + 1):
        for at in range(1, len(heads) + len(asked) + 1):
            cell = sheet.cell(row, at)
            if at <= len(heads):
                _text(cell, known[at - 1])
            if (at, shaded) not in dressed:
                _dress(cell, asked[at - len(heads) - 1] if at > len(heads) else None, shaded)
                dressed[at, shaded] = cell._style
            # Looking the same style up for every cell would take most of the time.
            cell._style = copy(dressed[at, shaded])
    first, last = HEAD_ROWS + 1, max(HEAD_ROWS + 1, HEAD_ROWS + len(rows))
    for at, column in enumerate(asked, len(heads) + 1):
        _rule(sheet, column, f"{letters(at)}{first}:{letters(at)}{last}", lists)
        sheet.column_dimensions[letters(at)].width = _WIDTHS[column.question.kind]
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 10, 16
    sheet.row_dimensions[1].height = _HEAD_HEIGHT
    # No height of their own: rows grow with a long comment.
    sheet.sheet_format.defaultRowHeight = _ROW_HEIGHT
    sheet.freeze_panes = f"C{first}"


def _dress_head(cell: Any, *, titles: bool) -> None:
    from openpyxl.styles import Alignment, PatternFill  # type: ignore[import-untyped]

    cell.font = _font(bold=titles, size=10 if titles else 7, color=_INK[0 if titles else 1])
    cell.border, cell.fill = _frame(), PatternFill("solid", fgColor=_HEAD)
    cell.alignment = Alignment(wrap_text=titles, vertical="top", horizontal="left")


def _dress(cell: Any, column: Column | None, shaded: bool) -> None:
    """Style a cell below the header; those without a column say which row it is."""
    from openpyxl.styles import Alignment, PatternFill, Protection

    cell.border, cell.font = _frame(), _font(bold=cell.column == 1)
    if shaded:
        cell.fill = PatternFill("solid", fgColor=_BAND)
    words = column is None or isinstance(column.question, (Text, Units))
    cell.alignment = Alignment(
        wrap_text=words and column is not None,
        vertical="top",
        horizontal="left" if words else "center",
    )
    if column is not None:
        cell.protection = Protection(locked=False)
        # As text, "6-12" does not become a date and "=1" no formula.
        cell.number_format = "@" if words else "General"


def _frame() -> Any:
    from openpyxl.styles import Border, Side

    line = Side(style="thin", color=_LINE)
    return Border(left=line, right=line, top=line, bottom=line)


def _rule(sheet: Any, column: Column, cells: str, lists: _Lists) -> None:
    """Say what the cells of a column take, and mark the required ones that are empty."""
    from openpyxl.formatting.rule import Rule  # type: ignore[import-untyped]
    from openpyxl.styles import PatternFill
    from openpyxl.styles.differential import DifferentialStyle  # type: ignore[import-untyped]
    from openpyxl.worksheet.datavalidation import DataValidation  # type: ignore[import-untyped]

    question, words = column.question, _words()["wrong"]
    message = words[question.kind]
    how: dict[str, Any]
    if isinstance(question, YesNo):
        how = {"type": "list", "formula1": '"1,0"'}
    elif isinstance(question, Scale):
        low, high = question.low, question.high
        how = {"type": "whole", "operator": "between", "formula1": str(low), "formula2": str(high)}
        message = message.format(low=low, high=high)
    elif isinstance(question, Choice):
        how = {"type": "list", "formula1": lists.formula(question.choices)}
        message = message.format(choices=", ".join(question.choices)[:120])
    elif isinstance(question, (Text, Units)):
        most = question.most if isinstance(question, Text) else _LONGEST_UNITS
        how = {"type": "textLength", "operator": "lessThanOrEqual", "formula1": str(most)}
        message = message.format(most=most)
    else:
        how = {"type": "list", "formula1": f'"{TICK}"'}
    rule = DataValidation(
        **how,
        allow_blank=True,
        showErrorMessage=True,
        errorStyle="stop",
        errorTitle=words["title"],
        error=message,
    )
    rule.add(cells)
    sheet.add_data_validation(rule)
    if question.required:
        first = cells.split(":")[0]
        yellow = DifferentialStyle(fill=PatternFill(bgColor=_OPEN, fill_type="solid"))
        empty = Rule(type="containsBlanks", dxf=yellow, formula=[f"LEN(TRIM({first}))=0"])
        sheet.conditional_formatting.add(cells, empty)


def _tell(sheet: Any, form: Form, ids: tuple[str, str, str], stamp: str) -> None:
    """Write whose file it is, how to fill it in, and what is asked."""
    from openpyxl.styles import Alignment

    lines = list(zip(ABOUT_ROWS.values(), ids, strict=True))
    stamped = len(lines) + 1 if stamp else 0
    lines += [("", one_line(tidy(stamp))), ("", "")]
    told = [(str(at), text["en"], text["zh"]) for at, text in enumerate(_words()["how_to"], 1)]
    asked = [
        (name, column.title, "  ".join(column.head[0].split("\n")[1:]))
        for per_au, name in ((False, RATINGS), (True, UNITS))
        for column in columns(form, per_au=per_au)
    ]
    titles = [("", *(spoken(form.title, lang) for lang in ("en", "zh")))]
    for row, texts in enumerate([*lines, *told, ("",), *titles, *asked], 1):
        sheet.row_dimensions[row].height = _TWO_LINES if texts in told else _ROW_HEIGHT
        for at, text in enumerate(texts, 1):
            cell = _text(sheet.cell(row, at), text)
            red = "FFC00000" if row == stamped else _INK[0]
            cell.font = _font(bold=at == 1 or row == stamped or texts in titles, color=red)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    for letter, width in (("A", 18), ("B", 70), ("C", 70)):
        sheet.column_dimensions[letter].width = width


def _page(sheet: Any, stamp: str) -> None:
    """Lock all but answer cells, without a password, and fit a print to the page's width."""
    sheet.protection.sheet = True
    sheet.protection.formatColumns = sheet.protection.formatRows = False
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    if sheet.title != ABOUT:
        sheet.print_title_rows = f"1:{HEAD_ROWS}"
    if stamp:
        sheet.oddHeader.center.text = one_line(tidy(stamp)).replace("&", "&&")


def _text(cell: Any, text: str) -> Any:
    """Put text into a cell that no program takes for a formula, now or when it is edited."""
    text = tidy(text)
    if text:
        cell.value = text
        cell.data_type = "s"
        cell.quotePrefix = text.startswith(("=", "+", "-", "@"))
    return cell


def _font(**how: Any) -> Any:
    from openpyxl.styles import Font

    return Font(**{"name": "Arial", "size": 10, **how})


def _words() -> dict[str, Any]:
    words: dict[str, Any] = yaml.safe_load((FOLDER / "workbook.yaml").read_text(encoding="utf-8"))
    return words


def _timeless(data: bytes) -> bytes:
    """Return a workbook with one and the same time everywhere, and no library named."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as book,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for name in book.namelist():
            part = book.read(name)
            if name == "docProps/core.xml":
                part = _TIMES.sub(b"2000-01-01T00:00:00Z", part)
            if name == "docProps/app.xml":
                part = _PROGRAM.sub(b"mebench", part)
            entry = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            made.writestr(entry, part)
    return target.getvalue()
