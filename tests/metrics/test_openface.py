from __future__ import annotations

import dataclasses
from pathlib import Path

import motion_warps as toy
import numpy as np
import pytest

from mebench.errors import SubmissionError, UsageError
from mebench.metrics.base import Missing
from mebench.metrics.openface import OpenFaceConsistency, read_openface

UNITS = (1, 5, 12, 45)


def write(path: Path, curves: np.ndarray, lost: tuple[int, ...] = ()) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    units = UNITS[: curves.shape[1]]
    head = ["frame", " success", *(f" AU{u:02d}_r" for u in units), " AU01_c"]
    rows = [
        [t + 1, int(t not in lost), *(0 if t in lost else round(v, 4) for v in row), 0]
        for t, row in enumerate(curves)
    ]
    text = "\n".join(", ".join(str(v) for v in row) for row in [head, *rows])
    path.write_text(text + "\n", encoding="utf-8")


def values(folder: Path, driving: np.ndarray, generated: np.ndarray) -> list:
    write(folder / "driving/clip.csv", driving)
    write(folder / "mine/face/clip.csv", generated)
    return scored(folder, len(driving))


def scored(folder: Path, frames: int, method: str = "mine") -> list:
    metric = OpenFaceConsistency(folder)
    still = np.zeros((frames, 8, 8, 3), np.uint8)
    case = dataclasses.replace(toy.case(still, still, toy.landmarks()), method=method)
    return list(metric.clip_values(metric.describe(case)).values())


def smile(size: float = 1.0) -> np.ndarray:
    return 0.4 + size * np.outer(toy.rise(), [0.2, 0.0, 2.0, 0.0])


def test_amplitude_is_felt_by_concordance_only(tmp_path):
    assert values(tmp_path, smile(), smile()) == pytest.approx([1.0, 1.0], abs=1e-6)
    consistency, concordance = values(tmp_path, smile(), smile(0.5))
    assert consistency == pytest.approx(1.0, abs=1e-3)
    assert concordance < 0.8


def test_a_blink_cannot_outweigh_the_expression(tmp_path):
    blink = smile()
    blink[5:8, 3] += 5.0
    only_blink = 0.4 + np.zeros_like(blink)
    only_blink[5:8, 3] += 5.0
    assert values(tmp_path, blink, only_blink)[0] == pytest.approx(0.5, abs=0.05)
    reason = values(tmp_path, only_blink, only_blink)[0]
    assert isinstance(reason, Missing)
    assert "blinks" in reason.reason


def test_lost_frames_are_filled_and_too_many_are_refused(tmp_path):
    write(tmp_path / "a.csv", smile(), lost=(4,))
    curves, units = read_openface(tmp_path / "a.csv")
    assert units == UNITS
    assert curves[4, 2] == pytest.approx((curves[3, 2] + curves[5, 2]) / 2)
    write(tmp_path / "b.csv", smile(), lost=(4, 5, 6, 7))
    with pytest.raises(SubmissionError, match="face was lost in 4 of 12"):
        read_openface(tmp_path / "b.csv")


@pytest.mark.parametrize("text", ["", "frame,x\n1,2\n", "frame,AU01_r\n1,abc\n"])
def test_other_files_are_refused_in_one_line(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SubmissionError, match=r"a\.csv") as caught:
        read_openface(tmp_path / "a.csv")
    assert "\n" not in str(caught.value)
    with pytest.raises(SubmissionError, match="run OpenFace"):
        read_openface(tmp_path / "missing.csv")


def test_without_a_folder_the_user_learns_what_to_set(monkeypatch, tmp_path):
    monkeypatch.delenv("MEBENCH_OPENFACE", raising=False)
    with pytest.raises(UsageError, match="MEBENCH_OPENFACE"):
        OpenFaceConsistency()
    with pytest.raises(UsageError, match="no such folder"):
        OpenFaceConsistency(tmp_path / "nowhere")


def test_a_row_without_files_reads_no_other_rows_files(tmp_path):
    values(tmp_path, smile(), smile())
    (reason, _) = scored(tmp_path, 12, method="oracle")
    assert isinstance(reason, Missing)
    assert "oracle/face/clip.csv: cannot be read" in reason.reason


