"""Copies as licence holders have them, unpacked this way or that, are read right."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from dataset_trees import (
    CASME2_HEADER,
    CASME2_ROWS,
    SAMM_HEADER,
    SAMM_ROWS,
    save_frames,
    save_sheet,
)

from mebench.datasets.base import load_dataset
from mebench.facs.codes import format_units
from mebench.types import Clip


def by_id(clips: list[Clip]) -> dict[str, Clip]:
    return {f"{clip.subject}/{clip.clip_id}": clip for clip in clips}


def test_casme2_rows_frames_and_labels(casme2: Path) -> None:
    clips = by_id(load_dataset("casme2", casme2).clips())
    assert list(clips) == ["01/EP02_01f", "01/EP02_01", "02/EP09f"]
    first = clips["01/EP02_01f"]
    assert first.key == "casme2.01.EP02_01f"
    assert (first.fps, first.colour) == (200, "rgb")
    assert first.frame_numbers == tuple(range(46, 52))
    assert first.apex_index == 2
    assert format_units(first.annotation.action_units) == "4+L10"
    assert first.annotation.emotion == "disgust"
    assert format_units(clips["01/EP02_01"].annotation.action_units) == "12"


def test_frames_are_sorted_by_number_and_cut_to_the_interval(casme2: Path) -> None:
    clips = by_id(load_dataset("casme2", casme2).clips())
    frames = clips["01/EP02_01"].frames()
    assert [round(float(frame.mean()), -1) for frame in frames] == [0, 10, 20, 30, 40]
    whole_recording = clips["02/EP09f"]
    assert whole_recording.frame_numbers == (8, 9, 10, 11)
    assert round(float(whole_recording.frames()[0].mean()), -1) == 30


def test_unusable_apexes_are_dropped_and_told(casme2: Path, samm: Path) -> None:
    clips = by_id(load_dataset("casme2", casme2).clips())
    for name, cell in (("01/EP02_01", "'/'"), ("02/EP09f", "'200', outside 8..11")):
        row = clips[name].annotation
        assert (row.apex, row.apex_source) == (None, "none")
        assert row.corrections == (f"no apex: the cell holds {cell}",)
    assert by_id(load_dataset("samm", samm).clips())["007/007_6_1"].apex_index is None


def test_no_au_given_differs_from_none(casme2: Path) -> None:
    row = by_id(load_dataset("casme2", casme2).clips())["02/EP09f"].annotation
    assert row.au_unknown
    assert row.action_units == ()


def test_samm_notes_padding_and_grey(samm: Path) -> None:
    clips = by_id(load_dataset("samm", samm).clips())
    assert list(clips) == ["006/006_1_2", "007/007_6_1"]
    first = clips["006/006_1_2"]
    assert first.colour == "gray"
    assert first.frame_numbers == tuple(range(5562, 5568))
    assert format_units(first.annotation.action_units) == "13+T18+39"
    assert clips["007/007_6_1"].annotation.emotion == "others"


def test_smic_is_read_by_folder_and_labelled_by_name(smic: Path) -> None:
    dataset = load_dataset("smic", smic)
    clips = by_id(dataset.clips())
    assert list(clips) == ["s1/s1_ne_01", "s20/s20_sur_01", "s20/s20_sur_02"]
    first = clips["s1/s1_ne_01"].annotation
    assert (first.onset, first.apex, first.offset) == (559740, None, 559744)
    odd = clips["s20/s20_sur_02"].annotation
    assert odd.emotion == "surprise"
    assert odd.corrections == ("label 'surprise' by the clip's name, folder says 'negative'",)
    assert clips["s1/s1_ne_01"].fps == 100


@pytest.mark.parametrize(
    "place", [".", "..", "CASME2_RAW_selected", "CASME2_RAW_selected/CASME2_RAW_selected"]
)
def test_root_may_be_given_too_high_or_too_low(casme2: Path, place: str) -> None:
    root = casme2 / place
    if place.count("/"):
        shutil.move(casme2 / "CASME2-coding-20140508.xlsx", casme2 / "CASME2_RAW_selected")
    dataset = load_dataset("casme2", root)
    assert len(dataset.clips()) == 3
    outside = any("outside the root" in note for note in dataset.check().notes)
    assert outside == place.startswith("CASME2")


@pytest.mark.parametrize("place", ["SMIC_all_raw", "SMIC_all_raw/HS", "SMIC_all_raw/HS/s1"])
def test_smic_root_may_be_given_too_low(smic: Path, place: str) -> None:
    assert len(load_dataset("smic", smic / place).clips()) == 3


def test_one_folder_with_all_three(casme2: Path, samm: Path, smic: Path) -> None:
    for name, count in (("casme2", 3), ("samm", 2), ("smic", 3)):
        assert len(load_dataset(name, casme2.parent).clips()) == count


def test_copies_of_the_table_without_spacers_or_notes(casme2: Path, samm: Path) -> None:
    before = [clip.annotation for clip in load_dataset("casme2", casme2).clips()]
    keep = [i for i, name in enumerate(CASME2_HEADER) if name]
    rows = [[row[i] for i in keep] for row in (CASME2_HEADER, *CASME2_ROWS)]
    rows[1][0] = 1
    save_sheet(casme2 / "CASME2-coding-20140508.xlsx", rows)
    assert [clip.annotation for clip in load_dataset("casme2", casme2).clips()] == before
    before = [clip.annotation for clip in load_dataset("samm", samm).clips()]
    save_sheet(samm / "SAMM_Micro_FACS_Codes_v2.xlsx", [SAMM_HEADER, *([6, *r[1:]] if i == 0 else r for i, r in enumerate(SAMM_ROWS))])  # fmt: skip  # noqa: E501
    assert [clip.annotation for clip in load_dataset("samm", samm).clips()] == before


def test_csv_copy_of_the_table(casme2: Path) -> None:
    before = [clip.annotation for clip in load_dataset("casme2", casme2).clips()]
    (casme2 / "CASME2-coding-20140508.xlsx").unlink()
    lines = [
        ";".join("" if c is None else str(c) for c in r) for r in (CASME2_HEADER, *CASME2_ROWS)
    ]
    (casme2 / "CASME2-coding.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    assert [clip.annotation for clip in load_dataset("casme2", casme2).clips()] == before


def test_the_2014_coding_and_raw_frames_are_preferred_and_told(casme2: Path) -> None:
    other = [[*CASME2_ROWS[0][:7], "4", "fear"]]
    save_sheet(casme2 / "CASME2-coding-20190701.xlsx", [CASME2_HEADER, *other])
    save_frames(casme2 / "Cropped/sub01/EP02_01f", ["reg_img46.jpg", "reg_img47.jpg"])
    dataset = load_dataset("casme2", casme2)
    assert len(dataset.clips()) == 3
    notes = " ".join(dataset.check().notes)
    assert "CASME2-coding-20140508.xlsx taken" in notes
    assert "RAW_selected taken" in notes


def test_known_mistakes_of_the_files_are_corrected_and_told(casme2: Path, samm: Path) -> None:
    row = ["04", "EP12_01f", None, 261, "/", 321, None, 4, "others"]
    save_sheet(casme2 / "CASME2-coding-20140508.xlsx", [CASME2_HEADER, row])
    (fixed,) = load_dataset("casme2", casme2).annotations()
    assert (fixed.apex, fixed.apex_source) == (279, "corrected")
    assert "apex 279 instead of none" in fixed.corrections[0]
    typo = ["032", "032_3_1", 3, 4896, 1930, 4970, 75, "Micro - 1/2", 4, "Anger", 3, None]
    save_sheet(samm / "SAMM_Micro_FACS_Codes_v2.xlsx", [SAMM_HEADER, typo])
    (fixed,) = load_dataset("samm", samm).annotations()
    assert (fixed.apex, fixed.apex_source) == (4930, "corrected")


def test_a_correction_leaves_other_values_of_the_same_clip_alone(casme2: Path) -> None:
    row = ["04", "EP12_01f", None, 10, "/", 60, None, 4, "others"]
    save_sheet(casme2 / "CASME2-coding-20140508.xlsx", [CASME2_HEADER, row])
    (kept,) = load_dataset("casme2", casme2).annotations()
    assert (kept.onset, kept.apex, kept.offset) == (10, None, 60)


@pytest.mark.parametrize(("start", "end", "apex"), [(16, 101, 59), (161, 206, 187)])
def test_the_frames_on_disk_choose_between_published_intervals(
    casme2: Path, start: int, end: int, apex: int
) -> None:
    row = ["12", "EP09_02", None, 16, 59, 101, None, 4, "others"]
    save_sheet(casme2 / "CASME2-coding-20140508.xlsx", [CASME2_HEADER, row])
    folder = casme2 / "CASME2_RAW_selected/CASME2_RAW_selected/sub12/EP09_02"
    save_frames(folder, [f"img{n}.jpg" for n in range(start, end + 1)])
    (clip,) = load_dataset("casme2", casme2).clips()
    assert (clip.annotation.onset, clip.annotation.apex, clip.annotation.offset) == (
        start,
        apex,
        end,
    )
    assert bool(clip.annotation.corrections) == (start == 161)


def test_a_clip_travels_to_another_process(casme2: Path) -> None:
    clip = load_dataset("casme2", casme2).clips()[0]
    copy = pickle.loads(pickle.dumps(clip))
    assert np.array_equal(copy.frames(), clip.frames())
    assert copy == clip


def test_an_interval_short_of_one_frame_is_still_recognised(casme2: Path) -> None:
    row = ["12", "EP09_02", None, 16, 59, 101, None, 4, "others"]
    save_sheet(casme2 / "CASME2-coding-20140508.xlsx", [CASME2_HEADER, row])
    folder = casme2 / "CASME2_RAW_selected/CASME2_RAW_selected/sub12/EP09_02"
    save_frames(folder, [f"img{n}.jpg" for n in range(161, 206)])
    dataset = load_dataset("casme2", casme2)
    (clip,) = dataset.clips()
    assert (clip.annotation.onset, clip.annotation.offset) == (161, 206)
    assert dataset.check().missing_frames == {clip.key: (206,)}
