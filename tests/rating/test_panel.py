"""What the report says of raters whose bias, noise and care are known."""

from __future__ import annotations

import numpy as np
import pytest

from mebench.rating import careless
from mebench.rating.panel import biases, leave_one_out, rate_raters, real_auc
from mebench.rating.unblind import unblind
from tests.rating.simulated import Truth, by_hand, simulate

QUALITY = {"a": 3.6, "b": 3.3, "c": 2.9, "d": 2.5}
BIAS = {"R1": 0.4, "R2": -0.5, "R3": 0.0, "R4": 0.1}
SEEDS = range(30)


def panel_of(truth, seed):
    return unblind(*simulate(truth, seed))


def flagged(truth, seed):
    return {r.id for r in rate_raters(panel_of(truth, seed), resamples=100) if r.flags}


def test_a_careless_rater_among_good_ones_is_flagged_and_the_good_ones_are_not():
    truth = Truth(QUALITY, BIAS, careless=("R3",))
    found = [flagged(truth, seed) for seed in SEEDS]
    assert sum("R3" in names for names in found) >= 0.9 * len(SEEDS)
    assert sum(len(names - {"R3"}) for names in found) <= 1


def test_bias_and_noise_alone_flag_nobody():
    bias = {"R1": 0.9, "R2": -0.9, "R3": 0.0, "R4": 0.2}
    noise = {"R1": 0.3, "R2": 0.9, "R3": 0.6, "R4": 0.6}
    found = [flagged(Truth(QUALITY, bias, noise), seed) for seed in SEEDS]
    assert sum(len(names) for names in found) <= 2


def test_the_bias_of_a_rater_lies_in_its_interval_as_often_as_it_says():
    truth = Truth(QUALITY, {**BIAS, "R5": -0.2}, clip_spread=0.3)
    known = np.array(list(truth.bias.values()))
    known -= known.mean()
    inside = []
    for seed in range(60):
        panel = panel_of(truth, seed)
        _, ends = biases(panel.entries("overall"), panel.subjects, resamples=500)
        inside += [low <= bias <= high for bias, (low, high) in zip(known, ends, strict=True)]
    assert 0.90 <= np.mean(inside) <= 0.98


def test_bias_is_against_the_panel_on_shared_clips_only():
    # R3 saw the bad clips alone; that makes nobody severe.
    key, ratings = by_hand(
        {
            "R1": {"m": [5, 5, 2, 2], "n": [4, 4, 1, 1]},
            "R2": {"m": [4, 4, 1, 1], "n": [3, 3, 1, 1]},
            "R3": {"m": [None, None, 2, 2], "n": [None, None, 1, 1]},
        }
    )
    found = {r.id: r for r in rate_raters(unblind(key, ratings))}
    assert found["R3"].mean == pytest.approx(1.5)
    assert found["R3"].bias == pytest.approx(found["R1"].bias, abs=0.15)
    assert sum(r.bias for r in found.values()) == pytest.approx(0, abs=1e-9)


def test_bias_of_a_full_panel_is_the_distance_from_its_mean():
    key, ratings = by_hand({"R1": {"m": [4, 3, 5]}, "R2": {"m": [2, 1, 3]}, "R3": {"m": [3, 2, 4]}})
    found = rate_raters(unblind(key, ratings))
    assert [r.bias for r in found] == pytest.approx([1, -1, 0])
    assert found[0].bias_interval == pytest.approx((1, 1))


def test_one_mark_for_everything_is_flagged_and_so_is_a_row_of_equal_marks():
    good = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4]
    tired = [*good[:12], *[3] * 12]
    key, ratings = by_hand(
        {"R1": {"m": good}, "R2": {"m": good}, "R3": {"m": [3] * 24}, "R4": {"m": tired}}
    )
    found = {r.id: r for r in rate_raters(unblind(key, ratings))}
    assert found["R3"].flags == ("mark 3 for 100% of the clips",)
    assert found["R4"].flags == ("12 equal marks one after another",)
    assert not found["R1"].flags
    assert found["R3"].consensus is None


def test_a_rater_without_time_to_look_is_flagged():
    good = {"m": [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2]}
    key, ratings = by_hand(
        {"R1": good, "R2": good, "R3": good}, seconds={"R1": 30, "R2": 25, "R3": 4}
    )
    found = {r.id: r for r in rate_raters(unblind(key, ratings))}
    assert found["R3"].flags == ("median time 4.0 s a clip, the others' is 27.5 s",)
    assert not found["R1"].flags
    assert careless.hasty(1.5, None) == "median time 1.5 s a clip"
    assert careless.hasty(None, 30.0) == ""


def test_where_nobody_agrees_nobody_is_flagged():
    truth = Truth(QUALITY, BIAS, careless=tuple(BIAS))
    assert [flagged(truth, seed) for seed in range(5)] == [set()] * 5


def test_the_worse_of_two_is_told_by_the_own_repeats():
    truth = Truth(QUALITY, {"R1": 0.0, "R2": 0.0}, careless=("R2",), repeats=15)
    found = [flagged(truth, seed) for seed in range(10)]
    assert sum(names == {"R2"} for names in found) >= 8


def test_repeats_and_real_clips_by_hand():
    again = {"R1": [("m", 0, 4), ("m", 1, 3), ("m", 2, 1), ("m", 3, 2)]}
    key, ratings = by_hand({"R1": {"m": [4, 2, 4, 2]}}, again=again, reals={"R1": [5, 4, 1]})
    found = rate_raters(unblind(key, ratings))[0]
    assert (found.repeats, found.exact, found.within_one, found.gap) == (4, 0.5, 0.75, 1.0)
    # 5 beats all four; 4 beats two and ties with two; 1 beats none.
    assert found.real_auc == pytest.approx((4 + 2 + 1) / 12)
    assert found.bias is None
    assert real_auc(np.array([]), np.array([3.0])) is None


def test_a_rater_who_marks_real_clips_low_is_remarked_not_flagged():
    good = {"m": [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2]}
    key, ratings = by_hand({"R1": good, "R2": good}, reals={"R1": [1, 1, 1], "R2": [5, 5, 5]})
    first, second = rate_raters(unblind(key, ratings))
    assert "marks planted real clips no higher than entries" in first.remarks[0]
    assert not second.remarks


def test_a_ranking_that_hangs_on_one_rater_is_told():
    key, ratings = by_hand(
        {
            "R1": {"m": [3, 3], "n": [2, 2], "o": [1, 1]},
            "R2": {"m": [3, 3], "n": [2, 2], "o": [1, 1]},
            "R3": {"m": [1, 1], "n": [5, 5], "o": [1, 1]},
        }
    )
    found = {one.rater: one for one in leave_one_out(unblind(key, ratings))}
    # All give n 3.0 and m 2.3; without R3 m leads.
    assert found["R3"].changed
    assert found["R3"].winner == "m"
    assert found["R3"].tau == pytest.approx(1 / 3)
    assert not found["R1"].changed
    assert found["R1"].winner == "n"
    two = by_hand({"R1": {"m": [3]}, "R2": {"m": [3]}})
    assert leave_one_out(unblind(*two)) == []


def test_the_same_panel_gives_the_same_numbers():
    truth = Truth(QUALITY, BIAS, careless=("R3",), missing=0.1)
    once, again = (rate_raters(panel_of(truth, 3), resamples=200) for _ in range(2))
    assert once == again