@pytest.mark.parametrize(
    ("generated", "words"),
    [
        (smile()[:-3], "expected 12 frames (within 2), got 9"),
        (smile()[:, :3], "expected the action units (1, 5, 12, 45), got (1, 5, 12)"),
        (np.full((12, 4), np.nan), "the face was lost in 12 of 12 frames"),
    ],
)
def test_a_file_that_does_not_fit_is_a_reason_and_no_value(tmp_path, generated, words):
    found = values(tmp_path, smile(), generated)
    assert {type(value) for value in found} == {Missing}
    assert words in found[0].reason
    assert "\n" not in found[0].reason


def test_a_file_of_another_recording_is_told(tmp_path):
    values(tmp_path, smile(), smile())
    (reason, _) = scored(tmp_path, 30)
    assert "driving/clip.csv: expected 30 frames, got 12" in reason.reason


def test_other_files_are_another_measurement(tmp_path):
    write(tmp_path / "driving/clip.csv", smile())
    before = dict(OpenFaceConsistency(tmp_path).weights)
    assert OpenFaceConsistency(tmp_path).weights == before
    write(tmp_path / "driving/clip.csv", smile(0.5))
    assert OpenFaceConsistency(tmp_path).weights != before


def table(path: Path, rows: list[tuple], sign: str = ", ", comma: bool = False) -> Path:
    """Rows of (frame, face_id, confidence, success, AU12_r)."""
    head = ("frame", "face_id", "confidence", "success", "AU12_r")
    lines = [sign.join(str(cell) for cell in row) for row in [head, *rows]]
    text = "\n".join(lines) + "\n"
    path.write_text(text.replace(".", ",") if comma else text, encoding="utf-8")
    return path


def peaked(frames: range, start: int = 1) -> list[tuple]:
    return [(t + start, 0, 0.98, 1, round(float(np.exp(-((t - 20) ** 2) / 20)), 3)) for t in frames]


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("comma", [False, True])
def test_rows_stand_at_the_frames_they_name(tmp_path, caplog, start, comma):
    rows = [row for row in peaked(range(40), start) if row[0] - start not in (5, 6, 19)]
    found, units = read_openface(table(tmp_path / "a.csv", rows, ";" if comma else ", ", comma))
    assert units == (12,)
    assert len(found) == 40
    assert int(found[:, 0].argmax()) == 20
    assert "the face was lost in 3 of 40 frames" in caplog.text


def test_of_several_faces_the_longest_is_taken_and_told(tmp_path, caplog):
    other = [(t, 1, 0.9, 1, 5.0) for t in range(1, 12)]
    rows = sorted([*peaked(range(40)), *other])
    found, _ = read_openface(table(tmp_path / "a.csv", rows))
    assert found.max() < 2
    assert int(found[:, 0].argmax()) == 20
    assert "2 faces; face_id 0 is taken" in caplog.text


@pytest.mark.parametrize("bad", [(0.98, 0), (0.2, 1)])
def test_frames_of_no_success_or_little_confidence_are_filled(tmp_path, bad):
    rows = [
        (t, f, *bad, 5.0) if t == 30 else (t, f, c, s, a) for t, f, c, s, a in peaked(range(40))
    ]
    found, _ = read_openface(table(tmp_path / "a.csv", rows))
    assert found.max() < 1.1


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(1, 0, 0.9, 1, 0.0), (1, 0, 0.9, 1, 0.1)], "a frame stands twice"),
        ([(1.5, 0, 0.9, 1, 0.0)], "holds no whole numbers"),
        ([(-3, 0, 0.9, 1, 0.0), (10**9, 0, 0.9, 1, 0.0)], "column frame goes from -3"),
        ([(t, 0, 0.9, 1, 0.0) for t in (1, 2, 30)], "lost in 27 of 30 frames"),
    ],
)
def test_rows_that_cannot_be_placed_are_refused(tmp_path, rows, words):
    with pytest.raises(SubmissionError, match=words):
        read_openface(table(tmp_path / "a.csv", rows))
