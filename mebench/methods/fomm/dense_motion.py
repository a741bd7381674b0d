"""From moving points to a motion for every pixel.

Source: Siarohin et al., NeurIPS 2019, equations 4 and 5 (local affine motion, masked sum).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mebench.methods.fomm.blocks import (
    AntiAliasDownsample,
    Hourglass,
    Keypoints,
    Padding,
    coordinate_grid,
    gaussian_maps,
    inverse2,
    product2,
    sample,
    squared_distances,
)
from mebench.methods.fomm.regions import turned_to

_FAR = -25.0


class DenseMotion(NamedTuple):
    """The motion field of a batch.

    Shapes: deformation (B, h, w, 2): where in the template each place of the frame comes from;
    mask (B, K+1, h, w); occlusion_map (B, 1, h, w) or None; sparse_deformed (B, K+1, C, h, w).
    """

    deformation: Tensor
    mask: Tensor
    occlusion_map: Tensor | None
    sparse_deformed: Tensor


class DenseMotionNetwork(nn.Module):
    """Blends the affine motions around K points and the identity into one field.

    Args:
        block_expansion: width of the hourglass.
        num_blocks: depth of the hourglass.
        max_features: most channels a layer has.
        num_kp: number of points.
        num_channels: colour channels of the image.
        estimate_occlusion_map: also say where the template cannot be warped from.
        scale_factor: the field is made at this scale of the image.
        kp_variance: of the heat maps shown to the network, in grid units squared.
        align_corners: of the sampler; True makes identity motion exact.
        padding: what the sampler reads outside the template (published: zeros).
        mask_prior_sigma: above 0, the mask logits get the fixed term -d^2 / (2 sigma^2), d being
            the distance to the point in the driving frame (grid units): motion starts out local.
        mask_prior_background: the fixed term of the identity motion, used with the above.
        mask_kernel: side of the mask layer's filters (published: 7).
        regions: Jacobians are roots of covariances; how far their axes turned is found here, where
            both frames are at hand.
    """

    def __init__(
        self,
        block_expansion: int,
        num_blocks: int,
        max_features: int,
        num_kp: int,
        num_channels: int,
        estimate_occlusion_map: bool = False,
        scale_factor: float = 1,
        kp_variance: float = 0.01,
        *,
        align_corners: bool = False,
        padding: Padding = "zeros",
        mask_prior_sigma: float = 0.0,
        mask_prior_background: float = -2.0,
        mask_kernel: int = 7,
        regions: bool = False,
    ) -> None:
        super().__init__()
        self.num_kp = num_kp
        self.kp_variance = kp_variance
        self.align_corners = align_corners
        self.padding: Padding = padding
        self.mask_prior_sigma = mask_prior_sigma
        self.mask_prior_background = mask_prior_background
        self.regions = regions
        self.down = AntiAliasDownsample(num_channels, scale_factor)
        self.hourglass = Hourglass(
            block_expansion, (num_kp + 1) * (num_channels + 1), num_blocks, max_features
        )
        width = self.hourglass.out_features
        self.mask = nn.Conv2d(width, num_kp + 1, mask_kernel, padding=mask_kernel // 2)
        self.occlusion = nn.Conv2d(width, 1, 7, padding=3) if estimate_occlusion_map else None

    def forward(
        self,
        template: Tensor,
        kp_driving: Keypoints,
        kp_template: Keypoints,
        small: Tensor | None = None,
    ) -> DenseMotion:
        """Return the field that carries the template to the driving frame's pose.

        Shapes: template (B, C, H, W); `small` is `self.down(template)` where it is known already.
        """
        if small is None:
            small = self.down(template)
        size = (small.shape[2], small.shape[3])
        motions = self.sparse_motions(kp_driving, kp_template, size)
        deformed = self._deform(small, motions)
        heat = gaussian_maps(kp_driving.value, size, self.kp_variance) - gaussian_maps(
            kp_template.value, size, self.kp_variance
        )
        heat = torch.cat([torch.zeros_like(heat[:, :1]), heat], dim=1)
        groups = torch.cat([heat.unsqueeze(2), deformed], dim=2).flatten(1, 2)
        features = self.hourglass(groups)
        logits = self.mask(features).float()
        if self.mask_prior_sigma > 0:
            logits = logits + self._mask_prior(kp_driving, size)
        mask = torch.softmax(logits, dim=1)
        deformation = (motions * mask.unsqueeze(-1)).sum(dim=1)
        occlusion = None
        if self.occlusion is not None:
            occlusion = torch.sigmoid(self.occlusion(features))
        return DenseMotion(deformation, mask, occlusion, deformed)

    def sparse_motions(
        self, kp_driving: Keypoints, kp_template: Keypoints, size: tuple[int, int]
    ) -> Tensor:
        """Return (B, K+1, h, w, 2): the identity, then z -> t + Jt Jd^-1 (z - d) of each point."""
        grid = coordinate_grid(size, kp_driving.value)
        offset = grid - kp_driving.value[:, :, None, None, :]
        if kp_driving.jacobian is not None and kp_template.jacobian is not None:
            driving = kp_driving.jacobian
            if self.regions:
                driving = turned_to(driving, kp_template.jacobian)
            affine = product2(kp_template.jacobian, inverse2(driving))
            # Not a matmul: autocast would round the coordinates to half precision.
            offset = (affine[:, :, None, None] * offset.unsqueeze(-2)).sum(dim=-1)
        moved = offset + kp_template.value[:, :, None, None, :]
        identity = grid.expand(moved.shape[0], 1, *grid.shape)
        return torch.cat([identity, moved], dim=1)

    def _deform(self, small: Tensor, motions: Tensor) -> Tensor:
        batch, count, height, width, _ = motions.shape
        tall = motions.reshape(batch, count * height, width, 2)
        out = sample(small, tall, self.align_corners, self.padding)
        return out.reshape(batch, -1, count, height, width).transpose(1, 2)

    def _mask_prior(self, kp_driving: Keypoints, size: tuple[int, int]) -> Tensor:
        near = -squared_distances(kp_driving.value, size) / (2 * self.mask_prior_sigma**2)
        # Smaller weights have denormal gradients, on which a CPU is five times slower.
        near = near.clamp_min(_FAR)
        background = torch.full_like(near[:, :1], self.mask_prior_background)
        return torch.cat([background, near], dim=1)
