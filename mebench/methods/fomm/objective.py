"""What a training step minimises: the published losses and those that make micro-motion count."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from mebench.errors import UsageError
from mebench.methods.fomm.blocks import (
    ImagePyramid,
    Keypoints,
    coordinate_grid,
    full_field,
    resize,
)
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.discriminator import MultiScaleDiscriminator
from mebench.methods.fomm.generator import OcclusionAwareGenerator
from mebench.methods.fomm.keypoints import KPDetector
from mebench.methods.fomm.losses import (
    LossWeights,
    PairBatch,
    generator_losses,
    motion_weighted_l1,
)
from mebench.methods.fomm.networks import Networks
from mebench.methods.fomm.painter import Painter, Prior
from mebench.methods.fomm.perceptual import PerceptualLoss
from mebench.methods.fomm.sampling import Batch
from mebench.methods.fomm.spline import sharp_warp
from mebench.methods.fomm.transform import Transform

_FAINT, _FAINT_SQUARE = 3e-4, 1e-6
"""A change of appearance this small is not asked for."""


class Outcome(NamedTuple):
    """Losses by name, and the generated frames where the step made any."""

    losses: dict[str, Tensor]
    generated: Tensor | None

    def detached(self) -> Outcome:
        """Return the same numbers without what led to them."""
        losses = {name: value.detach() for name, value in self.losses.items()}
        return Outcome(losses, None if self.generated is None else self.generated.detach())


class Objective(nn.Module):
    """Detector and generator with the losses of a configuration, as one module."""

    def __init__(
        self,
        config: FommConfig,
        networks: Networks,
        perceptual: PerceptualLoss | None = None,
        started: Painter | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.detector = networks.detector
        self.generator = networks.generator
        self.pyramid = ImagePyramid((1.0,))
        # Not registered: what is fixed is no part of what is trained or stored.
        self._perceptual = [perceptual]
        self._started = [started]

    def forward(
        self,
        batch: Batch,
        transform: Transform | None,
        critic: MultiScaleDiscriminator | None,
        motion_only: bool,
    ) -> Outcome:
        """Return the losses of one batch; `motion_only` leaves the decoder out."""
        if motion_only:
            return Outcome(self._motion_losses(batch), None)
        if self.generator.blend == "painter":
            return self._painted(batch)
        weights = self.config.train.losses
        pair = self._pair(batch)
        step = generator_losses(
            cast(KPDetector, self.detector),
            self.generator,
            pair,
            LossWeights(
                generator_gan=weights.gan,
                discriminator_gan=weights.gan,
                feature_matching=(weights.feature_matching,) * 4,
                equivariance_value=weights.equivariance_value,
                equivariance_jacobian=weights.equivariance_jacobian,
            ),
            transform=transform,
            discriminator=critic,
            pyramid=self.pyramid,
            perceptual=self._perceptual[0],
            warp_points=self.config.points.tracking == "flow",
            align_corners=self.config.model.align_corners,
        )
        losses = dict(step.losses)
        deformation = step.generated["deformation"]
        losses.update(self._field_losses(batch, deformation))
        generated = compose(self.generator, batch.template, step.generated)
        if weights.pixel:
            gap = motion_weighted_l1(
                generated, batch.driving, batch.template, weights.change_weight
            )
            losses["pixel"] = weights.pixel * gap
        return Outcome(losses, generated)

    def _painted(self, batch: Batch) -> Outcome:
        """Return the painter's losses; the motion that it is shown stays as it is."""
        weights = self.config.train.losses
        prior = Prior(batch.maps, batch.unit)
        out = self.generator.paint(batch.template, self._field(batch), prior)
        losses = self._field_losses(batch, out["deformation"])
        change = batch.change
        if not change.numel():
            change = batch.driving - out["deformed"].detach()
        if weights.painted:
            losses["painted"] = weights.painted * painted_loss(out["correction"], change)
        started = self._started[0]
        if weights.kept and started is not None:
            with torch.no_grad():
                before = started(out["shown"], out["moved"], prior)
            unit = self.config.model.size / 2
            gap = (out["deformation"] - before.field).norm(dim=-1).mean() * unit
            drift = painted_loss(out["correction"], before.correction)
            losses["kept"] = weights.kept * (drift + gap)
        generated = out["deformed"] + out["correction"]
        return Outcome(losses, generated.detach())

    @torch.no_grad()
    def _field(self, batch: Batch) -> Tensor:
        """Return the grid that the painter is shown, from a motion network that stays as it is."""
        network = self.generator.dense_motion_network
        if network is None:
            raise UsageError("a painter needs a motion network")
        kp_template, kp_driving = self._points(batch)
        learning = network.training
        network.eval()
        motion = network(batch.template, kp_driving, kp_template)
        network.train(learning)
        field = full_field(motion.deformation, batch.template, self.config.model.align_corners)
        size = batch.flow.shape[1]
        true = coordinate_grid((size, size), field) + batch.flow * (2 / (size - 1))
        return torch.where(batch.flow_shown.reshape(-1, 1, 1, 1), true, field)

    def _points(self, batch: Batch) -> tuple[Keypoints, Keypoints]:
        pair = self._pair(batch)
        kp_template = self.detector(pair.template, pair.template_points, pair.template_jacobian)
        kp_driving = self.detector(pair.driving, pair.driving_points, pair.driving_jacobian)
        return kp_template, kp_driving

    def _motion_losses(self, batch: Batch) -> dict[str, Tensor]:
        kp_template, kp_driving = self._points(batch)
        network = self.generator.dense_motion_network
        if network is None:
            return {}
        motion = network(batch.template, kp_driving, kp_template)
        return self._field_losses(batch, motion.deformation)

    def _field_losses(self, batch: Batch, deformation: Tensor) -> dict[str, Tensor]:
        weights = self.config.train.losses
        losses: dict[str, Tensor] = {}
        field = full_field(deformation, batch.template, self.config.model.align_corners)
        if weights.flow:
            losses["flow"] = weights.flow * flow_loss(field, batch.flow, batch.flow_known)
        if weights.warped:
            warped = sharp_warp(batch.template, field, self.config.model.align_corners)
            gap = motion_weighted_l1(warped, batch.driving, batch.template, weights.change_weight)
            losses["warped"] = weights.warped * gap
        return losses

    def _pair(self, batch: Batch) -> PairBatch:
        if self.config.model.prior == "none":
            return PairBatch(batch.template, batch.driving)
        measured = self.config.model.jacobians != "learned"
        return PairBatch(
            batch.template,
            batch.driving,
            batch.template_points,
            batch.driving_points,
            None,
            batch.driving_jacobians if measured else None,
        )


