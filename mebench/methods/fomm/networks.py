"""Builds the networks of a configuration, their numbers drawn from a seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mebench.errors import UsageError
from mebench.methods.fomm.blocks import Keypoints
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.discriminator import MultiScaleDiscriminator
from mebench.methods.fomm.generator import OcclusionAwareGenerator
from mebench.methods.fomm.keypoints import KPDetector, pixels_to_grid

FIELD_SCALE = 0.25
"""Detector and motion network work at this scale of the image, as published."""


class GivenPoints(nn.Module):
    """Stands in for the detector where points and Jacobians are both measured.

    Attributes:
        correction: (6K, 6K), what is known of the tracker's errors (`rehearsal.corrected`); zeros
            before training.
    """

    def __init__(self, align_corners: bool, count: int) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.correction = nn.Parameter(torch.zeros(6 * count, 6 * count), requires_grad=False)

    def forward(
        self, image: Tensor, points: Tensor | None = None, jacobian: Tensor | None = None
    ) -> Keypoints:
        """Return the given points in grid units; the identity where no Jacobian is given.

        Shapes: image (B, C, H, W); points (B, K, 2) pixels; jacobian (B, K, 2, 2).
        """
        if points is None:
            raise UsageError("this model needs the face points of every frame, got none")
        size = (image.shape[2], image.shape[3])
        value = pixels_to_grid(points.to(image.dtype), size, self.align_corners)
        if jacobian is None:
            eye = torch.eye(2, dtype=value.dtype, device=value.device)
            jacobian = eye.expand(*value.shape[:2], 2, 2)
        return Keypoints(value, jacobian)


class Networks(NamedTuple):
    """The two networks that generate, and the critic, which only training needs."""

    detector: KPDetector | GivenPoints
    generator: OcclusionAwareGenerator
    discriminator: MultiScaleDiscriminator | None

    def modules(self) -> dict[str, nn.Module]:
        """Return the networks that exist by the names they have in checkpoints."""
        named = {
            "kp_detector": self.detector,
            "generator": self.generator,
            "discriminator": self.discriminator,
        }
        return {name: module for name, module in named.items() if module is not None}


def build(config: FommConfig, seed: int, *, with_critic: bool = False) -> Networks:
    """Return fresh networks; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        detector = _detector(config)
        generator = _generator(config)
        critic = _critic(config) if with_critic else None
    return Networks(detector, generator, critic)


def _detector(config: FommConfig) -> KPDetector | GivenPoints:
    model = config.model
    if model.jacobians == "measured":
        return GivenPoints(model.align_corners, config.point_count)
    return KPDetector(
        block_expansion=model.detector_width,
        num_kp=config.point_count,
        num_channels=3,
        max_features=model.detector_max,
        num_blocks=model.detector_blocks,
        temperature=model.temperature,
        scale_factor=FIELD_SCALE,
        prior=model.prior,
        align_corners=model.align_corners,
        regions=model.jacobians == "regions",
    )


def _generator(config: FommConfig) -> OcclusionAwareGenerator:
    model = config.model
    generator = OcclusionAwareGenerator(
        num_channels=3,
        num_kp=config.point_count,
        block_expansion=model.generator_width,
        max_features=model.generator_max,
        num_down_blocks=model.generator_down,
        num_bottleneck_blocks=model.generator_residual,
        estimate_occlusion_map=True,
        dense_motion_params={
            "block_expansion": model.motion_width,
            "max_features": model.motion_max,
            "num_blocks": model.motion_blocks,
            "scale_factor": FIELD_SCALE,
            "mask_prior_sigma": model.mask_sigma,
            "mask_prior_background": model.mask_background,
            "mask_kernel": model.mask_kernel,
            "regions": model.jacobians == "regions",
        },
        align_corners=model.align_corners,
        align_resize=model.align_corners,
        padding="border" if model.align_corners else "zeros",
        blend=model.blend,
        painter_widths=model.painter_widths,
    )
    motion = generator.dense_motion_network
    if model.mask_sigma > 0 and motion is not None:
        # Motion starts out as the distance to the points says, without noise on top.
        nn.init.zeros_(motion.mask.weight)
        if motion.mask.bias is not None:
            nn.init.zeros_(motion.mask.bias)
    return generator


def _critic(config: FommConfig) -> MultiScaleDiscriminator:
    model = config.model
    return MultiScaleDiscriminator(
        block_expansion=model.discriminator_width,
        num_blocks=model.discriminator_blocks,
        max_features=model.discriminator_max,
    )


def correction_in(networks: Networks) -> NDArray[np.float32]:
    """Return the correction of tracks (6K, 6K) that networks of measured points hold.

    Raises:
        UsageError: for networks that find their points.
    """
    if not isinstance(networks.detector, GivenPoints):
        raise UsageError("only networks with measured points correct tracks")
    found: NDArray[np.float32] = networks.detector.correction.numpy(force=True)
    return found
