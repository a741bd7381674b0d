"""Templates of the tiny export, and frames drawn on them in views that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.views import outputs
from mebench.preprocess.canonical import apply, invert
from mebench.preprocess.crop import align_frames, resample
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import write_manifest, write_output
from mebench.views.target import target_of
from tests.makers import tiny_protocol

SIZE = 96


@pytest.fixture(scope="session")
def data(tiny, tmp_path_factory):
    place = tmp_path_factory.mktemp("views")
    # Nearly everybody is a test subject, so that there are templates to take for one another.
    more = "split: {how: share, share: 0.9}\n"
    text = tiny_protocol("action_units, pixel", "au_consistency", more=more)
    (place / "tiny.yaml").write_text(text.replace("size: 64", f"size: {SIZE}"))
    protocol = load_protocol(str(place / "tiny.yaml"))
    return open_protocol(protocol, {"synthme": tiny}, cache=place / "cache")


@pytest.fixture(scope="session")
def pictures(data):
    return {name: data.picture(name) for name in data.templates}


@pytest.fixture(scope="session")
def targets(pictures):
    return {name: target_of(picture, SIZE) for name, picture in pictures.items()}


@pytest.fixture(scope="session")
def place_on():
    """Return the (2, 3) map to a picture of a view: eyes `share` of the width apart, turned."""

    def make(picture, width, height, share, roll=0.0, shift=(0.0, 0.0)):
        left, right = (picture.landmarks[a:b].mean(axis=0) for a, b in ((36, 42), (42, 48)))
        turn = complex(*(right - left)) / (share * width)
        turn *= complex(math.cos(math.radians(roll)), math.sin(math.radians(roll)))
        at = complex(width * (0.5 + shift[0]), height * (0.42 + shift[1]))
        move = complex(*(left + right) / 2) - turn * at
        return np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]])

    return make


@pytest.fixture(scope="session")
def drawn(place_on):
    """Return a picture drawn in a view, and that view's map."""

    def make(picture, width, height, share, roll=0.0, shift=(0.0, 0.0)):
        matrix = place_on(picture, width, height, share, roll, shift)
        return resample(picture.image, matrix, (height, width)), matrix

    return make


@pytest.fixture(scope="session")
def miss():
    """Return the largest distance of a landmark from its place, as a share of the eye distance."""

    def measure(found, true, picture):
        ours, right = (apply(invert(m), picture.landmarks) for m in (found, true))
        iod = np.linalg.norm(right[36:42].mean(axis=0) - right[42:48].mean(axis=0))
        return float(np.linalg.norm(ours - right, axis=1).max() / iod)

    return measure


@pytest.fixture(scope="session")
def few(data):
    return data.some(2)


@pytest.fixture(scope="session")
def raw(few, tmp_path_factory):
    """What linear-warp draws on the templates' own pictures."""
    return outputs(few, tmp_path_factory.mktemp("tracks"))


@pytest.fixture(scope="session")
def aligned(few, raw):
    size = few.protocol.size
    return {p: align_frames(f, few.picture(p.template).to_source, size) for p, f in raw.items()}


@pytest.fixture
def written(few, tmp_path):
    def write(name, outputs, **about):
        folder = tmp_path / name
        for pair, frames in outputs.items():
            write_output(folder, pair, frames)
        about = {"protocol": few.protocol.id, "method": Method(id=name, title=name), **about}
        write_manifest(folder, Manifest(**about))
        return folder

    return write


@pytest.fixture
def in_view(few, raw, place_on):
    def draw(width, height, share, roll=0.0, shift=(0.0, 0.0)):
        found = {}
        for pair, frames in raw.items():
            matrix = place_on(few.picture(pair.template), width, height, share, roll, shift)
            found[pair] = np.stack([resample(f, matrix, (height, width)) for f in frames])
        return found

    return draw
