"""The torch data set gives the prepared frames themselves, whatever the workers."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mebench.errors import DatasetError, UsageError
from mebench.preprocess.prepare import PreparedSet
from mebench.preprocess.torch_data import ClipData
from mebench.types import Clip


@pytest.fixture
def prepared(
    make_clip: Callable[..., Clip], recording: np.ndarray, run: Callable[..., PreparedSet]
) -> PreparedSet:
    longer = np.concatenate([recording, recording[::-1]])
    return run(
        [
            make_clip("EP01", recording, 12, emotion="disgust"),
            make_clip("EP02", longer, 15, emotion="happiness"),
            make_clip("EP03", recording, 11, emotion="others"),
        ]
    )


def frames_of(item: dict[str, Any]) -> np.ndarray:
    return item["frames"].permute(0, 2, 3, 1).numpy()


def test_pairs_are_onset_and_apex_of_the_prepared_clips(prepared: PreparedSet) -> None:
    data = ClipData(prepared, label="emotion")
    assert len(data) == 3
    assert data.classes == ("disgust", "happiness", "others")
    for index, clip in enumerate(prepared):
        item = data[index]
        assert np.array_equal(frames_of(item), clip.frames[[0, clip.apex_index]])
        assert np.array_equal(item["landmarks"].numpy(), clip.landmarks)
        assert (item["label"], item["apex"]) == (index, clip.apex_index)
        assert (item["key"], item["subject"]) == (clip.key, "casme2.01")
    assert data[-1]["key"] == "casme2.01.EP03"


def test_whole_clips_and_labels_of_ones_own(prepared: PreparedSet) -> None:
    whole = ClipData(prepared, take="all", label="three_class", classes=("positive", "negative"))
    assert [whole[k]["label"] for k in range(3)] == [1, 0, -1]
    assert np.array_equal(frames_of(whole[1]), prepared[1].frames)
    own = ClipData(prepared, take="all", label=lambda clip: clip.clip_id)
    assert own.classes == ("EP01", "EP02", "EP03")
    assert ClipData(prepared, label="objective_class")[0]["label"] == -1


def test_random_frames_follow_seed_epoch_and_index(prepared: PreparedSet) -> None:
    def chosen(data: ClipData) -> list[list[int]]:
        return [data[k]["indices"].tolist() for k in range(len(data))]

    data = ClipData(prepared, take="random", count=3, seed=5)
    first = chosen(data)
    assert chosen(ClipData(prepared, take="random", count=3, seed=5)) == first
    assert all(a == sorted(set(a)) for a in first)
    epochs = []
    for epoch in range(1, 5):
        data.set_epoch(epoch)
        epochs.append(chosen(data))
    assert any(other != first for other in epochs)
    data.set_epoch(0)
    assert chosen(data) == first
    assert data[-2]["indices"].tolist() == first[1]
    assert np.array_equal(frames_of(data[1]), prepared[1].frames[first[1]])
    assert len(ClipData(prepared, take="random", count=6)[0]["indices"]) == 6


def test_worker_count_changes_no_byte_and_workers_see_the_epoch(prepared: PreparedSet) -> None:
    def batches(workers: int) -> list[dict[str, Any]]:
        data = ClipData(prepared, take="random", count=2, seed=1)
        loader = DataLoader(data, batch_size=2, num_workers=workers, persistent_workers=workers > 0)
        found = []
        for epoch in range(3):
            data.set_epoch(epoch)
            found += list(loader)
        return found

    alone, together = batches(0), batches(2)
    assert len(alone) == len(together) == 6
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one["frames"], other["frames"])
        assert torch.equal(one["indices"], other["indices"])
        assert one["key"] == other["key"]
    assert not all(torch.equal(alone[0]["indices"], alone[k]["indices"]) for k in (2, 4))


def test_it_travels_without_pixels_and_maps_no_file_between_items(
    prepared: PreparedSet, still_mapped: Callable[[], list[str]]
) -> None:
    data = ClipData(prepared, take="all")
    items = [data[k] for k in range(3)]
    packed = pickle.dumps(data)
    assert len(packed) < prepared[0].frames.nbytes / 2
    assert torch.equal(pickle.loads(packed)[2]["frames"], items[2]["frames"])
    assert still_mapped() == []
    held = prepared[0].frames
    assert isinstance(held, np.memmap) == bool(still_mapped())


def test_bad_options_and_lost_entries_are_told(
    prepared: PreparedSet,
    make_clip: Callable[..., Clip],
    recording: np.ndarray,
    run: Callable[..., PreparedSet],
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match=r"unknown take 'pairs'\. Did you mean 'pair'"):
        ClipData(prepared, take="pairs")
    with pytest.raises(UsageError, match="unknown label 'emotions'"):
        ClipData(prepared, label="emotions")
    with pytest.raises(UsageError, match="count must be 1 or more frames, got 0"):
        ClipData(prepared, count=0)
    bare = run([make_clip("EP09", recording, None, "none")])
    with pytest.raises(UsageError, match=r"casme2\.01\.EP09: no apex"):
        ClipData(bare)
    data = ClipData(prepared)
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(DatasetError, match="prepare again"):
        data[0]
