from __future__ import annotations

import motion_warps as toy
import numpy as np
import pytest
from reference import motion_slow as slow

from mebench.metrics.base import Missing
from mebench.metrics.temporal import Temporal, jitter
from mebench.preprocess.canonical import prepare_canvas
from mebench.preprocess.flow import stabilised_flow
from mebench.preprocess.region_motion import region_motion

POINTS = toy.landmarks()


@pytest.fixture(scope="module")
def metric() -> Temporal:
    return Temporal()


@pytest.fixture(scope="module")
def smile() -> np.ndarray:
    return toy.moving(toy.texture(), POINTS, toy.SMILE)[0]


def values(metric, generated, driving) -> dict:
    return dict(metric.clip_values(metric.describe(toy.case(generated, driving, POINTS))))


def test_jitter_equals_the_reference(smile):
    frames = smile[:4]
    canvas = prepare_canvas(frames[0], POINTS)
    fields = np.stack([s.flow for s in stabilised_flow(frames, canvas)])[:, ::8, ::8]
    expected = slow.jitter(fields.astype(float), canvas.weight[::8, ::8])
    # The reference looks at every eighth pixel only; smooth fields hardly differ.
    assert jitter(region_motion(frames, POINTS, toy.FPS)) == pytest.approx(expected, rel=0.05)


def test_shaking_regions_raise_jitter_and_not_subtlety(metric, smile):
    shaken = toy.rise() + 0.15 * np.where(np.arange(12) % 2, 1, -1) * (np.arange(12) > 0)
    rough = toy.moving(toy.texture(), POINTS, toy.SMILE, curve=shaken)[0]
    calm, wild = values(metric, smile, smile), values(metric, rough, smile)
    assert wild["jitter"] > 4 * calm["jitter"]
    assert wild["jitter_driving"] == calm["jitter_driving"] == calm["jitter"]
    assert wild["subtlety"] == pytest.approx(calm["subtlety"], rel=0.15)


def test_independent_errors_of_each_frame_give_their_own_size():
    rng = np.random.default_rng(0)
    errors = rng.normal(0, 0.003, (400, 6, 6, 2))
    assert slow.jitter(errors, np.ones((6, 6))) == pytest.approx(0.003 * np.sqrt(2), rel=0.05)


def test_subtlety_is_the_peak_in_percent_of_the_iod(metric, smile):
    double = toy.moving(toy.texture(), POINTS, toy.SMILE, size=0.04)[0]
    got = values(metric, double, smile)
    assert 1.2 < got["subtlety_driving"] < 2.2
    assert got["subtlety_log2"] == pytest.approx(1.0, abs=0.2)
    assert got["subtlety"] == pytest.approx(2 * got["subtlety_driving"], rel=0.15)


def test_a_still_clip_has_no_jitter_and_the_largest_subtlety_error(metric, smile):
    still = smile[:1].repeat(12, axis=0)
    got = values(metric, still, smile)
    assert (got["jitter"], got["subtlety"], got["head_motion"]) == (0.0, 0.0, 0.0)
    assert got["subtlety_log2"] == 5.0
    assert isinstance(values(metric, smile, still)["subtlety_log2"], Missing)


def test_head_motion_is_reported_apart(metric, smile):
    walk = np.linspace(0, 2.0, 12)[:, None] * np.array([1.0, 0.0])
    nod = toy.moving(toy.texture(), POINTS, toy.SMILE, size=0.0, drift=walk)[0]
    got = values(metric, nod, smile)
    assert got["head_motion"] == pytest.approx(5.0, abs=0.3), "2 px of 40 px IOD"
    assert got["subtlety"] < 0.4
