"""What the motion metrics say of answers spoilt in known ways, on one synthetic pair."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from mebench.metrics.action_units import ActionUnitConsistency
from mebench.metrics.base import Case
from mebench.metrics.motion import TrueMotion
from mebench.preprocess.motion_cache import MotionCache
from mebench.synthme.expression import Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.render import Camera, Rendering, render
from mebench.types import Face, FaceClip, Pair, Reference

SIZE = 192
VIEW = Camera(SIZE, SIZE, 0.30 * SIZE, (SIZE - 1) / 2, 0.40 * SIZE)
DRIFT = Nuisance(2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
Score = Callable[[np.ndarray], dict]


def act(text: str, amplitude: float = 0.018) -> Expression:
    return Expression.from_text(text, amplitude, seconds=0.3, fps=50.0)


def film(text: str, amplitude: float = 0.018, nuisance: Nuisance | None = None) -> Rendering:
    nuisance = Nuisance.none() if nuisance is None else nuisance
    return render(Identity.from_seed(203), act(text, amplitude), nuisance, seed=5, camera=VIEW)


@pytest.fixture(scope="module")
def right() -> Rendering:
    return film("1+2")


@pytest.fixture(scope="module")
def score(right) -> Score:
    recording = Nuisance(1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0)
    driving = render(Identity.from_seed(101), act("1+2"), recording, seed=8, camera=VIEW)
    clip = FaceClip("synthme.01.a", "synthme.01", driving.frames, driving.landmarks[0], 50.0)
    store = MotionCache()
    metrics = (ActionUnitConsistency(store=store), TrueMotion(store=store))

    def case(frames: np.ndarray) -> Case:
        face = Face(frames[0], right.landmarks[0])
        return Case(Pair("face", "clip"), frames, face, clip, Reference(right.frames, right.flow))

    def values(frames: np.ndarray) -> dict:
        one = case(frames)
        return {k: v for m in metrics for k, v in m.clip_values(m.describe(one)).items()}

    values.case = case
    return values


@pytest.fixture(scope="module")
def oracle(score, right) -> dict:
    return score(right.frames)


def grain(frames: np.ndarray, sigma: float) -> np.ndarray:
    dirt = np.random.default_rng(3).normal(0, sigma, frames.shape)
    return np.clip(np.rint(frames + dirt), 0, 255).astype(np.uint8)


def test_the_right_answer_is_good(oracle):
    assert oracle["au_consistency"] > 0.8
    assert oracle["motion_similarity"] > 0.7
    assert oracle["apex_error_share"] <= 0.15
    assert oracle["au_curve_rmse_iod"] == 0.0


def test_half_the_amplitude_keeps_consistency_and_loses_concordance(score, oracle):
    half = score(film("1+2", 0.009).frames)
    assert half["au_consistency"] > 0.8
    assert half["au_concordance"] < oracle["au_concordance"] - 0.2
    assert half["au_amplitude"] == pytest.approx(0.5 * oracle["au_amplitude"], rel=0.2)
    assert half["flow_epe_true_iod"] > 1.2 * oracle["flow_epe_true_iod"]


def test_another_expression_is_a_mismatch(score, oracle):
    other = score(film("12").frames)
    assert other["au_consistency"] < 0.44
    assert other["motion_similarity"] < 0.25
    assert other["au_concordance"] < 0.10
    assert other["flow_epe_true_iod"] > 2 * oracle["flow_epe_true_iod"]


def test_a_still_clip_scores_nothing_with_or_without_noise(score, right, oracle):
    still = right.frames[:1].repeat(len(right.frames), axis=0)
    quiet, noisy = score(still), score(grain(still, 1.0))
    assert quiet["au_consistency"] == 0.0
    assert quiet["au_still"] == 1.0
    assert noisy["au_consistency"] < 0.4
    assert noisy["au_concordance"] < 0.1
    assert noisy["motion_similarity"] < 0.25
    # How near a perfect clip can come is bounded by the flow; see docs/metrics-motion.md.
    assert oracle["flow_epe_true_px"] < 0.35 * quiet["flow_epe_true_px"]


def test_head_motion_noise_and_compression_cost_little(score, right, oracle):
    moved = score(film("1+2", nuisance=DRIFT).frames)
    assert moved["au_consistency"] > oracle["au_consistency"] - 0.15
    noisy = score(grain(right.frames, 3.0))
    assert noisy["au_consistency"] > oracle["au_consistency"] - 0.15
    codes = [cv2.imencode(".jpg", f[..., ::-1], [1, 60])[1] for f in right.frames]
    packed = np.stack([cv2.imdecode(c, cv2.IMREAD_COLOR)[..., ::-1] for c in codes])
    assert score(packed)["au_consistency"] > oracle["au_consistency"] - 0.15


def test_time_matters(score, right, oracle):
    n = len(right.frames)
    late = np.concatenate([right.frames[:1].repeat(n // 4, axis=0), right.frames[: n - n // 4]])
    delayed = score(late)
    assert delayed["au_consistency"] < oracle["au_consistency"] - 0.3
    assert delayed["apex_error_ms"] > oracle["apex_error_ms"]


def test_the_fast_flow_says_the_same_in_its_own_columns(score, right, oracle):
    store = MotionCache(flow="dis")
    metric = ActionUnitConsistency(store=store)

    def fast(frames: np.ndarray) -> dict:
        return dict(metric.clip_values(metric.describe(score.case(frames))))

    good, other = fast(right.frames), fast(film("12").frames)
    assert not set(good) & set(oracle)
    assert good["au_consistency~dis"] == pytest.approx(oracle["au_consistency"], abs=0.1)
    assert good["au_amplitude~dis"] == pytest.approx(oracle["au_amplitude"], rel=0.3)
    assert other["au_consistency~dis"] < 0.44
