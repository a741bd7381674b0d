"""``mebench generate`` with the weights in the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mebench.cli.main import _run
from mebench.io.frames import read_image, write_png

FACE = Path(__file__).parents[1] / "data" / "faces" / "synthetic.jpg"


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """A clip of a face that does not move."""
    folder = tmp_path / "still"
    for index in range(3):
        write_png(folder / f"{index:05d}.png", read_image(FACE))
    return folder


def generate(baseline: str, driving: Path, out: Path, *more: str) -> int:
    arguments = ["generate", baseline, "--template", str(FACE), "--driving", str(driving)]
    return _run([*arguments, "--fps", "100", "--out", str(out), *more], debug=False)


def test_a_photo_and_a_clip_are_enough_and_no_motion_gives_the_photo(still, tmp_path, capsys):
    assert generate("fomm-prior", still, tmp_path / "out") == 0
    frames = sorted((tmp_path / "out").rglob("0*.png"))
    assert len(frames) == 3
    for frame in frames:
        assert np.array_equal(read_image(frame), read_image(FACE))
    assert "identity_distance: 0.000" in capsys.readouterr().out


def test_a_baseline_without_weights_asks_for_a_checkpoint(still, tmp_path, capsys):
    assert generate("mraa", still, tmp_path / "out") == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "'mraa' needs --checkpoint FILE" in told
    assert "no weights of 'mraa' come with mebench" in told
    assert not (tmp_path / "out").exists()


def test_of_two_faces_in_a_clip_the_other_can_be_asked_for(tmp_path, capsys):
    folder = tmp_path / "two"
    face = read_image(FACE)
    for index in range(3):
        second = np.roll(face[:, ::-1], index, axis=0)
        write_png(folder / f"{index:05d}.png", np.hstack([face, second]))
    assert generate("linear-warp", folder, tmp_path / "out") == 0
    told = capsys.readouterr().err
    assert "2 faces, number" in told
    assert told.count("--driving-face") == 1
    assert " --face" not in told
    made = []
    for number in ("0", "1"):
        out = tmp_path / number
        assert generate("linear-warp", folder, out, "--driving-face", number) == 0
        assert "faces, number" not in capsys.readouterr().err
        made.append(np.stack([read_image(path) for path in sorted(out.rglob("0*.png"))]))
    assert (
        np.abs(made[0].astype(int) - made[0][0]).max()
        < np.abs(made[1].astype(int) - made[1][0]).max()
    )
    assert generate("linear-warp", folder, tmp_path / "none", "--driving-face", "7") == 4
    assert "give another --driving-face, or leave it out" in capsys.readouterr().err
