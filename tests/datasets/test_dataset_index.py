"""The canonical index and its digest."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

from dataset_trees import CASME2_HEADER, CASME2_ROWS, save_sheet

from mebench.datasets.base import load_dataset
from mebench.datasets.index import COLUMNS, index_csv, index_digest, write_index


def test_index_has_one_row_a_clip_with_canonical_values(casme2: Path, tmp_path: Path) -> None:
    clips = load_dataset("casme2", casme2).clips()
    write_index(clips, tmp_path / "index.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "index.csv").read_text())))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 3
    first = rows[0]
    assert (first["subject"], first["clip_id"]) == ("01", "EP02_01f")
    assert (first["onset"], first["apex"], first["offset"], first["n_frames"]) == (
        "46", "48", "51", "6",
    )  # fmt: skip
    assert (first["action_units"], first["three_class"]) == ("4+L10", "negative")
    assert (rows[1]["apex"], rows[1]["apex_source"]) == ("", "none")
    assert rows[2]["three_class"] == ""


def test_digest_depends_on_content_not_on_place_or_order(casme2: Path, tmp_path: Path) -> None:
    clips = load_dataset("casme2", casme2).clips()
    digest = index_digest(clips)
    assert index_digest(clips[::-1]) == digest
    moved = shutil.copytree(casme2, tmp_path / "elsewhere" / "casme2")
    assert index_digest(load_dataset("casme2", moved).clips()) == digest
    assert index_csv(load_dataset("casme2", moved).clips()) == index_csv(clips)
    rows = [[*row[:4], 47, *row[5:]] if row is CASME2_ROWS[0] else row for row in CASME2_ROWS]
    save_sheet(casme2 / "CASME2-coding-20140508.xlsx", [CASME2_HEADER, *rows])
    assert index_digest(load_dataset("casme2", casme2).clips()) != digest
