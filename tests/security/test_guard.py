"""Decoding happens in a child with limits; one killed child fails one clip, with its name."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mebench.errors import SubmissionError
from mebench.submission.decode import Order
from mebench.submission.guard import Bounds, Guard
from mebench.submission.pack import pack
from mebench.submission.validate import open_submission
from tests.makers import PAIRS, SIZE, requirement, write_submission
from tests.security.hostile import CASES, FIRST


@pytest.fixture
def guard():
    guard = Guard()
    yield guard
    guard.close()


@pytest.fixture
def order(tmp_path):
    folder = write_submission(tmp_path / "mine")
    return Order(str(folder), PAIRS[0].key, 3, 0, SIZE, 4 << 20)


def test_the_child_returns_the_same_pixels_and_stays(guard, order, tmp_path):
    here = open_submission(tmp_path / "mine", requirement(), guarded=False)
    for pair in PAIRS:
        there = guard.frames(replace(order, key=pair.key))
        assert np.array_equal(there, here.frames(pair))
        pid = guard.pid
    assert guard.pid == pid


def test_a_killed_child_fails_that_clip_by_name_and_the_next_one_works(guard, order):
    guard.frames(order)
    pid = guard.pid
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(SubmissionError, match=rf"^mine/frames/{PAIRS[0].key}: .*killed"):
        guard.frames(order)
    assert guard.frames(order).shape == (3, SIZE, SIZE, 3)
    assert guard.pid != pid


def test_a_child_that_hangs_is_stopped_after_its_wall_time(guard, order):
    guard.bounds = Bounds(wall_seconds=0.5)
    guard.frames(order)
    os.kill(guard.pid, signal.SIGSTOP)
    begun = time.monotonic()
    with pytest.raises(SubmissionError, match=rf"^mine/frames/{PAIRS[0].key}: .*longer than 0.5 s"):
        guard.frames(order)
    assert time.monotonic() - begun < 5
    assert guard.pid is None


def test_memory_is_limited(guard, tmp_path):
    folder = write_submission(tmp_path / "mine")
    guard.bounds = Bounds(memory_bytes=1 << 20)
    name = folder / "frames" / PAIRS[0].key / "00000.png"
    name.write_bytes(name.read_bytes() + bytes(64 << 20))
    with pytest.raises(SubmissionError, match=rf"^mine/frames/{PAIRS[0].key}: .*1 MiB"):
        guard.frames(Order(str(folder), PAIRS[0].key, 3, 0, SIZE, 128 << 20))


def test_processor_time_is_limited(guard, tmp_path):
    side, frames = 512, 1024
    folder = tmp_path / "mine" / "frames" / PAIRS[0].key
    folder.mkdir(parents=True)
    out = io.BytesIO()
    Image.effect_noise((side, side), 60).convert("RGB").save(out, "PNG", compress_level=1)
    (tmp_path / "frame.png").write_bytes(out.getvalue())
    for number in range(frames):
        os.link(tmp_path / "frame.png", folder / f"{number:05d}.png")
    guard.bounds = Bounds(cpu_seconds=0)
    killed = rf"^mine/frames/{PAIRS[0].key}: .*killed \(exit -{int(signal.SIGXCPU)};.* 0 s of CPU"
    with pytest.raises(SubmissionError, match=killed):
        guard.frames(Order(str(tmp_path / "mine"), PAIRS[0].key, frames, 0, side, 4 << 20))


def test_the_peak_of_the_child_stays_low_whatever_the_frame_is(guard, order, tmp_path):
    guard.frames(order)
    begun, pid = peak(guard.pid), guard.pid
    bad = [make for make, where, _ in CASES.values() if where == f"mine/{FIRST}"]
    for make in bad:
        make(tmp_path / "mine")
        with pytest.raises(SubmissionError):
            guard.frames(order)
    assert len(bad) > 20
    assert guard.pid == pid
    assert peak(pid) - begun < 8 << 20


def peak(pid: int) -> int:
    """Return the most memory a process ever held, bytes (Linux tells it)."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return 1024 * int(text.partition("VmHWM:")[2].split()[0])


def test_a_damaged_frame_leaves_the_child_alive(guard, order, tmp_path):
    guard.frames(order)
    pid = guard.pid
    (tmp_path / "mine" / "frames" / PAIRS[0].key / "00002.png").write_bytes(b"GIF89a")
    with pytest.raises(SubmissionError, match=r"00002\.png: not a PNG"):
        guard.frames(order)
    assert guard.frames(replace(order, key=PAIRS[1].key)).shape == (3, SIZE, SIZE, 3)
    assert guard.pid == pid


def test_another_submission_gets_another_child(guard, order, tmp_path):
    first = guard.frames(order)
    pid = guard.pid
    pack(tmp_path / "mine", tmp_path / "mine.zip")
    again = guard.frames(replace(order, path=str(tmp_path / "mine.zip")))
    assert np.array_equal(first, again)
    assert guard.pid != pid
