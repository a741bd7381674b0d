"""The training losses, as published and with the points put right.

Source: Siarohin et al., NeurIPS 2019, section 3.4; Zhang et al., ACM MM 2021, section 3.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mebench.methods.fomm.blocks import ImagePyramid, Keypoints, inverse2, product2
from mebench.methods.fomm.discriminator import Judgement, MultiScaleDiscriminator
from mebench.methods.fomm.generator import OcclusionAwareGenerator
from mebench.methods.fomm.keypoints import KPDetector, pixels_to_grid
from mebench.methods.fomm.transform import Transform


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts; the published values (perceptual ones sit in `PerceptualLoss`)."""

    generator_gan: float = 1.0
    discriminator_gan: float = 1.0
    feature_matching: tuple[float, ...] = (10.0, 10.0, 10.0, 10.0)
    equivariance_value: float = 10.0
    equivariance_jacobian: float = 10.0


class PairBatch(NamedTuple):
    """Two frames of each clip, the second to be made from the first.

    Shapes: template, driving (B, C, H, W) in 0..1; points (B, K, 2) pixels or None; measured
    Jacobians (B, K, 2, 2) or None.
    """

    template: Tensor
    driving: Tensor
    template_points: Tensor | None = None
    driving_points: Tensor | None = None
    template_jacobian: Tensor | None = None
    driving_jacobian: Tensor | None = None


class GeneratorStep(NamedTuple):
    """The losses of one pass, and what was generated on the way."""

    losses: dict[str, Tensor]
    generated: dict[str, Tensor]
    kp_template: Keypoints
    kp_driving: Keypoints
    kp_transformed: Keypoints | None

    @property
    def total(self) -> Tensor:
        """The sum that is minimised."""
        return torch.stack(list(self.losses.values())).sum()


def generator_losses(
    detector: KPDetector,
    generator: OcclusionAwareGenerator,
    batch: PairBatch,
    weights: LossWeights,
    *,
    transform: Transform | None = None,
    discriminator: MultiScaleDiscriminator | None = None,
    pyramid: ImagePyramid | None = None,
    perceptual: nn.Module | None = None,
    warp_points: bool = False,
    align_corners: bool = False,
) -> GeneratorStep:
    """Return the losses of generator and detector for one batch of pairs.

    Switch the gradient of the discriminator's parameters off around the call unless it is wanted.
    `warp_points` moves the given points with the frame in the equivariance losses; as
    published they stay behind. Parts that are None (or weigh nothing) are left out.
    """
    kp_template = detector(batch.template, batch.template_points, batch.template_jacobian)
    kp_driving = detector(batch.driving, batch.driving_points, batch.driving_jacobian)
    generated = generator(batch.template, kp_driving, kp_template)
    losses: dict[str, Tensor] = {}
    if perceptual is not None:
        losses["perceptual"] = perceptual(generated["prediction"], batch.driving)
    if discriminator is not None and pyramid is not None and weights.generator_gan:
        fake = discriminator(pyramid(generated["prediction"]))
        real = discriminator(pyramid(batch.driving))
        losses["gen_gan"] = weights.generator_gan * generator_gan_loss(fake)
        if any(weights.feature_matching):
            losses["feature_matching"] = feature_matching_loss(real, fake, weights.feature_matching)
    kp_transformed = None
    if transform is not None and (weights.equivariance_value or weights.equivariance_jacobian):
        more, kp_transformed = equivariance_losses(
            detector,
            batch,
            kp_driving,
            transform,
            weights,
            warp_points=warp_points,
            align_corners=align_corners,
        )
        losses.update(more)
    return GeneratorStep(losses, generated, kp_template, kp_driving, kp_transformed)


def discriminator_loss(
    discriminator: MultiScaleDiscriminator,
    real: Mapping[float, Tensor],
    generated: Mapping[float, Tensor],
    weights: LossWeights,
) -> Tensor:
    """Return the critic's own loss on the pyramids of real and (detached) generated frames."""
    fake = discriminator({scale: image.detach() for scale, image in generated.items()})
    return weights.discriminator_gan * discriminator_gan_loss(discriminator(real), fake)


def generator_gan_loss(fake: Sequence[Judgement]) -> Tensor:
    """Return the sum over scales of mean (1 - D(fake))^2."""
    return torch.stack([((1 - scale.score) ** 2).mean() for scale in fake]).sum()


