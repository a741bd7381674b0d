"""ratings.xlsx: what a rater finds in it, and what the collector finds in it again."""

from __future__ import annotations

import html
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from mebench.rating.collect import collect
from mebench.rating.form import load_form
from mebench.rating.layout import columns
from mebench.rating.workbook import write_workbook
from tests.rating.panel_files import (
    BUNDLE,
    all_answers,
    blank,
    cells_of,
    exported,
    fill,
    make_key,
    write_export,
)

OWN = {
    "id": "own",
    "title": {"zh": "自定"},
    "score": "overall",
    "fields": [
        {"id": "kind", "kind": "choice", "title": {"en": "Kind"}, "choices": ['a, "b"', "c", "d"]},
        {
            "id": "many",
            "kind": "choice",
            "title": {"en": "Kind"},
            "choices": [f"choice {n:03d}" for n in range(60)],
        },
        {
            "id": "seen",
            "kind": "checks",
            "per_au": True,
            "title": {"en": "=Seen"},
            "choices": [{"id": "x", "en": "+x"}, {"id": "y", "en": "y"}],
        },
        {
            "id": "overall",
            "kind": "scale",
            "low": 0,
            "high": 7,
            "required": True,
            "title": {"en": "Overall", "zh": "总体"},
        },
    ],
}


def by_file(panel):
    return [(one.item, one.values, one.aus) for one in panel.ratings]


def wanted(answers):
    return [(item, one["values"], one["aus"]) for item, one in answers.items()]


@pytest.mark.parametrize("form", ["facs", "short", OWN], ids=["facs", "short", "own"])
def test_a_bundle_filled_in_by_a_program_comes_back_whole(tmp_path: Path, form):
    key = make_key(form if isinstance(form, str) else load_form(form))
    answers = all_answers(key)
    panel = collect([fill(blank(tmp_path / "ratings.xlsx", key), answers)], key)
    assert by_file(panel) == wanted(answers)
    assert all(one.complete and one.rater == "R1" for one in panel.ratings)
    assert panel.notes == ("R2: no file", "R3: no file")
    page = collect([write_export(tmp_path / "a.json", exported(key, answers))], key)
    assert by_file(page) == by_file(panel)


def test_same_arguments_same_bytes_and_other_raters_other_bytes(tmp_path: Path):
    key = make_key()
    first, again = blank(tmp_path / "a.xlsx", key), blank(tmp_path / "b.xlsx", key)
    other = blank(tmp_path / "c.xlsx", key, rater="R2")
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()


def test_no_part_says_what_the_clips_are_who_made_the_file_or_when(tmp_path: Path):
    key = make_key()
    with zipfile.ZipFile(blank(tmp_path / "ratings.xlsx", key)) as book:
        parts = {name: book.read(name) for name in book.namelist()}
        dates = {info.date_time for info in book.infolist()}
    whole = b"\n".join(parts.values())
    for word in (
        b"secret",
        b"Secret",
        b"casme2",
        b"face/",
        b"clip0",
        b"penpyxl",
        b"repeat",
        b"real",
    ):
        assert word not in whole, word
    assert set(re.findall(rb"\d{4}-\d\d-\d\dT[0-9:]+Z", whole)) == {b"2000-01-01T00:00:00Z"}
    assert dates == {(2000, 1, 1, 0, 0, 0)}
    assert b"<f>" not in whole
    assert b"<f " not in whole


def rules_of(sheet):
    """Return by column letter the rule of the first answer row."""
    return {
        letter: rule
        for rule in sheet.data_validations.dataValidation
        for letter in [str(rule.sqref).split(":")[0].rstrip("0123456789")]
    }


def test_every_answer_cell_is_open_and_ruled_and_all_others_are_locked(tmp_path: Path):
    key = make_key()
    book = openpyxl.load_workbook(blank(tmp_path / "ratings.xlsx", key))
    assert book.sheetnames == ["Ratings", "AUs", "About"]
    for name in ("Ratings", "AUs"):
        sheet = book[name]
        assert sheet.protection.sheet
        assert sheet.protection.password is None
        assert sheet.freeze_panes == "C3"
        rules = rules_of(sheet)
        for row in sheet.iter_rows():
            for cell in row:
                answer = cell.row > 2 and cell.column > 2
                assert cell.protection.locked is not answer, cell.coordinate
                if answer:
                    assert cell.coordinate in rules[cell.column_letter].sqref, cell.coordinate
        for rule in rules.values():
            assert rule.showErrorMessage
            assert rule.errorStyle in ("stop", None)
            assert 10 < len(rule.error) < 255
    heads = {cell.value: cell.column_letter for cell in book["Ratings"][2]}
    overall = rules_of(book["Ratings"])[heads["overall"]]
    assert (overall.type, overall.operator, overall.formula1, overall.formula2) == (
        "whole", "between", "1", "5",
    )  # fmt: skip
    intensity = rules_of(book["AUs"])["D"]
    assert (intensity.type, intensity.formula1) == ("list", '"none,A,B,C,D,E"')


