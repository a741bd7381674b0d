"""From an empty folder to a site: submissions scored, taken in, scored again, shown."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mebench.cli.main import cli
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.record import Record
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import pack, write_manifest, write_output
from tests.makers import tiny_protocol


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def protocol(base: Path):
    text = tiny_protocol("pixel, action_units", "psnr_db", more="max_pairs: 1\n")
    (base / "tiny.yaml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEBENCH_CACHE", str(base / "cache"))
        yield base / "tiny.yaml"


def mebench(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def data(base: Path, protocol: Path, tiny: Path):
    return open_protocol(load_protocol(str(protocol)), {"synthme": tiny}, cache=base / "cache")


@pytest.fixture(scope="module")
def board(base: Path, data, protocol: Path, tiny: Path) -> Path:
    for name, share in (("lab/half", 0.5), ("right", 0.0)):
        folder = base / "work" / name.replace("/", "+")
        for pair in data.pairs:
            frames = data.reference(pair).frames.astype(float)
            made = np.rint((1 - share) * frames + share * frames[:1]).astype(np.uint8)
            write_output(folder, pair, made)
        method = Method(id=name, title=f"Method {name}")
        write_manifest(folder, Manifest(protocol="tiny", method=method))
        (base / "in").mkdir(exist_ok=True)
        pack(folder, base / "in" / f"{folder.name}.zip")
    told = mebench("score", base / "in", "--protocol", protocol, "--data", f"synthme={tiny}",
                   "--out", base / "scores", "--jobs", 1, "--curves")  # fmt: skip
    assert "Method right" in told
    for name in ("lab+half", "right"):
        mebench("leaderboard", "add", base / "scores" / f"{name}.json", "--board", base / "board")
    return base / "board"


def test_curves_of_both_clips_are_written_beside_the_record(board, base):
    with (base / "scores" / "right.curves.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    names = {clip: {row["curve"] for row in rows if row["clip"] == clip}
             for clip in ("driving", "generated")}  # fmt: skip
    assert {"12L", "12R", "26"} <= names["driving"] == names["generated"]
    start = [row for row in rows if row["clip"] in names and row["frame"] == "0"]
    # Curves are smoothed over time, so that frame 0 sees a little of the next ones.
    assert max(abs(float(row["value"])) for row in start) < 0.1


def status(board: Path, name: str) -> str:
    return Record.load(board / "records" / "tiny" / f"{name}.json").status


def test_rows_are_verified_by_scoring_their_frames_again(board, base, protocol, tiny):
    assert status(board, "right") == "self-reported"
    told = mebench("leaderboard", "check", "--board", board, "--submissions", base / "in",
                   "--data", f"synthme={tiny}", "--protocol", protocol, "--jobs", 1)  # fmt: skip
    assert "tiny/lab/half: verified" in told
    assert status(board, "right") == status(board, "lab+half") == "verified"


def test_a_row_with_other_frames_is_told_and_loses_its_name(board, base, protocol, tiny, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(base / "in" / "lab+half.zip", tmp_path / "in" / "right.zip")
    shutil.copytree(board, tmp_path / "board")
    done = CliRunner().invoke(cli, [
        "leaderboard", "check", "--board", str(tmp_path / "board"), "--submissions",
        str(tmp_path / "in"), "--data", f"synthme={tiny}",
        "--protocol", str(protocol), "--jobs", "1",
    ])  # fmt: skip
    assert "tiny/right: the submission is of method 'lab/half'; the outputs are not" in done.output
    assert done.exception is not None
    assert status(tmp_path / "board", "right") == "self-reported"


def test_the_site_shows_every_clip_and_its_curves(board, base, protocol, data, tiny, tmp_path):
    mebench("leaderboard", "build", "--board", board, "-o", tmp_path / "site", "--submissions",
            base / "in", "--data", f"synthme={tiny}", "--protocol", protocol,
            "--jobs", 1)  # fmt: skip
    page = (tmp_path / "site" / "tiny--lab+half.html").read_text()
    assert page.count('class="player"') == len(data.pairs) == 1
    assert page.count("<polyline") == 8
    for sheet in ("lab+half", "right", "driving", "templates"):
        assert list((tmp_path / "site" / "media" / "tiny" / sheet).rglob("*.webp")), sheet


def test_gated_pixels_stay_out_unless_asked_for(board, base, protocol, data, tmp_path, monkeypatch):
    gated = lambda *_, **__: data.__class__(**{**vars(data), "gated": ("casme2",)})  # noqa: E731
    monkeypatch.setattr("mebench.protocol.opening.open_protocol", gated)
    common = ("leaderboard", "build", "--board", board, "--submissions", base / "in",
              "--protocol", protocol)  # fmt: skip
    mebench(*common, "-o", tmp_path / "open")
    assert not (tmp_path / "open" / "media").exists()
    page = (tmp_path / "open" / "tiny--right.html").read_text()
    assert "<canvas" not in page
    assert "<polyline" in page
    mebench(*common, "-o", tmp_path / "own", "--private")
    assert (tmp_path / "own" / "media").is_dir()
    for name in ("index.html", "tiny.html", "tiny--right.html"):
        assert "PRIVATE: shows pixels of casme2" in (tmp_path / "own" / name).read_text()
