"""MMEW: two path forms, class others in the folder 'repression', names that hold the emotion."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import save_csv, save_frames, save_sheet

from mebench.cli.data_report import report_lines
from mebench.datasets.base import load_dataset
from mebench.facs.codes import format_units

HEADER = [
    "Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units",
    "Estimated Emotion", "remarks",
]  # fmt: skip
ROWS: list[list[object]] = [
    [1, "S01-01-001", 1, 4, 9, "12L", "happiness", None],
    [3, "S03-02-001", 1, 3, 6, "4R+7", "surprise", "?"],
    [3, "S03-04-002", 1, 5, 8, 14, "others", None],
]


def save_tree(root: Path, rows: list[list[object]], *, by_subject: bool = False) -> Path:
    save_sheet(root / "MMEW_Micro_Exp (20).xlsx", [HEADER, *rows])
    folders = {"others": "repression"}
    for row in rows:
        name, word = str(row[1]), str(row[6])
        place = root / "MMEW_Final" / "Micro_Expression"
        place = place / name[:3] if by_subject else place
        frames = [f"{n}.jpg" for n in range(1, int(str(row[4])) + 1)]
        save_frames(place / folders.get(word, word) / name, frames)
    return root


@pytest.mark.parametrize("by_subject", [False, True])
def test_both_path_forms_give_the_same_clips(tmp_path: Path, by_subject: bool) -> None:
    root = save_tree(tmp_path, ROWS, by_subject=by_subject)
    save_frames(root / "MMEW_Final/Macro_Expression/S01/anger", ["S01-07-001.jpg"])
    dataset = load_dataset("mmew", root)
    clips = dataset.clips()
    assert [clip.key for clip in clips] == [
        "mmew.S01.S01-01-001", "mmew.S03.S03-02-001", "mmew.S03.S03-04-002",
    ]  # fmt: skip
    assert [clip.frame_numbers for clip in clips] == [
        tuple(range(1, 10)), tuple(range(1, 7)), tuple(range(1, 9)),
    ]  # fmt: skip
    assert [clip.annotation.emotion for clip in clips] == ["happiness", "surprise", "others"]
    assert [format_units(clip.annotation.action_units) for clip in clips] == ["L12", "R4+7", "14"]
    assert (clips[0].fps, clips[0].apex_index) == (90, 3)
    report = dataset.check()
    assert report.complete
    assert (report.layout, report.extra_clips) == ("by-subject" if by_subject else "by-class", ())


def test_frames_tell_an_offset_that_the_row_lacks(tmp_path: Path) -> None:
    root = save_tree(tmp_path, ROWS)
    rows = [ROWS[0], [*ROWS[1][:4], "/", *ROWS[1][5:]], [*ROWS[2][:3], None, 0, *ROWS[2][5:]]]
    save_sheet(root / "MMEW_Micro_Exp (20).xlsx", [HEADER, *rows])
    dataset = load_dataset("mmew", root)
    assert [row.offset for row in dataset.annotations()] == [9, 6, 8]
    words = dataset.annotations()[1].corrections
    assert words == ("offset 6, the last frame on disk, instead of '/'",)
    for folder in root.glob("MMEW_Final/*/*/S03*"):
        folder.rename(root / folder.name.replace("S03", "gone"))
    alone = load_dataset("mmew", root)
    assert [row.clip_id for row in alone.annotations()] == ["S01-01-001"]
    assert "row 3: S03/S03-02-001: no interval (1..None)" in alone.refused[0]


def test_names_that_contradict_the_row_are_told(tmp_path: Path) -> None:
    odd: list[list[object]] = [
        [2, "S01-06-001", 1, 3, 6, 4, "anger", None],
        [1, "S01-05-002", 2, 3, 6, 4, None, None],
    ]
    save_sheet(tmp_path / "MMEW_Micro_Exp_v2.xlsx", [HEADER, *ROWS, *odd])
    report = load_dataset("mmew", tmp_path).check(annotations_only=True)
    text = "\n".join(report.contradictions)
    assert "row 5: S01-06-001: stands under subject S02" in text
    assert "row 5: S01-06-001: labelled 'anger', by name 'sadness'" in text
    assert "row 6: S01-05-002: onset 2, but numbers count from 1" in text
    assert report.emotions_found["fear"] == 1


def test_the_copy_without_class_others_is_known(tmp_path: Path) -> None:
    counts = {"surprise": 89, "disgust": 72, "happiness": 36, "fear": 16, "sadness": 13, "anger": 8}
    index = {"happiness": 1, "surprise": 2, "disgust": 3, "fear": 5, "sadness": 6, "anger": 7}
    rows = [
        [1, f"S01-{index[word]:02d}-{n:03d}", 1, 3, 9, 4, word, ""]
        for word, count in counts.items()
        for n in range(count)
    ]
    save_csv(tmp_path / "MMEW_Micro_Exp.csv", [HEADER, *rows])
    report = load_dataset("mmew", tmp_path).check(annotations_only=True)
    assert report.release == "MMEW_Micro_Exp without class others"
    assert "differs" not in "\n".join(report_lines(report))
