"""``mebench data check|index|prepare`` as a user runs them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from click.testing import Result

from mebench import settings
from mebench.cli.data import check, index
from mebench.cli.data_prepare import prepare
from mebench.errors import DatasetError, UsageError
from tests.commands import runner

FACES = Path(__file__).parents[1] / "data" / "faces"
CLIPS = ("EP01_01", "EP02_01f")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of CASME II with two clips of a drawn face, and its landmarks beside it."""
    monkeypatch.setenv("MEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MEBENCH_CONFIG", str(tmp_path / "config.yaml"))
    root = tmp_path / "casme2"
    book = openpyxl.Workbook()
    header = "Subject,Filename,,OnsetFrame,ApexFrame,OffsetFrame,,Action Units,Estimated Emotion"
    book.active.append([name or None for name in header.split(",")])
    (tmp_path / "points").mkdir()
    points = np.loadtxt(FACES / "synthetic.csv", delimiter=",")
    for clip in CLIPS:
        book.active.append(["01", clip, None, 9, 10, 11, None, 4, "others"])
        folder = root / "CASME2_RAW_selected" / "sub01" / clip
        folder.mkdir(parents=True)
        for number in (9, 10, 11):
            shutil.copy(FACES / "synthetic.jpg", folder / f"img{number}.jpg")
        np.save(tmp_path / "points" / f"casme2.01.{clip}.npy", points)
    book.save(root / "CASME2-coding-20140508.xlsx")
    return root


def call(command: object, *arguments: object) -> Result:
    return runner().invoke(command, [str(argument) for argument in arguments])


def test_check_shows_counts_beside_the_published_ones(root: Path) -> None:
    result = call(check, "casme2", "--root", root)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["clips", "annotated", "2", "255", "or", "256", "differs"] in lines
    assert ["others", "2", "99", "differs"] in lines
    assert "release      none of the known ones" in result.stdout
    assert result.stdout.splitlines()[-1] == "usable"
    report = json.loads(call(check, "casme2", "--root", root, "--json").stdout)
    assert report["clips_found"] == 2


def test_check_of_a_damaged_copy_still_prints_and_fails_when_strict(root: Path) -> None:
    shutil.rmtree(root / "CASME2_RAW_selected" / "sub01" / CLIPS[1])
    loose = call(check, "casme2", "--root", root)
    assert loose.exit_code == 0
    assert loose.stdout.splitlines()[-1] == "usable, but for the clips named above"
    result = call(check, "casme2", "--root", root, "--json", "--strict")
    assert json.loads(result.stdout)["complete"] is False
    assert isinstance(result.exception, DatasetError)
    assert CLIPS[1] in str(result.exception)
    assert call(check, "casme2", "--root", root, "--annotations-only").exit_code == 0


def test_root_comes_from_the_settings_or_is_asked_for(root: Path) -> None:
    result = call(check, "casme2")
    assert isinstance(result.exception, UsageError)
    assert "mebench config set data.casme2" in str(result.exception)
    settings.set_value("data.casme2", str(root))
    assert call(check, "casme2").exit_code == 0


def test_index_goes_to_stdout_or_a_file(root: Path, tmp_path: Path) -> None:
    shown = call(index, "casme2", "--root", root)
    rows = list(csv.DictReader(io.StringIO(shown.stdout)))
    assert [row["clip_id"] for row in rows] == list(CLIPS)
    assert "index digest" in shown.stderr
    written = call(index, "casme2", "--root", root, "--out", tmp_path / "index.csv")
    assert (tmp_path / "index.csv").read_text() == shown.stdout
    assert str(tmp_path / "index.csv") in written.stderr


def test_prepare_says_what_was_made_and_goes_on(root: Path, tmp_path: Path) -> None:
    points = tmp_path / "points"
    arguments = ("casme2", "--root", root, "--landmarks-root", points, "--size", 32)
    first = call(prepare, *arguments)
    assert first.exit_code == 0
    assert "2 clips ready at 32 px (2 new, landmarks: given, apex: 2 annotated," in first.stdout
    again = json.loads(call(prepare, *arguments, "--json").stdout)
    assert (again["clips"], again["made"], again["failures"]) == (2, 0, {})
    (points / f"casme2.01.{CLIPS[0]}.npy").unlink()
    failed = call(prepare, *arguments, "--on-missing", "fail")
    assert isinstance(failed.exception, DatasetError)
    skipped = call(prepare, *arguments)
    assert "1 clips ready" in skipped.stdout
    assert "left out: 1 clips" in skipped.stderr
    assert f"no landmarks for casme2.01.{CLIPS[0]}" in skipped.stderr


def test_prepare_finds_faces_itself(root: Path) -> None:
    result = call(prepare, "casme2", "--root", root, "--size", 32, "--jobs", 1)
    assert "2 clips ready at 32 px (2 new, landmarks: dlib" in result.stdout
