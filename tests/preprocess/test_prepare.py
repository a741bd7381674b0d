"""Preparing clips: what comes out, what the cache saves, and what damage does."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mebench.datasets.media import ClipFile, FrameFiles
from mebench.errors import DatasetError, UsageError
from mebench.io.frames import pixel_digest
from mebench.preprocess import worker as module
from mebench.preprocess.cache import entry_key
from mebench.preprocess.crop import align_frames, align_points, alignment
from mebench.preprocess.prepare import PreparedSet, prepare_frames, prepare_image
from mebench.types import Clip

SIZE = 48
N_FRAMES = 4

FilesOf = Callable[[Path], dict[str, bytes]]


def test_a_prepared_clip_is_the_aligned_recording(
    clips: list[Clip],
    run: Callable[..., PreparedSet],
    recording: np.ndarray,
    true_points: np.ndarray,
) -> None:
    prepared = run(clips)
    assert prepared.keys == ("casme2.01.EP01", "casme2.01.EP02", "casme2.01.EP03")
    clip = prepared[0]
    to_source = alignment(true_points, SIZE)
    assert np.array_equal(clip.frames, align_frames(recording, to_source, SIZE))
    assert np.array_equal(clip.landmarks, align_points(true_points, to_source))
    assert np.array_equal(clip.to_source, to_source)
    assert (clip.subject, clip.fps, clip.apex_index) == ("casme2.01", 200, 2)
    assert not clip.frames.flags.writeable
    assert clip.frames.std() > 20


def test_a_second_run_makes_nothing_and_gives_the_same(
    clips: list[Clip], run: Callable[..., PreparedSet], files_of: FilesOf, tmp_path: Path
) -> None:
    first = run(clips)
    written = files_of(tmp_path / "cache")
    second = run(clips)
    assert (first.made, second.made) == (3, 0)
    assert files_of(tmp_path / "cache") == written
    assert [pixel_digest(c.frames) for c in first] == [pixel_digest(c.frames) for c in second]


def test_job_count_does_not_change_a_byte(
    clips: list[Clip], run: Callable[..., PreparedSet], files_of: FilesOf, tmp_path: Path
) -> None:
    run(clips, cache=tmp_path / "one")
    run(clips, cache=tmp_path / "two", jobs=2)
    assert len(files_of(tmp_path / "one")) == 6
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_an_interrupted_run_goes_on_where_it_stopped(
    clips: list[Clip],
    run: Callable[..., PreparedSet],
    files_of: FilesOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = module.align_image
    calls = 0

    def interrupted(*arguments: object) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls > N_FRAMES + 1:
            raise KeyboardInterrupt
        return whole(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(module, "align_image", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(clips)
    assert len(files_of(tmp_path / "cache")) == 2
    assert run(clips).made == 2


def test_changed_inputs_are_prepared_anew(
    clips: list[Clip], run: Callable[..., PreparedSet], tmp_path: Path, true_points: np.ndarray
) -> None:
    before = run(clips)
    assert run(clips, colour="gray").made == 3
    assert run(clips, size=SIZE + 2).made == 3
    np.save(tmp_path / "points" / "casme2.01.EP01.npy", true_points + 2)
    assert run(clips).made == 1
    frame = clips[1].reader.paths[0]
    os.utime(frame, (1, 1))
    assert run(clips).made == 1
    assert pixel_digest(run(clips)[1].frames) == pixel_digest(before[1].frames)


def test_moving_the_recordings_keeps_the_cache(
    clips: list[Clip], run: Callable[..., PreparedSet], tmp_path: Path
) -> None:
    run(clips)
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "frames", moved)
    paths = [tuple(moved / p.parent.name / p.name for p in c.reader.paths) for c in clips]
    again = [
        Clip(c.dataset, c.annotation, c.fps, c.colour, c.frame_numbers, FrameFiles.of(p))
        for c, p in zip(clips, paths, strict=True)
    ]
    assert run(again).made == 0


def test_another_part_of_the_same_clip_file_is_another_entry(
    clips: list[Clip], tmp_path: Path
) -> None:
    file = tmp_path / "EP01.avi"
    file.write_bytes(b"frames")
    parts = [ClipFile.part(file, places) for places in (range(0, 4), range(1, 5), range(0, 4))]
    names = [
        entry_key(replace(clips[0], reader=part), landmarks="", size=48, colour="rgb")
        for part in parts
    ]
    assert names[0] != names[1]
    assert names[0] == names[2]


@pytest.mark.parametrize("name", ["frames.npy", "entry.json"])
@pytest.mark.parametrize("kept", [None, 0, 50])
def test_damaged_entries_are_made_again(
    clips: list[Clip], run: Callable[..., PreparedSet], tmp_path: Path, name: str, kept: int | None
) -> None:
    digests = [pixel_digest(clip.frames) for clip in run(clips)]
    victim = next((tmp_path / "cache").rglob(name))
    if kept is None:
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:kept])
    again = run(clips)
    assert again.made == 1
    assert [pixel_digest(clip.frames) for clip in again] == digests


def test_gray_clips_have_three_equal_channels(
    clips: list[Clip], run: Callable[..., PreparedSet]
) -> None:
    clip = run(clips[:1], colour="gray")[0]
    assert clip.colour == "gray"
    assert np.array_equal(clip.frames[..., 0], clip.frames[..., 2])


def test_a_damaged_clip_stops_the_run_or_is_left_out_with_its_reason(
    clips: list[Clip], run: Callable[..., PreparedSet], tmp_path: Path
) -> None:
    clips[1].reader.paths[2].write_bytes(b"")
    with pytest.raises(DatasetError, match=r"EP02/img12\.png: .*empty"):
        run(clips)
    prepared = run(clips, on_missing="skip")
    assert prepared.keys == ("casme2.01.EP01", "casme2.01.EP03")
    (failure,) = prepared.failures
    assert failure.key == "casme2.01.EP02"
    assert "img12.png" in failure.reason
    with pytest.raises(DatasetError, match=r"img12\.png"):
        prepared.find("casme2.01.EP02")
    with pytest.raises(DatasetError, match="not among"):
        prepared.find("casme2.01.EP99")
    shutil.rmtree(tmp_path / "points")
    (tmp_path / "points").mkdir()
    with pytest.raises(DatasetError, match="none of 3 clips"):
        run(clips, on_missing="skip")
    leftovers = [p for p in (tmp_path / "cache").rglob(".*")]
    assert leftovers == []


def test_bad_options_are_refused(clips: list[Clip], run: Callable[..., PreparedSet]) -> None:
    with pytest.raises(UsageError, match="16 to 2048 pixels, got 5"):
        run(clips, size=5)
    with pytest.raises(UsageError, match="unknown backend 'slurm'"):
        run(clips, backend="slurm")
    with pytest.raises(UsageError, match="pip install ray"):
        run(clips, backend="ray")
    with pytest.raises(UsageError, match="jobs must be"):
        run(clips, jobs=0)


def test_a_cache_that_cannot_be_written_is_a_usage_error(
    clips: list[Clip], run: Callable[..., PreparedSet], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="choose another place"):
        run(clips, cache=tmp_path / "file")


def test_a_prepared_set_is_a_sequence_and_travels(
    clips: list[Clip], run: Callable[..., PreparedSet]
) -> None:
    prepared = run(clips)
    assert [clip.key for clip in prepared[1:]] == list(prepared.keys[1:])
    assert prepared[-1].key == "casme2.01.EP03"
    copy = pickle.loads(pickle.dumps(prepared))
    assert np.array_equal(copy[0].frames, prepared[0].frames)


def test_single_photos_and_clips_are_cropped_the_same_way(
    clips: list[Clip],
    run: Callable[..., PreparedSet],
    recording: np.ndarray,
    true_points: np.ndarray,
) -> None:
    clip = run(clips)[0]
    face = prepare_image(recording[0], true_points, SIZE)
    assert np.array_equal(face.image, clip.frames[0])
    assert np.array_equal(face.landmarks, clip.landmarks)
    driving = prepare_frames(recording, true_points, SIZE, "own-clip", 60)
    assert np.array_equal(driving.frames, clip.frames)
    assert (driving.key, driving.fps, driving.apex_index) == ("own-clip", 60.0, None)
