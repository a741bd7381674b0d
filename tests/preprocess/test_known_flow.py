"""Images that are read between their pixels, and moved by a known flow."""

from __future__ import annotations

import numpy as np
import pytest

from mebench.preprocess.known_flow import Spline, grid, moved_by, sources


def waves(points):
    """Return a smooth picture (N, 3) at points (N, 2)."""
    x, y = points.T / 64
    return 128 + 60 * np.stack([np.sin(5 * x + y), np.cos(4 * y), np.sin(3 * x * y)], axis=1)


def test_a_spline_reads_between_pixels_to_a_twentieth_of_a_grey_level():
    picture = waves(grid(64, 64)).reshape(64, 64, 3)
    points = grid(50, 50) + 7 + np.random.default_rng(0).uniform(0, 1, (2500, 2))
    assert np.abs(Spline(picture).at(points) - waves(points)).max() < 0.05


def test_where_a_flow_comes_from_is_where_it_leads_back_from():
    x, y = grid(64, 64).T
    flow = np.stack([2 * np.sin(y / 9), 1.5 * np.cos(x / 11)], axis=1).reshape(64, 64, 2)
    pixels = grid(40, 40) + 12
    found = sources(flow, pixels)
    again = np.stack([2 * np.sin(found[:, 1] / 9), 1.5 * np.cos(found[:, 0] / 11)], axis=1)
    # The flow is read linearly between its pixels.
    assert np.abs(found + again - pixels).max() < 0.02


def test_a_shift_moves_the_picture_and_no_flow_keeps_every_bit():
    image = np.rint(waves(grid(64, 64))).reshape(64, 64, 3).astype(np.uint8)
    shift = np.broadcast_to(np.array([1.5, -0.25]), (64, 64, 2))
    frames = moved_by(image, np.stack([np.zeros((64, 64, 2)), shift]))
    assert np.array_equal(frames[0], image)
    inside = (slice(4, -4), slice(4, -4))
    wanted = waves(grid(64, 64) - [1.5, -0.25]).reshape(64, 64, 3)
    assert np.abs(frames[1].astype(float) - wanted)[inside].max() < 1.5


@pytest.mark.parametrize("shape", [(40, 64), (64, 40)])
def test_pictures_need_not_be_square(shape):
    image = np.rint(waves(grid(*shape))).reshape(*shape, 3).astype(np.uint8)
    assert np.array_equal(moved_by(image, np.zeros((1, *shape, 2)))[0], image)