def discriminator_gan_loss(real: Sequence[Judgement], fake: Sequence[Judgement]) -> Tensor:
    """Return the sum over scales of mean (1 - D(real))^2 + D(fake)^2."""
    terms = [((1 - r.score) ** 2 + f.score**2).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).sum()


def feature_matching_loss(
    real: Sequence[Judgement], fake: Sequence[Judgement], weights: Sequence[float]
) -> Tensor:
    """Return the sum over scales and blocks of weight * mean |real - fake|."""
    total = fake[0].score.new_zeros(())
    for r, f in zip(real, fake, strict=True):
        # A published list may name fewer blocks than the critic has, never more.
        for weight, a, b in zip(weights, r.features, f.features, strict=False):
            if weight:
                total = total + weight * (a - b).abs().mean()
    return total


def equivariance_losses(
    detector: KPDetector,
    batch: PairBatch,
    kp_driving: Keypoints,
    transform: Transform,
    weights: LossWeights,
    *,
    warp_points: bool = False,
    align_corners: bool = False,
) -> tuple[dict[str, Tensor], Keypoints]:
    """Return the value and Jacobian losses, and the points found on the transformed frame.

    The transformed frame shows at p what the driving frame shows at T(p): points found on it,
    moved by T, must be the points of the driving frame.
    """
    frame = transform.frame(batch.driving, align_corners)
    points = batch.driving_points
    if warp_points and points is not None:
        points = _pull_back(points, batch.driving, transform, detector.align_corners)
    found: Keypoints = detector(frame, points)
    losses: dict[str, Tensor] = {}
    if weights.equivariance_value:
        gap = (kp_driving.value - transform.warp(found.value)).abs().mean()
        losses["equivariance_value"] = weights.equivariance_value * gap
    if (
        weights.equivariance_jacobian
        and kp_driving.jacobian is not None
        and found.jacobian is not None
    ):
        moved = product2(transform.jacobian(found.value), found.jacobian)
        relative = product2(inverse2(kp_driving.jacobian), moved)
        if detector.regions:
            # Roots of covariances are known up to a turn, which this product does not hold.
            relative = product2(relative, relative.transpose(-1, -2))
        identity = torch.eye(2, dtype=relative.dtype, device=relative.device)
        gap = (identity - relative).abs().mean()
        losses["equivariance_jacobian"] = weights.equivariance_jacobian * gap
    return losses, found


def _pull_back(points: Tensor, frame: Tensor, transform: Transform, align_corners: bool) -> Tensor:
    """Return the pixels p with T(p) = points: where the transformed frame shows the points."""
    size = (frame.shape[2], frame.shape[3])
    target = pixels_to_grid(points.to(frame.dtype), size, align_corners)
    place = target
    for _ in range(_PULL_BACK_STEPS):
        miss = (transform.warp(place) - target).unsqueeze(-1)
        place = place - product2(inverse2(transform.jacobian(place)), miss).squeeze(-1)
    shrink = 1 if align_corners else 0
    extent = torch.tensor([size[1] - shrink, size[0] - shrink], dtype=place.dtype)
    return (place + 1) / 2 * extent.to(place.device)


_PULL_BACK_STEPS = 6


def motion_weights(template: Tensor, driving: Tensor, gain: float = 10.0, blur: int = 5) -> Tensor:
    """Return (B, 1, H, W) pixel weights with mean 1, larger where the pair differs.

    A micro-expression moves few pixels; without this a still face is a good answer.
    """
    change = (driving - template).abs().mean(dim=1, keepdim=True)
    change = F.avg_pool2d(change, blur, stride=1, padding=blur // 2, count_include_pad=False)
    mean = change.mean(dim=(2, 3), keepdim=True).clamp_min(1e-6)
    weight = 1 + gain * change / mean
    return weight / weight.mean(dim=(2, 3), keepdim=True)


def motion_weighted_l1(
    generated: Tensor, driving: Tensor, template: Tensor, gain: float = 10.0
) -> Tensor:
    """Return the mean absolute difference, weighted by `motion_weights`."""
    return (motion_weights(template, driving, gain) * (generated - driving).abs()).mean()
