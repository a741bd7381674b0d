"""Lids: how far a driving clip's eyes close is found, and the template's are drawn as far."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm.lids import close, closings
from mebench.preprocess.crop import HEAD
from mebench.synthme import render as rendering
from mebench.synthme.expression import Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.stage import Camera
from mebench.types import Face, FaceClip

VIEW = Camera(128, 128, HEAD.share * 128, 63.5, HEAD.height * 128 - 0.5)
PERSON, OTHER = 2**41, 2**41 + 1


def recorded(person, blink, seed=4, nuisance=None):
    """Return a clip of a person, and how far its eyes are closed in each frame."""
    act = Expression.sample(np.random.default_rng(8), "disgust", 100.0)
    seen = []
    drawn = rendering.wander

    def spying(*arguments):
        seen.append(drawn(*arguments))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "wander", spying)
        how = replace(nuisance or Nuisance.default(), blink=blink)
        made = rendering.render(Identity.from_seed(person), act, how, seed=seed, camera=VIEW)
    clip = FaceClip(
        key="c", subject="c", frames=made.frames, landmarks=made.landmarks[0], fps=act.fps
    )
    return clip, seen[0].lids


@pytest.fixture(scope="module")
def blinking():
    return recorded(PERSON, blink=9.0)


@pytest.fixture(scope="module")
def awake():
    return recorded(PERSON, blink=0.0)


def recompressed(clip, quality):
    frames = [
        cv2.imdecode(cv2.imencode(".jpg", f, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)
        for f in clip.frames
    ]
    return replace(clip, frames=np.stack(frames))


@pytest.mark.parametrize("quality", [None, 60])
def test_a_blink_is_found_as_deep_as_it_is(blinking, quality):
    clip, true = blinking
    clip = clip if quality is None else recompressed(clip, quality)
    found = closings(clip)
    assert true.max() > 0.9
    assert found.shape == (len(true), 2)
    assert found[0].tolist() == [0, 0]
    assert np.abs(found - true[:, None]).max() < 0.2
    assert np.sqrt(np.mean((found - true[:, None]) ** 2)) < 0.09


@pytest.mark.parametrize("quality", [None, 30])
def test_eyes_that_stay_open_close_nothing(awake, quality):
    clip, true = awake
    clip = clip if quality is None else recompressed(clip, quality)
    assert not true.any()
    assert closings(clip).max() < 0.05


def test_eyes_closed_from_the_start_are_left_alone(blinking):
    clip, true = blinking
    marks = clip.landmarks.copy()
    marks[[37, 38]], marks[[43, 44]] = marks[[41, 40]], marks[[47, 46]]
    shut = replace(clip, frames=clip.frames[true.argmax() :], landmarks=marks)
    assert not closings(shut).any()


def test_closed_lids_cover_the_eye_and_nothing_else(awake):
    clip, _ = awake
    first = np.asarray(clip.frames[0], np.float32)
    assert close(first, clip.landmarks, np.zeros(2, np.float32)) is first
    shut = close(first, clip.landmarks, np.ones(2, np.float32))
    eyes = np.zeros(first.shape[:2], np.uint8)
    for side in (slice(36, 42), slice(42, 48)):
        cv2.fillPoly(eyes, [np.round(clip.landmarks[side]).astype(np.int32)], 1)
    skin = np.median(first[int(clip.landmarks[30, 1]), int(clip.landmarks[30, 0])])
    inside = cv2.erode(eyes, np.ones((2, 2), np.uint8)) > 0
    # The iris and the white are gone: what is left is as even as skin.
    after, before = shut[inside].mean(axis=1), first[inside].mean(axis=1)
    assert after.std() < 0.6 * before.std()
    assert after.mean() > 0.6 * skin
    brow = clip.landmarks[17:27, 1].min() - 2
    cheek = clip.landmarks[[31, 35], 1].mean()
    assert np.array_equal(shut[: int(brow)], first[: int(brow)])
    assert np.array_equal(shut[int(cheek) :], first[int(cheek) :])
    gray = np.repeat(first.mean(axis=2, keepdims=True), 3, axis=2)
    drawn = close(gray, clip.landmarks, np.ones(2, np.float32))
    assert np.array_equal(drawn[..., 0], drawn[..., 2])


def test_a_face_at_the_border_is_drawn_without_error(awake):
    clip, _ = awake
    first = np.asarray(clip.frames[0], np.float32)
    for shift in ((-60, 0), (0, -60), (90, 90), (500, 500)):
        made = close(first, clip.landmarks + np.float32(shift), np.ones(2, np.float32))
        assert made.shape == first.shape
        assert np.isfinite(made).all()


def shipped(lids):
    method = load_baseline(
        "fomm-prior", preset="shipped", overrides={"inference.lids": str(lids).lower()}
    )
    method.load(method.shipped())
    return method


def test_a_blink_is_drawn_closed_on_another_face(blinking):
    clip, true = blinking
    answer, lids = recorded(OTHER, blink=9.0, nuisance=Nuisance.default().only_eyes())
    assert np.array_equal(lids > 0.5, true > 0.5)
    face = Face(np.asarray(answer.frames[0]), answer.landmarks)
    short = slice(0, int(true.argmax()) + 1)
    driving = replace(clip, frames=clip.frames[short])
    gaps = {}
    for drawn in (True, False):
        made = shipped(drawn).generate(face, driving)
        gap = made[-1].astype(float) - answer.frames[true.argmax()]
        gaps[drawn] = float((gap**2).mean())
    assert gaps[True] < 0.5 * gaps[False]


def test_frames_without_a_blink_are_those_of_the_networks(awake):
    clip, _ = awake
    clip = replace(clip, frames=clip.frames[:8])
    face = Face(np.asarray(clip.frames[0]), clip.landmarks)
    assert not closings(clip).any()
    assert np.array_equal(shipped(True).generate(face, clip), shipped(False).generate(face, clip))
