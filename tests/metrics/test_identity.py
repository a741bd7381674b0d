from __future__ import annotations

import numpy as np
import pytest
from appearance_cases import case, face_points, picture

from mebench import weights
from mebench.metrics import identity
from mebench.metrics.base import Missing
from mebench.metrics.identity import Identity, embedding


def values_of(one):
    metric = Identity(frames=2)
    return metric.clip_values(metric.describe(one))


def test_a_copied_template_is_at_zero_and_another_picture_is_not():
    template, other = picture(1, 96), picture(2, 96)
    same = values_of(case(np.stack([template] * 3), template))
    foreign = values_of(case(np.stack([other] * 3), template))
    assert same["identity_distance"] == pytest.approx(0.0, abs=1e-6)
    assert same["identity_cosine"] == pytest.approx(1.0, abs=1e-6)
    assert foreign["identity_distance"] > 0.05
    assert foreign["identity_cosine"] < same["identity_cosine"]
    assert same["aed"] == Missing("the protocol has no reference frames")


def test_the_reference_is_compared_frame_by_frame():
    template, other = picture(1, 96), picture(2, 96)
    right = np.stack([template, other])
    assert values_of(case(right, template, reference=right))["aed"] == pytest.approx(0.0, abs=1e-6)
    assert values_of(case(right[::-1].copy(), template, reference=right))["aed"] > 0.05


def test_the_face_is_cut_out_by_the_landmarks():
    image, points = picture(1, 96), face_points(96)
    changed = image.copy()
    changed[:6, :6] = 0
    moved = points + np.float32(12)
    here = embedding(image, points)
    assert np.linalg.norm(embedding(image, moved) - here) > 0.02
    assert np.linalg.norm(embedding(changed, points) - here) < 0.02


def test_without_the_extra_the_command_is_named(monkeypatch):
    monkeypatch.setattr(weights, "is_present", lambda name: False)
    template = picture(1, 96)
    found = values_of(case(np.stack([template] * 2), template))
    assert found["identity_distance"] == Missing("needs dlib: pip install 'mebench[dlib]'")
    assert set(found) == {info.key for info in identity.Identity.infos}
    assert Identity().weights == {}


def test_embeddings_kept_on_disk_are_read_back_and_a_damaged_one_is_made_again(tmp_path):
    template, other = picture(1, 96), picture(2, 96)
    right = np.stack([template, other])
    one = case(right[::-1].copy(), template, reference=right)
    metric = Identity(frames=2, cache=tmp_path)
    fresh = metric.clip_values(metric.describe(one))
    assert fresh == values_of(one)
    stored = sorted(tmp_path.rglob("*.npy"))
    assert len(stored) == 2  # the template is the first right answer too
    again = metric.clip_values(metric.describe(one))
    stored[0].write_bytes(b"damaged")
    assert fresh == again == metric.clip_values(metric.describe(one))


def test_the_leak_says_how_far_a_face_is_on_its_way_to_the_driving_one():
    template, other = picture(1, 96), picture(2, 96)
    own = values_of(case(np.stack([template] * 3), template, driving=np.stack([other] * 3)))
    copied = values_of(case(np.stack([other] * 3), template, driving=np.stack([other] * 3)))
    assert own["identity_leak"] == pytest.approx(0.0, abs=1e-6)
    assert copied["identity_leak"] == pytest.approx(1.0, abs=1e-6)
    same = values_of(case(np.stack([other] * 3), template, driving=np.stack([template] * 3)))
    assert same["identity_leak"] == Missing("template and driving clip show one face")
