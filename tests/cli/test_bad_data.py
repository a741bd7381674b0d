"""A copy of a data set that is not as it should be: one line with file, row and fix; exit 4."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import openpyxl
import pytest

from mebench.cli.main import _run
from mebench.datasets import tables

DATA = 4
BOOK = "casme2/CASME2-coding-20140508.xlsx"


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    """Return an export of its own; its frames are links."""
    place = tmp_path / "synthme"
    shutil.copytree(tiny, place, copy_function=os.link)
    (place / BOOK).unlink()
    shutil.copy(tiny / BOOK, place / BOOK)
    return place


def first_line(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = _run(command.split(), debug=False)
    return code, capsys.readouterr().out


def test_the_annotation_of_another_data_set_by_name_and_by_content(copy: Path, refused) -> None:
    samm = copy / "samm/SAMM_Micro_FACS_Codes_v2.xlsx"
    (copy / BOOK).unlink()
    shutil.copy(samm, copy / "casme2")
    code, line = refused(f"data check casme2 --root {copy}/casme2")
    assert code == DATA
    assert "no annotation file" in line
    assert "(SAMM_Micro_FACS_Codes_v2.xlsx there is the one of samm)" in line
    shutil.copy(samm, copy / BOOK)
    code, line = refused(f"data check casme2 --root {copy}/casme2")
    assert code == DATA
    assert "row 15: file name '006_1_2' is none of CASME II" in line
    assert "use the annotation file of CASME II as published" in line


def test_formulas_without_stored_values(copy: Path, refused) -> None:
    book = openpyxl.load_workbook(copy / BOOK)
    book.worksheets[0]["D3"] = "=D2+10"
    book.save(copy / BOOK)
    code, line = refused(f"data check casme2 --root {copy}/casme2")
    assert code == DATA
    assert "row 3: cell D3 of sheet 'Sheet1' is a formula without a stored value" in line
    assert "save the file with values" in line


def test_a_zip_instead_of_a_folder_and_one_left_packed(copy: Path, refused) -> None:
    with zipfile.ZipFile(copy / "casme2.zip", "w") as archive:
        archive.write(copy / BOOK, "book.xlsx")
    code, line = refused(f"data check casme2 --root {copy}/casme2.zip")
    assert code == DATA
    assert "is a zip, not a folder; unpack it first: unzip 'casme2.zip'" in line
    shutil.rmtree(copy / "casme2/CASME2_RAW_selected")
    (copy / "casme2.zip").rename(copy / "casme2/CASME2_RAW_selected.zip")
    code, line = refused(f"data check casme2 --root {copy}/casme2")
    assert code == DATA
    assert "CASME2_RAW_selected.zip lies there, not unpacked" in line


def test_no_permission(copy: Path, refused, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    # The tests may run as root, whom no permission stops.
    monkeypatch.setattr(tables.Path, "read_bytes", denied)
    code, line = refused(f"data check casme2 --root {copy}/casme2")
    assert code == DATA
    assert line.endswith(f"{BOOK}: permission denied; allow reading it: chmod u+r")
    monkeypatch.undo()
    monkeypatch.setattr("mebench.datasets.base._listable", lambda folder: False)
    code, line = refused(f"data check casme2 --root {copy}/casme2")
    assert "permission denied; allow reading the folder" in line


def test_a_spreadsheet_as_the_root(copy: Path, refused) -> None:
    code, line = refused(f"data check casme2 --root {copy}/{BOOK}")
    assert code == DATA
    assert f"give --root {copy}/casme2 --table {copy}/{BOOK}" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--layout croped", "unknown layout 'croped'. Did you mean 'cropped'?"),
        ("--layout cropped", "no folder of frames"),
        ("--table nowhere.xlsx", "nowhere.xlsx: no such file; give the annotation file"),
    ],
)
def test_wrong_choices(copy: Path, options: str, message: str, refused) -> None:
    code, line = refused(f"data check casme2 --root {copy}/casme2 {options}")
    assert code == DATA
    assert message in line


def test_damaged_and_duplicate_rows_do_not_make_a_copy_unusable(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = sorted((copy / "casme2/CASME2_RAW_selected").glob("*/*/*.jpg"))
    for path, keep in ((frames[0], 0), (frames[1], 500)):
        data = path.read_bytes()[:keep]
        path.unlink()
        path.write_bytes(data)
    book = openpyxl.load_workbook(copy / BOOK)
    sheet = book.worksheets[0]
    sheet.append([cell.value for cell in sheet[2]])
    book.save(copy / BOOK)
    code, out = first_line(f"data check casme2 --root {copy}/casme2", capsys)
    assert code == 0
    assert f"{frames[0].name}: empty (0 bytes)" in out
    assert f"{frames[1].name}: cut short (no end marker)" in out
    assert f"row {sheet.max_row}: clip " in out
    assert out.splitlines()[-1] == "usable, but for the clips named above"
    code, _ = first_line(f"data check casme2 --strict --root {copy}/casme2", capsys)
    assert code == DATA
