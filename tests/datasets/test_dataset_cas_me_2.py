"""CAS(ME)^2: a table without header, maps on further sheets, a folder below another subject."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from dataset_trees import save_book, save_csv, save_frames

from mebench.cli.data_report import report_lines
from mebench.datasets.base import load_dataset
from mebench.errors import DatasetError
from mebench.facs.codes import format_units
from mebench.io.video import write_mp4

ROWS: list[list[object]] = [
    [1, "anger1_1", 557, 572, 608, "4+10+14+15", "negative", "macro-expression", "anger"],
    [1, "anger1_2", 630, 638, 647, 38, "others", "micro-expression", "sadness"],
    [1, "disgust1_1", 20, 26, 0, "4+7", "negative", "micro-expression", "disgust"],
    [7, "happy1_1", 12, 15, 19, 12, "positive", "micro-expression", "happiness"],
]
SUBJECTS: list[list[object]] = [[15, "s15", 1], [23, "s23", 7]]
CODES: list[list[object]] = [["0101", "disgust1"], [401, "anger1"], ["0502", "happy1"]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "CAS(ME)^2"
    sheets = {"Sheet1": ROWS, "Sheet2": SUBJECTS, "Sheet3": CODES}
    save_book(place / "CAS(ME)^2code_final(Updated).xlsx", sheets)
    return place


def save_recordings(root: Path) -> None:
    for folder, last in (
        ("s15/15_0101disgustingteeth", 40),
        ("s15/15_0401girlcrashing", 660),
        ("s19/23_0502funnyerrors", 30),
    ):
        names = [f"img{n:03d}.jpg" for n in range(1, last + 1)]
        save_frames(root / "rawpic" / folder, names, size=(2, 2))


@pytest.mark.parametrize("folder", ["cropped/{}", "selectedpic/s{}"])
def test_clip_folders(root: Path, folder: str) -> None:
    for subject, name, numbers in (
        (15, "anger1_1", range(557, 609)),
        (15, "anger1_2", range(630, 648)),
        (15, "disgust1_1", range(20, 27)),
        (23, "happy1_1", range(12, 20)),
    ):
        place = root / folder.format(subject) / name
        save_frames(place, [f"img{n}.jpg" for n in numbers], size=(2, 2))
    dataset = load_dataset("cas-me-2", root)
    clips = dataset.clips()
    assert [(clip.key, clip.frame_numbers[0], clip.frame_numbers[-1]) for clip in clips] == [
        ("cas-me-2.s15.anger1_2", 630, 647),
        ("cas-me-2.s15.disgust1_1", 20, 26),
        ("cas-me-2.s23.happy1_1", 12, 19),
    ]
    assert [clip.annotation.emotion for clip in clips] == ["others", "negative", "happiness"]
    assert format_units(clips[0].annotation.action_units) == "38"
    assert clips[1].annotation.corrections == ("offset 26, which is the apex, instead of 0",)
    report = dataset.check()
    assert (report.complete, report.extra_clips) == (True, ())
    assert (report.rows, report.macro_rows, report.subjects_found) == (4, 1, 2)


def test_long_recordings_and_the_one_filed_under_another_subject(root: Path) -> None:
    save_recordings(root)
    dataset = load_dataset("cas-me-2", root)
    clips = dataset.clips()
    assert [(clip.clip_id, Path(clip.path).name) for clip in clips] == [
        ("anger1_2", "15_0401girlcrashing"),
        ("disgust1_1", "15_0101disgustingteeth"),
        ("happy1_1", "23_0502funnyerrors"),
    ]
    assert clips[0].frame_numbers == tuple(range(630, 648))
    text = "\n".join(report_lines(dataset.check()))
    assert "s19/23_0502funnyerrors: lies below s19, its name says s23; taken as s23" in text
    assert "frames outside" not in text


@pytest.mark.parametrize("folder", ["s15", ""])
def test_recording_files(root: Path, folder: str) -> None:
    place = root / "rawvideo" / folder
    place.mkdir(parents=True)
    frames = np.zeros((40, 16, 16, 3), np.uint8)
    frames[19:26] = 200
    write_mp4(place / "15_0101disgustingteeth.mp4", frames, 30)
    (clip,) = load_dataset("cas-me-2", root).clips(on_missing="skip")
    assert clip.frame_numbers == tuple(range(20, 27))
    assert clip.frames().mean() > 150


def test_a_csv_has_the_first_sheet_only(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()
    save_csv(root / "CAS(ME)^2code_final.csv", ROWS)
    rows = load_dataset("cas-me-2", root).annotations()
    assert [row.name for row in rows] == ["s15/anger1_2", "s15/disgust1_1", "s23/happy1_1"]


def test_an_index_on_no_sheet_and_a_table_of_something_else(root: Path) -> None:
    save_book(root / "CAS(ME)^2code_final(Updated).xlsx", {"a": [*ROWS, [99, *ROWS[1][1:]]]})
    dataset = load_dataset("cas-me-2", root)
    assert len(dataset.annotations()) == 3
    assert "row 5: participant 99 is on no sheet" in dataset.refused[0]
    save_book(root / "CAS(ME)^2code_final(Updated).xlsx", {"a": [["Subject", "Filename"]]})
    with pytest.raises(DatasetError, match=r"no rows such as '1, anger1_1"):
        load_dataset("cas-me-2", root).annotations()
