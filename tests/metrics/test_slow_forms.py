"""What the other files do not compare with a slow, obvious form yet."""

from __future__ import annotations

import motion_warps as toy
import numpy as np
import pytest
from appearance_cases import case, picture
from reference import appearance
from reference import motion_slow as slow

from mebench.facs.regions import CURVES, EYE_SITES, SITES, motion_templates
from mebench.metrics.action_units import (
    active_units,
    amplitude,
    apex_shift,
    au_curves,
    au_f1,
    eye_weight,
    leak,
)
from mebench.metrics.identity import Identity, embedding
from mebench.metrics.motion import TrueMotion
from mebench.metrics.temporal import subtlety
from mebench.metrics.unit_curves import above_onset
from mebench.preprocess.motion_cache import shared_cache
from mebench.types import ActionUnit, Reference

EYES = EYE_SITES.tolist()


@pytest.fixture(params=[0, 1, 2])
def sides(request) -> tuple[np.ndarray, np.ndarray]:
    """Region vectors (T, S, 2) of two clips that have something in common."""
    rng = np.random.default_rng(request.param)
    one, two = np.cumsum(rng.normal(0, 0.004, (2, 12, len(SITES), 2)), axis=1)
    return one, 0.7 * one + 0.5 * two


def test_eye_weight_and_subtlety(sides):
    vectors = sides[0].copy()
    vectors[:, EYE_SITES] *= 6
    assert eye_weight(vectors) == pytest.approx(slow.eye_weight(vectors, EYES), abs=1e-9)
    assert 0 < eye_weight(vectors) < 1
    assert subtlety(vectors) == pytest.approx(slow.subtlety(vectors, EYES), abs=1e-9)


def test_amplitude_apex_and_leak(sides):
    curves = [au_curves(side) for side in sides]
    assert amplitude(*curves) == pytest.approx(slow.amplitude(*(c.tolist() for c in curves)))
    by_curve = [c.T.tolist() for c in curves]
    assert leak(*curves) == pytest.approx(slow.leak(*by_curve), abs=1e-9)
    flat = [side.reshape(len(side), -1).tolist() for side in sides]
    assert apex_shift(*sides) == slow.apex_shift(*flat)


def test_units_found_by_regression_one_coordinate_at_a_time():
    rng = np.random.default_rng(3)
    templates = motion_templates().reshape(len(CURVES), -1)
    mix = np.where(rng.random(len(CURVES)) < 0.15, rng.uniform(0.01, 0.03, len(CURVES)), 0.0)
    frame = mix @ templates + rng.normal(0, 0.001, templates.shape[1])
    found = slow.activations(templates, frame)
    bar = max(0.005, 0.5 * max(found))
    wanted = {au for (au, _), level in zip(CURVES, found, strict=True) if level >= bar}
    assert len(wanted) >= 2
    vectors = frame.reshape(1, len(SITES), 2)
    assert active_units(vectors) == wanted


@pytest.mark.parametrize("found", [{12}, {1, 12}, {1}, {6, 12, 1}])
def test_f1(found):
    labels = (ActionUnit(12), ActionUnit(6))
    assert au_f1(frozenset(found), labels) == pytest.approx(slow.f1(found, {6, 12}))


def test_error_of_the_curves():
    points = toy.landmarks()
    right = toy.moving(toy.texture(), points, toy.SMILE)[0][:6]
    other = toy.moving(toy.texture(), points, toy.BROWS)[0][:6]
    store = shared_cache()
    described = TrueMotion(store=store).describe(toy.case(other, right, points, Reference(right)))
    curves = [au_curves(store.motion(f, points, toy.FPS).vectors) for f in (other, right)]
    assert described.curve_rmse == pytest.approx(
        slow.root_mean_square(curves[0] - curves[1]), abs=1e-12
    )


def test_embeddings():
    template, other = picture(1, 96), picture(2, 96)
    one = case(np.stack([other] * 2), template, reference=np.stack([template] * 2))
    values = Identity(frames=1).describe(one)
    marks = one.template.landmarks
    a, b = embedding(other, marks), embedding(template, marks)
    assert values["identity_distance"] == pytest.approx(appearance.embedding_distance(a, b))
    assert values["identity_cosine"] == pytest.approx(appearance.embedding_cosine(a, b))
    assert values["aed"] == pytest.approx(appearance.embedding_distance(a, b))


def test_lost_frames_lie_on_the_line_between_their_neighbours():
    table = np.array(
        [[1.0], [9.0], [9.0], [4.0], [5.0], [6.0], [7.0], [8.0], [9.0], [10.0], [11.0]]
    )
    seen = np.ones(11, bool)
    seen[[1, 2]] = False
    assert above_onset(table, seen, "clip")[:5, 0] == pytest.approx([0.0, 1.0, 2.0, 3.0, 4.0])
