"""CAS(ME)^3: both parts, their tables as published, clips and whole recordings."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from dataset_trees import save_book, save_csv, save_frames, save_sheet

from mebench.cli.data_report import report_lines
from mebench.datasets.base import Options, load_dataset
from mebench.datasets.index import index_rows
from mebench.facs.codes import format_units
from mebench.io.video import write_mp4

DATA = Path(__file__).parents[1] / "data" / "annotations"
HEADER = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
ROWS: list[list[object]] = [
    ["spNO.1", "a", 355, 361, 369, 4, "III", "disgust"],
    ["spNO.1", "a", 401, 404, 410, "4+7", "III", "happy"],
    ["spNO.149", "d", 112, 83, 358, "T28+14", "VII", "sad"],
    ["spNO.14", "J", 1012, 1015, 1020, "B28", "VII", "surprise"],
    ["spNO.216", "d", 3647, 2668, 2694, 12, "I", "happy"],
    ["spNO.216", "e", 0, 0, 25, 1, "V", "fear"],
    ["spNO.40", "e", 1812, 1824, 0, "R14", "VII", "anger"],
    ["spNO.168", "a", 4, 4, 9, 24, "VII", "Others"],
    ["spNO.214", "b", 5, 9, 12, 24, "VII", "others"],
    ["spNO.214", "c", 5, 5, 3460, 24, "VII", "others"],
]
TABLE = "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "casme3"
    save_book(place / "annotation" / "partA" / TABLE, {"Sheet1": [], "label": [HEADER, *ROWS]})
    frames = place / "Part_A_ME_clip" / "Part_A_ME_clip"
    for name, numbers in (
        ("frame/spNO.1_a_355", range(355, 370)),
        ("frame/spNo.1_a_401", range(401, 411)),
        ("frame/spNO.149_d_112", range(112, 359)),
        ("frame/spNO.14_J_1012", range(1012, 1021)),
        ("frame/spNO.216_d_3647", range(2647, 2695)),
        ("frame/spNO.216_e_0", range(1, 26)),
        ("frame/spNO.40_e_1812", range(1812, 1846)),
        ("frame/spNO.168_a_4", range(4, 10)),
        ("frame/spNO.214_b_5", range(5, 13)),
        ("frame/spNO.214_c_5", range(5, 35)),
        ("depth/spNO.1_a_355", range(355, 370)),
        *((f"../Part_A_MaE_clip/frame/spNO.2_b_{n}", range(n, n + 2)) for n in range(12)),
    ):
        save_frames(frames / name, [f"{n}.jpg" for n in numbers], size=(4, 4))
    return place


def test_a_clip_is_named_after_letter_and_printed_onset(root: Path) -> None:
    rows = {row["clip_id"]: row for row in index_rows(load_dataset("casme3", root).clips())}
    assert list(rows) == [
        "a_355", "a_401", "d_112", "j_1012", "d_3647", "e_0", "e_1812", "a_4", "b_5", "c_5",
    ]  # fmt: skip
    assert [row["subject"] for row in rows.values()][:4] == ["sp1", "sp1", "sp149", "sp14"]
    first = rows["a_355"]
    assert (first["onset"], first["apex"], first["offset"], first["n_frames"]) == (
        355, 361, 369, 15,
    )  # fmt: skip
    assert (first["objective_class"], first["action_units"], first["fps"]) == ("III", "4", 30)
    assert str(first["path"]).endswith("frame/spNO.1_a_355")
    assert [rows[name]["emotion"] for name in ("a_401", "d_112", "a_4")] == [
        "happiness", "sadness", "others",
    ]  # fmt: skip
    assert rows["d_112"]["action_units"] == "T28+14"


def test_impossible_rows_are_corrected_and_told(root: Path) -> None:
    clips = {clip.clip_id: clip for clip in load_dataset("casme3", root).clips()}

    def values(name: str) -> tuple[object, ...]:
        row = clips[name].annotation
        return row.onset, row.apex, row.offset, row.apex_source

    assert values("d_112") == (112, 167, 358, "corrected")
    assert values("d_3647") == (2647, 2668, 2694, "annotated")
    assert values("e_0") == (1, 1, 25, "corrected")
    assert values("e_1812") == (1812, 1824, 1845, "annotated")
    assert values("c_5") == (5, 5, 34, "annotated")
    assert "apex 167 instead of 83" in clips["d_112"].annotation.corrections[0]
    assert clips["j_1012"].annotation.corrections[0].startswith("recording j instead of J")
    off = load_dataset("casme3", root, Options(corrections="off"))
    assert len(off.annotations()) == len(ROWS) - 2
    assert [line.split(": ")[1] for line in off.refused] == ["sp216/d_3647", "sp40/e_1812"]


def test_check_says_what_is_there(root: Path) -> None:
    (root / "Part_A_ME_clip/Part_A_ME_clip/frame/spNO.1_a_355/360.jpg").unlink()
    text = "\n".join(report_lines(load_dataset("casme3", root).check()))
    for words in (
        "layout       clips",
        "860 or 921",
        "casme3.sp1.a_355: 1 frames (360)",
        "sp214/b_5: some of its frames are of low quality",
        "the published clips lack single frames in 83 of 860 clips",
        "'sad' is sadness",
        "optional corrections, not applied (--corrections all): 1",
    ):
        assert words in text
    left = load_dataset("casme3", root, Options(corrections="all"))
    assert "sp214/b_5" not in [row.name for row in left.annotations()]
    assert "hand or chin hides the face" in left.refused[-1]


def test_one_recording_serves_several_clips_and_depth_is_never_read(root: Path) -> None:
    shutil.rmtree(root / "Part_A_ME_clip")
    whole = root / "part_A_split" / "part_A"
    for kind in ("color", "depth"):
        save_frames(whole / "spNO.1" / "a" / kind, [f"{n}.jpg" for n in range(350, 420)], (4, 4))
    save_frames(whole / "spNO.14" / "J" / "color", [f"{n}.jpg" for n in range(1000, 1030)], (4, 4))
    clips = load_dataset("casme3", root).clips(on_missing="skip")
    assert [(clip.clip_id, clip.frame_numbers[0], len(clip.frame_numbers)) for clip in clips] == [
        ("a_355", 355, 15), ("a_401", 401, 10), ("j_1012", 1012, 9),
    ]  # fmt: skip
    assert {Path(clip.path).name for clip in clips} == {"color"}
    assert load_dataset("casme3", root).check().extra_clips == ()


def test_clip_files_named_after_the_onset(root: Path) -> None:
    shutil.rmtree(root / "Part_A_ME_clip")
    place = root / "Part_A_ME_clip" / "video"
    place.mkdir(parents=True)
    write_mp4(place / "spNO.1_a_355.mp4", np.zeros((15, 16, 16, 3), np.uint8), 30)
    (clip,) = load_dataset("casme3", root).clips(on_missing="skip")
    assert clip.frame_numbers == tuple(range(355, 370))
    assert clip.frames().shape == (15, 16, 16, 3)


def test_the_first_label_is_an_xls_with_two_unnamed_columns(tmp_path: Path) -> None:
    shutil.copy(
        DATA / "casme3_me_label_v1.xls", tmp_path / "cas(me)3_part_A_ME_label_JpgIndex_v1.xls"
    )
    dataset = load_dataset("casme3", tmp_path)
    rows = dataset.annotations()
    assert [(row.name, row.onset, row.apex, row.offset) for row in rows] == [
        ("sp1/a_355", 355, 361, 369), ("sp1/a_401", 401, 404, 410), ("sp149/d_112", 112, 167, 358),
    ]  # fmt: skip
    assert [format_units(row.action_units) for row in rows] == ["4", "4+7", "5"]
    assert dataset.check(annotations_only=True).counts[2][:2] == ("objective class III", 2)


def test_the_book_of_all_expressions_counts_macro_rows_apart(tmp_path: Path) -> None:
    shutil.copy(DATA / "casme3_all_expressions.xls", tmp_path / "CAS(ME)3_part_A_v2.xls")
    dataset = load_dataset("casme3", tmp_path)
    assert [row.name for row in dataset.annotations()] == ["sp1/a_355", "sp1/a_401"]
    assert [row.emotion for row in dataset.annotations()] == ["unknown", "unknown"]
    report = dataset.check(annotations_only=True)
    assert (report.rows, report.clips_annotated, report.macro_rows) == (5, 2, 3)
    assert report.refused_rows == (
        "CAS(ME)3_part_A_v2.xls row 6: sp2/c_30: onset 30 must not lie after offset 20",
    )
    assert report.subjects_found == 1
    assert "holds no emotions: put the ME label here" in report.notes[0]
    macro = [row for row in dataset.all_annotations if row.expression == "macro"]
    assert [(row.onset, row.offset) for row in macro] == [(355, 420), (30, 41)]
    assert "offset 41, which is the apex, instead of 0" in macro[1].corrections


def test_emotions_of_the_book_come_from_the_label_beside_it(root: Path) -> None:
    book = root / "annotation" / "CAS(ME)3_part_A_v2.xls"
    shutil.copy(DATA / "casme3_all_expressions.xls", book)
    assert load_dataset("casme3", root).table.name == TABLE
    dataset = load_dataset("casme3", root, Options(table=book))
    assert [(row.emotion, row.objective_class) for row in dataset.annotations()] == [
        ("disgust", "III"), ("happiness", "III"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "micro", "macro", "subjects"),
    [
        ("part A v2, all expressions", 860, 3346, 98),
        ("part A v1, all expressions", 921, 3285, 98),
    ],
)
def test_releases_of_one_length_are_told_apart(
    tmp_path: Path, name: str, micro: int, macro: int, subjects: int
) -> None:
    rows: list[list[object]] = [[*HEADER[:6], "Expression type"]]
    rows += [
        [f"spNO.{i % 98 + 1}", "a", 10 * i + 1, 10 * i + 3, 10 * i + 8, 4, "Micro-expression"]
        for i in range(micro)
    ]
    rows += [["spNO.1", "b", 1, 3, 8, 12, "Macro-expression"]] * macro
    save_csv(tmp_path / "CAS(ME)3_part_A_v2.csv", rows)
    report = load_dataset("casme3", tmp_path).check(annotations_only=True)
    assert report.release == name
    assert (report.clips_annotated, report.clips_expected) == (micro, (micro,))
    assert (report.macro_rows, report.macro_expected) == (macro, macro)
    assert (report.subjects_found, report.subjects_expected) == (98, subjects)


@pytest.fixture
def part_c(tmp_path: Path) -> Path:
    rows: list[list[object]] = [
        ["sub", "count", "onset", "offset", "au", "emotion", "PHY"],
        [4, 10, 373, 380, 4, "negative", "x"],
        [4, 11, 390, 399, "4，11", "negative", "x"],
        ["12", 1, 20, 30, "13?", "positive", "x"],
        [12, 2, 40, 50, "1,2,", "surprise", "x"],
    ]
    save_sheet(tmp_path / "CAS(ME)3_part_C_ME.xlsx", rows)
    return tmp_path


def test_part_c_has_commas_counts_and_no_apex(part_c: Path) -> None:
    dataset = load_dataset("casme3-c", part_c)
    rows = dataset.annotations()
    assert [row.name for row in rows] == ["4/10", "4/11", "12/1", "12/2"]
    assert [format_units(row.action_units) for row in rows] == ["4", "4+11", "ref(13)", "1+2"]
    assert [row.emotion for row in rows] == ["negative", "negative", "happiness", "surprise"]
    assert {(row.apex, row.apex_source) for row in rows} == {(None, "none")}
    assert rows[0].corrections == ()
    assert "full-width comma" in rows[1].corrections[0]
    report = dataset.check(annotations_only=True)
    assert (report.unreadable_action_units, report.refused_rows) == ((), ())


def test_part_c_recordings_lie_below_one_letter(part_c: Path) -> None:
    for subject in ("04", "12"):
        place = part_c / "part_C" / subject / "a"
        save_frames(place / "color", [f"{n}.jpg" for n in range(15, 400)], size=(2, 2))
        save_frames(place / "depth", ["1.png"], size=(2, 2))
    clips = load_dataset("casme3-c", part_c).clips()
    assert [(clip.key, len(clip.frame_numbers)) for clip in clips] == [
        ("casme3-c.4.10", 8), ("casme3-c.4.11", 10), ("casme3-c.12.1", 11), ("casme3-c.12.2", 11),
    ]  # fmt: skip


def test_part_a_is_no_part_c(root: Path) -> None:
    shutil.rmtree(root / "Part_A_ME_clip")
    save_frames(root / "part_A" / "spNO.1" / "a" / "color", ["1.jpg", "2.jpg"])
    assert load_dataset("casme3-c", root).found is None
