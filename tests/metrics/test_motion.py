from __future__ import annotations

import motion_warps as toy
import numpy as np
import pytest
from reference import motion_slow as slow

from mebench.errors import SubmissionError
from mebench.metrics.base import Missing
from mebench.metrics.motion import TrueMotion, end_point_error, moving_pixels, remove_head
from mebench.types import Reference

POINTS = toy.landmarks()


@pytest.fixture(scope="module")
def metric() -> TrueMotion:
    return TrueMotion()


@pytest.fixture(scope="module")
def truth() -> Reference:
    frames, flow = toy.moving(toy.texture(), POINTS, toy.SMILE)
    return Reference(frames, flow)


def described(metric, generated, reference):
    return metric.describe(toy.case(generated, reference.frames, POINTS, reference))


def test_equals_the_reference():
    rng = np.random.default_rng(0)
    measured, truth = rng.normal(size=(2, 4, 30, 2))
    mean, still, frames = end_point_error(measured, truth, moving_pixels(truth))
    assert mean == pytest.approx(slow.end_point_error(measured, truth), abs=1e-9)
    assert still == pytest.approx(slow.end_point_error(0 * measured, truth), abs=1e-9)
    assert len(frames) == 4


def test_a_still_copy_scores_exactly_the_mean_true_displacement(metric, truth):
    still = truth.frames[:1].repeat(len(truth.frames), axis=0)
    got = described(metric, still, truth)
    assert got.epe_px == got.true_px
    assert 0.15 < got.epe_px < 0.5, "a .8 px smile"
    percent = metric.clip_values(got)["flow_epe_true_iod"]
    assert percent == pytest.approx(100 * got.epe_px / 40.0, rel=0.01)


def test_the_oracle_is_far_below_a_still_copy(metric, truth):
    got = described(metric, truth.frames, truth)
    assert got.epe_px < 0.25 * got.true_px
    assert metric.clip_values(got)["au_curve_rmse_iod"] == 0.0


def test_against_reference_frames_the_oracle_scores_0_and_a_still_copy_their_motion(
    metric, truth, tmp_path
):
    stored = type(metric)(cache=tmp_path)
    still = truth.frames[:1].repeat(len(truth.frames), axis=0)
    for one in (metric, stored, stored):
        assert described(one, truth.frames, truth).seen_epe_px == pytest.approx(0.0, abs=1e-6)
        got = described(one, still, truth)
        assert got.seen_epe_px == got.seen_px
        assert got.seen_px == pytest.approx(got.true_px, rel=0.3)


def test_a_kept_answer_is_not_analysed_again(truth, tmp_path, monkeypatch):
    import mebench.preprocess.motion_cache as module

    frames = truth.frames[:5]
    case = toy.case(frames, frames, POINTS, Reference(frames))
    first = TrueMotion(cache=tmp_path).describe(case)

    def never(*args, **kwargs):
        raise AssertionError("analysed again")

    monkeypatch.setattr(module, "dense_motion", never)
    monkeypatch.setattr(module, "region_motion", never)
    again = TrueMotion(store=module.MotionCache(tmp_path)).describe(case)
    assert again.seen_px == first.seen_px > 0
    assert again.seen_epe_px == 0.0


def test_wrong_amounts_and_wrong_expressions_are_ordered(metric, truth):
    face = toy.texture()
    half = described(metric, toy.moving(face, POINTS, toy.SMILE, size=0.01)[0], truth)
    frown = described(metric, toy.moving(face, POINTS, toy.FROWN)[0], truth)
    best = described(metric, truth.frames, truth)
    assert best.epe_px < half.epe_px < half.true_px < frown.epe_px
    assert half.epe_px == pytest.approx(0.5 * half.true_px, rel=0.2)
    assert best.curve_rmse < half.curve_rmse < frown.curve_rmse


def test_head_motion_of_either_side_costs_little(metric, truth):
    walk = np.linspace(0, 1.5, 12)[:, None] * np.array([1.0, -0.5])
    frames, flow = toy.moving(toy.texture(), POINTS, toy.SMILE, drift=walk)
    moved = described(metric, frames, truth)
    assert moved.epe_px < 0.35 * moved.true_px
    both = described(metric, frames, Reference(frames, flow))
    assert both.true_px == pytest.approx(moved.true_px, rel=0.05)
    assert both.epe_px < 0.35 * both.true_px


def test_true_head_motion_is_taken_out_exactly_where_nothing_else_moves():
    pixels = np.random.default_rng(1).uniform(0, 100, (200, 2))
    turn = np.array([[0.0, -0.01], [0.01, 0.0]])
    flow = np.stack([np.zeros((200, 2)), pixels @ turn.T + [2.0, 1.0]])
    flow[1, :20] += [1.0, 0.0]
    rest = remove_head(flow, pixels, np.ones(200), 40.0)
    assert not rest[0].any()
    np.testing.assert_allclose(rest[1, 20:], 0.0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rest[1, :20], axis=1), 1.0, rtol=1e-3)


def test_without_truth_the_values_are_missing_with_a_reason(metric, truth):
    frames = truth.frames
    nothing = metric.clip_values(metric.describe(toy.case(frames, frames, POINTS)))
    assert {type(v) for v in nothing.values()} == {Missing}
    only_frames = metric.clip_values(described(metric, frames, Reference(frames)))
    assert only_frames["au_curve_rmse_iod"] == 0.0
    assert only_frames["flow_epe_px"] == pytest.approx(0.0, abs=1e-6)
    assert "true flow" in only_frames["flow_epe_true_px"].reason


def test_a_clip_of_another_length_is_refused(metric, truth):
    with pytest.raises(SubmissionError, match="expected 12 frames"):
        described(metric, truth.frames[:8], truth)
