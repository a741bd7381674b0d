"""What a warp cannot make, measured on answers that are known."""

from __future__ import annotations

import numpy as np
import pytest

from mebench.metrics.appearance import Appearance
from mebench.metrics.base import Case, Missing
from mebench.preprocess.known_flow import moved_by
from mebench.synthme.expression import Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.render import render
from mebench.types import Face, FaceClip, Pair, Reference

KEYS = ("appearance_gain", "appearance_gain_skin")


@pytest.fixture(scope="module")
def right():
    frown = Expression.from_text("4", 0.09, fps=50.0)
    return render(Identity.from_seed(3), frown, Nuisance.none(), 128)


@pytest.fixture(scope="module")
def gain(right):
    def measure(frames, reference=None):
        face = Face(right.frames[0], right.landmarks[0])
        if reference is None:
            reference = Reference(right.frames, flow=right.flow)
        clip = FaceClip("x", "x", right.frames, right.landmarks[0], 50.0)
        case = Case(Pair("a", "b"), frames, face, clip, reference)
        return Appearance().clip_values(Appearance().describe(case))

    return measure


def test_the_answer_scores_1_a_still_face_0_and_the_true_warp_between(right, gain):
    warp = moved_by(right.frames[0], right.flow)
    still = np.repeat(right.frames[:1], len(right.frames), axis=0)
    half = np.rint((warp.astype(float) + right.frames) / 2).astype(np.uint8)
    for key in ("change_explained", "change_explained_skin"):
        assert gain(right.frames)[key] == 1.0
        assert gain(still)[key] == 0.0
        assert 0.5 < gain(warp)[key] < gain(half)[key] < 1.0
    for key in KEYS:
        assert gain(right.frames)[key] == 1.0
        # Grey levels are whole numbers.
        assert gain(warp)[key] == pytest.approx(0.0, abs=0.15)
        assert gain(still)[key] < -0.5
        # Half of the furrow is three quarters of its squared error.
        assert gain(half)[key] == pytest.approx(0.75, abs=0.1)


def test_grain_of_the_template_that_stays_where_it_is_costs_nothing(right, gain):
    grain = np.random.default_rng(0).normal(0, 2, right.frames[0].shape)
    noisy = np.clip(right.frames + grain, 0, 255).astype(np.uint8)
    assert gain(noisy)["appearance_gain"] > 0.9


def test_without_a_true_flow_or_motion_there_is_no_value(right, gain):
    for reference in (
        Reference(right.frames),
        Reference(right.frames[:1].repeat(len(right.frames), 0), flow=np.zeros_like(right.flow)),
    ):
        assert all(isinstance(v, Missing) for v in gain(right.frames, reference).values())


def test_motion_the_wrong_way_explains_less_than_none(right, gain):
    backwards = moved_by(right.frames[0], -np.asarray(right.flow))
    assert gain(backwards)["change_explained"] < -0.5
