"""Sheets that are refused: each names file, sheet, row and column; odd but honest ones are read."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment

from mebench.rating import cells
from mebench.rating.collect import collect
from tests.rating.panel_files import all_answers, blank, change, fill, make_key, refused

KEY = make_key()
R, A, B = "Ratings", "AUs", "About"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = blank(tmp_path_factory.mktemp("good") / "ratings.xlsx", KEY)
    return fill(path, all_answers(KEY)).read_bytes()


@pytest.fixture
def sheet(good: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "ratings.xlsx"
    path.write_bytes(good)
    return path


def lines_of(path: Path, **options: Any) -> list[str]:
    return refused([path], KEY, **options)


def put(sheet: str, place: str, value: Any, kind: str = "") -> Callable[[Any], None]:
    def edit(book: Any) -> None:
        book[sheet][place].value = value
        if kind:
            book[sheet][place].data_type = kind

    return edit


def rename(old: str, new: str) -> Callable[[Any], None]:
    return lambda book: setattr(book[old], "title", new)


def added(book: Any) -> None:
    book.create_sheet("Notes")["C4"] = "see me"


def swapped(book: Any) -> None:
    one, other = book[R]["E1"], book[R]["F1"]
    one.value, other.value = other.value, one.value


WRONG: dict[str, tuple[Callable[[Any], None], list[str]]] = {
    "above the scale": (
        put(R, "M5", 7),
        ["ratings.xlsx: sheet 'Ratings', row 5, column M (Overall): expected a whole number from "
         "1 to 5, got 7; correct the cell"],
    ),
    "below the scale": (put(R, "D3", 0), ["row 3, column D (Onset, apex and offset plausible)"]),
    "negative": (put(R, "D3", -1), ["got -1"]),
    "between": (put(R, "M5", 3.5), ["row 5, column M (Overall)", "from 1 to 5, got 3.5"]),
    "words": (put(R, "M5", "good"), ["column M (Overall)", "got 'good'"]),
    "true": (put(R, "M5", True), ["column M (Overall)", "got True"]),
    "true for yes": (put(A, "C4", True), ["sheet 'AUs', row 4, column C (Present)", "got True"]),
    "a date": (put(R, "M5", __import__("datetime").date(2026, 4, 5)), ["column M", "from 1 to 5"]),
    "huge": (put(R, "M5", 1e300), ["column M (Overall)"]),
    "present 2": (put(A, "C4", 2), ["sheet 'AUs', row 4, column C (Present)", "1 (yes) or 0 (no)"]),
    "intensity F": (put(A, "D3", "F"),
                    ["'AUs', row 3, column D (Intensity)", "none, A, B, C, D, E"]),
    "tick": (put(R, "G3", "maybe"),
             ["row 3, column G (Artefacts: blur)", "expected x or an empty"]),
    "no unit": (put(R, "C3", "4 xx"),
                ["row 3, column C (Other action units)", "'xx' is no action"]),
    "unit with level": (put(R, "C3", "12B"), ["'12B' is no action unit", "without intensity"]),
    "unit 0": (put(R, "C3", 0), ["'0' is no action unit", "empty cell"]),
    "formula": (put(R, "M5", "=2+2"), ["row 5, column M (Overall): a formula; type the value"]),
    "formula in a comment": (put(R, "N5", "=A1", "f"), ["row 5, column N (Comment): a formula"]),
    "formula beside": (put(A, "H9", "=1"), ["sheet 'AUs', row 9, column H (no header): a formula"]),
    "long comment": (put(R, "N3", "x" * 1001), ["column N (Comment)", "1 to 1000", "got 1001"]),
    "merged": (
        lambda book: book[R].merge_cells("M3:M5"),
        ["sheet 'Ratings', row 3, column M (Overall): cells M3:M5 are merged; unmerge them"],
    ),
    "renamed title": (
        put(R, "M1", "Overall quality"),
        ["sheet 'Ratings', row 1, column M (Overall quality): expected 'Overall'; put it back"],
    ),
    "swapped titles": (swapped, ["row 1, column E (Identity kept): expected 'Naturalness'",
                                 "row 1, column F (Naturalness): expected 'Identity kept'"]),
    "renamed id": (put(R, "M2", "total"), ["row 2, column M (Overall): unknown column 'total'",
                                           "row 2: column 'overall' (Overall) is missing"]),
    "same column twice": (put(R, "M2", "identity"), ["column M (Overall): column 'identity' stands",
                                                     "column 'overall' (Overall) is missing"]),
    "column gone": (lambda book: book[R].delete_cols(13),
                    ["column 'overall' (Overall) is missing"]),
    "id column gone": (lambda book: book[R].delete_cols(1), ["column 'clip' (Clip) is missing"]),
    "column added": (put(R, "P2", "mood"), ["row 2, column P (no header): unknown column 'mood'"]),
    "note on a cell": (lambda book: setattr(book[R]["M3"], "comment", Comment("see me", "me")),
                       ["notes hang on cells; move what they say into Comment"]),
    "headed column": (put(R, "O1", "Mood"), ["row 1, column O (Mood): 'Mood' stands outside"]),
    "cell beside": (put(R, "Q7", "hm"), ["row 7, column Q (no header): 'hm' stands outside the"]),
    "cell below": (put(R, "M20", 4), ["row 20, column A (Clip): unknown clip ''"]),
    "edited id": (put(R, "A4", "c0002"), ["row 4, column A (Clip): unknown clip 'c0002'",
                                          "sheet 'Ratings': no row for clip c002, AU 4"]),
    "id twice": (lambda book: (put(R, "A4", "c001")(book), put(R, "B4", "6+L12")(book)),
                 ["row 4, column A (Clip): clip c001, AU 6+L12 stands twice, first in row 3",
                  "no row for clip c002"]),
    "edited target": (put(A, "B3", "7"),
                      ["sheet 'AUs', row 3, column B (Target AU): clip c001 is of "
                                          "AU 6 or L12, got '7'"]),
    "row gone": (lambda book: book[A].delete_rows(3),
                 ["'AUs': no row for clip c001, AU 6; put it"]),
    "renamed sheet": (rename(A, "Units"), ["sheet 'AUs' is missing or renamed, there is 'Ratings', "
                                           "'Units', 'About'"]),
    "no About": (lambda book: book.remove(book[B]), ["sheet 'About' is missing"]),
    "sheet added": (added, ["sheet 'Notes' is not of the form (cell C4 holds something)"]),
    "other bundle": (put(B, "B1", "f" * 16), ["made for bundle 'ffffffffffffffff'", KEY.bundle]),
    "other rater": (put(B, "B2", "R9"), ["rater 'R9' is not in the key, which knows R1, R2, R3"]),
    "rater by formula": (put(B, "B2", "=A1"),
                         ["sheet 'About', row 2, column B (Rater 评分者): a for"]),
    "no bundle": (put(B, "B1", None), ["sheet 'About' does not say 'Bundle 评分包'"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_sheet_is_refused_where_it_is_wrong(sheet: Path, name: str):
    edit, says = WRONG[name]
    lines = lines_of(change(sheet, edit))
    assert all(line.startswith("ratings.xlsx: ") for line in lines)
    for text in says:
        assert any(text in line for line in lines), lines


def test_every_wrong_cell_is_told_at_once(sheet: Path):
    def edit(book: Any) -> None:
        for place, value in (("M3", 9), ("M5", "=1"), ("C4", "?"), ("E8", 2.5)):
            book[R][place] = value
        book[A]["C3"] = "perhaps"

    places = [re.search(r"sheet '(\w+)', row (\d+), column (\w+)", one) for one in
              lines_of(change(sheet, edit))]  # fmt: skip
    assert sorted(found.groups() for found in places if found) == [
        ("AUs", "3", "C"), ("Ratings", "3", "M"), ("Ratings", "4", "C"), ("Ratings", "5", "M"),
        ("Ratings", "8", "E"),
    ]  # fmt: skip


def test_of_very_many_problems_the_rest_is_counted(sheet: Path):
    def edit(book: Any) -> None:
        for row in range(20, 120):
            book[R].cell(row, 1).value = f"x{row}"

    lines = lines_of(change(sheet, edit))
    assert len(lines) == 41
    assert lines[-1] == "ratings.xlsx: 60 more problems like these"


def parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        return {name: book.read(name) for name in book.namelist()}


def packed(held: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, data in held.items():
            book.writestr(name, data)
    return out.getvalue()


def with_part(name: str, old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def make(data: bytes) -> bytes:
        held = parts(data)
        assert old in held.get(name, b"") or not old
        held[name] = held[name].replace(old, new, 1) if old else new
        return packed(held)

    return make


def twice(data: bytes) -> bytes:
    out = io.BytesIO(data)
    with warnings.catch_warnings(), zipfile.ZipFile(out, "a") as book:
        warnings.simplefilter("ignore")
        book.writestr("xl/workbook.xml", b"<workbook/>")
    return out.getvalue()


def encrypted(data: bytes) -> bytes:
    """Set the flag of every entry, at its head and in the list."""
    found = bytearray(data)
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = found.find(sign)
        while place >= 0:
            found[place + at] |= 1
            place = found.find(sign, place + 4)
    return bytes(found)


S1, S2 = "xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"
DOCTYPE = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "empty"),
    "csv": (lambda _: b"clip,overall,comment\nc001,4,ok\n", "CSV text, which loses sheets"),
    "old xls": (lambda _: b"\xd0\xcf\x11\xe0" + bytes(600),
                "an old .xls workbook; save it as .xlsx"),
    "password": (
        lambda _: b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"),
        "protected by a password",
    ),
    "page": (lambda _: b"<!doctype html><p>", "a page or XML"),
    "noise": (lambda _: bytes(range(256)), "neither an export nor an .xlsx workbook"),
    "cut short": (lambda data: data[: len(data) // 2], "damaged archive"),
    "bytes after": (lambda data: data + b"more", "bytes after the end"),
    "bytes before": (lambda data: b"PK\x03\x04more" + data, "damaged"),
    "no workbook": (lambda _: packed({"a.txt": b"x"}), "a zip archive, but no workbook"),
    "ods": (
        lambda _: packed({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}),
        "an OpenDocument file, expected .xlsx",
    ),
    "flagged": (encrypted, "protected by a password; remove it"),
    "part twice": (twice, "holds 'xl/workbook.xml' twice"),
    "many parts": (
        lambda data: packed({**parts(data), **{f"x{n}": b"" for n in range(300)}}),
        "entries, at most 200",
    ),
    "bomb": (
        with_part("xl/sharedStrings.xml", b"", b"<sst>" + b" " * (40 << 20) + b"</sst>"),
        "unpacks to more than 32 MiB",
    ),
    "entities": (with_part(S1, b"<worksheet", DOCTYPE + b"<worksheet"), "declares things no"),
    "utf-16": (
        lambda data: packed({**parts(data), S1: parts(data)[S1].decode().encode("utf-16")}),
        "declares things no workbook needs",
    ),
    "other book": (with_part("xl/externalLinks/externalLink1.xml", b"", b"<x/>"),
                   "another workbook"),
    "macros": (with_part("xl/vbaProject.bin", b"", b"x"), "holds macros"),
    "sheet elsewhere": (
        with_part("xl/_rels/workbook.xml.rels", b"Target=", b'TargetMode="External" Target='),
        "links to another file",
    ),
    "sheet lost": (
        with_part("xl/_rels/workbook.xml.rels", b"sheet1.xml", b"../../../etc/passwd"),
        "is missing",
    ),
    "same cell twice": (with_part(S1, b'r="A4"', b'r="A3"'), "cell 'A3' is out of place"),
    "no coordinate": (with_part(S1, b'r="A4"', b'r="A0"'), "cell 'A0' is out of place"),
    "text out of reach": (
        with_part(S1, b"</sheetData>", b'<row><c t="s"><v>99999</v></c></row></sheetData>'),
        "damaged workbook (IndexError)",
    ),
    "no number": (with_part(S1, b"<v>4</v>", b"<v>nan</v>"), "damaged workbook (ValueError)"),
    "sheet-wide merge": (
        with_part(S2, b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="E1:XFD1048576"/>'
                  b"</mergeCells>"),
        "sheet 'AUs', row 1, column E (no header): cells E1:XFD1048576 are merged; unmerge",
    ),
    "broken xml": (with_part(S1, b"</sheetData>", b""), "damaged workbook (ParseError)"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_plain_workbook_is_refused_in_one_line(sheet: Path, name: str):
    make, says = HOSTILE[name]
    sheet.write_bytes(make(sheet.read_bytes()))
    (line,) = lines_of(sheet)
    assert line.startswith("ratings.xlsx: ")
    assert says in line
    assert len(line.split("; ")) >= 2, "what to do next"


def test_a_deep_part_is_skipped_and_one_of_too_many_cells_refused(sheet: Path, monkeypatch):
    deep = b"<a>" * 50_000 + b"</a>" * 50_000
    data = sheet.read_bytes()
    sheet.write_bytes(with_part(S1, b"<sheetData>", deep + b"<sheetData>")(data))
    assert len(collect([sheet], KEY).ratings) == 6
    many = b'<row r="900"/>' + (b"<row>" + b"<c/>" * 1000 + b"</row>") * 21 + b"</sheetData>"
    monkeypatch.setattr(cells, "MAX_CELLS", 20_000)
    sheet.write_bytes(with_part(S1, b"</sheetData>", many)(data))
    (line,) = lines_of(sheet)
    assert "more than 20000 cells" in line


def values(path: Path) -> list[tuple[str, Any, Any]]:
    return [(one.item, one.values, one.aus) for one in collect([path], KEY).ratings]


def as_text(book: Any) -> None:
    for sheet in (book[R], book[A]):
        for row in sheet.iter_rows(min_row=3):
            for cell in row:
                if isinstance(cell.value, int):
                    cell.value, cell.data_type = f" {cell.value}.0 ", "s"


def as_float(book: Any) -> None:
    for sheet in (book[R], book[A]):
        for row in sheet.iter_rows(min_row=3):
            for cell in row:
                if isinstance(cell.value, int):
                    cell.value = float(cell.value)


def shuffled(book: Any) -> None:
    sheet = book[R]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=3)]
    for at, row in enumerate(reversed(rows), 3):
        for column, value in enumerate(row, 1):
            sheet.cell(at, column).value = value
            if isinstance(value, str):
                sheet.cell(at, column).data_type = "s"
    for row in sheet.iter_rows():
        row[3].value, row[12].value = row[12].value, row[3].value


def spelt_otherwise(book: Any) -> None:
    for row in book[R].iter_rows(min_row=3, min_col=3):
        for cell in row:
            if cell.value == "x":
                cell.value = " X "
            elif cell.column == 3 and cell.value:
                cell.value = cell.value.replace("L12", "au12l").replace(" ", "，")
            elif cell.column == 13:
                cell.value = chr(0xFF10 + cell.value)
    for row in book[A].iter_rows(min_row=3, min_col=4):
        row[0].value = row[0].value.lower()
    book[R]["M60"] = "   "
    book.create_sheet("Sheet2")


@pytest.mark.parametrize("edit", [as_text, as_float, shuffled, spelt_otherwise])
def test_what_programs_and_people_write_otherwise_means_the_same(sheet: Path, edit: Any):
    before = values(sheet)
    change(sheet, edit)
    assert values(sheet) == before


def test_comments_lose_what_does_not_print_and_keep_what_looks_like_code(sheet: Path):
    said = "a\r\nb_x000D_\u202e<script>alert(1)</script>\u200b _x0007_=1+1"
    change(sheet, put(R, "N3", said, "s"))
    comment = values(sheet)[0][1]["comment"]
    assert comment == "a\nb\n<script>alert(1)</script>\u200b =1+1"


def test_a_name_that_is_written_to_deceive_is_shown_escaped(tmp_path: Path, good: bytes):
    path = tmp_path / "a\x1b[31m\u202e.xlsx"
    path.write_bytes(good[:100])
    assert lines_of(path)[0].startswith("a\\x1b[31m\\u202e.xlsx: ")


def test_missing_answers_are_told_with_their_cells(sheet: Path):
    def edit(book: Any) -> None:
        book[R]["D4"] = book[R]["M4"] = book[A]["C5"] = None

    change(sheet, edit)
    assert lines_of(sheet, partial="refuse") == [
        "ratings.xlsx: sheet 'Ratings', row 4, column D (Onset, apex and offset plausible), "
        "M (Overall): missing; ask rater R1 for it, or: --partial keep",
        "ratings.xlsx: sheet 'AUs', row 5, column C (Present): missing; ask rater R1 for it, or: "
        "--partial keep",
    ]
    panel = collect([sheet], KEY)
    assert [one.item for one in panel.ratings if not one.complete] == ["c002"]
    assert panel.notes[0] == "R1 stopped halfway (ratings.xlsx): 5 of 6 clips complete, 1 begun"


def test_a_stored_value_does_not_excuse_a_formula(sheet: Path):
    whole = parts(sheet.read_bytes())
    cell = re.search(rb'<c r="M5"[^>]*><v>(\d)</v></c>', whole[S1])
    assert cell
    made = cell[0].replace(b"<v>", b"<f>2+2</f><v>")
    sheet.write_bytes(with_part(S1, cell[0], made)(sheet.read_bytes()))
    assert openpyxl.load_workbook(sheet, data_only=True)[R]["M5"].value == int(cell[1])
    assert "row 5, column M (Overall): a formula" in lines_of(sheet)[0]
