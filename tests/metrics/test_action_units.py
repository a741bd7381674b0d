from __future__ import annotations

import dataclasses

import motion_warps as toy
import numpy as np
import pytest
from reference import motion_slow as slow

from mebench.errors import SubmissionError
from mebench.facs.regions import (
    CURVE_NAMES,
    EYE_CURVES,
    EYE_SITES,
    MIRROR,
    SITES,
    motion_templates,
)
from mebench.metrics.action_units import (
    ActionUnitConsistency,
    Agreement,
    active_units,
    amplitude,
    apex_shift,
    au_curves,
    au_f1,
    concordance,
    consistency,
    eye_weight,
    leak,
    similarity,
)
from mebench.metrics.base import Missing
from mebench.preprocess.canonical import IOD, prepare_canvas
from mebench.preprocess.flow import stabilised_flow
from mebench.preprocess.motion_cache import MotionCache, shared_cache
from mebench.preprocess.region_motion import region_motion, smooth
from mebench.types import ActionUnit

POINTS = toy.landmarks()
FACE = toy.texture()


@pytest.fixture(scope="session")
def store() -> MotionCache:
    return shared_cache()


@pytest.fixture(scope="session")
def metric(store: MotionCache) -> ActionUnitConsistency:
    return ActionUnitConsistency(store=store)


@pytest.fixture(scope="session")
def smile() -> np.ndarray:
    return toy.moving(FACE, POINTS, toy.SMILE)[0]


@pytest.fixture(scope="session")
def driving() -> np.ndarray:
    return toy.moving(FACE, POINTS, toy.SMILE, noise=1.0, seed=9)[0]


def values(metric, generated, driving, **more) -> dict:
    return dict(metric.clip_values(metric.describe(toy.case(generated, driving, POINTS, **more))))


def random_vectors(seed: int, frames: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0, 0.004, (frames, len(SITES), 2)), axis=0)


# --- against the slow forms


def test_region_means_equal_the_pixel_by_pixel_reference(smile):
    canvas = prepare_canvas(smile[0], POINTS)
    step = list(stabilised_flow(smile[:4], canvas))[3]
    motion = region_motion(smile[:4], POINTS, toy.FPS)
    local = canvas.landmarks - np.array(canvas.origin)
    assert np.abs(motion.raw[3]).max() > 0.001
    for site in [("corner", "R"), ("corner", "L"), ("glab", "L"), ("cheek", "R"), ("tip", "C")]:
        expected = slow.region_mean(
            step.flow.astype(float), canvas.confidence.astype(float), local, site, IOD
        )
        # The fast form keeps the flow and the weights in single precision.
        assert motion.raw[3, SITES.index(site)] == pytest.approx(expected, abs=1e-7)


def test_the_region_table_is_the_one_of_the_reference():
    from mebench.facs.regions import site_discs

    discs = site_discs(POINTS, 40.0)
    assert set(SITES) == set(slow.REGIONS)
    for site, (x, y, radius) in zip(SITES, discs, strict=True):
        anchors, shift, expected = slow.REGIONS[site]
        centre = POINTS[anchors].astype(float).mean(axis=0) + 40.0 * np.array(shift)
        assert (x, y) == pytest.approx(tuple(centre), abs=1e-9)
        assert radius == pytest.approx(40.0 * expected, abs=1e-9)


def test_curves_equal_the_reference():
    vectors = random_vectors(1)
    curves = au_curves(vectors)
    for t, frame in enumerate(vectors):
        by_site = {site: tuple(v) for site, v in zip(SITES, frame, strict=True)}
        expected = [slow.au_curve(by_site, name) for name in CURVE_NAMES]
        np.testing.assert_allclose(curves[t], expected, atol=1e-9)


