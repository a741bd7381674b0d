"""Pictures read between their pixels: a slope moves by what it is asked to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mebench.methods.fomm.blocks import coordinate_grid
from mebench.methods.fomm.fields import warp
from mebench.methods.fomm.spline import sharp_warp
from mebench.preprocess.known_flow import Spline, grid


def shifted(size, shift, like):
    """The grid that reads every pixel `shift` to its right."""
    field = coordinate_grid(size, like)[None].clone()
    field[..., 0] += 2 * shift / (size[1] - 1)
    return field


@pytest.mark.parametrize("shift", [0.01, 0.02, 0.1, 0.3, 0.5, 0.9])
def test_a_slope_moves_by_what_it_is_asked_to(shift):
    slope = torch.linspace(0, 1, 24).expand(1, 1, 20, 24).contiguous()
    moved = sharp_warp(slope, shifted((20, 24), shift, slope), align_corners=True)
    found = (moved - slope)[0, 0, 5:-5, 8:-8] * 23
    assert found.min() == pytest.approx(shift, abs=2e-3)
    assert found.max() == pytest.approx(shift, abs=2e-3)


def test_it_reads_what_the_reference_reads():
    rng = np.random.default_rng(0)
    image = rng.random((30, 42, 3))
    points = np.clip(grid(30, 42) + rng.normal(0, 1, (30 * 42, 2)), 0, [41, 29])
    wanted = Spline(image).at(points).reshape(30, 42, 3)
    field = torch.from_numpy((points * 2 / [41, 29] - 1).reshape(1, 30, 42, 2)).float()
    picture = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    made = sharp_warp(picture, field, align_corners=True)[0].permute(1, 2, 0).numpy()
    assert np.abs(made - wanted).max() < 1e-4
    half = sharp_warp(picture, field * torch.tensor([41 / 42, 29 / 30]), align_corners=False)
    assert np.abs(half[0].permute(1, 2, 0).numpy() - wanted).max() < 1e-4


def test_no_motion_gives_the_same_bytes_and_beyond_the_border_lies_the_border():
    rng = np.random.default_rng(1)
    frame = torch.from_numpy(rng.integers(0, 256, (1, 3, 64, 48)).astype(np.float32)) / 255
    still = coordinate_grid((64, 48), frame)[None]
    same = sharp_warp(frame, still, align_corners=True)
    assert torch.equal((same * 255).round(), frame * 255)
    out = sharp_warp(frame, still + torch.tensor([4.0, 0.0]), align_corners=True)
    assert torch.allclose(out, frame[..., -1:].expand_as(out), atol=1e-4)


def test_a_picture_repeated_for_a_batch_is_read_as_each_alone():
    frame = torch.rand(1, 3, 16, 16)
    fields = coordinate_grid((16, 16), frame) + 0.02 * torch.randn(3, 16, 16, 2)
    many = sharp_warp(frame.expand(3, -1, -1, -1), fields, align_corners=True)
    for index in range(3):
        alone = sharp_warp(frame.clone(), fields[index : index + 1], align_corners=True)
        assert torch.allclose(many[index], alone[0], atol=1e-5)


def test_it_can_be_learnt_through():
    frame = torch.rand(1, 1, 12, 12, dtype=torch.float64)
    field = (coordinate_grid((12, 12), frame)[None] * 0.9 + 0.013).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda at: sharp_warp(frame, at, True), (field,), atol=1e-4)


def test_known_fields_move_a_face_by_what_they_say():
    slope = torch.linspace(0, 1, 32).expand(1, 3, 32, 32).contiguous()
    field = torch.full((1, 32, 32, 2), 0.0)
    field[..., 0] = 0.05
    found = (warp(slope, field) - slope)[0, 0, 10:-10, 10:-10] * 31
    assert found.mean() == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize(("shift", "moved"), [(0.02, 0.029), (0.1, 0.136), (0.5, 0.5)])
def test_the_bicubic_kernel_moves_a_slope_further(shift, moved):
    """Why splines: what PyTorch makes of a shift, the figures that the docs quote."""
    slope = torch.linspace(0, 1, 24).expand(1, 1, 20, 24).contiguous()
    read = torch.nn.functional.grid_sample(
        slope, shifted((20, 24), shift, slope), mode="bicubic", align_corners=True
    )
    found = (read - slope)[0, 0, 5:-5, 8:-8] * 23
    assert float(found.mean()) == pytest.approx(moved, abs=1e-3)
