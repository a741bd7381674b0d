"""What our options add to the published networks, and what must stay exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from parity_stored import CONFIG, detector, filled, generator, images
from parity_weights import fill, formula_state

from mebench.errors import UsageError, WeightsError
from mebench.methods.fomm.blocks import Keypoints, coordinate_grid, inverse2, product2
from mebench.methods.fomm.generator import OcclusionAwareGenerator
from mebench.methods.fomm.keypoints import KPDetector
from mebench.methods.fomm.losses import (
    LossWeights,
    PairBatch,
    equivariance_losses,
    motion_weighted_l1,
    motion_weights,
)
from mebench.methods.fomm.model import Animator, DrivingPoints, normalize_kp, to_frames, to_tensor
from mebench.methods.fomm.perceptual import PerceptualLoss, Vgg19
from mebench.methods.fomm.prior import prior_maps, prior_maps_numpy
from mebench.methods.fomm.transform import Transform

CONSISTENT = {"align_corners": True, "align_resize": True, "padding": "border"}
POINTS = torch.from_numpy(np.random.default_rng(0).uniform(14, 50, (1, 18, 2)).astype(np.float32))


def still(points: torch.Tensor = POINTS) -> Keypoints:
    frames = torch.eye(2).expand(1, 18, 2, 2)
    return Keypoints(2 * points / 63 - 1, frames)


def shifted(pixels: float) -> Keypoints:
    return still(POINTS + torch.tensor([pixels, 0.0]))


def local_generator(**options: object) -> OcclusionAwareGenerator:
    """The small generator with motion that starts local (mask prior), random weights."""
    params = dict(CONFIG["generator_params"])
    motion = {**params.pop("dense_motion_params"), **options.pop("motion", {})}
    torch.manual_seed(0)
    made = OcclusionAwareGenerator(
        **CONFIG["common_params"], **params, dense_motion_params=motion, **CONSISTENT, **options
    )
    return made.eval()


def test_no_motion_returns_the_template_exactly_when_sampler_and_resize_agree() -> None:
    net = fill(generator(True, align_resize=True))
    with torch.no_grad():
        out = net(images(64, 1), still(), still())
    assert (out["deformed"] - images(64, 1)).abs().max() < 1e-5
    published = filled("generator", align_corners=False)
    assert (
        published(images(64, 1), still(), still())["deformed"] - images(64, 1)
    ).abs().max() > 0.1


@pytest.mark.parametrize("pixels", [0.25, 0.5, 1.0])
def test_a_movement_below_a_pixel_arrives_in_full(pixels: float) -> None:
    net = local_generator(motion={"mask_prior_sigma": 10.0, "mask_prior_background": -50.0})
    with torch.no_grad():
        out = net(images(64, 1), shifted(pixels), still())
    moved = out["deformation"] - coordinate_grid((16, 16), out["deformation"])
    assert torch.allclose(moved[..., 0] * 63 / 2, torch.tensor(-pixels), atol=1e-4)
    assert moved[..., 1].abs().max() < 1e-5


def test_the_mask_prior_makes_motion_local_before_training() -> None:
    net = local_generator(motion={"mask_prior_sigma": 0.1, "mask_prior_background": -4.0})
    plain = local_generator()
    corner = Keypoints(torch.full((1, 18, 2), -0.6), None)
    with torch.no_grad():
        masks = [n(images(64, 1), corner, corner)["mask"] for n in (net, plain)]
    background = [mask[0, 0] for mask in masks]
    assert background[0][-1, -1] > 0.99
    assert background[0][3, 3] < 0.3
    assert (background[1][-1, -1] - background[1][3, 3]).abs() < 0.1


@pytest.mark.parametrize(("blend", "largest"), [("residual", 1e-6), ("gate", 0.02)])
def test_a_blend_starts_from_the_warped_template(blend: str, largest: float) -> None:
    net = local_generator(blend=blend)
    with torch.no_grad():
        out = net(images(64, 1), shifted(1.0), still())
    assert (out["prediction"] - out["deformed"]).abs().max() < largest
    assert (out["deformed"] - images(64, 1)).abs().max() > 0.01


@pytest.mark.parametrize("blend", ["residual", "gate"])
def test_a_blend_can_learn_from_its_first_step(blend: str) -> None:
    net = local_generator(blend=blend).train()
    out = net(images(64, 1), still(), still())
    (out["prediction"] - images(64, 3)).abs().mean().backward()
    assert net.final.weight.grad is not None
    assert net.final.weight.grad.abs().max() > 1e-5


def test_options_leave_the_published_keys_alone() -> None:
    motion = {"mask_prior_sigma": 0.2}
    assert set(local_generator(motion=motion).state_dict()) == set(generator(False).state_dict())
    more = set(local_generator(blend="gate").state_dict()) - set(generator(False).state_dict())
    assert more == {"gate.weight", "gate.bias"}


def test_measured_jacobians_are_multiplied_onto_the_predicted_ones() -> None:
    net = filled("detector")
    measured = torch.randn(1, 18, 2, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        predicted = net(images(64, 1), POINTS).jacobian
        both = net(images(64, 1), POINTS, measured).jacobian
    assert torch.allclose(both, measured @ predicted, atol=1e-5)
    only = KPDetector(
        **{**CONFIG["common_params"], "estimate_jacobian": False}, **CONFIG["kp_detector_params"]
    )
    assert torch.equal(only(images(64, 1), POINTS, measured).jacobian, measured)


def test_an_untrained_detector_predicts_no_local_deformation() -> None:
    found = detector()(images(64, 1), POINTS)
    assert torch.allclose(found.jacobian, torch.eye(2).expand(1, 18, 2, 2), atol=1e-6)


def test_a_detector_with_prior_says_what_it_needs() -> None:
    with pytest.raises(UsageError, match="needs points of every frame"):
        filled("detector")(images(64, 1))
    with pytest.raises(UsageError, match="expected 18 points a frame, got 4"):
        filled("detector")(images(64, 1), POINTS[:, :4])


def test_the_inverse_is_exact_and_never_overflows() -> None:
    matrices = torch.randn(200, 2, 2, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(product2(matrices, inverse2(matrices)), torch.eye(2), atol=1e-3)
    singular = torch.tensor([[[1.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    singular.requires_grad_()
    inverse = inverse2(singular)
    inverse.sum().backward()
    assert torch.isfinite(inverse).all()
    assert torch.isfinite(singular.grad).all()


@pytest.mark.parametrize("kind", ["ewp", "awp"])
@pytest.mark.parametrize("size", [(16, 16), (24, 40), (64, 64)])
def test_batched_priors_equal_the_slow_ones(kind: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    points = rng.uniform(-5, 260, (3, 18, 2)).astype(np.float32)
    fast = prior_maps(torch.from_numpy(points), (256, 320), size, kind).numpy()
    slow = np.stack([prior_maps_numpy(p, (256, 320), size, kind) for p in points])
    assert np.abs(fast - slow).max() < 1e-6
    assert fast.max() == 1.0


def test_the_transform_jacobian_is_the_derivative_of_the_warp() -> None:
    seed = torch.Generator().manual_seed(3)
    made = Transform.random(2, sigma_affine=0.05, sigma_tps=0.05, points_tps=5, generator=seed)
    points = (torch.rand(2, 7, 2, generator=seed) * 2 - 1).requires_grad_()
    warped = made.warp(points)
    for axis in (0, 1):
        (slope,) = torch.autograd.grad(warped[..., axis].sum(), points, retain_graph=True)
        assert torch.allclose(made.jacobian(points)[..., axis, :], slope, atol=1e-5)


def test_warped_points_meet_themselves_and_published_ones_do_not() -> None:
    seed = torch.Generator().manual_seed(4)
    made = Transform.random(1, sigma_affine=0.05, sigma_tps=0.005, points_tps=5, generator=seed)
    batch = PairBatch(images(64, 1), images(64, 3), POINTS, POINTS)
    net = filled("detector")
    kp = net(batch.driving, POINTS)
    values = {}
    for warp in (False, True):
        losses, _ = equivariance_losses(net, batch, kp, made, LossWeights(), warp_points=warp)
        values[warp] = losses["equivariance_value"].item()
    assert values[True] < 1e-4
    assert values[False] > 0.1


def test_pixels_that_move_count_more() -> None:
    template = torch.zeros(1, 3, 32, 32)
    driving = template.clone()
    driving[..., 10:14, 10:14] = 0.5
    weight = motion_weights(template, driving)
    assert weight[0, 0, 12, 12] > 10 * weight[0, 0, 30, 30]
    assert weight.mean().item() == pytest.approx(1.0, abs=1e-5)
    assert motion_weighted_l1(driving, driving, template) == 0
    assert motion_weighted_l1(template, driving, template) > 2 * driving.mean()


def test_the_perceptual_loss_sees_differences_and_refuses_wrong_weights() -> None:
    torch.manual_seed(0)
    network = Vgg19()
    loss = PerceptualLoss(scales=(1, 0.5), network=network)
    a, b = images(32, 1), images(32, 3).requires_grad_()
    assert loss(a, a) == 0
    loss(b, a).backward()
    assert b.grad.abs().max() > 0
    state = dict(network.state_dict())
    network.load_torchvision({**state, "classifier.0.weight": torch.zeros(1)})
    state.pop("features.28.weight")
    with pytest.raises(WeightsError, match=r"features\.28\.weight \(512, 512, 3, 3\), got nothing"):
        network.load_torchvision(state)


@pytest.fixture(scope="module")
def clip() -> tuple[np.ndarray, np.ndarray]:
    frames = images(64, 2, 3, 4, 5, 6).permute(0, 2, 3, 1)
    rng = np.random.default_rng(5)
    points = POINTS.numpy() + rng.normal(0, 1, (5, 18, 2)).astype(np.float32)
    return (frames.numpy() * 255).round().astype(np.uint8), points


def literal(
    net: KPDetector, maker: OcclusionAwareGenerator, frames: np.ndarray, points: np.ndarray
) -> torch.Tensor:
    """One frame at a time, nothing reused."""
    template = images(64, 1)
    pictures = []
    with torch.no_grad():
        for frame, where in zip(frames, points, strict=True):
            kp_template = net(template, POINTS)
            initial = net(to_tensor(frames[:1]), torch.from_numpy(points[:1]))
            driving = net(to_tensor(frame[None]), torch.from_numpy(where[None]))
            moved = normalize_kp(kp_template, driving, initial)
            pictures.append(maker(template, moved, kp_template)["prediction"])
    return torch.cat(pictures)


@pytest.mark.parametrize(
    ("blend", "fast", "batch_size"),
    [("none", False, 8), ("none", True, 1), ("none", True, 2), ("residual", True, 8)],
)
def test_the_animator_equals_the_literal_procedure(clip, blend, fast, batch_size) -> None:
    frames, points = clip
    net = filled("detector")
    maker = fill_all(generator(True, blend=blend))
    expected = literal(net, maker, frames, points)
    template = to_frames(images(64, 1))[0]
    animator = Animator(net, maker, batch_size=batch_size, fast=fast)
    given = DrivingPoints(points)
    got = torch.cat(list(animator.pictures(template, POINTS[0].numpy(), frames, given)))
    assert (got - expected).abs().max() < 2e-5
    made = animator.animate(template, POINTS[0].numpy(), frames, given)
    assert made.shape == (5, 64, 64, 3)
    assert np.abs(made.astype(int) - to_frames(expected).astype(int)).max() <= 1


def fill_all(net: torch.nn.Module) -> torch.nn.Module:
    net.load_state_dict(formula_state(net))
    return net.eval()


def test_the_animator_leaves_the_networks_as_they_were(clip) -> None:
    maker = fill_all(generator(True))
    before = {key: value.clone() for key, value in maker.state_dict().items()}
    Animator(filled("detector"), maker)
    assert all(torch.equal(before[key], value) for key, value in maker.state_dict().items())
    assert all(parameter.requires_grad for parameter in maker.parameters())


def test_a_detector_that_finds_its_points_needs_none(clip) -> None:
    frames, _ = clip
    net = filled("detector", prior="none")
    maker = fill_all(generator(True))
    template = to_frames(images(64, 1))[0]
    made = Animator(net, maker).animate(template, None, frames, None)
    alone = Animator(net, maker, batch_size=1).animate(template, None, frames, None)
    assert np.abs(made.astype(int) - alone.astype(int)).max() <= 1
    assert made.std() > 1


def test_training_twice_gives_the_same_gradients() -> None:
    found = []
    for _ in range(2):
        net = local_generator(blend="residual", motion={"mask_prior_sigma": 0.2}).train()
        out = net(images(64, 1), shifted(1.0), still())
        (out["prediction"] - images(64, 3)).abs().mean().backward()
        found.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    assert len(found[0]) > 20
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