@pytest.mark.parametrize("seed", [2, 3])
def test_agreement_equals_the_reference(seed):
    a, b = random_vectors(seed), random_vectors(seed + 10) + random_vectors(seed)
    w = eye_weight(a)
    curves = au_curves(a), au_curves(b)
    lists = [c.T.tolist() for c in curves]
    weights = np.where(EYE_CURVES, w, 1.0).tolist()
    headline, lin = consistency(*curves, w)
    assert headline == pytest.approx(
        slow.weighted_agreement(*lists, weights, slow.pearson), abs=1e-9
    )
    assert lin == pytest.approx(slow.weighted_agreement(*lists, weights, slow.lin), abs=1e-9)
    sites = np.where(EYE_SITES, w, 1.0)
    got = similarity(a * sites[:, None], b * sites[:, None])
    assert got == pytest.approx(slow.cosine(a.tolist(), b.tolist(), sites.tolist()), abs=1e-9)


def test_smoothing_equals_the_reference():
    line = np.random.default_rng(4).normal(size=17)
    np.testing.assert_allclose(smooth(line), slow.smooth_in_time(line.tolist()), atol=1e-9)


# --- definitions by hand


def test_eye_weight_caps_a_blink_at_the_energy_of_the_rest():
    vectors = np.zeros((5, len(SITES), 2))
    vectors[2, SITES.index(("corner", "L")), 1] = 0.01
    assert eye_weight(vectors) == 1.0
    vectors[2, SITES.index(("lid_up", "L")), 1] = 0.04
    assert eye_weight(vectors) == pytest.approx(0.25)


def test_amplitude_apex_and_leak_by_hand():
    curve = np.zeros((11, len(CURVE_NAMES)))
    smile = CURVE_NAMES.index("12L")
    curve[:, smile] = np.r_[np.arange(6), np.arange(4, -1, -1)] * 0.004
    assert amplitude(curve, 3 * curve) == pytest.approx(3.0)
    assert apex_shift(curve, np.roll(curve, 2, axis=0)) == 2
    other = curve.copy()
    other[:, CURVE_NAMES.index("1R")] = curve[:, smile]
    assert leak(curve, curve) == 0.0
    assert leak(curve, other) == pytest.approx(0.5)
    assert leak(other, curve) == 0.0


def test_concordance_feels_size_and_offset_where_pearson_does_not():
    x = random_vectors(5)[:, :3, 0]
    assert concordance(x, x) == pytest.approx(np.ones(3))
    assert (concordance(x, 0.5 * x) < 0.9).all()
    assert (concordance(x, x + 0.05) < 0.9).all()


@pytest.mark.parametrize("au", [1, 2, 4, 6, 9, 15, 17, 26])
def test_a_pure_action_unit_is_found_again(au):
    rows = [k for k, name in enumerate(CURVE_NAMES) if name.rstrip("LR") == str(au)]
    vectors = 0.02 * toy.rise()[:, None, None] * motion_templates()[rows].sum(axis=0)
    assert au in active_units(vectors)


def test_f1_counts_certain_labels_only():
    labels = (ActionUnit(12), ActionUnit(6), ActionUnit(4, uncertain=True), ActionUnit(38))
    assert au_f1(frozenset({6, 12}), labels) == 1.0
    assert au_f1(frozenset({6, 12, 4}), labels) == 1.0
    assert au_f1(frozenset({12}), labels) == pytest.approx(2 / 3)
    assert au_f1(frozenset({1}), labels) == 0.0
    assert isinstance(au_f1(frozenset({1}), (ActionUnit(38),)), Missing)


# --- clips


def test_the_same_clip_agrees_wholly_with_itself(metric, driving):
    got = values(metric, driving, driving)
    for key in ("au_consistency", "au_concordance", "motion_similarity", "au_amplitude"):
        assert got[key] == pytest.approx(1.0, abs=1e-9)
    for key in ("au_amplitude_log2", "apex_error_ms", "apex_error_share", "au_leak", "au_still"):
        assert got[key] == pytest.approx(0.0, abs=1e-9)


