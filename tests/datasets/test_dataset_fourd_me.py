"""4DME: one-hot or text columns, floats, several emotions a row, units that do not move."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import save_frames, save_sheet

from mebench.datasets.base import load_dataset
from mebench.datasets.index import index_rows
from mebench.facs.codes import format_units

HEADER = [
    "sub_ID", "fold_name", "fold", "Emotion", "Onset", "Apex", "Offset", "Total", "AUs",
    "Positive", "Negative", "Surprise", "Repression", "Others", "AU1", "AU4", "AU7", "AU12",
]  # fmt: skip
ROWS: list[list[object]] = [
    ["S13", "S13_1st_001_01", 1, "Surprise+Positive", 1826.0, 1830.0, 1835.0, 10, "AU4(k)+L7",
     1, 0, 1, 0, 0, 0, 1, 1, 0],
    ["S13", "S13_1st_001_02", 1, None, 20.0, 24.0, 29.0, 10, None,
     0, 1, 0, 1, 0, 0, 1.0, 0, 1.0],
    [2, "S02_1st_004_01", 2, "Negative", 5, 8, 12, 8, 12, 0, 1, 0, 0, 0, 0, 0, 0, 1],
    [2, "S02_1st_004_02", 2, "??", 5, 8, 12, 8, "AUR2+12(k)+45", 0, 0, 0, 0, 0, 0, 0, 0, 0],
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    save_sheet(tmp_path / "4DME_Labelling_Micro_release v1.xlsx", [HEADER, *ROWS])
    save_sheet(tmp_path / "Micro and Macro-expression labels.xlsx", [["Subject"]])
    for row in ROWS:
        subject = "S02" if row[0] == 2 else str(row[0])
        numbers = range(int(float(str(row[4]))), int(float(str(row[6]))) + 1)
        place = tmp_path / "gray_micro" / subject / str(row[1])
        save_frames(place, [f"Frame_{n:09d}.jpg" for n in numbers], size=(2, 2))
    return tmp_path


def test_emotions_of_a_row_are_all_kept(root: Path) -> None:
    rows = index_rows(load_dataset("fourd-me", root).clips())
    assert [(row["subject"], row["emotion"], row["three_class"]) for row in rows] == [
        ("S13", "happiness+surprise", None),
        ("S13", "repression+negative", "negative"),
        ("S02", "negative", "negative"),
        ("S02", "unknown", None),
    ]
    assert [(row["onset"], row["apex"], row["offset"]) for row in rows[:2]] == [
        (1826, 1830, 1835), (20, 24, 29),
    ]  # fmt: skip


def test_units_that_do_not_move_are_left_out_and_one_hot_columns_stand_in(root: Path) -> None:
    dataset = load_dataset("fourd-me", root)
    rows = dataset.annotations()
    assert [format_units(row.action_units) for row in rows] == ["L7", "4+12", "12", "R2+45"]
    assert rows[0].au_raw == "AU4(k)+L7"
    assert dataset.unreadable == []


def test_frames_and_remarks(root: Path) -> None:
    dataset = load_dataset("fourd-me", root)
    clips = dataset.clips()
    assert (clips[0].key, clips[0].frame_numbers[0]) == ("fourd-me.S13.S13_1st_001_01", 1826)
    assert {clip.colour for clip in clips} == {"gray"}
    save_frames(root / "gray_micro/S13/S13_1st_001_01_1", ["Frame_1.jpg", "Frame_2.jpg"])
    report = load_dataset("fourd-me", root).check()
    assert report.complete
    assert [Path(path).name for path in report.extra_clips] == ["S13_1st_001_01_1"]
    assert report.contradictions[0].endswith("emotion '??' is taken as unknown")
