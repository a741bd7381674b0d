"""Small copies of the three data sets in their real layouts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from dataset_trees import (
    CASME2,
    CASME2_HEADER,
    CASME2_ROWS,
    SAMM,
    SAMM_HEADER,
    SAMM_ROWS,
    save_frames,
    save_sheet,
)


@pytest.fixture
def export(tiny: Path, tmp_path: Path) -> Path:
    """Return an export of its own: frames are links, so they must be replaced, not written to."""
    place = tmp_path / "synthme"
    shutil.copytree(tiny, place, copy_function=os.link)
    for table in (CASME2, SAMM):
        (place / table).unlink()
        shutil.copy(tiny / table, place / table)
    return place


@pytest.fixture
def casme2(tmp_path: Path) -> Path:
    root = tmp_path / "casme2"
    save_sheet(root / "CASME2-coding-20140508.xlsx", [CASME2_HEADER, *CASME2_ROWS, [None] * 9])
    frames = root / "CASME2_RAW_selected" / "CASME2_RAW_selected"
    save_frames(frames / "sub01/EP02_01f", [f"img{n}.jpg" for n in range(46, 52)])
    save_frames(frames / "sub01/EP02_01", [f"img{n}.jpg" for n in range(98, 103)])
    save_frames(frames / "sub02/EP09f", [f"img{n}.jpg" for n in range(5, 14)])
    return root


@pytest.fixture
def samm(tmp_path: Path) -> Path:
    root = tmp_path / "samm"
    notes = [["/ means or"], *[[None]] * 12]
    save_sheet(root / "SAMM_Micro_FACS_Codes_v2.xlsx", [*notes, SAMM_HEADER, *SAMM_ROWS])
    save_frames(root / "006/006_1_2", [f"006_{n:05d}.jpg" for n in range(5562, 5568)])
    save_frames(root / "007/007_6_1", [f"007_{n:04d}.jpg" for n in range(97, 102)])
    return root


@pytest.fixture
def smic(tmp_path: Path) -> Path:
    root = tmp_path / "smic"
    frames = root / "SMIC_all_raw" / "HS"
    numbers = {"s1": range(559740, 559745), "s20": range(17597115, 17597119)}
    for subject, label, clip in (
        ("s1", "negative", "s1_ne_01"),
        ("s20", "surprise", "s20_sur_01"),
        ("s20", "negative", "s20_sur_02"),
    ):
        names = [f"image{n:06d}.bmp" for n in numbers[subject]]
        save_frames(frames / subject / "micro" / label / clip, names)
    save_frames(frames / "s1/non_micro/s1_no_01", ["image1.bmp", "image2.bmp"])
    return root
