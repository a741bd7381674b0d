from __future__ import annotations

import motion_warps as toy
import numpy as np
import pytest
from reference.motion_slow import motion_descriptor as slow_descriptor

from mebench.facs.regions import SITES
from mebench.metrics.base import Missing
from mebench.metrics.motion_distribution import Descriptors, MotionDistribution, motion_descriptor

POINTS = toy.landmarks()


def clips(seed: int, count: int = 8, size: float = 0.02) -> list[np.ndarray]:
    """Region vectors that rise and fall, another expression each."""
    rng = np.random.default_rng(seed)
    return [
        size * toy.rise(int(rng.integers(9, 15)))[:, None, None] * rng.normal(size=(len(SITES), 2))
        for _ in range(count)
    ]


def value(generated: list[np.ndarray], driving: list[np.ndarray]) -> dict:
    cases = [
        Descriptors(motion_descriptor(g), motion_descriptor(d), str(d.tobytes()))
        for g, d in zip(generated, driving, strict=True)
    ]
    return dict(MotionDistribution().set_values(cases))


@pytest.mark.parametrize("length", [1, 2, 5, 8, 23])
def test_descriptor_equals_the_reference(length):
    vectors = np.random.default_rng(length).normal(size=(length, len(SITES), 2))
    np.testing.assert_allclose(motion_descriptor(vectors), slow_descriptor(vectors), atol=1e-12)


def test_the_same_motions_in_any_order_are_at_0():
    driving = clips(1)
    assert value(driving, driving)["motion_frechet"] == pytest.approx(0.0, abs=1e-9)
    assert value(driving[::-1], driving)["motion_frechet"] == pytest.approx(0.0, abs=1e-9)


def test_distance_grows_with_what_is_lost():
    driving = clips(1)
    weaker = [value([s * d for d in driving], driving)["motion_frechet"] for s in (0.8, 0.5, 0.0)]
    assert 0 < weaker[0] < weaker[1] < weaker[2]
    assert value([d[::-1] for d in driving], driving)["motion_frechet"] > weaker[0]


def test_a_constant_offset_costs_its_square():
    driving = clips(1)
    moved = [d + 0.01 * np.array([1.0, 0.0]) for d in driving]
    assert value(moved, driving)["motion_frechet"] == pytest.approx(1.0, rel=1e-6)


def test_equal_driving_clips_count_once():
    generated = clips(2, count=4)
    driving = clips(1, count=2)
    twice = value(generated, [driving[0], driving[1], driving[0], driving[1]])
    assert twice["motion_frechet_clips"] == 4.0
    one = value(generated[:2], [driving[0], driving[0]])
    assert one["motion_frechet"] == Missing("needs 2 clips a side, got 2 and 1")


def test_frames_of_a_clip_give_their_descriptor_and_one_frame_gives_a_reason():
    metric = MotionDistribution()
    frames = toy.moving(toy.texture(), POINTS, toy.SMILE)[0][:6]
    one = metric.describe(toy.case(frames, frames, POINTS))
    np.testing.assert_array_equal(one.generated, one.driving)
    assert np.abs(one.generated).max() > 0.01
    short = metric.describe(toy.case(frames[:1], frames[:1], POINTS))
    found = metric.set_values([one, short])["motion_frechet"]
    assert found == Missing("1 clips: a clip is shorter than 3 frames")
