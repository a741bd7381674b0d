"""Copies that are missing, half written or damaged are refused in one line that says what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from dataset_trees import CASME2_HEADER, CASME2_ROWS, save_sheet

from mebench.datasets.base import DATASETS, dataset_class, load_dataset
from mebench.errors import DatasetError, UsageError

TABLE = "CASME2-coding-20140508.xlsx"
EMOTIONS_UNKNOWN = {"casme", "cas-me-2", "samm-long", "fourd-me", "dfme"}
FRAMES = "CASME2_RAW_selected/CASME2_RAW_selected"


PUBLISHED = sorted(set(DATASETS) - {"clips"})
"""All but clips of one's own, which nobody published or counted."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_facts_work_without_a_copy_and_data_access_fails_clearly(name: str, tmp_path: Path) -> None:
    info = dataset_class(name).info
    assert info.id == name
    assert info.bibtex.startswith("@")
    assert sum(info.emotions.values()) == (0 if name in EMOTIONS_UNKNOWN else info.clips[0])
    assert not info.redistribute
    with pytest.raises(DatasetError, match="no such folder"):
        load_dataset(name, tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="is a file, not a folder"):
        load_dataset(name, tmp_path / "file")
    (tmp_path / "up" / "empty").mkdir(parents=True)
    with pytest.raises(
        DatasetError, match=r"empty: no (annotation file|folder of frames)"
    ) as caught:
        load_dataset(name, tmp_path / "up" / "empty").clips()
    assert "\n" not in str(caught.value)


