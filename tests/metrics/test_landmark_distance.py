from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from appearance_cases import case, picture
from reference.appearance import landmark_distance_loops

from mebench.metrics import landmarks
from mebench.metrics.base import Case, Missing
from mebench.metrics.landmarks import LandmarkDistance, landmark_distance
from mebench.synthme.expression import Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.render import Camera, Rendering, render
from mebench.types import Face, FaceClip, Pair, Reference

SIZE = 96
VIEW = Camera(SIZE, SIZE, 0.30 * SIZE, (SIZE - 1) / 2, 0.40 * SIZE)


@pytest.fixture(scope="module")
def right() -> Rendering:
    act = Expression.from_text("12", 0.08, seconds=0.1, fps=50.0)
    return render(Identity.from_seed(203), act, Nuisance.none(), seed=5, camera=VIEW)


def case_of(generated: np.ndarray, right: Rendering) -> Case:
    points = right.landmarks[0]
    clip = FaceClip("synthme.01.a", "synthme.01", right.frames, points, 50.0, apex_index=2)
    face = Face(right.frames[0], points)
    return Case(Pair("face", "clip"), generated, face, clip, Reference(right.frames))


def values_of(one: Case, cache=None) -> dict:
    metric = LandmarkDistance(frames=2, cache=cache)
    return dict(metric.clip_values(metric.describe(one)))


def test_equals_the_reference():
    rng = np.random.default_rng(0)
    found, right = rng.normal(size=(2, 3, 68, 2))
    assert landmark_distance(found, right) == pytest.approx(
        landmark_distance_loops(found, right), abs=1e-9
    )


def test_the_right_answer_is_at_0_and_a_shifted_one_at_its_shift(right, tmp_path):
    assert values_of(case_of(right.frames, right), tmp_path)["akd_px"] == 0.0
    moved = values_of(case_of(np.roll(right.frames, 3, axis=2), right), tmp_path)
    assert moved["akd_px"] == pytest.approx(3.0, abs=0.5)
    iod = np.linalg.norm(np.subtract(*(right.landmarks[0][a : a + 6].mean(0) for a in (36, 42))))
    assert moved["akd_iod"] == pytest.approx(100 * moved["akd_px"] / iod, rel=0.02)


def test_a_frozen_clip_misses_the_expression(right):
    still = right.frames[:1].repeat(len(right.frames), axis=0)
    assert values_of(case_of(still, right))["akd_px"] > 0.1


def test_points_of_the_right_answer_are_found_once(right, tmp_path, monkeypatch):
    first = values_of(case_of(np.roll(right.frames, 2, axis=1), right), tmp_path)
    seen = []
    predict = landmarks._predicted
    monkeypatch.setattr(
        landmarks, "_predicted", lambda image, near: seen.append(1) or predict(image, near)
    )
    again = values_of(case_of(np.roll(right.frames, 2, axis=1), right), tmp_path)
    assert again == first
    assert len(seen) == 2, "the generated frames only"
    next(tmp_path.rglob("*.npy")).write_bytes(b"damaged")
    assert values_of(case_of(np.roll(right.frames, 2, axis=1), right), tmp_path) == first


@pytest.mark.parametrize("level", [0, 255])
def test_a_picture_without_a_face_gives_a_reason(right, level):
    empty = np.full_like(right.frames, level)
    assert values_of(case_of(empty, right))["akd_px"] == Missing("no face in generated frame 0")


def test_without_truth_or_without_the_extra_the_reason_is_given(right, monkeypatch):
    template = picture(1, 96)
    alone = values_of(case(np.stack([template] * 2), template))
    assert alone["akd_iod"] == Missing("the protocol has no reference frames")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "dlib" else found(name)
    )
    lacking = values_of(case_of(right.frames, right))
    assert lacking["akd_px"] == Missing("needs dlib: pip install 'mebench[dlib]'")
    assert LandmarkDistance().weights == {}
