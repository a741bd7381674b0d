"""Many clips: clusters, killed processes, and what a result holds."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, LocalCluster

from mebench.errors import UsageError
from mebench.preprocess import worker as module
from mebench.preprocess.parallel import each
from mebench.preprocess.prepare import PreparedSet
from mebench.types import Clip

FilesOf = Callable[[Path], dict[str, bytes]]


def test_a_dask_cluster_gives_the_same_bytes(
    clips: list[Clip], run: Callable[..., PreparedSet], files_of: FilesOf, tmp_path: Path
) -> None:
    options = {"apex": "lbp", "tim": 6}
    alone = run(clips, cache=tmp_path / "one", **options)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster),
    ):
        spread = run(clips, cache=tmp_path / "two", backend="dask", jobs=2, **options)
    assert spread.keys == alone.keys
    assert len(files_of(tmp_path / "one")) == 12
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from mebench.preprocess import worker as module
from mebench.preprocess.landmarks import GivenLandmarks
from mebench.preprocess.prepare import prepare

clips, points, cache, after = pickle.loads(Path(sys.argv[1]).read_bytes())
align = module.align_image
calls = 0

def killing(*arguments):
    global calls
    calls += 1
    if calls > after:
        os.kill(os.getpid(), signal.SIGKILL)
    return align(*arguments)

module.align_image = killing
prepare(clips, size=48, landmarker=GivenLandmarks(points), cache=cache)
"""


def test_a_killed_run_goes_on_and_leaves_nothing_behind(
    clips: list[Clip], run: Callable[..., PreparedSet], files_of: FilesOf, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    after = len(clips[0].frame_numbers) + 2
    (tmp_path / "work.pickle").write_bytes(pickle.dumps((clips, tmp_path / "points", cache, after)))
    (tmp_path / "killed.py").write_text(KILLED)
    command = [sys.executable, str(tmp_path / "killed.py"), str(tmp_path / "work.pickle")]
    killed = subprocess.run(command, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-500:]
    (half,) = (cache / "prepared").glob("*/.*")
    resumed = run(clips)
    assert resumed.made == 2
    run(clips, cache=tmp_path / "whole")
    whole = {name: data for name, data in files_of(cache).items() if "/." not in name}
    assert whole == files_of(tmp_path / "whole")
    # What another process may still be writing stays; an hour later nobody is.
    assert half.exists()
    for path in (half, *half.iterdir()):
        os.utime(path, (time.time() - 7200,) * 2)
    run(clips)
    assert not half.exists()


def die(item: int) -> int:
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def test_a_killed_worker_is_told_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"fewer --jobs \(now 2\)"):
        list(each(die, range(4), jobs=2))


def test_a_clip_too_large_for_memory_is_left_out(
    clips: list[Clip], run: Callable[..., PreparedSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(clips[:2])

    def short(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "write_entry", short)
    prepared = run(clips, on_missing="skip")
    assert prepared.keys == ("casme2.01.EP01", "casme2.01.EP02")
    assert "too little memory" in prepared.failures[0].reason


def test_results_hold_no_pixels_and_no_open_maps(
    clips: list[Clip],
    run: Callable[..., PreparedSet],
    still_mapped: Callable[[], list[str]],
) -> None:
    prepared = run(clips, size=256, apex="lbp")
    assert len(pickle.dumps(prepared)) < prepared[0].frames.nbytes / 20
    assert still_mapped() == []


def test_opencv_threads_are_given_back(
    clips: list[Clip], run: Callable[..., PreparedSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    seen = []
    align = module.align_image

    def watched(*arguments: object) -> np.ndarray:
        seen.append(cv2.getNumThreads())
        return align(*arguments)

    monkeypatch.setattr(module, "align_image", watched)
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        run(clips[:1])
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)
    assert set(seen) == {1}
