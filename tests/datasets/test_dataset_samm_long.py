"""SAMM Long Videos: columns by place, recordings that hold many expressions, emotions of SAMM."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import SAMM_HEADER, save_frames, save_sheet

from mebench.cli.data_report import report_lines
from mebench.datasets.base import load_dataset
from mebench.errors import DatasetError
from mebench.facs.codes import format_units

NOTES: list[list[object]] = [["SAMM Long Videos"], ["/ means or"], *[[None]] * 8]
ROWS: list[list[object]] = [
    ["006", "006_1_2", 1, 62, 64, 67, 6, "Micro - 1/2", "13+T18+39", None],
    ["006", "006_1_2", 1, 80, 90, 99, 20, "Macro", 12, "smile"],
    [9, "009_4_1", 4, 30, 36, 0, 7, "Micro - 1/2", 4, None],
    [9, "009_4_2", 4, 1, 500, 900, 900, "Macro", 4, None],
    [28, "028_4_1", 4, 1071, 1143, 1134, 64, "Micro - 1/2", "L12 or L14", None],
    [28, "028_4_3", 4, 2000, 2010, 2020, 22, "Macro", "", None],
]
TABLE = "SAMM_LongVideos_V3_Release.xlsx"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    save_sheet(tmp_path / TABLE, [*NOTES, *ROWS, [None] * 10])
    save_sheet(tmp_path / "SAMM_LongVideos_V1_Release.xlsx", [*NOTES, *ROWS])
    for recording, numbers in (("006_1", range(1, 110)), ("009_4", range(1, 60))):
        names = [f"{recording}_{n:04d}.jpg" for n in numbers]
        save_frames(tmp_path / "SAMM_longvideos" / recording, names, size=(2, 2))
    return tmp_path


def test_columns_go_by_place_and_recordings_are_flat(root: Path) -> None:
    dataset = load_dataset("samm-long", root)
    clips = dataset.clips(on_missing="skip")
    assert [(clip.key, clip.frame_numbers[0], clip.frame_numbers[-1]) for clip in clips] == [
        ("samm-long.006.006_1_2", 62, 67),
        ("samm-long.009.009_4_1", 30, 36),
    ]
    assert (clips[0].fps, clips[0].colour, clips[0].apex_index) == (200, "gray", 2)
    assert format_units(clips[0].annotation.action_units) == "13+T18+39"
    assert clips[1].annotation.corrections == ("offset 36, which is the apex, instead of 0",)


def test_check_counts_macro_rows_and_tells_what_is_odd(root: Path) -> None:
    report = load_dataset("samm-long", root).check()
    assert (report.rows, report.clips_annotated, report.macro_rows) == (6, 3, 3)
    assert report.refused_rows == (
        f"{TABLE} row 14: 009/009_4_2: a macro-expression from frame 1 on, left out as spotting "
        "papers do",
    )
    text = "\n".join(report_lines(report))
    assert "no folder for clip 028/028_4_1" in text
    assert [item["changes"] for item in report.corrections] == [
        {"apex": {"old": 1143, "new": 1113}}
    ]
    assert "028_4_3: duration 22, but 2000..2020 are 21 frames" in text
    assert f"annotation file {TABLE} taken, not SAMM_LongVideos_V1_Release.xlsx; to read" in text
    assert "holds no emotions: put SAMM_Micro_FACS_Codes_v2.xlsx beside it" in text
    assert report.emotions_found == {"unknown": 2}


def test_emotions_come_from_the_micro_file(root: Path) -> None:
    rows = [
        ["006", "006_1_2", 1, 62, 64, 67, 6, "Micro - 1/2", 4, "Contempt", 7, None],
        ["009", "009_4_1", 4, 30, 36, 40, 11, "Micro - 1/2", 4, "Other", 3, None],
    ]
    save_sheet(root / "SAMM_Micro_FACS_Codes_v2.xlsx", [*[[None]] * 13, SAMM_HEADER, *rows])
    dataset = load_dataset("samm-long", root)
    assert [(row.emotion, row.objective_class) for row in dataset.annotations()] == [
        ("contempt", "VII"), ("others", "III"), ("unknown", None),
    ]  # fmt: skip
    assert [row.emotion for row in dataset.all_annotations if row.expression == "macro"] == [
        "unknown", "unknown",
    ]  # fmt: skip


def test_the_table_of_samm_is_refused(root: Path) -> None:
    save_sheet(root / TABLE, [["Subject", "Filename"], ["01", "EP02_01f"]])
    with pytest.raises(DatasetError, match=r"no rows such as '006, 006_1_1"):
        load_dataset("samm-long", root).annotations()
