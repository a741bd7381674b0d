"""Gaze: how far a driving clip's eyes turn is found, and the template's eyeballs turn as far."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm.gaze import gazes, opening, turned
from mebench.methods.fomm.living_eyes import LivingEyes
from mebench.preprocess.crop import HEAD
from mebench.synthme import render as rendering
from mebench.synthme.expression import Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance, Wander
from mebench.synthme.stage import Camera
from mebench.types import Face, FaceClip

VIEW = Camera(128, 128, HEAD.share * 128, 63.5, HEAD.height * 128 - 0.5)
PERSON, OTHER = 2**41 + 2, 2**41 + 3
JUMP = (0.012, -0.004)
"""Eye distances; the clip's eyes jump so far in its middle."""


def recorded(person, *, jump=JUMP, emotion="happiness", nuisance=None):
    """Return a clip of a person whose eyes jump once, and from which frame on they have."""
    act = Expression.sample(np.random.default_rng(8), emotion, 100.0)
    start = act.n_frames // 2
    drawn = rendering.wander

    def looking(nuisance, count, fps, rng):
        wander = drawn(nuisance, count, fps, rng)
        turn = np.zeros((count, 2))
        turn[start:] = jump
        return Wander(wander.head, np.zeros(count), turn, wander.gain)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "wander", looking)
        how = nuisance or Nuisance.default()
        made = rendering.render(Identity.from_seed(person), act, how, seed=4, camera=VIEW)
    clip = FaceClip(
        key="c", subject="c", frames=made.frames, landmarks=made.landmarks[0], fps=act.fps
    )
    return clip, start


@pytest.fixture(scope="module")
def looking():
    return recorded(PERSON)


def open_eyes(clip):
    return np.zeros((len(clip.frames), 2), np.float32)


def test_a_jump_of_the_eyes_is_found_beside_expression_and_head_motion(looking):
    clip, start = looking
    turn, trust = gazes(clip, open_eyes(clip))
    assert turn.shape == (len(clip.frames), 2)
    assert np.abs(turn[: start - 4]).max() < 0.25 * JUMP[0]
    assert turn[start + 4 :] == pytest.approx(np.tile(JUMP, (len(turn) - start - 4, 1)), abs=0.004)
    assert trust.min() > 0.5


def test_eyes_that_rest_do_not_turn():
    clip, _ = recorded(PERSON, jump=(0.0, 0.0))
    turn, _ = gazes(clip, open_eyes(clip))
    assert np.abs(turn).max() < 0.25 * JUMP[0]


def test_a_still_clip_has_no_gaze_at_all(looking):
    clip, _ = looking
    still = replace(clip, frames=np.repeat(np.asarray(clip.frames)[:1], 9, axis=0))
    assert not gazes(still, open_eyes(still)).turn.any()


def test_frames_in_which_eyes_are_closed_do_not_count(looking):
    clip, start = looking
    frames, closing = np.array(clip.frames), open_eyes(clip)
    shut = slice(start // 2, start // 2 + 5)
    frames[shut], closing[shut] = 90, 1.0
    plain, covered = gazes(clip, open_eyes(clip)), gazes(replace(clip, frames=frames), closing)
    assert covered.turn == pytest.approx(plain.turn, abs=0.003)


def test_eyes_closed_from_the_start_show_no_gaze(looking):
    clip, _ = looking
    marks = clip.landmarks.copy()
    marks[[37, 38]], marks[[43, 44]] = marks[[41, 40]], marks[[47, 46]]
    turn, trust = gazes(replace(clip, landmarks=marks), open_eyes(clip))
    assert not turn.any()
    assert not trust.any()


def test_eyeballs_turn_as_synthme_turns_them_and_lids_stay():
    quiet = Nuisance.default().only_eyes()
    clip, _ = recorded(OTHER, nuisance=quiet)
    still, _ = recorded(OTHER, jump=(0.0, 0.0), nuisance=quiet)
    last = len(clip.frames) // 2 + 1
    before = np.asarray(still.frames[last], np.float32)
    made = turned(before, clip.landmarks, np.array(JUMP, np.float32))
    true = np.asarray(clip.frames[last], np.float32) - before
    assert np.square(made - before - true).sum() < 0.2 * np.square(true).sum()
    outside = opening(clip.landmarks, 128) == 0
    assert np.array_equal(made[outside], before[outside])
    assert turned(before, clip.landmarks, np.zeros(2, np.float32)) is before


def test_a_face_at_the_border_is_drawn_without_error(looking):
    clip, _ = looking
    first = np.asarray(clip.frames[0], np.float32)
    for shift in ((-60, 0), (0, -60), (90, 90), (500, 500)):
        made = turned(first, clip.landmarks + np.float32(shift), np.array(JUMP, np.float32))
        assert made.shape == first.shape
        assert np.isfinite(made).all()


def test_the_template_looks_where_the_driving_face_looks(looking):
    clip, start = looking
    answer, _ = recorded(OTHER, nuisance=Nuisance.default().only_eyes())
    face = Face(image=np.asarray(answer.frames[0]), landmarks=answer.landmarks)
    shown = slice(start - 6, start + 10)
    clip = replace(clip, frames=np.asarray(clip.frames)[shown])
    true = np.asarray(answer.frames, np.float64)[shown]
    eyes = opening(answer.landmarks, 128) > 0
    left = {}
    # Finer than this the template's own pixels decide, not where its eyes look.
    blur = (0, 1.0, 1.0, 0)
    for gaze in (True, False):
        overrides = {"inference.gaze": str(gaze).lower()}
        method = load_baseline("fomm-prior", preset="shipped", overrides=overrides)
        method.load(method.shipped())
        made = np.asarray(method.generate(face, clip), np.float64)
        gap = gaussian_filter((made - true)[10:], blur)
        left[gaze] = np.square(gap[:, eyes]).sum()
    assert left[True] < 0.7 * left[False]


def test_motion_made_larger_turns_the_eyes_further_and_none_leaves_them(looking):
    clip, _ = looking
    once, twice, never = (
        LivingEyes.of(clip, clip.landmarks, clip.landmarks, amplitude=size).gaze.turn
        for size in (1.0, 2.0, 0.0)
    )
    assert np.array_equal(twice, 2 * once)
    assert once.any()
    assert not never.any()
