"""Clips in one file: what is written is what is read, and damage is told in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from mebench.errors import DatasetError, UsageError
from mebench.io.frames import write_png
from mebench.io.video import read_clip_file, read_driving, write_mp4


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    y, x = np.mgrid[0:33, 0:47]
    return np.stack(
        [np.stack([x * 4 + 3 * t, y * 5 + t, 200 - x - y - 4 * t], -1) for t in range(9)]
    ).astype(np.uint8)


def test_mp4_keeps_count_rate_and_looks(tmp_path: Path, clip: np.ndarray) -> None:
    write_mp4(tmp_path / "a.mp4", clip, 200)
    frames, fps = read_clip_file(tmp_path / "a.mp4")
    assert fps == pytest.approx(200)
    assert frames.shape == (9, 34, 48, 3)
    error = frames[:, :33, :47].astype(float) - clip
    assert np.abs(error).mean() < 4


def test_mp4_is_the_same_bytes_every_time(tmp_path: Path, clip: np.ndarray) -> None:
    write_mp4(tmp_path / "a.mp4", clip, 59.94)
    write_mp4(tmp_path / "b.mp4", clip, 59.94)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def save_gif(path: Path, clip: np.ndarray, durations: list[int]) -> None:
    images = [Pil.fromarray(frame).quantize(64) for frame in clip]
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0)


def test_gif_durations_give_rate_and_repeats(tmp_path: Path, clip: np.ndarray) -> None:
    save_gif(tmp_path / "a.gif", clip[:4], [20, 60, 20, 1000])
    frames, fps = read_clip_file(tmp_path / "a.gif")
    assert len(frames) == 6
    assert np.array_equal(frames[1], frames[3])
    assert fps == pytest.approx(50)
    assert np.abs(frames[0].astype(float) - clip[0]).mean() < 15


def test_gif_with_uneven_rounding_keeps_its_frames(tmp_path: Path, clip: np.ndarray) -> None:
    save_gif(tmp_path / "a.gif", clip[:6], [30, 30, 40, 30, 30, 40])
    frames, fps = read_clip_file(tmp_path / "a.gif")
    assert len(frames) == 6
    assert fps == pytest.approx(30)


def test_folder_is_read_by_number_and_its_rate_is_told(tmp_path: Path, clip: np.ndarray) -> None:
    for number, frame in zip((9, 10, 100), clip, strict=False):
        write_png(tmp_path / f"img{number}.png", frame)
    notes: list[str] = []
    frames, fps = read_driving(tmp_path, notes=notes)
    assert np.array_equal(frames, clip[:3])
    assert fps == 200
    assert len(notes) == 1
    assert "200 per second" in notes[0]
    assert read_driving(tmp_path, fps=100, notes=notes)[1] == 100
    assert len(notes) == 1


def test_stated_rate_replaces_that_of_a_file(tmp_path: Path, clip: np.ndarray) -> None:
    write_mp4(tmp_path / "slow.mp4", clip, 25)
    assert read_driving(tmp_path / "slow.mp4")[1] == pytest.approx(25)
    assert read_driving(tmp_path / "slow.mp4", fps=200)[1] == 200
    with pytest.raises(UsageError, match="positive number, got -1"):
        read_driving(tmp_path / "slow.mp4", fps=-1)


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.gif"])
@pytest.mark.parametrize("content", [b"", b"no clip at all" * 20])
def test_damaged_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=name) as caught:
        read_clip_file(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_cut_mp4_and_empty_folder_are_refused(tmp_path: Path, clip: np.ndarray) -> None:
    write_mp4(tmp_path / "a.mp4", clip, 25)
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(DatasetError, match=r"cut\.mp4"):
        read_clip_file(tmp_path / "cut.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty: no numbered images"):
        read_driving(tmp_path / "empty")
    with pytest.raises(DatasetError, match="no such file"):
        read_driving(tmp_path / "nowhere.mp4")
