"""Points and their tracks."""

import cv2
import numpy as np
import pytest
from toy import landmarks, toy_clip

from mebench.errors import UsageError
from mebench.methods.fomm.config import PointsConfig
from mebench.methods.fomm.points import MIRROR_68, count, mirror, pick
from mebench.methods.fomm.tracks import track


@pytest.mark.parametrize("point_set", ["published-18", "face-44"])
def test_points_of_a_mirrored_face_are_the_mirrored_points(point_set):
    size = 128
    marks = landmarks(size, np.random.default_rng(3)) + np.float32(0.25)
    flipped = marks[MIRROR_68] * (-1, 1) + (size - 1, 0)
    expected = pick(marks, point_set)[mirror(point_set)] * (-1, 1) + (size - 1, 0)
    assert pick(marks, point_set).shape == (count(point_set), 2)
    np.testing.assert_allclose(pick(flipped.astype(np.float32), point_set), expected, atol=1e-3)


def test_landmarks_that_cannot_be_used_are_refused():
    with pytest.raises(UsageError, match="68 finite"):
        pick(np.full((68, 2), np.nan, np.float32), "face-44")
    with pytest.raises(UsageError, match="coincide"):
        pick(np.zeros((68, 2), np.float32), "face-44")


def _error_and_size(clip, truth, config):
    tracks = track(clip, config)
    apex = clip.apex_index
    x, y = tracks.start.round().astype(int).clip(0, truth.shape[1] - 1).T
    wanted = truth[apex, y, x]
    moving = np.linalg.norm(wanted, axis=-1) > 0.2
    gap = np.linalg.norm(tracks.motion[apex] - wanted, axis=-1)
    return gap[moving].mean(), np.linalg.norm(wanted, axis=-1)[moving].mean()


def test_tracks_follow_sub_pixel_motion_of_a_noisy_clip():
    clip, truth = toy_clip(1, size=128, n=10, amplitude=0.03, noise=1.0)
    error, size = _error_and_size(clip, truth, PointsConfig(smooth_ms=4))
    assert size < 1.2
    assert error < 0.4 * size


def test_motion_of_the_head_is_taken_out_and_reported():
    clip, _ = toy_clip(2, size=128, n=8, amplitude=0.0, drift=2.0)
    kept = track(clip, PointsConfig(remove_head_motion=False, smooth_ms=0))
    removed = track(clip, PointsConfig(smooth_ms=0))
    face = slice(0, 40)
    shift = np.array([2.0, 1.0]) * 7 / 8
    np.testing.assert_allclose(np.median(kept.motion[7, face], 0), shift, atol=0.25)
    assert np.abs(np.median(removed.motion[7, face], 0)).max() < 0.1
    np.testing.assert_allclose(removed.motion + removed.head, kept.motion, atol=1e-4)


def test_tracks_do_not_depend_on_the_number_of_threads():
    clip, _ = toy_clip(1, size=64, n=4, drift=2.0)
    settings = PointsConfig(remove_head_motion=False)
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one = track(clip, settings)
        cv2.setNumThreads(4)
        four = track(clip, settings)
        assert cv2.getNumThreads() == 4
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(one.motion, four.motion)
    assert np.abs(one.motion).max() > 0.2


def test_fixed_points_stay_where_they_are():
    clip, _ = toy_clip(4, size=64, n=3)
    tracks = track(clip, PointsConfig(point_set="published-18", tracking="none"))
    assert tracks.motion.shape == (3, 18, 2)
    assert not tracks.motion.any()
