"""Regions: place and affine motion from the moments of heat maps, known for Gaussian blobs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import toy_clip

from mebench.errors import UsageError
from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm.blocks import Keypoints, coordinate_grid, inverse2, product2
from mebench.methods.fomm.dense_motion import DenseMotionNetwork
from mebench.methods.fomm.keypoints import KPDetector
from mebench.methods.fomm.regions import mean_and_root, square_root, turned_to
from mebench.types import Face, SilentProgress

FLOOR = 1e-4  # what is added to every covariance
SIDE = 96


def blob(centre, root):
    """A heat map (1, 1, h, w) of sum 1: a Gaussian with covariance root root^T."""
    grid = coordinate_grid((SIDE, SIDE), torch.zeros(1, dtype=torch.float64))
    offset = grid - torch.tensor(centre, dtype=torch.float64)
    inverse = torch.linalg.inv(root @ root.T)
    heat = torch.exp(-0.5 * torch.einsum("hwi,ij,hwj->hw", offset, inverse, offset))
    return (heat / heat.sum())[None, None]


def turn(degrees):
    angle = math.radians(degrees)
    rows = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    return torch.tensor(rows, dtype=torch.float64)


def frame(root):
    return mean_and_root(blob((0.0, 0.0), root))[1][0, 0]


def affine(before, after):
    return product2(turned_to(after, before), inverse2(before))


SHAPE = turn(25) @ torch.diag(torch.tensor([0.22, 0.1], dtype=torch.float64))


def test_a_gaussian_blob_gives_its_place_and_the_root_of_its_covariance():
    mean, root = mean_and_root(blob((0.2, -0.1), SHAPE))
    assert mean[0, 0].tolist() == pytest.approx([0.2, -0.1], abs=1e-4)
    eye = torch.eye(2, dtype=torch.float64)
    wanted = SHAPE @ SHAPE.T + FLOOR * eye
    torch.testing.assert_close(root[0, 0] @ root[0, 0], wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(root[0, 0], root[0, 0].T)
    assert torch.linalg.eigvalsh(root[0, 0]).min() > 0


@pytest.mark.parametrize("degrees", [-80, -30, 5, 60, 85])
@pytest.mark.parametrize("growth", [0.7, 1.0, 1.3])
def test_a_turned_and_grown_blob_gives_that_turn_and_growth(degrees, growth):
    wanted = growth * turn(degrees)
    found = affine(frame(SHAPE), frame(wanted @ SHAPE))
    torch.testing.assert_close(found, wanted, atol=0.03, rtol=0)


def test_stretching_along_its_axes_is_found_as_that_stretch():
    stretch = turn(25) @ torch.diag(torch.tensor([1.2, 0.9], dtype=torch.float64)) @ turn(-25)
    found = affine(frame(SHAPE), frame(stretch @ SHAPE))
    torch.testing.assert_close(found, stretch, atol=0.01, rtol=0)


def test_a_round_blob_grows_but_never_turns():
    """Its axes are noise; published code would take any turn from them."""
    small = 0.1 * torch.eye(2, dtype=torch.float64)
    noise = torch.tensor([[1.0, 0.004], [0.004, 0.997]], dtype=torch.float64)
    found = affine(frame(small), frame(1.2 * small @ noise))
    torch.testing.assert_close(found, 1.2 * torch.eye(2, dtype=torch.float64), atol=0.02, rtol=0)


def test_the_same_blob_does_not_move_at_all():
    root = frame(SHAPE)
    torch.testing.assert_close(affine(root, root), torch.eye(2, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(0.1, 0.1), (0.2, 0.05), (1e-9, 1e-9)])
def test_gradients_are_right_where_eigenvalues_are_equal(shape):
    def motion(numbers):
        a, b, d = numbers.unbind(-1)
        matrix = torch.stack([torch.stack([a, b], -1), torch.stack([b, d], -1)], -2)
        root = square_root(matrix + FLOOR * torch.eye(2, dtype=torch.float64))
        return affine(root[0], root[1])

    numbers = torch.tensor([[shape[0] ** 2, 0.0, shape[1] ** 2]] * 2, dtype=torch.float64)
    numbers.requires_grad_(True)
    assert torch.autograd.gradcheck(motion, numbers, eps=1e-8, atol=1e-3, rtol=1e-3)
    motion(numbers).square().sum().backward()
    assert torch.isfinite(numbers.grad).all()


def test_heat_maps_of_one_pixel_and_flat_ones_have_finite_gradients():
    head = torch.zeros(1, 2, 8, 8)
    head[0, 0, 3, 4] = 1e4
    head.requires_grad_(True)
    heat = torch.softmax(head.flatten(2), 2).reshape(head.shape)
    mean, root = mean_and_root(heat)
    moved = product2(turned_to(root, root.flip(1)), inverse2(root.flip(1)))
    (mean.sum() + moved.square().sum()).backward()
    assert torch.isfinite(head.grad).all()
    assert torch.isfinite(moved).all()


def test_a_quarter_turn_has_no_direction_but_is_finite():
    before = torch.diag(torch.tensor([0.2, 0.1]))
    after = torch.diag(torch.tensor([0.1, 0.2])).requires_grad_(True)
    found = turned_to(after, before)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(after.grad).all()


def test_the_motion_network_sees_the_turn_of_a_region():
    network = DenseMotionNetwork(4, 2, 8, 1, 3, scale_factor=0.25, regions=True)
    root = frame(SHAPE).float()[None, None]
    turned = frame(turn(20) @ SHAPE).float()[None, None]
    still = torch.zeros(1, 1, 2)
    motions = network.sparse_motions(Keypoints(still, turned), Keypoints(still, root), (9, 9))
    grid = coordinate_grid((9, 9), still)
    wanted = grid @ turn(-20).T.float()  # from the driving frame back to the template
    torch.testing.assert_close(motions[0, 1], wanted, atol=0.02, rtol=0)


def test_the_detector_has_no_jacobian_head_and_refuses_a_prior():
    detector = KPDetector(4, 5, 3, 8, 2, 0.1, prior="none", regions=True)
    assert not [key for key in detector.state_dict() if "jacobian" in key]
    found = detector(torch.rand(2, 3, 32, 32))
    assert found.value.shape == (2, 5, 2)
    assert found.jacobian.shape == (2, 5, 2, 2)
    with pytest.raises(UsageError, match="prior, 'ewp'"):
        KPDetector(4, 5, 3, 8, 2, 0.1, prior="ewp", regions=True)
    with pytest.raises(UsageError, match=r"regions needs model\.prior: none"):
        load_baseline("mraa", overrides={"model.prior": "ewp"})


SMALL = {
    "model.size": "64", "model.detector_width": "4", "model.detector_max": "8",
    "model.detector_blocks": "2", "model.motion_width": "4", "model.motion_max": "8",
    "model.motion_blocks": "2", "model.generator_width": "4", "model.generator_max": "8",
    "model.generator_residual": "1", "train.steps": "3", "train.batch": "2",
}  # fmt: skip


@pytest.fixture(scope="module")
def clip():
    return toy_clip(0, n=6)[0]


@pytest.mark.parametrize("motion_first", ["1.0", "0.0"])
def test_three_steps_train_and_generate(motion_first, clip, tmp_path: Path):
    more = {"train.motion_first": motion_first, "train.losses.equivariance_jacobian": "10"}
    method = load_baseline("mraa", preset="quick", overrides={**SMALL, **more})
    method.fit([clip], workdir=tmp_path / "a", device="cpu", seed=3, progress=SilentProgress())
    face = Face(clip.frames[0], clip.landmarks)
    frames = method.generate(face, clip)
    assert frames.shape == clip.frames.shape
    method.save(tmp_path / "model.pt")
    again = load_baseline("mraa", preset="quick", overrides=SMALL)
    again.load(tmp_path / "model.pt", device="cpu")
    assert np.array_equal(again.generate(face, clip), frames)
    losses = (tmp_path / "a" / "losses.csv").read_text()
    assert ("equivariance_jacobian" in losses) == (motion_first == "0.0")
    assert "nan" not in losses


def test_the_first_driving_frame_again_leaves_the_template_as_it_is(clip):
    method = load_baseline("mraa", preset="quick", overrides=SMALL)
    method.initialise(device="cpu", seed=1)
    still = clip.frames[:1].repeat(3, axis=0)
    face = Face(toy_clip(1, n=2)[0].frames[0], clip.landmarks)
    frames = method.generate(face, type(clip)("a.b.c", "b", still, clip.landmarks, 100.0))
    gap = np.abs(frames.astype(int) - face.image)
    assert gap.max() <= 1
