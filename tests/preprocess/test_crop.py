"""Aligned crops: where the eyes come to lie, that motion is kept, and that shrinking averages."""

from __future__ import annotations

import numpy as np
import pytest

from mebench.errors import DatasetError
from mebench.preprocess.crop import (
    align_flow,
    align_frames,
    align_image,
    align_points,
    alignment,
    outside_fraction,
    tell_outside,
    to_gray,
)


def face(left: tuple[float, float], right: tuple[float, float]) -> np.ndarray:
    """Return 68 points whose eye centres are where asked for."""
    points = np.random.default_rng(1).uniform(0, 100, (68, 2))
    for centre, part in ((left, slice(36, 42)), (right, slice(42, 48))):
        points[part] += np.asarray(centre) - points[part].mean(axis=0)
    return points.astype(np.float32)


def picture(height: int, width: int) -> np.ndarray:
    """Return a smooth picture with a different pattern in each channel."""
    y, x = np.mgrid[0:height, 0:width] / 20.0
    waves = [np.sin(x + y), np.cos(0.7 * x - y), np.sin(0.5 * x) * np.cos(0.9 * y)]
    return (127 + 90 * np.stack(waves, -1)).astype(np.uint8)


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("eyes", [((60, 80), (120, 80)), ((300.5, 200.2), (420.1, 260.9))])
def test_eyes_come_to_their_places(size: int, eyes: tuple[tuple[float, float], ...]) -> None:
    points = face(*eyes)
    moved = align_points(points, alignment(points, size))
    assert moved[36:42].mean(axis=0) == pytest.approx((0.35 * size, 0.40 * size), abs=1e-3)
    assert moved[42:48].mean(axis=0) == pytest.approx((0.65 * size, 0.40 * size), abs=1e-3)


def test_map_is_a_similarity_back_to_the_recording() -> None:
    points = face((60, 80), (110, 100))
    to_source = alignment(points, 128)
    rotation = to_source[:, :2]
    assert rotation @ rotation.T == pytest.approx(np.eye(2) * np.linalg.det(rotation))
    back = align_points(points, to_source) @ rotation.T + to_source[:, 2]
    assert back == pytest.approx(points, abs=1e-3)


@pytest.mark.parametrize(("scale", "tolerance"), [(0.5, 3.0), (1.0, 1.5), (2.6, 1.5), (12.0, 2.5)])
def test_pixels_come_from_where_the_map_says(scale: float, tolerance: float) -> None:
    size = 48
    image = picture(int(size * scale) + 40, int(size * scale) + 60)
    to_source = np.array([[scale, 0, 11.3], [0, scale, 7.6]])
    crop = align_image(image, to_source, size).astype(float)
    for x, y in ((5, 5), (20, 30), (40, 12)):
        places = (np.arange(9) - 4) / 9 * max(scale, 0.01)
        around = [
            picture_at(11.3 + scale * x + dx, 7.6 + scale * y + dy)
            for dx in places
            for dy in places
        ]
        assert crop[y, x] == pytest.approx(np.mean(around, axis=0), abs=tolerance)


def picture_at(x: float, y: float) -> np.ndarray:
    x, y = x / 20, y / 20
    waves = [np.sin(x + y), np.cos(0.7 * x - y), np.sin(0.5 * x) * np.cos(0.9 * y)]
    return 127 + 90 * np.array(waves)


def test_shrinking_a_fine_pattern_gives_its_mean_not_an_alias() -> None:
    checks = (np.indices((240, 240)).sum(axis=0) % 2 * 255).astype(np.uint8)
    image = np.repeat(checks[..., None], 3, axis=2)
    crop = align_image(image, np.array([[3.0, 0, 10], [0, 3.0, 10]]), 64)
    assert np.abs(crop.astype(int) - 127).max() <= 20


def test_all_frames_share_one_map() -> None:
    clip = np.stack([picture(100, 120), picture(100, 120)[::-1]])
    to_source = alignment(face((40, 40), (70, 45)), 64)
    frames = align_frames(clip, to_source, 64)
    assert np.array_equal(frames[1], align_image(clip[1], to_source, 64))
    assert frames.shape == (2, 64, 64, 3)


def test_result_does_not_depend_on_opencv_threads() -> None:
    import cv2

    image, to_source = picture(700, 800), alignment(face((200, 200), (500, 230)), 128)
    before = cv2.getNumThreads()
    try:
        crops = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            crops.append(align_image(image, to_source, 128))
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(*crops)


def test_flow_turns_and_shrinks_with_the_crop() -> None:
    points = face((60, 80), (100, 110))
    to_source = alignment(points, 64)
    flow = np.zeros((2, 200, 220, 2), np.float32)
    flow[1] = (4.0, -1.5)
    aligned = align_flow(flow, to_source, 64)
    expected = align_points(points + np.float32([4.0, -1.5]), to_source) - align_points(
        points, to_source
    )
    assert np.abs(aligned[0]).max() == 0
    assert aligned[1, 30, 30] == pytest.approx(expected[0], abs=1e-3)
    assert aligned.shape == (2, 64, 64, 2)


def test_a_crop_beyond_the_image_repeats_the_border_and_is_told() -> None:
    image = np.full((100, 100, 3), 80, np.uint8)
    to_source = np.array([[1.0, 0, -50], [0, 1.0, 0]])
    assert outside_fraction(to_source, 100, image.shape) == pytest.approx(0.5, abs=0.02)
    assert (align_image(image, to_source, 100) == 80).all()
    notes: list[str] = []
    tell_outside("clip", to_source, 100, image.shape, notes)
    assert notes == ["clip: 50% of the crop lies outside the image (border repeated)"]
    tell_outside("clip", np.eye(2, 3), 100, image.shape, notes)
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.zeros((68, 2), np.float32), "0.0 px apart"),
        (np.full((68, 2), np.nan, np.float32), "68 finite"),
        (np.zeros((5, 2), np.float32), r"got \(5, 2\)"),
    ],
)
def test_bad_landmarks_are_refused(points: np.ndarray, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        alignment(points, 64)


def test_gray_is_luma_in_three_channels() -> None:
    image = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)
    assert to_gray(image)[0].tolist() == [[76] * 3, [150] * 3, [29] * 3, [9] * 3]
