"""TIM against the published route over SVD and graph embedding, and clips of N frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mebench.errors import UsageError
from mebench.preprocess.prepare import PreparedSet
from mebench.preprocess.tim import interpolate, tim_weights
from mebench.types import Clip


def published(frames: np.ndarray, count: int) -> np.ndarray:
    """Return frames by the published steps: SVD, path graph, generalised eigenvectors, sines."""
    n = len(frames)
    x = frames.reshape(n, -1).T.astype(np.float64)
    mean = x.mean(axis=1, keepdims=True)
    u, s, vt = np.linalg.svd(x - mean, full_matrices=False)
    u, y = u[:, : n - 1], s[: n - 1, None] * vt[: n - 1]
    path = np.diag(np.ones(n - 1), 1)
    path += path.T
    laplacian = np.diag(path.sum(axis=1)) - path
    values, vectors = np.linalg.eig(np.linalg.solve(y @ y.T, y @ laplacian @ y.T))
    vectors = vectors[:, np.argsort(values)]
    k = np.arange(1, n)

    def curve(place: float) -> np.ndarray:
        return np.sin(place * k * np.pi + np.pi * (n - k) / (2 * n))

    sizes = (y[:, 0] @ vectors) / curve(1 / n)
    places = np.linspace(1 / n, 1, count)
    made = [u @ np.linalg.solve(vectors.T, curve(p) * sizes) + mean[:, 0] for p in places]
    return np.stack(made).reshape(count, *frames.shape[1:])


@pytest.mark.parametrize(("recorded", "count"), [(6, 10), (9, 4), (5, 5), (2, 3)])
def test_weights_give_what_the_published_steps_give(recorded: int, count: int) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (recorded, 5, 6, 3)).astype(np.float64)
    direct = np.tensordot(tim_weights(recorded, count), frames, axes=1)
    assert direct == pytest.approx(published(frames, count).real, abs=1e-6)


def test_the_ends_stay_and_the_same_length_changes_nothing() -> None:
    frames = np.random.default_rng(2).integers(0, 256, (7, 4, 5, 3), dtype=np.uint8)
    made = interpolate(frames, 12)
    assert made.shape == (12, 4, 5, 3)
    assert np.array_equal(made[[0, -1]], frames[[0, -1]])
    assert np.array_equal(interpolate(frames, 7), frames)


def test_repeated_frames_and_a_smooth_motion_come_out_as_they_went_in() -> None:
    still = np.full((5, 3, 3, 3), 77, np.uint8)
    assert np.array_equal(interpolate(still, 9), np.full((9, 3, 3, 3), 77))
    time = np.arange(40)[:, None, None, None]
    wave = np.broadcast_to(127 + 80 * np.cos(np.pi * 2 * (time + 0.5) / 40), (40, 2, 2, 3))
    made = interpolate(np.rint(wave).astype(np.uint8), 14)
    places = np.linspace(0, 39, 14)
    assert made[:, 0, 0, 0] == pytest.approx(127 + 80 * np.cos(np.pi * 2 * (places + 0.5) / 40), 2)


def test_prepared_clips_have_the_frames_asked_for(
    clips: list[Clip], run: Callable[..., PreparedSet], tmp_path: Path
) -> None:
    plain = run(clips)
    timed = run(clips, tim=7)
    assert (plain.made, timed.made, run(clips, tim=7).made, run(clips).made) == (3, 3, 0, 0)
    clip, before = timed[0], plain[0]
    assert clip.frames.shape == (7, 48, 48, 3)
    assert np.array_equal(clip.frames, interpolate(before.frames, 7))
    assert np.array_equal(clip.landmarks, before.landmarks)
    # The apex is where it was in time: index 2 of 0..3 is index 4 of 0..6, at double the rate.
    assert (before.apex_index, clip.apex_index) == (2, 4)
    assert (before.fps, clip.fps) == (200, 400)
    assert run(clips, tim=9).made == 3


def test_senseless_counts_are_refused(clips: list[Clip], run: Callable[..., PreparedSet]) -> None:
    for count in (0, 1, 5000):
        with pytest.raises(UsageError, match=f"2 to 1000 frames, got {count}"):
            run(clips, tim=count)