def test_unknown_data_set_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'casme2'"):
        load_dataset("caseme2", tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short"])
def test_damaged_table(casme2: Path, content: bytes) -> None:
    (casme2 / TABLE).write_bytes(content)
    with pytest.raises(DatasetError, match=rf"{TABLE}: cannot be read as a spreadsheet"):
        load_dataset("casme2", casme2).annotations()


def test_table_without_header_or_column(casme2: Path) -> None:
    save_sheet(casme2 / TABLE, CASME2_ROWS)
    with pytest.raises(DatasetError, match="no header row with 'Subject'"):
        load_dataset("casme2", casme2).annotations()
    save_sheet(casme2 / TABLE, [[name for name in CASME2_HEADER if name != "ApexFrame"]])
    with pytest.raises(DatasetError, match="no column for apex"):
        load_dataset("casme2", casme2).annotations()


def test_rows_that_cannot_be_used_are_named_and_the_rest_is_kept(casme2: Path) -> None:
    bad = [
        ["03", "EP01_2", None, 50, 60, 40, None, 4, "others"],
        ["03", "EP01_3", None, "?", 60, 70, None, 4, "others"],
        ["03", "EP01_4", None, 50, 60, 70, None, 4, "hapiness"],
        ["03", "../../x", None, 50, 60, 70, None, 4, "others"],
        CASME2_ROWS[0],
    ]
    save_sheet(casme2 / TABLE, [CASME2_HEADER, *CASME2_ROWS, *bad])
    dataset = load_dataset("casme2", casme2)
    assert len(dataset.annotations()) == 3
    assert [row.split(":")[0] for row in dataset.refused] == [
        f"{TABLE} row {n}" for n in range(5, 10)
    ]
    for row, words in zip(
        dataset.refused,
        (
            "must not lie after offset",
            "frame numbers",
            "Did you mean 'happiness'",
            "cannot be",
            "stands twice",
        ),
        strict=True,
    ):
        assert words in row


def test_unreadable_au_cell_keeps_the_clip_as_unknown(casme2: Path) -> None:
    row = [*CASME2_ROWS[0][:7], "4++", "disgust"]
    save_sheet(casme2 / TABLE, [CASME2_HEADER, row])
    report = load_dataset("casme2", casme2).check()
    assert report.clips_found == 1
    assert "01/EP02_01f: action units '4++'" in report.unreadable_action_units[0]


def test_missing_and_empty_clip_folders(casme2: Path) -> None:
    shutil.rmtree(casme2 / FRAMES / "sub02")
    for frame in (casme2 / FRAMES / "sub01/EP02_01").iterdir():
        frame.unlink()
    dataset = load_dataset("casme2", casme2)
    with pytest.raises(DatasetError, match=r"EP02_01: .* no numbered images.*\(and 1 more clips\)"):
        dataset.clips()
    assert [clip.clip_id for clip in dataset.clips(on_missing="skip")] == ["EP02_01f"]
    report = dataset.check()
    assert report.usable
    assert not report.complete
    assert len(report.missing_clips) == 2
    assert "no folder for clip 02/EP09f" in report.missing_clips[1]


def test_a_resampled_copy_is_refused(casme2: Path) -> None:
    folder = casme2 / FRAMES / "sub01/EP02_01"
    for number, frame in enumerate(sorted(folder.iterdir())):
        frame.rename(folder / f"{number + 1:03d}.png")
    shutil.copy(folder / "001.png", folder / "006.png")
    with pytest.raises(DatasetError, match=r"frames 1\.\.6, but .* annotated 98\.\.102"):
        load_dataset("casme2", casme2).clips()


def test_numbers_that_restart_are_taken_when_there_are_as_many(casme2: Path) -> None:
    folder = casme2 / FRAMES / "sub01/EP02_01"
    for number, frame in enumerate(sorted(folder.iterdir())):
        frame.rename(folder / f"{number + 1:03d}.png")
    dataset = load_dataset("casme2", casme2)
    clip = next(clip for clip in dataset.clips() if clip.clip_id == "EP02_01")
    assert clip.frame_numbers == tuple(range(98, 103))
    assert [path.name for path in clip.reader.paths] == [f"{n:03d}.png" for n in range(1, 6)]
    assert "numbers restart at 1" in dataset.check().frame_remarks[0]


def test_single_missing_frames_are_told_but_usable(casme2: Path) -> None:
    (casme2 / FRAMES / "sub01/EP02_01/img100.jpg").unlink()
    dataset = load_dataset("casme2", casme2)
    assert len(dataset.clips()) == 3
    report = dataset.check()
    assert report.usable
    assert report.missing_frames == {"casme2.01.EP02_01": (100,)}


@pytest.mark.parametrize("kept", [0, 200])
def test_damaged_frames_are_named_and_a_copy_of_nothing_else_is_unusable(
    casme2: Path, kept: int
) -> None:
    path = casme2 / FRAMES / "sub01/EP02_01/img100.jpg"
    path.write_bytes(path.read_bytes()[:kept])
    report = load_dataset("casme2", casme2).check()
    assert report.usable
    assert not report.complete
    assert len(report.damaged_frames) == 1
    assert "img100.jpg" in report.damaged_frames[0]
    for clip in load_dataset("casme2", casme2).clips():
        clip.reader.paths[0].write_bytes(b"")
    assert not load_dataset("casme2", casme2).check().usable


def test_only_the_hs_part_of_smic_is_read(smic: Path) -> None:
    (smic / "SMIC_all_raw/HS").rename(smic / "SMIC_all_raw/VIS")
    with pytest.raises(DatasetError, match="lies there: use smic-vis"):
        load_dataset("smic", smic).clips()


def test_check_counts_and_is_json(casme2: Path) -> None:
    report = load_dataset("casme2", casme2).check()
    plain = json.loads(json.dumps(report.to_json()))
    assert plain["usable"] is True
    assert (plain["clips_found"], plain["clips_expected"]) == (3, [255, 256])
    assert (plain["subjects_found"], plain["subjects_expected"]) == (2, 26)
    assert plain["emotions_found"] == {"disgust": 1, "happiness": 1, "others": 1}
    assert plain["frames_found"] == 15
    assert plain["places"]["annotations"].endswith(TABLE)


def test_check_of_annotations_alone_needs_no_frames(casme2: Path) -> None:
    shutil.rmtree(casme2 / "CASME2_RAW_selected")
    report = load_dataset("casme2", casme2).check(annotations_only=True)
    assert report.usable
    assert (report.clips_annotated, report.clips_found) == (3, 0)
    assert report.subjects_found == 2


def test_an_unfinished_synthme_export_says_how_to_finish_it(casme2: Path) -> None:
    (casme2.parent / "truth").mkdir()
    (casme2.parent / "truth" / "clips.json").write_text("{}")
    with pytest.raises(DatasetError, match="unfinished SynthME export; run 'mebench data synth'"):
        load_dataset("casme2", casme2)


def test_only_clips_that_synthme_drew_may_be_passed_on(casme2: Path) -> None:
    assert not load_dataset("casme2", casme2).redistribute
    (casme2.parent / "truth").mkdir()
    (casme2.parent / "truth" / "clips.json").write_text("{}")
    drawn = ["casme2.01.EP02_01f", "casme2.01.EP02_01", "casme2.02.EP09f"]
    stamp = casme2.parent / "synthme.json"
    stamp.write_text(json.dumps({"clips": drawn}))
    dataset = load_dataset("casme2", casme2)
    assert dataset.redistribute
    assert dataset.check().clips_expected == (3,)
    stamp.write_text(json.dumps({"clips": drawn[:2]}))
    assert not load_dataset("casme2", casme2).redistribute
