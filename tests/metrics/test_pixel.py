from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from appearance_cases import case, drifting, picture
from reference.appearance import psnr_loops, ssim_loops
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from mebench.metrics.base import Missing
from mebench.metrics.pixel import PSNR_CAP_DB, Pixel, psnr_db, ssim


def values_of(one):
    metric = Pixel()
    return metric.clip_values(metric.describe(one))


def test_ssim_agrees_with_windows_written_out():
    a, b = picture(1, 20), picture(2, 20)
    assert ssim(a, b) == pytest.approx(ssim_loops(a, b), abs=1e-6)


def test_ssim_agrees_with_scikit_image():
    a, b = picture(1, 96), picture(2, 96)
    theirs = structural_similarity(
        a,
        b,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(a, b) == pytest.approx(theirs, abs=1e-6)


def test_ssim_is_one_for_itself_and_symmetric():
    a, b = picture(1), picture(2)
    assert ssim(a, a) == pytest.approx(1.0, abs=1e-12)
    assert ssim(a, b) == pytest.approx(ssim(b, a), abs=1e-12)
    assert ssim(a, b) < 0.9


def test_psnr_agrees_with_loops():
    a, b = drifting(picture(1, 16), 3), drifting(picture(2, 16), 3)
    assert psnr_db(a, b) == pytest.approx(psnr_loops(a, b), abs=1e-9)


def test_psnr_is_capped_for_equal_frames_and_nothing_reaches_beyond():
    frames = np.repeat(picture(1, 256)[None], 3, axis=0)
    nearly = frames.copy()
    nearly[1, 0, 0, 0] ^= 1
    assert psnr_db(frames, frames) == PSNR_CAP_DB
    assert psnr_db(frames, nearly) <= PSNR_CAP_DB


def test_one_equal_frame_does_not_hide_the_others():
    right = drifting(picture(1), 4)
    still = np.repeat(right[:1], 4, axis=0)
    worse = still.copy()
    worse[1:] = 255 - worse[1:]
    assert psnr_db(worse, right) < psnr_db(still, right) < 40


def test_the_right_answer_wins_and_the_order_of_frames_matters():
    template = picture(3)
    right = drifting(template, 5, step=2)
    best = values_of(case(right, template, reference=right))
    still = values_of(case(np.repeat(template[None], 5, 0), template, reference=right))
    backward = values_of(case(right[::-1].copy(), template, reference=right))
    assert best["psnr_db"] == PSNR_CAP_DB
    assert best["ssim"] == pytest.approx(1.0)
    for key in ("psnr_db", "ssim"):
        assert still[key] < best[key]
        assert backward[key] < best[key]


def test_onset_fidelity_sees_a_foreign_first_frame_only():
    template, other = picture(3), picture(4)
    late = np.stack([template, other, other])
    early = np.stack([other, template, template])
    assert values_of(case(late, template))["onset_fidelity"] == pytest.approx(1.0)
    assert values_of(case(early, template))["onset_fidelity"] < 0.9


def test_without_reference_the_reason_is_given():
    found = values_of(case(drifting(picture(3), 3), picture(3)))
    assert found["psnr_db"] == found["ssim"] == Missing("the protocol has no reference frames")
    assert 0 < found["ssim_template"] < 1


def test_two_frames_more_than_the_reference_are_left_out():
    template = picture(3)
    right = drifting(template, 5)
    longer = np.concatenate([right, 255 - right[:2]])
    assert values_of(case(longer, template, reference=right))["psnr_db"] == PSNR_CAP_DB


def test_psnr_agrees_with_scikit_image():
    a, b = drifting(picture(1, 32), 3), drifting(picture(2, 32), 3)
    theirs = peak_signal_noise_ratio(a, b, data_range=255)
    assert psnr_db(a, b) == pytest.approx(theirs, abs=1e-6)


def test_the_apex_has_values_of_its_own():
    template = picture(3)
    right = drifting(template, 5, step=2)
    spoilt = right.copy()
    spoilt[2] = 255 - spoilt[2]  # the apex of the toy case
    metric = Pixel()
    described = metric.describe(case(spoilt, template, reference=right))
    values = metric.clip_values(described)
    assert values["psnr_apex_db"] < 10 < values["psnr_db"]
    assert values["ssim_apex"] < 0 < values["ssim"]
    curves = metric.curves(described)
    assert curves["frames/psnr_db"].argmin() == curves["frames/ssim"].argmin() == 2
    assert values["ssim"] == pytest.approx(curves["frames/ssim"].mean())


def test_without_a_known_apex_the_reason_is_given():
    one = case(drifting(picture(3), 5), picture(3), reference=drifting(picture(3), 5))
    unknown = dataclasses.replace(one, driving=dataclasses.replace(one.driving, apex_index=None))
    found = values_of(unknown)
    assert isinstance(found["ssim_apex"], Missing)
    assert found["ssim"] == pytest.approx(1.0)
