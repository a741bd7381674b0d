"""CASME: two apex columns, spacer columns, numbers padded in one half only."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import save_frames, save_sheet

from mebench.datasets.base import Options, dataset_class, load_dataset

HEADER = [
    "Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AU", "Emotion",
]  # fmt: skip
ROWS: list[list[object]] = [
    [1, "EP01_5", None, 46, 49, 52, 55, None, "4+L10", "disgust"],
    [1, "EP01_8", None, 8, 0, 11, 14, None, 14, "repression"],
    [12, "EP03_1f", None, 98, "/", None, 104, None, "2", "tense"],
    [12, "EP03_2", None, 98, 99, None, 104, None, "2", "puzzled"],
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    save_sheet(tmp_path / "casme.xlsx", [HEADER, *ROWS])
    for row in ROWS:
        name, first, last = str(row[1]), int(str(row[3])), int(str(row[6]))
        subject = f"sub{row[0]:02d}"
        digits = 1 if row[0] == 1 else 3
        numbers = [f"{n:0{digits}d}" for n in range(first, last + 1)]
        save_frames(tmp_path / "raw" / subject / name, [f"{name}-{n}.jpg" for n in numbers])
        crops = [f"reg_{name}-{int(n):03d}.jpg" for n in numbers]
        save_frames(tmp_path / "Cropped" / subject / name, crops)
    return tmp_path


@pytest.mark.parametrize("layout", ["raw", "cropped"])
def test_raw_and_cropped_frames_whatever_the_padding(root: Path, layout: str) -> None:
    dataset = load_dataset("casme", root, Options(layout=layout))
    clips = dataset.clips()
    assert [clip.key for clip in clips] == [
        "casme.01.EP01_5", "casme.01.EP01_8", "casme.12.EP03_1f", "casme.12.EP03_2",
    ]  # fmt: skip
    assert [clip.frame_numbers[0] for clip in clips] == [46, 8, 98, 98]
    assert dataset.check().complete
    assert clips[0].fps == 60


def test_the_second_apex_stands_in_for_the_first(root: Path) -> None:
    rows = load_dataset("casme", root).annotations()
    assert [row.apex for row in rows] == [49, 11, None, 99]
    assert rows[1].corrections == ("apex 11 of ApexF2: ApexF1 holds '0'",)
    assert rows[2].corrections == ("no apex: the cell holds '/'",)


def test_words_nobody_listed_are_unknown_and_told(root: Path) -> None:
    dataset = load_dataset("casme", root)
    words = [row.emotion for row in dataset.annotations()]
    assert words == ["disgust", "repression", "tense", "unknown"]
    assert dataset.check().contradictions[0].endswith("emotion 'puzzled' is taken as unknown")


@pytest.mark.parametrize(
    "name",
    [
        "CASME2-coding-20140508.xlsx", "CAS(ME)^2code_final.xlsx", "SAMM_LongVideos_V3.xlsx",
        "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", "CAS(ME)3_part_C_ME.xlsx", "casme.xlsx",
        "SAMM_Micro_FACS_Codes_v2.xlsx", "MMEW_Micro_Exp.xlsx", "DFME_training_full_with_AU.xlsx",
        "4DME_Labelling_Micro_release v1.xlsx", "SMIC-HS-E_annotation.xlsx",
    ],
)  # fmt: skip
def test_each_table_belongs_to_one_data_set(name: str) -> None:
    loaders = [
        "casme2", "samm", "smic-e", "casme3", "casme3-c", "mmew", "casme", "cas-me-2", "samm-long",
        "fourd-me", "dfme",
    ]  # fmt: skip
    claims = [one for one in loaders if dataset_class(one).table_rank(name.lower()) is not None]  # type: ignore[attr-defined]
    assert len(claims) == 1
