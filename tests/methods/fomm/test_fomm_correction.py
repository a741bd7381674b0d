"""Directions of motion that a correction knows one by one."""

import numpy as np
import pytest

from mebench.methods.fomm.config import FommConfig, PointsConfig
from mebench.methods.fomm.correction import Rehearsals, fit_correction
from mebench.methods.fomm.networks import GivenPoints, build, correction_in
from mebench.methods.fomm.points import mirror

POINTS = 44
KINDS = 3
SIGN = np.float32([-1, 1])


def seen_by_a_crooked_tracker(rng, n=300):
    """Motion of three kinds; the third looks like the first two together, and is something else."""
    fixed = np.random.default_rng(0)
    first, second = fixed.normal(0, 1, (2, 6 * POINTS))
    looks = np.stack([first, second, first + second])
    truly = np.concatenate([1.4 * looks[:2], 0.3 * looks[2:]])
    which = rng.integers(KINDS, size=n)
    size = rng.uniform(0.001, 0.01, (n, 1))
    found = looks[which] * size + rng.normal(0, 1e-4, (n, 6 * POINTS))
    return Rehearsals(found.astype(np.float32), (truly[which] * size).astype(np.float32))


def error(rows, known):
    return np.linalg.norm(rows - known.true) / np.linalg.norm(known.true)


@pytest.fixture(scope="module")
def learned():
    rehearsals = [seen_by_a_crooked_tracker(np.random.default_rng(1))]
    return {n: fit_correction(rehearsals, PointsConfig(), centres=n) for n in (0, 64)}


def test_known_directions_undo_what_no_linear_map_undoes(learned):
    unseen = seen_by_a_crooked_tracker(np.random.default_rng(2))
    before, linear, known = (
        error(rows, unseen)
        for rows in (unseen.found, learned[0](unseen.found), learned[64](unseen.found))
    )
    assert linear < before
    assert known < 0.5 * linear


def test_still_stays_still_and_twice_the_motion_is_corrected_twice_as_much(learned):
    correction = learned[64]
    assert not correction(np.zeros((2, 6 * POINTS), np.float32)).any()
    found = seen_by_a_crooked_tracker(np.random.default_rng(3), 20).found
    np.testing.assert_allclose(correction(2 * found), 2 * correction(found), rtol=0.2, atol=1e-3)


def test_far_from_all_that_is_known_the_linear_part_is_left(learned):
    correction = learned[64]
    strange = np.random.default_rng(4).normal(0, 0.01, (20, 6 * POINTS)).astype(np.float32)
    linear = strange + strange @ correction.linear
    pulled = np.linalg.norm(correction(strange) - linear) / np.linalg.norm(linear)
    known = seen_by_a_crooked_tracker(np.random.default_rng(5), 20).found
    there = known + known @ correction.linear
    assert pulled < 0.3 * np.linalg.norm(correction(known) - there) / np.linalg.norm(there)


def test_both_sides_of_a_face_are_known_alike(learned):
    partner = mirror("face-44")

    def flipped(rows):
        motion = rows[:, : 2 * POINTS].reshape(-1, POINTS, 2)[:, partner] * SIGN
        change = rows[:, 2 * POINTS :].reshape(-1, POINTS, 2, 2)[:, partner]
        change = change * (SIGN[:, None] * SIGN)
        return np.concatenate([motion.reshape(len(rows), -1), change.reshape(len(rows), -1)], 1)

    found = seen_by_a_crooked_tracker(np.random.default_rng(6), 10).found
    np.testing.assert_allclose(flipped(learned[64](found)), learned[64](flipped(found)), atol=1e-4)


def test_networks_hold_what_was_learned(learned):
    config = FommConfig.model_validate({"model": {"size": 64, "correction_centres": 64}})
    networks = build(config, 0)
    assert isinstance(networks.detector, GivenPoints)
    assert not correction_in(networks).pulls.any()
    networks.detector.learn(learned[64])
    again = build(config, 1)
    again.detector.load_state_dict(networks.detector.state_dict())
    for mine, theirs in zip(correction_in(again), learned[64], strict=True):
        np.testing.assert_array_equal(mine, theirs)