def compose(generator: OcclusionAwareGenerator, template: Tensor, out: dict[str, Tensor]) -> Tensor:
    """Return the frame: the decoder's, or with a blend the sharp warp plus the correction.

    The template may be larger than the networks' images; the correction is enlarged to it.
    """
    prediction = out["prediction"]
    size = (template.shape[2], template.shape[3])
    if generator.blend == "none":
        return resize(prediction, size, generator.align_resize)
    field = full_field(out["deformation"], template, generator.align_resize)
    warped = sharp_warp(template, field, generator.align_corners)
    correction = resize(correction_of(out), size, generator.align_resize)
    return warped + correction


def correction_of(out: dict[str, Tensor]) -> Tensor:
    """Return what a generator with a blend adds to the warped template."""
    if "correction" in out:
        return out["correction"]
    return out["prediction"] - out["deformed"]


def painted_loss(correction: Tensor, change: Tensor) -> Tensor:
    """Return what is wrong with a correction, relative to the change it should make.

    The mean over pairs of the squared error, and half of the absolute error, so that thin lines
    count beside lids and lips.

    Shapes: (B, C, H, W).
    """
    gap = correction - change
    square = gap.square().mean((1, 2, 3)) / (change.square().mean((1, 2, 3)) + _FAINT_SQUARE)
    plain = gap.abs().mean((1, 2, 3)) / (change.abs().mean((1, 2, 3)) + _FAINT)
    return (square + 0.5 * plain).mean()


def flow_loss(field: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Return the end-point error relative to each pair's peak motion; 0 where it is not known.

    Half of the weight lies on moving pixels: most of a face is still.

    Shapes: field (B, H, W, 2) grid units; truth (B, H, W, 2) pixels; known (B,) bool.
    """
    height, width = truth.shape[1:3]
    unit = torch.tensor([(width - 1) / 2, (height - 1) / 2], device=field.device)
    motion = (field - coordinate_grid((height, width), field)) * unit
    error = ((motion - truth) ** 2).sum(-1).add(1e-4).sqrt()
    size = truth.norm(dim=-1)
    peak = size.amax(dim=(1, 2), keepdim=True).clamp_min(0.05)
    weight = size / peak
    weight = weight / weight.mean(dim=(1, 2), keepdim=True).clamp_min(1e-3)
    each = (error / peak * (0.5 + 0.5 * weight)).mean(dim=(1, 2))
    mean: Tensor = (each * known.to(each.dtype)).sum() / len(each)
    return mean