def test_good_beats_half_beats_another_expression_beats_nothing(metric, smile, driving):
    good = values(metric, smile, driving)
    half = values(metric, toy.moving(FACE, POINTS, toy.SMILE, size=0.01)[0], driving)
    other = values(metric, toy.moving(FACE, POINTS, toy.BROWS)[0], driving)
    frown = values(metric, toy.moving(FACE, POINTS, toy.FROWN)[0], driving)
    assert good["au_consistency"] > 0.95
    assert half["au_consistency"] > 0.9
    assert good["au_concordance"] > half["au_concordance"] + 0.2
    assert half["au_amplitude"] == pytest.approx(0.5, abs=0.1)
    assert half["au_amplitude_log2"] == pytest.approx(1.0, abs=0.3)
    assert other["au_consistency"] < 0.44
    assert other["motion_similarity"] < 0.25
    assert other["au_leak"] > good["au_leak"] + 0.3
    assert frown["au_consistency"] < -0.5
    assert frown["motion_similarity"] < other["motion_similarity"]


def test_order_of_frames_matters(metric, smile, driving):
    early = toy.rise(peak=0.25)
    quick = toy.moving(FACE, POINTS, toy.SMILE, curve=early)[0]
    assert values(metric, quick[::-1].copy(), quick)["au_consistency"] < 0.6
    late = np.concatenate([smile[:1].repeat(3, axis=0), smile[:-3]])
    shifted = values(metric, late, driving)
    assert shifted["apex_error_ms"] == pytest.approx(30.0, abs=10.0)
    assert shifted["apex_error_share"] == pytest.approx(3 / 11, abs=0.1)
    assert shifted["au_consistency"] < values(metric, smile, driving)["au_consistency"] - 0.1


def test_a_still_clip_scores_nothing_and_says_so(metric, smile, driving):
    still = smile[:1].repeat(len(smile), axis=0)
    got = values(metric, still, driving, labels=(ActionUnit(12),))
    zero = ("au_consistency", "au_concordance", "motion_similarity", "au_amplitude", "au_leak")
    assert [got[k] for k in (*zero, "au_f1")] == [0.0] * 6
    assert got["au_still"] == 1.0
    assert got["au_amplitude_log2"] == 5.0
    assert got["apex_error_ms"] >= 30.0, "a clip that never moves must not have the best apex"


def test_a_driving_clip_too_weak_to_follow_is_not_scored(metric, smile):
    weak = toy.moving(FACE, POINTS, toy.SMILE, size=0.004)[0]
    got = values(metric, smile, weak)
    assert all(isinstance(v, Missing) and "too weak" in v.reason for v in got.values())


def test_head_motion_is_not_an_expression(metric, driving):
    walk = np.cumsum(np.random.default_rng(6).normal(0, 0.3, (12, 2)), axis=0)
    walk -= walk[0]
    moved = toy.moving(FACE, POINTS, toy.SMILE, drift=walk)[0]
    assert np.abs(walk).max() > 0.8, "more than the expression itself"
    assert values(metric, moved, driving)["au_consistency"] > 0.9
    nodding = toy.moving(FACE, POINTS, toy.SMILE, size=0.0, drift=walk)[0]
    assert region_motion(nodding, POINTS, toy.FPS).vectors.max() < 0.005


def test_mirroring_both_clips_changes_nothing_and_one_of_them_does(metric):
    one_sided = toy.moving(FACE, POINTS, toy.RIGHT_SMILE)[0]
    mirrored = one_sided[:, :, ::-1].copy()
    mirrored_points = POINTS[list(MIRROR)] * [-1, 1] + np.array([127, 0])
    mirrored_points = mirrored_points.astype(np.float32)
    case = toy.case(one_sided, one_sided, POINTS)
    both = dataclasses.replace(
        case,
        generated=mirrored,
        template=dataclasses.replace(case.template, landmarks=mirrored_points),
    )
    across = metric.clip_values(metric.describe(both))
    assert across["au_consistency"] < 0.5
    swapped = region_motion(mirrored, mirrored_points, toy.FPS)
    plain = region_motion(one_sided, POINTS, toy.FPS)
    left, right = SITES.index(("corner", "L")), SITES.index(("corner", "R"))
    np.testing.assert_allclose(swapped.vectors[:, left], plain.vectors[:, right], atol=6e-4)


