from __future__ import annotations

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
    head = ["frame", " success", *(f" AU{u:02d}_r" for u in UNITS), " AU01_c"]
    rows = [
        [t + 1, int(t not in lost), *(0 if t in lost else round(v, 4) for v in row), 0]
        for t, row in enumerate(curves)
    ]
    text = "\n".join(", ".join(str(v) for v in row) for row in [head, *rows])
    path.write_text(text + "\n", encoding="utf-8")


def values(folder: Path, driving: np.ndarray, generated: np.ndarray) -> list:
    write(folder / "driving/clip.csv", driving)
    write(folder / "generated/face/clip.csv", generated)
    metric = OpenFaceConsistency(folder)
    still = np.zeros((len(driving), 8, 8, 3), np.uint8)
    case = toy.case(still, still, toy.landmarks())
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
    with pytest.raises(SubmissionError, match="lost the face in 4 of 12"):
        read_openface(tmp_path / "b.csv")


@pytest.mark.parametrize("text", ["", "frame,x\n1,2\n", "frame,AU01_r\n1,abc\n"])
def test_other_files_are_refused_in_one_line(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SubmissionError, match=r"a\.csv") as caught:
        read_openface(tmp_path / "a.csv")
    assert "\n" not in str(caught.value)
    with pytest.raises(SubmissionError, match="run OpenFace"):
        read_openface(tmp_path / "missing.csv")


def test_without_a_folder_the_user_learns_what_to_set(monkeypatch):
    monkeypatch.delenv("MEBENCH_OPENFACE", raising=False)
    still = np.zeros((3, 8, 8, 3), np.uint8)
    with pytest.raises(UsageError, match="MEBENCH_OPENFACE"):
        OpenFaceConsistency().describe(toy.case(still, still, toy.landmarks()))


def test_other_files_are_another_measurement(tmp_path):
    write(tmp_path / "driving/clip.csv", smile())
    before = dict(OpenFaceConsistency(tmp_path).weights)
    assert OpenFaceConsistency(tmp_path).weights == before
    write(tmp_path / "driving/clip.csv", smile(0.5))
    assert OpenFaceConsistency(tmp_path).weights != before
