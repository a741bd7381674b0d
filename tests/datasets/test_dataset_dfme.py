"""DFME: numbers from 0, a rate a row, three parts that may lie anywhere below the root."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import save_csv, save_frames, save_sheet

from mebench.datasets.base import Options, load_dataset
from mebench.facs.codes import format_units

HEADER = [
    "Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps",
    "AU",
]  # fmt: skip
TRAIN: list[list[object]] = [
    ["sub0003", "sub0003_01", 109, 112, 116, "disgust", 2, 200, "L10+AD38"],
    ["sub0003", "sub0003_02", 0, 4, 9, "happiness", 4, 200, 12],
    ["sub0004", "sub0004_01", 3, 5, 9, "anger", 3, 500, "M57"],
]
TEST_A: list[list[object]] = [["sub0201", "sub0201_01", 7, 9, 12, "surprise", 6, 300]]
TEST_B: list[list[object]] = [["sub0301", "sub0301_01", 7, 9, 12, None, 5, 300, "R14"]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tables = tmp_path / "full_release_annotation"
    save_sheet(tables / "training_full_with_AU.xlsx", [HEADER, *TRAIN])
    save_sheet(tables / "test_A_full_with_AU.xlsx", [HEADER[:8], *TEST_A])
    save_sheet(tables / "test_B_full_with_AU.xlsx", [HEADER, *TEST_B])
    for place, rows in (
        ("DFME_train", TRAIN),
        ("test_data_A/test_data_A", TEST_A),
        ("test_data_B/test_data_B", TEST_B),
    ):
        for row in rows:
            numbers = range(int(str(row[2])), int(str(row[4])) + 1)
            save_frames(tmp_path / place / str(row[1]), [f"{n:05d}.png" for n in numbers], (2, 2))
    return tmp_path


def test_three_parts_are_read_as_one(root: Path) -> None:
    dataset = load_dataset("dfme", root)
    clips = dataset.clips()
    assert [(clip.key, clip.fps, len(clip.frame_numbers)) for clip in clips] == [
        ("dfme.sub0003.sub0003_01", 200, 8),
        ("dfme.sub0003.sub0003_02", 200, 10),
        ("dfme.sub0004.sub0004_01", 500, 7),
        ("dfme.sub0201.sub0201_01", 300, 6),
        ("dfme.sub0301.sub0301_01", 300, 6),
    ]
    assert clips[1].frame_numbers[0] == 0
    units = [format_units(clip.annotation.action_units) for clip in clips]
    assert units == ["L10+38", "12", "57", "", "R14"]
    assert [clip.annotation.au_unknown for clip in clips] == [False, False, False, True, False]
    assert clips[4].annotation.emotion == "sadness"
    report = dataset.check()
    assert report.complete
    assert (
        "row 4: sub0004_01: emotion 'anger', its number 3 says otherwise"
        in report.contradictions[0]
    )
    assert "test_B_full_with_AU.xlsx read as one" in report.notes[0]


def test_crops_are_another_layout(root: Path) -> None:
    for row in TRAIN:
        numbers = range(int(str(row[2])), int(str(row[4])) + 1)
        names = [f"{n:05d}.png" for n in numbers]
        save_frames(root / "DFME_Crop" / "DFME_train" / str(row[1]), names, (2, 2))
    assert load_dataset("dfme", root).check().layout == "frames"
    crops = load_dataset("dfme", root, Options(layout="cropped"))
    assert {Path(clip.path).parts[0] for clip in crops.clips(on_missing="skip")} == {"DFME_Crop"}


def test_one_part_alone(root: Path) -> None:
    table = root / "full_release_annotation" / "test_A_full_with_AU.xlsx"
    dataset = load_dataset("dfme", root, Options(table=table))
    assert [clip.key for clip in dataset.clips()] == ["dfme.sub0201.sub0201_01"]
    alone = load_dataset("dfme", root / "test_data_A", Options(table=table))
    assert [clip.fps for clip in alone.clips()] == [300]


def test_refused_rows_name_their_file(root: Path) -> None:
    bad = ["sub0301", "sub0301_02", 9, 9, 2, "fear", 3, 300, 4]
    other = ["sub0301", "EP01", 9, 9, 12, "fear", 3, 300, 4]
    path = root / "full_release_annotation" / "test_B_full_with_AU.xlsx"
    save_sheet(
        path,
        [HEADER, *TEST_B, bad, other, ["sub0301", "sub0301_03", 1, 2, 5, "fear", 3, 200, "x1"]],
    )
    dataset = load_dataset("dfme", root)
    dataset.annotations()
    assert [line.split(": ")[0] for line in dataset.refused] == [
        "test_B_full_with_AU.xlsx row 3", "test_B_full_with_AU.xlsx row 4",
    ]  # fmt: skip
    assert dataset.unreadable[0].startswith("test_B_full_with_AU.xlsx row 5: sub0301/sub0301_03")
    assert "sub0301_03: 200 fps, others of the subject differ" in "\n".join(dataset.row_checks())


@pytest.mark.parametrize(
    ("part", "clips", "subjects"), [("train", 1856, 176), ("test A", 474, 42), ("test B", 299, 41)]
)
def test_parts_are_known_by_their_size(
    tmp_path: Path, part: str, clips: int, subjects: int
) -> None:
    rows = [
        [
            f"sub{n % subjects:04d}",
            f"sub{n % subjects:04d}_{n // subjects:02d}",
            0,
            3,
            9,
            "Fear",
            3,
            200,
            4,
        ]
        for n in range(clips)
    ]
    save_csv(tmp_path / "DFME.csv", [HEADER, *rows])
    report = load_dataset("dfme", tmp_path).check(annotations_only=True)
    assert report.release == part
    assert (report.clips_annotated, report.clips_expected) == (clips, (clips,))
    assert (report.subjects_found, report.subjects_expected) == (subjects, subjects)
