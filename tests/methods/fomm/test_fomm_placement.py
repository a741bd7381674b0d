"""Networks at work on a picture that is no aligned square: same motion, own pixels kept."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from toy import landmarks, portrait, toy_clip

from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm.inference import FaceAnimator, driving_tracks
from mebench.methods.fomm.placement import is_aligned, usual_crop
from mebench.methods.warp import LinearWarp
from mebench.preprocess.crop import HEAD, Crop, align_image, align_points, alignment
from mebench.preprocess.region_motion import region_motion
from mebench.types import Face, FaceClip

SMALL = {"model.size": "128", "model.generator_width": "4", "inference.amplitude": "1.5"}


@pytest.fixture(scope="module")
def driving() -> FaceClip:
    return toy_clip(5, size=128, n=10, amplitude=0.06)[0]


@pytest.fixture(scope="module")
def face() -> Face:
    """Return an aligned template at the networks' size."""
    image, marks = portrait(128, 2)
    return Face(np.clip(image, 0, 255).astype(np.uint8), marks)


def moved(face: Face, scale: float, degrees: float, shape: tuple[int, int]) -> Face:
    """Return the face as part of a larger picture, turned and scaled, the rest textured."""
    height, width = shape
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array([width / 2, height / 2]) - turn @ np.array([63.5, 63.5])
    matrix = np.hstack([turn, shift[:, None]])
    ground = np.random.default_rng(3).integers(60, 200, (height, width, 3)).astype(np.uint8)
    image = cv2.warpAffine(
        face.image,
        matrix,
        (width, height),
        dst=ground,
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    return Face(image, (face.landmarks @ turn.T + shift).astype(np.float32))


def untrained(**more: str):
    method = load_baseline("fomm-prior", preset="scratch", overrides={**SMALL, **more})
    method.initialise(seed=1)
    return method


def motion(frames: np.ndarray, face: Face, fps: float) -> np.ndarray:
    return region_motion(frames, face.landmarks, fps).vectors


def test_an_aligned_square_is_drawn_as_before(face, driving):
    method = untrained()
    larger = Face(cv2.resize(face.image, (200, 200)), (face.landmarks + 0.5) * (200 / 128) - 0.5)
    for template in (face, larger):
        assert is_aligned(template, HEAD)
        animator = FaceAnimator(method._networks, method.config)
        tracks = driving_tracks(driving, method.config)
        before = animator.generate(template, driving, tracks)
        assert animator._placement is None
        np.testing.assert_array_equal(method.generate(template, driving), before)


@pytest.mark.parametrize(
    ("scale", "degrees", "shape"),
    [
        (1.0, 0.0, (160, 190)),
        (2.1, 0.0, (300, 420)),
        (1.5, 14.0, (300, 260)),
        (1.3, -9.0, (150, 140)),
    ],
)
@pytest.mark.parametrize("name", ["fomm-prior", "linear-warp"])
def test_a_picture_makes_the_same_motion_and_keeps_what_is_far(
    name, scale, degrees, shape, face, driving
):
    method = untrained() if name == "fomm-prior" else LinearWarp()
    picture = moved(face, scale, degrees, shape)
    assert not is_aligned(picture, HEAD)
    generated = method.generate(picture, driving)
    assert generated.shape == (len(driving.frames), *shape, 3)
    assert (generated[0] == picture.image).all()
    wanted = motion(method.generate(face, driving), face, driving.fps)
    found = motion(generated, picture, driving.fps)
    size = np.abs(wanted).max()
    assert size > 0.01
    assert np.abs(found - wanted).max() < 0.08 * size
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.99
    to_square = align_points(
        np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1).astype(float),
        alignment(picture.landmarks, 128),
    )
    # A warp fades towards the sides of the box around the turned square.
    reach = 11 if name == "fomm-prior" else 40
    far = ((to_square < -reach) | (to_square > 127 + reach)).any(axis=-1)
    assert far.any() or shape[0] < 200 or reach == 40
    assert (generated[:, far] == picture.image[far]).all()


def test_what_a_decoder_draws_is_laid_into_the_picture_without_an_edge(face, driving):
    method = untrained(**{"model.blend": "none", "model.size": "64"})
    picture = moved(face, 1.5, 10.0, (300, 280))
    smooth = replace(picture, image=np.full_like(picture.image, 90))
    (frame, *_) = method.generate(smooth, driving).astype(int)
    square = align_image(frame.astype(np.uint8), alignment(picture.landmarks, 64), 64).astype(int)
    assert np.abs(square[20:44, 20:44] - 90).mean() > 5  # what an untrained decoder draws
    assert (frame[:20] == 90).all()
    assert max(np.abs(np.diff(frame, axis=axis)).max() for axis in (0, 1)) < 25


def test_a_grey_picture_stays_grey(face, driving):
    picture = moved(face, 1.4, 5.0, (240, 300))
    grey = Face(np.repeat(picture.image.mean(-1, keepdims=True).astype(np.uint8), 3, -1),
                picture.landmarks)  # fmt: skip
    generated = untrained().generate(grey, driving)
    assert np.ptp(generated, axis=-1).max() == 0


def test_networks_remember_the_crop_they_learned_on(tmp_path, driving):
    tight = Crop(0.45, 0.24)
    marks = landmarks(128)
    to_source = alignment(marks, 128, tight)
    near = replace(driving, landmarks=align_points(marks, to_source))
    assert usual_crop([near, near, driving]) == tight
    assert usual_crop([driving]) == HEAD
    method = untrained()
    method._crop = tight
    method.save(tmp_path / "model.pt")
    again = load_baseline("fomm-prior")
    again.load(tmp_path / "model.pt", device="cpu")
    assert again._crop == tight
    method._crop = HEAD
    method.save(tmp_path / "usual.pt")
    again.load(tmp_path / "usual.pt", device="cpu")
    assert again._crop == HEAD
