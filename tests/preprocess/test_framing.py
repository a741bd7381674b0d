"""Which crop a copy or a photo gets, and that the usual one is what it always was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mebench.errors import DatasetError, UsageError
from mebench.preprocess.cache import entry_key
from mebench.preprocess.crop import HEAD, Crop, align_points, alignment, outside_fraction
from mebench.preprocess.framing import (
    choose_crop,
    copy_crop,
    crop_in,
    require_large_enough,
    whole_picture,
)
from mebench.preprocess.landmarks import GivenLandmarks
from mebench.preprocess.prepare import PreparedSet, prepare_image
from mebench.spec import digest
from mebench.types import Clip

IOD = 60.0


def tight(points: np.ndarray, share: float, above: float, below: float) -> tuple:
    """Return landmarks in, and shape of, a picture that ends so many IOD around the eyes."""
    left, right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    scale = IOD / np.linalg.norm(right - left)
    width = IOD / share
    moved = (points - (left + right) / 2) * scale + (width / 2, above * IOD)
    return moved.astype(np.float32), (round((above + below) * IOD), round(width), 3)


def test_a_picture_of_the_whole_head_gets_the_usual_crop(true_points: np.ndarray) -> None:
    assert choose_crop([tight(true_points, 0.2, 1.5, 2.5)]) == HEAD == Crop(0.30, 0.40)


@pytest.mark.parametrize(
    ("share", "above", "below", "expected"),
    [
        (0.38, 1.0, 1.9, 0.40),  # a tall picture
        (0.45, 0.84, 1.88, 0.45),  # 280 x 340 px, as a cropped release has them
        (0.45, 0.84, 1.38, 0.45),  # a square with the eyes at .38
        (0.50, 0.72, 1.68, 0.50),
    ],
)
def test_a_tight_picture_gets_the_smallest_eye_distance_that_stays_inside(
    true_points: np.ndarray, share: float, above: float, below: float, expected: float
) -> None:
    points, shape = tight(true_points, share, above, below)
    crop = choose_crop([(points, shape)])
    assert crop.share == expected
    assert outside_fraction(alignment(points, 128, crop), 128, shape) <= 0.03
    assert outside_fraction(alignment(points, 128), 128, shape) > 0.3
    brows = align_points(points, alignment(points, 100, crop))[17:27]
    assert brows.min() > 0


def test_of_what_never_fits_the_least_bad_is_taken(true_points: np.ndarray) -> None:
    points, shape = tight(true_points, 0.62, 0.5, 1.1)
    assert choose_crop([(points, shape)]).share == 0.50


def test_the_chin_is_inside_up_to_a_share_of_two_fifths(true_points: np.ndarray) -> None:
    for crop in (HEAD, Crop(0.35, 0.32), Crop(0.40, 0.24)):
        points = align_points(true_points, alignment(true_points, 100, crop))
        assert points[:, 1].min() > 1
        assert points[8, 1] < 99.5


def test_one_odd_picture_in_ten_does_not_decide(true_points: np.ndarray) -> None:
    wide = [tight(true_points, 0.2, 1.5, 2.5)] * 9
    odd = tight(true_points, 0.45, 0.84, 1.88)
    assert choose_crop([*wide, odd]) == HEAD
    assert choose_crop([*wide[:5], odd]).share == 0.45


def test_a_word_overrides_and_others_are_refused(true_points: np.ndarray) -> None:
    wide, narrow = tight(true_points, 0.2, 1.5, 2.5), tight(true_points, 0.45, 0.84, 1.88)
    assert choose_crop([narrow], "head") == HEAD
    assert choose_crop([wide], "face").share == 0.50
    with pytest.raises(UsageError, match=r"unknown crop 'haed'\. Did you mean 'head'"):
        choose_crop([wide], "haed")  # type: ignore[arg-type]


def test_the_usual_crop_keeps_places_and_names(clips: list[Clip], tmp_path: Path) -> None:
    assert HEAD.eyes == (complex(0.35, 0.40), complex(0.65, 0.40))
    finder = GivenLandmarks(tmp_path / "points")
    named = {"landmarks": finder.digest(clips[0].key), "size": 48, "colour": "rgb"}
    usual = entry_key(clips[0], **named)
    assert usual == entry_key(clips[0], **named, crop=HEAD)
    assert usual != entry_key(clips[0], **named, crop=Crop(0.45, 0.24))
    assert usual != digest(named)


def test_a_copy_has_one_crop_and_remembers_it(
    clips: list[Clip], run: Callable[..., PreparedSet], tmp_path: Path
) -> None:
    finder, cache = GivenLandmarks(tmp_path / "points"), tmp_path / "cache"
    wide = copy_crop(clips, finder, cache)
    assert wide == HEAD
    assert len(list((cache / "crops").iterdir())) == 1
    (kept,) = (cache / "crops").iterdir()
    kept.write_text('{"share": 0.45, "height": 0.24}')
    assert copy_crop(clips, finder, cache) == Crop(0.45, 0.24)
    kept.write_text("{")
    assert copy_crop(clips, finder, cache) == HEAD
    faces = run(clips, crop=Crop(0.45, 0.24))
    assert faces.made == 3
    assert {crop_in(face.landmarks, 48) for face in faces} == {Crop(0.45, 0.24)}
    assert run(clips).made == 3


def test_clips_without_landmarks_are_left_to_their_preparation(
    clips: list[Clip], tmp_path: Path
) -> None:
    for file in (tmp_path / "points").iterdir():
        file.unlink()
    finder = GivenLandmarks(tmp_path / "points")
    assert copy_crop(clips, finder, tmp_path / "cache") == HEAD


def test_a_photo_is_cropped_by_its_own_face(recording: np.ndarray, true_points: np.ndarray) -> None:
    low, high = true_points.min(axis=0), true_points.max(axis=0)
    left, top = (int(v) for v in np.maximum(low - 8, 0))
    right, bottom = (int(v) for v in high + 8)
    photo, points = recording[0][top:bottom, left:right], true_points - (left, top)
    notes: list[str] = []
    face = prepare_image(photo, points.astype(np.float32), 96, notes=notes, crop="auto")
    assert crop_in(face.landmarks, 96).share > 0.35
    assert notes == []
    prepare_image(photo, points.astype(np.float32), 96, notes=notes, crop="head")
    assert "lies outside the image" in notes[0]


def test_a_picture_is_drawn_on_as_it_is_or_smaller(true_points: np.ndarray) -> None:
    image = np.zeros((1536, 2048, 3), np.uint8)
    face = whole_picture(image, true_points)
    assert face.image.shape == (768, 1024, 3)
    assert face.landmarks == pytest.approx((true_points + 0.5) / 2 - 0.5, abs=1e-3)
    small = np.zeros((64, 100, 3), np.uint8)
    assert whole_picture(small, true_points).image is small


def test_a_picture_too_small_for_an_output_is_refused() -> None:
    require_large_enough(Path("a.png"), (64, 64, 3))
    for shape in ((63, 200, 3), (100, 4000, 3)):
        with pytest.raises(DatasetError, match=r"^a\.png: the picture has .*give a larger"):
            require_large_enough(Path("a.png"), shape)
