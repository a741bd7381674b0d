"""``mebench plot strip`` and ``curves`` on submissions."""

from __future__ import annotations

import numpy as np
import pytest

from mebench.cli.main import _run
from mebench.protocol.data import Fold, ProtocolData
from mebench.protocol.spec import Protocol
from mebench.types import Face, FaceClip
from tests.makers import PAIRS, SIZE, write_submission

POINTS = np.zeros((68, 2), np.float32)


def opened(gated: tuple[str, ...]) -> ProtocolData:
    frames = np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    driving = {
        pair.driving: FaceClip(pair.driving, "casme2.01", frames, POINTS, 200.0, apex_index=1)
        for pair in PAIRS
    }
    return ProtocolData(
        protocol=Protocol(
            id="synthme",
            title="made by hand",
            dataset=("casme2",),
            size=SIZE,
            metrics=("action_units",),
            rank_by="au_consistency",
        ),
        folds=(Fold("all", [], PAIRS),),
        templates={pair.template: Face(frames[0], POINTS) for pair in PAIRS},
        driving=driving,
        index_digest="i",
        n_clips=2,
        n_subjects=2,
        reference=lambda pair: None,
        gated=gated,
    )


@pytest.fixture
def strip(tmp_path, monkeypatch):
    """Return a function that draws a strip of a submission on free or gated data."""
    submission = write_submission(tmp_path / "mine")
    run = tmp_path / "run"
    write_submission(run / "submission", seed=1)

    def call(*more: str, gated: tuple[str, ...] = ()) -> int:
        monkeypatch.setattr(
            "mebench.protocol.opening.open_protocol", lambda *_, **__: opened(gated)
        )
        command = ["plot", "strip", str(submission), str(run), "--frames", "3"]
        return _run([*command, "-o", str(tmp_path / "s.svg"), *more], debug=False)

    return call


def test_a_strip_of_a_submission_and_of_a_run(strip, tmp_path, capsys):
    assert strip() == 0
    assert capsys.readouterr().out == f"{PAIRS[0].key}: {tmp_path / 's.svg'}\n"
    page = (tmp_path / "s.svg").read_text(encoding="utf-8")
    assert page.count("<image") == 3 * (3 + 2)  # three clips: frames, and changes since the onset
    assert strip("--pair", PAIRS[1].key) == 0
    assert (tmp_path / "s.svg").read_text(encoding="utf-8") != page


def test_gated_pixels_are_drawn_for_private_eyes_only(strip, tmp_path, capsys):
    assert strip(gated=("casme2",)) == 2
    told = capsys.readouterr().err
    assert "pixels of casme2 may not be passed on; --private draws them" in told
    assert not (tmp_path / "s.svg").exists()
    assert strip("--private", gated=("casme2",)) == 0
    assert "PRIVATE: shows pixels of casme2" in (tmp_path / "s.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (("--pair", "casme2.01/nobody"), "no pair 'casme2.01/nobody'"),
        (("--frames", "9"), "expected 3 to 3 frames"),
        (("-o", "s.gif"), "figures are .pdf, .svg or .png"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_a_line(strip, capsys, more, problem):
    assert strip(*more) == 2
    told = capsys.readouterr().err
    assert problem in told
    assert told.count("\n") == 1


def test_an_output_that_is_missing_is_told(strip, tmp_path, capsys):
    for file in (tmp_path / "mine" / "frames" / PAIRS[0].template / PAIRS[0].driving).iterdir():
        file.unlink()
    assert strip() == 2
    assert f"has no output {PAIRS[0].key}; choose another with --pair" in capsys.readouterr().err


def test_tables_and_submissions_are_not_mixed(tmp_path, capsys):
    command = ["plot", "curves", "a.csv", str(tmp_path), "-o", str(tmp_path / "c.pdf")]
    assert _run(command, debug=False) == 2
    assert "not both" in capsys.readouterr().err


def test_curves_of_submissions_are_measured_and_named_apart(tmp_path, monkeypatch, capsys):
    bump = np.sin(np.linspace(0, np.pi, 3))
    monkeypatch.setattr("mebench.protocol.opening.open_protocol", lambda *_, **__: opened(()))
    monkeypatch.setattr(
        "mebench.scoring.curves_of",
        lambda *_: {"driving/4L": bump, "generated/4L": 0.5 * bump, "driving/1R": 0.1 * bump},
    )
    places = [str(write_submission(tmp_path / name, seed=n)) for n, name in enumerate("ab")]
    out = tmp_path / "c.svg"
    command = ["plot", "curves", *places, "--most", "1", "-o", str(out)]
    assert _run(command, debug=False) == 0
    assert capsys.readouterr().out == f"AU 4L: {out}\n"
    page = out.read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->" in page for name in ("driving", "Mine", "Mine (2)", "AU4L"))
