"""The fit: frame 0 of an output on its template's picture, or why it is refused."""

from __future__ import annotations

import io
import re
from dataclasses import asdict

import cv2
import numpy as np
import pytest
from PIL import Image

from mebench.preprocess.crop import to_gray
from mebench.submission.guard import Guard
from mebench.submission.work import FitOrder
from mebench.views.fit import fit, fit_from
from mebench.views.judge import BETTER, LIMIT, refusal, view_of
from tests.views.conftest import SIZE


def jpeg(frame, quality):
    held = io.BytesIO()
    Image.fromarray(frame).save(held, "JPEG", quality=quality)
    return np.asarray(Image.open(held).convert("RGB"))


FORMS = {
    "as it is": lambda frame: frame,
    "JPEG 20": lambda frame: jpeg(frame, 20),
    "palette": lambda f: np.asarray(Image.fromarray(f).quantize(64).convert("RGB")),
    "grey": to_gray,
    "gain": lambda f: np.clip(0.7 * f.astype(float) + 30, 0, 255).astype(np.uint8),
    "blurred": lambda f: cv2.GaussianBlur(f, (0, 0), 0.01 * f.shape[1]),
}
WAYS = (
    (128, 128, 0.50, 0.0, (0.0, 0.0)),
    (256, 256, 0.48, 10.0, (0.04, -0.03)),
    (256, 256, 0.25, -10.0, (-0.05, 0.02)),
    (160, 224, 0.42, 4.0, (0.0, 0.05)),
    (64, 64, 0.45, -5.0, (0.02, 0.0)),
)


@pytest.mark.parametrize("form", FORMS)
def test_a_known_view_is_found_whatever_was_done_to_the_pixels(
    form, pictures, targets, drawn, miss
):
    errors, correlations = [], []
    for name, way in zip([*pictures] * len(WAYS), WAYS, strict=False):
        frame, matrix = drawn(pictures[name], *way)
        found = fit(FORMS[form](frame), targets[name])
        errors.append(miss(found.to_picture, matrix, pictures[name]))
        correlations.append(found.correlation)
        assert not found.mirrored
    assert np.median(errors) < 0.006
    assert max(errors) < 0.02
    assert min(correlations) > 0.9


def test_plain_views_are_found_to_the_last_digit(data, pictures, targets):
    for name, picture in pictures.items():
        found = fit(data.templates[name].image, targets[name])
        assert (found.found, found.seen) == ("aligned", 1.0)
        assert np.array_equal(found.to_picture, picture.to_source)
        half = cv2.resize(picture.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        own = fit(half, targets[name])
        assert own.found == "template"
        np.testing.assert_allclose(own.to_picture, [[2, 0, 0.5], [0, 2, 0.5]], atol=1e-9)


def judged(frame, name, targets):
    found = fit(frame, targets[name])
    view = view_of(found, frame.shape[:2])
    others = {other: fit(frame, target).correlation for other, target in targets.items()}
    best = max(others, key=others.get)
    better = best != name and others[best] > found.correlation + BETTER
    return refusal(found, view, name, (best, others[best]) if better else None)


@pytest.mark.long
def test_a_swapped_template_is_named(pictures, targets, drawn):
    names = list(pictures)
    for name, other in zip(names, names[1:] + names[:1], strict=True):
        frame, _ = drawn(pictures[other], 192, 192, 0.45, 3.0)
        assert judged(frame, other, targets) == ""
        line = judged(frame, name, targets)
        assert f"'{name}'" in line
        assert f"'{other}'" in line


@pytest.mark.parametrize("share", [0.30, 0.45])
def test_a_mirrored_output_is_told(share, pictures, targets, drawn):
    for name, picture in pictures.items():
        frame, _ = drawn(picture, SIZE, SIZE, share)
        flipped = np.ascontiguousarray(frame[:, ::-1])
        assert "mirrored" in judged(flipped, name, targets)
        assert judged(frame, name, targets) == ""


def test_upside_down_black_noise_and_half_a_face_are_refused(pictures, targets, drawn):
    name, picture = next(iter(pictures.items()))
    frame, _ = drawn(picture, 192, 192, 0.45)
    line = judged(np.rot90(frame, 2).copy(), name, targets)
    assert re.search("turned by -?1[78]\d degrees", line), line
    assert "black" in judged(np.zeros_like(frame), name, targets)
    noise = np.random.default_rng(0).integers(0, 256, frame.shape, dtype=np.uint8)
    assert f"does not show '{name}'" in judged(noise, name, targets)
    corner, _ = drawn(picture, 192, 192, 1.2, shift=(0.6, 0.5))
    assert judged(corner, name, targets)


def test_the_child_finds_the_same_and_a_wrong_answer_is_refused(pictures, targets, drawn):
    name, picture = next(iter(pictures.items()))
    frame, _ = drawn(picture, 192, 160, 0.45, 3.0)
    guard = Guard()
    try:
        theirs = guard.fit(FitOrder("mine", "a/b", frame, targets[name]))
    finally:
        guard.close()
    ours = fit(frame, targets[name])
    np.testing.assert_allclose(theirs.to_picture, ours.to_picture, rtol=1e-9)
    assert (theirs.found, theirs.mirrored) == (ours.found, ours.mirrored)
    plain = {**asdict(ours), "to_picture": ours.to_picture.tolist()}
    for wrong in (
        {"correlation": float("nan")},
        {"to_picture": [[0, 0, 0], [0, 0, 0]]},
        {"to_picture": [[1, 0], [0, 1]]},
        {"found": "magic"},
    ):
        with pytest.raises(ValueError, match=r"\S"):
            fit_from({**plain, **wrong})


def test_the_limit_lies_between_honest_and_wrong(pictures, targets, drawn):
    for name, picture in pictures.items():
        frame, _ = drawn(picture, 64, 64, 0.45)
        rough = jpeg(cv2.GaussianBlur(frame, (0, 0), 1.2), 20)
        assert fit(rough, targets[name]).correlation > LIMIT + 0.1
    shades = np.linspace(0, 255, 128 * 128 * 3).reshape(128, 128, 3).astype(np.uint8)
    assert fit(shades, targets[name]).correlation < LIMIT - 0.1
