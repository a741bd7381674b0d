"""A random smooth deformation of the image, under which points must move along (equivariance).

Source: Siarohin et al., NeurIPS 2019, section 3.2 (thin plate splines after Jakab et al. 2018).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mebench.methods.fomm.blocks import coordinate_grid, product2, sample

_EPSILON = 1e-6


class Transform(NamedTuple):
    """p -> A p + t + sum_j c_j r_j^2 log r_j, the same sum for x and y.

    r_j is the L1 distance to control point j of a square grid over -1..1, as published.

    Attributes:
        theta: (B, 2, 3) affine part [A | t].
        control_params: (B, 1, n * n) the c_j, or None for an affine transform.
    """

    theta: Tensor
    control_params: Tensor | None = None

    @classmethod
    def from_noise(cls, noise: Tensor, control_params: Tensor | None = None) -> Transform:
        """Return the transform whose affine part is the identity plus `noise` (B, 2, 3)."""
        identity = torch.eye(2, 3, dtype=noise.dtype, device=noise.device)
        return cls(identity + noise, control_params)

    @classmethod
    def random(
        cls,
        batch: int,
        *,
        sigma_affine: float,
        sigma_tps: float | None = None,
        points_tps: int | None = None,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
    ) -> Transform:
        """Draw a transform for each item; numbers come from the CPU `generator`."""
        noise = sigma_affine * torch.randn(batch, 2, 3, generator=generator)
        params = None
        if sigma_tps is not None and points_tps is not None:
            params = sigma_tps * torch.randn(batch, 1, points_tps**2, generator=generator)
            params = params.to(device)
        return cls.from_noise(noise.to(device), params)

    def rows(self, part: slice) -> Transform:
        """Return the transforms of some of the items."""
        params = self.control_params
        return Transform(self.theta[part], None if params is None else params[part])

    def control_points(self) -> Tensor:
        """Return the (n * n, 2) control points."""
        count = 0 if self.control_params is None else self.control_params.shape[-1]
        side = round(count**0.5)
        return coordinate_grid((side, side), self.theta).reshape(-1, 2)

    def warp(self, points: Tensor) -> Tensor:
        """Return where (B, N, 2) points go."""
        theta = self.theta.unsqueeze(1)
        out = product2_vector(theta[..., :2], points) + theta[..., 2]
        if self.control_params is None:
            return out
        distance = self._offsets(points).abs().sum(dim=-1)
        bump = distance**2 * torch.log(distance + _EPSILON) * self.control_params
        return out + bump.sum(dim=2, keepdim=True)

    def jacobian(self, points: Tensor) -> Tensor:
        """Return (B, N, 2, 2), row i being d(new x_i) / d(x, y), at (B, N, 2) points."""
        affine = self.theta[:, None, :, :2]
        if self.control_params is None:
            return affine.expand(-1, points.shape[1], -1, -1)
        offsets = self._offsets(points)
        r = offsets.abs().sum(dim=-1)
        slope = 2 * r * torch.log(r + _EPSILON) + r**2 / (r + _EPSILON)
        gradient = ((slope * self.control_params).unsqueeze(-1) * offsets.sign()).sum(dim=2)
        return affine + gradient.unsqueeze(-2)

    def frame(self, image: Tensor, align_corners: bool) -> Tensor:
        """Return (B, C, H, W) `image` read at the warped grid, mirrored at its edges."""
        size = (image.shape[2], image.shape[3])
        flat = coordinate_grid(size, image).reshape(1, -1, 2).expand(image.shape[0], -1, -1)
        grid = self.warp(flat).reshape(image.shape[0], *size, 2)
        return sample(image, grid, align_corners, "reflection")

    def _offsets(self, points: Tensor) -> Tensor:
        return points.unsqueeze(2) - self.control_points()


def product2_vector(matrix: Tensor, vector: Tensor) -> Tensor:
    """Return (..., 2, 2) matrices times (..., 2) vectors."""
    return product2(matrix, vector.unsqueeze(-1)).squeeze(-1)
