"""Onset, apex and offset as pictures: which frames, what the table says, what is written again."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mebench.errors import UsageError
from mebench.io.frames import read_image
from mebench.preprocess.prepare import PreparedSet
from mebench.preprocess.triples import COLUMNS, export_triples
from mebench.types import Clip


@pytest.fixture
def prepared(
    make_clip: Callable[..., Clip], recording: np.ndarray, run: Callable[..., PreparedSet]
) -> PreparedSet:
    return run(
        [
            make_clip("EP01", recording, 12, emotion="disgust"),
            make_clip("EP02", recording[::-1], None, "none", emotion="others"),
        ]
    )


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "triples.csv").open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_pictures_are_the_prepared_frames(prepared: PreparedSet, tmp_path: Path) -> None:
    out = tmp_path / "triples"
    assert export_triples(prepared, out) == 2
    row, bare = rows_of(out)
    assert tuple(row) == COLUMNS
    frames = prepared[0].frames
    for phase, index in (("onset", 0), ("apex", 2), ("offset", 3)):
        file = row[f"{phase}_file"]
        assert file == f"casme2/01/EP01/{phase}.png"
        assert np.array_equal(read_image(out / file), frames[index])
    assert [row[name] for name in ("onset", "apex", "offset")] == ["10", "12", "13"]
    labels = ("key", "subject", "apex_source", "emotion", "three_class", "objective_class")
    assert [row[name] for name in labels] == [
        *("casme2.01.EP01", "01", "annotated", "disgust", "negative", "")
    ]
    assert (bare["apex"], bare["apex_source"], bare["apex_file"]) == ("", "none", "")
    assert (bare["three_class"], bare["offset"]) == ("", "13")
    assert sorted(p.name for p in (out / "casme2/01/EP02").iterdir()) == ["offset.png", "onset.png"]


def test_only_what_is_missing_or_changed_is_written_again(
    prepared: PreparedSet,
    run: Callable[..., PreparedSet],
    tmp_path: Path,
    files_of: Callable[[Path], dict[str, bytes]],
) -> None:
    out = tmp_path / "triples"
    export_triples(prepared, out)
    written = files_of(out)
    assert export_triples(prepared, out) == 0
    (out / "casme2/01/EP01/apex.png").unlink()
    (out / "casme2/01/EP02/onset.png").write_bytes(b"half a pict")
    assert export_triples(prepared, out, jobs=2) == 2
    assert files_of(out) == written
    spotted = run(prepared.clips, apex="middle")
    assert export_triples(spotted, out) == 1
    assert [row["apex_source"] for row in rows_of(out)] == ["annotated", "middle"]
    assert export_triples(run(spotted.clips, size=32), out) == 2
    assert read_image(out / "casme2/01/EP01/apex.png").shape == (32, 32, 3)


def test_a_place_that_cannot_be_written_is_a_usage_error(
    prepared: PreparedSet, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="choose another place"):
        export_triples(prepared, tmp_path / "file")
