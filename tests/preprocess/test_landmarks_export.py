"""``mebench data landmarks``: files that prepare reads as given landmarks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from mebench.cli.data_landmarks import landmarks
from mebench.datasets.base import load_dataset
from mebench.preprocess.landmarks import GivenLandmarks
from tests.commands import runner

BLANK = np.zeros((8, 8, 3), np.uint8)


def call(*arguments: object) -> Result:
    return runner().invoke(landmarks, [str(argument) for argument in arguments])


@pytest.fixture
def root(tiny: Path, tmp_path: Path) -> Path:
    """Return a copy of SMIC's part of SynthME without its truth."""
    return Path(shutil.copytree(tiny / "smic", tmp_path / "smic"))


def test_what_dlib_finds_is_read_back_as_given(root: Path, tmp_path: Path, tiny: Path) -> None:
    out = tmp_path / "points"
    result = call("smic", "--root", root, "--out", out)
    assert result.exit_code == 0, result.output
    keys = sorted(path.stem for path in out.glob("*.npy"))
    assert f"landmarks (dlib) of {len(keys)} clips" in result.stdout
    assert f"({len(keys)} new, 0 left out)" in result.stdout
    for key in keys:
        found = GivenLandmarks(out).find(key, BLANK)
        truth = np.load(tiny / "truth" / "landmarks" / f"{key}.npy")[0]
        eyes = np.linalg.norm(truth[36:42].mean(0) - truth[42:48].mean(0))
        assert np.linalg.norm(found.points - truth, axis=1).mean() < 0.15 * eyes
        told = json.loads((out / f"{key}.json").read_text())
        assert found.confidence == pytest.approx(told["confidence"], abs=1e-6)
        assert 0 < found.confidence < 1
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert "(0 new, 0 left out)" in call("smic", "--root", root, "--out", out).stdout
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert call("smic", "--root", root, "--out", out, "--face", 0).stdout.count(f"{len(keys)} new")


def test_all_frames_of_given_ones_and_a_clip_that_has_none(
    root: Path, tiny: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(tiny / "truth" / "landmarks", tmp_path / "own"))
    keys = sorted(clip.key for clip in load_dataset("smic", root).clips())
    (own / f"{keys[0]}.npy").unlink()
    out = tmp_path / "points"
    arguments = ("smic", "--root", root, "--landmarks", "given", "--landmarks-root", own)
    result = call(*arguments, "--frames", "all", "--out", out)
    assert result.exit_code == 0, result.output
    assert f"no landmarks for {keys[0]}" in result.stderr
    assert f"({len(keys) - 1} new, 1 left out)" in result.stdout
    assert sorted(path.stem for path in out.glob("*.npy")) == keys[1:]
    for key in keys[1:]:
        written = np.load(out / f"{key}.npy")
        assert np.array_equal(written[..., :2], np.load(own / f"{key}.npy"))
        assert (written[..., 2] == 1).all()
    shutil.rmtree(own)
    own.mkdir()
    failed = call(*arguments, "--out", out)
    assert str(failed.exception).startswith(f"none of {len(keys)} clips has landmarks; first: ")