def test_driving_at_another_size_and_place_gives_the_same_curves(metric, smile):
    points = toy.landmarks(64.0, (100.0, 80.0))
    big = toy.moving(toy.texture(200, seed=3), points, toy.SMILE)[0]
    case = toy.case(smile, big, POINTS, driving_points=points)
    got = metric.clip_values(metric.describe(case))
    assert got["au_consistency"] > 0.95
    assert got["au_amplitude"] == pytest.approx(1.0, abs=0.1)


def test_lengths_may_differ_by_two_frames_only(metric, smile, driving):
    got = values(metric, smile[:-2], driving)
    assert got["au_consistency"] > 0.95
    with pytest.raises(SubmissionError, match=r"face/clip: expected 12 frames .* got 9"):
        values(metric, smile[:-3], driving)


def test_curves_are_named_and_in_percent_of_the_iod(metric, driving):
    curves = metric.curves(metric.describe(toy.case(driving, driving, POINTS)))
    assert set(curves) == {f"{w}/{n}" for w in ("driving", "generated") for n in CURVE_NAMES}
    assert 1.2 < curves["driving/12L"].max() < 2.2, "a 2 % IOD smile, averaged over a disc"
    assert abs(curves["driving/1L"]).max() < 0.2


# --- the cache


def test_cache_on_disk_returns_the_same_motion_without_analysing(tmp_path, smile, monkeypatch):
    frames = smile[:5]
    fresh = MotionCache(tmp_path).motion(frames, POINTS, toy.FPS)
    import mebench.preprocess.motion_cache as module

    def never(*args, **kwargs):
        raise AssertionError("analysed again")

    monkeypatch.setattr(module, "region_motion", never)
    again = MotionCache(tmp_path).motion(frames, POINTS, toy.FPS)
    for field in ("vectors", "raw", "rigid", "roughness"):
        np.testing.assert_array_equal(getattr(fresh, field), getattr(again, field))
    changed = frames.copy()
    changed[4, 0, 0, 0] ^= 1
    with pytest.raises(AssertionError, match="analysed again"):
        MotionCache(tmp_path).motion(changed, POINTS, toy.FPS)
    with pytest.raises(AssertionError, match="analysed again"):
        MotionCache(tmp_path, flow="dis").motion(frames, POINTS, toy.FPS)


def test_a_damaged_cache_entry_is_mended(tmp_path, smile):
    fresh = MotionCache(tmp_path).motion(smile[:4], POINTS, toy.FPS)
    (entry,) = tmp_path.rglob("*.npz")
    entry.write_bytes(entry.read_bytes()[:100])
    again = MotionCache(tmp_path).motion(smile[:4], POINTS, toy.FPS)
    np.testing.assert_array_equal(fresh.vectors, again.vectors)
    assert len(entry.read_bytes()) > 1000


@pytest.mark.parametrize("flow", ["farneback", "dis"])
def test_thread_count_changes_nothing(smile, flow):
    import cv2

    before = cv2.getNumThreads()
    try:
        results = []
        for threads in (1, 3):
            cv2.setNumThreads(threads)
            results.append(region_motion(smile[:3], POINTS, toy.FPS, flow=flow).raw)
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(*results)


def test_still_and_weak_are_flags_of_the_description():
    quiet = np.zeros((5, len(SITES), 2))
    loud = quiet.copy()
    loud[2, SITES.index(("corner", "L"))] = 0.02
    assert Agreement(quiet, loud, 100.0).still
    assert not Agreement(quiet, loud, 100.0).weak
    assert Agreement(loud, quiet, 100.0).weak
    assert not Agreement(loud, quiet, 100.0).still