def test_headings_speak_both_languages_and_tell_the_ends_of_scales(tmp_path: Path):
    book = openpyxl.load_workbook(blank(tmp_path / "ratings.xlsx", make_key()))
    heads = {cell.value: book["Ratings"].cell(1, cell.column).value for cell in book["Ratings"][2]}
    assert heads["overall"] == "Overall *\n总体\n1 bad 差 – 5 excellent 优"
    assert heads["artefacts.blur"] == "Artefacts: blur\n伪影：模糊\nx = yes 是"
    assert heads["comment"] == "Comment\n评语"
    about = [cell.value for row in book["About"].iter_rows() for cell in row if cell.value]
    assert {BUNDLE, "R1", "facs"} <= set(about)


def test_long_lists_and_lists_with_commas_can_be_chosen_from(tmp_path: Path):
    key = make_key(load_form(OWN))
    book = openpyxl.load_workbook(blank(tmp_path / "ratings.xlsx", key))
    rules = rules_of(book["Ratings"])
    assert rules["C"].formula1 == "Lists!$A$1:$A$3"
    assert [cell.value for cell in book["Lists"]["A"]][:3] == ['a, "b"', "c", "d"]
    assert rules["D"].formula1 == "Lists!$B$1:$B$60"
    assert book["Lists"].sheet_state == "hidden"


def test_titles_that_look_like_formulas_stay_text(tmp_path: Path):
    key = make_key(load_form(OWN))
    path = blank(tmp_path / "ratings.xlsx", key)
    cell = openpyxl.load_workbook(path)["AUs"]["C1"]
    assert cell.value.startswith("=Seen")
    assert cell.data_type == "s"
    assert cell.quotePrefix


def test_the_stamp_stands_on_every_sheet(tmp_path: Path):
    key = make_key("short")
    path = tmp_path / "ratings.xlsx"
    stamp = "PRIVATE: clips of A&B"
    write_workbook(
        path, form=key.form, items=key.raters["R1"], bundle=BUNDLE, rater="R1", stamp=stamp
    )
    book = openpyxl.load_workbook(path)
    assert all(sheet.oddHeader.center.text == "PRIVATE: clips of A&&B" for sheet in book.worksheets)
    assert stamp in [cell.value for cell in book["About"]["B"]]


def test_columns_follow_the_form(tmp_path: Path):
    form = load_form("facs")
    assert [one.id for one in columns(form, per_au=True)] == ["present", "intensity"]
    asked = [one.id for one in columns(form, per_au=False)]
    assert asked[:5] == ["other_aus", "timing", "naturalness", "identity", "artefacts.blur"]
    assert asked[-2:] == ["overall", "comment"]


HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
LIBRARY = (
    HEAD
    + """<library:library xmlns:library="http://openoffice.org/2000/library"
 library:name="Standard" library:readonly="false" library:passwordprotected="false">
<library:element library:name="Module1"/></library:library>"""
)
MODULE = (
    HEAD
    + """<script:module xmlns:script="http://openoffice.org/2000/script"
 script:name="Module1" script:language="StarBasic">{code}</script:module>"""
)


def quoted(text: str) -> str:
    lines = ['"' + line.replace('"', '""') + '"' for line in text.split("\n")]
    return " & Chr(10) & ".join(lines)


def fill_with_libreoffice(sheet: Path, cells: dict[str, list[tuple[str, Any]]], home: Path) -> None:
    """Have LibreOffice open the workbook, enter every value and save it as .xlsx again."""
    code = ["Sub Fill", "Dim load(0) As New com.sun.star.beans.PropertyValue"]
    code += ['load(0).Name = "Hidden"', "load(0).Value = True"]
    code += [f'doc = StarDesktop.loadComponentFromURL("{sheet.as_uri()}", "_blank", 0, load())']
    for name, entries in cells.items():
        code.append(f'sheet = doc.Sheets.getByName("{name}")')
        for place, value in entries:
            entered = f"String = {quoted(value)}" if isinstance(value, str) else f"Value = {value}"
            code.append(f'sheet.getCellRangeByName("{place}").{entered}')
    code += ["doc.store()", "doc.close(True)", "End Sub"]
    soffice("--terminate_after_init", home=home)  # lays the profile out, over any macro there
    basic = home / "profile/user/basic/Standard"
    (basic / "script.xlb").write_text(LIBRARY, encoding="utf-8")
    (basic / "Module1.xba").write_text(
        MODULE.format(code=html.escape("\n".join(code))), encoding="utf-8"
    )
    soffice("macro:///Standard.Module1.Fill", home=home)


def soffice(argument: str, home: Path) -> None:
    profile = f"-env:UserInstallation={(home / 'profile').as_uri()}"
    subprocess.run(
        ["soffice", "--headless", "--norestore", profile, argument],
        check=True,
        capture_output=True,
        timeout=120,
        cwd=home,
    )


@pytest.mark.office
def test_a_bundle_filled_in_with_libreoffice_comes_back_whole(tmp_path: Path):
    key = make_key()
    answers = all_answers(key)
    sheet = blank(tmp_path / "ratings.xlsx", key)
    fill_with_libreoffice(sheet, cells_of(sheet, answers), home=tmp_path)
    with zipfile.ZipFile(sheet) as book:
        assert b"LibreOffice" in book.read("docProps/app.xml")
    panel = collect([sheet], key)
    assert by_file(panel) == wanted(answers)
    assert openpyxl.load_workbook(sheet)["Ratings"].protection.sheet
