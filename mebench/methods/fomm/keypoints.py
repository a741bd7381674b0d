"""The detector: one local affine frame per point, and the point itself where none is given.

Source: Siarohin et al., NeurIPS 2019 (points and Jacobians); Zhang et al., ACM MM 2021 (prior);
Siarohin et al., CVPR 2021 (regions).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from mebench.errors import UsageError
from mebench.methods.fomm.blocks import (
    AntiAliasDownsample,
    Hourglass,
    Keypoints,
    coordinate_grid,
    product2,
)
from mebench.methods.fomm.prior import prior_maps
from mebench.methods.fomm.regions import mean_and_root

Prior = Literal["ewp", "awp", "none"]


class DetectorTrace(NamedTuple):
    """What the detector computes on its way, for tests and figures."""

    prior: Tensor | None
    hourglass_in: Tensor
    hourglass_out: Tensor
    head: Tensor
    jacobian_map: Tensor | None


def pixels_to_grid(points: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Return pixel positions (..., 2) in grid units (-1..1) for an image of (height, width).

    Published code divides by the size; `align_corners` divides by size - 1, which is where the
    sampler's grid has its pixels.
    """
    shrink = 1 if align_corners else 0
    extent = torch.tensor(
        [max(size[1] - shrink, 1), max(size[0] - shrink, 1)],
        dtype=points.dtype,
        device=points.device,
    )
    return 2 * points / extent - 1


class KPDetector(nn.Module):
    """Finds the Jacobian around each point, guided by a prior map of the given points.

    Args:
        block_expansion: width of the hourglass.
        num_kp: number of points.
        num_channels: colour channels of the image.
        max_features: most channels a layer has.
        num_blocks: depth of the hourglass.
        temperature: of the softmax over space.
        estimate_jacobian: False leaves Jacobians to the given ones (identity where none is).
        scale_factor: the detector works on the image at this scale.
        single_jacobian_map: one Jacobian map shared by all points.
        pad: padding of the two 7x7 heads.
        prior: "ewp" (one map), "awp" (K maps, aggregated by `learn`, `learn1`), or "none": the
            original model, which finds its own points.
        align_corners: given pixels are put where the sampler has them (published: no).
        regions: a point is the mean of its heat map and its frame the root of the map's
            covariance (see `regions`); there is no Jacobian head then.
    """

    def __init__(
        self,
        block_expansion: int,
        num_kp: int,
        num_channels: int,
        max_features: int,
        num_blocks: int,
        temperature: float,
        estimate_jacobian: bool = True,
        scale_factor: float = 1,
        single_jacobian_map: bool = False,
        pad: int = 0,
        *,
        prior: Prior = "ewp",
        align_corners: bool = False,
        regions: bool = False,
    ) -> None:
        super().__init__()
        if regions and prior != "none":
            raise UsageError(f"regions are found by the detector; got a prior, '{prior}'")
        self.prior: Prior = prior
        self.regions = regions
        self.temperature = temperature
        self.num_kp = num_kp
        self.align_corners = align_corners
        if prior == "awp":
            self.learn = nn.Conv2d(num_kp, num_kp // 2, 3, padding=1)
            self.learn1 = nn.Conv2d(num_kp // 2, 1, 3, padding=1)
        self.down = AntiAliasDownsample(num_channels, scale_factor)
        self.predictor = Hourglass(
            block_expansion, num_channels + (prior != "none"), num_blocks, max_features
        )
        width = self.predictor.out_features
        self.kp = nn.Conv2d(width, num_kp, 7, padding=pad)
        self.jacobian: nn.Conv2d | None = None
        if estimate_jacobian and not regions:
            maps = 1 if single_jacobian_map else num_kp
            self.jacobian = nn.Conv2d(width, 4 * maps, 7, padding=pad)
            self._start_at_identity(self.jacobian, maps)

    @staticmethod
    def _start_at_identity(head: nn.Conv2d, maps: int) -> None:
        nn.init.zeros_(head.weight)
        if head.bias is not None:
            with torch.no_grad():
                head.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 1.0]).repeat(maps))

    def forward(
        self, image: Tensor, points: Tensor | None = None, jacobian: Tensor | None = None
    ) -> Keypoints:
        """Return the points and their Jacobians.

        Shapes: image (B, C, H, W) in 0..1; points (B, K, 2) pixels, only without a prior None;
        jacobian (B, K, 2, 2) measured ones, multiplied from the left onto the predicted ones.

        Raises:
            UsageError: when a prior needs points and none are given.
        """
        trace = self.trace(image, points)
        heat = self._heat(trace.head)
        if self.regions:
            return Keypoints(*mean_and_root(heat))
        if self.prior == "none" or points is None:
            grid = coordinate_grid((heat.shape[2], heat.shape[3]), heat)
            value = (heat.unsqueeze(-1) * grid).sum(dim=(2, 3))
        else:
            size = (image.shape[2], image.shape[3])
            value = pixels_to_grid(points.to(image.dtype), size, self.align_corners)
        if trace.jacobian_map is None:
            return Keypoints(value, jacobian)
        predicted = self._pool_jacobians(heat, trace.jacobian_map)
        return Keypoints(value, predicted if jacobian is None else product2(jacobian, predicted))

    def trace(self, image: Tensor, points: Tensor | None) -> DetectorTrace:
        """Return every intermediate of the detector; see `forward` for the arguments."""
        small = self.down(image)
        prior = None
        if self.prior != "none":
            prior = self.prior_channel(image, points)
            small = torch.cat([small, prior.to(small.dtype)], dim=1)
        features = self.predictor(small)
        # Half-precision heads would round the motion itself, not only the picture.
        with torch.autocast(image.device.type, enabled=False):
            full = features.float()
            head = self.kp(full)
            jacobian_map = None if self.jacobian is None else self.jacobian(full)
        return DetectorTrace(prior, small, features, head, jacobian_map)

    def prior_channel(self, image: Tensor, points: Tensor | None) -> Tensor:
        """Return the (B, 1, h, w) map that stands beside the colours."""
        if points is None:
            raise UsageError(f"the '{self.prior}' detector needs points of every frame; got none")
        if points.shape[1] != self.num_kp:
            raise UsageError(f"expected {self.num_kp} points a frame, got {points.shape[1]}")
        size = (image.shape[2], image.shape[3])
        step = self.down.step
        map_size = (-(-size[0] // step), -(-size[1] // step))
        if self.prior == "awp":
            maps = prior_maps(points, size, map_size, "awp").to(image.device)
            channel: Tensor = self.learn1(self.learn(maps))
            return channel
        return prior_maps(points, size, map_size, "ewp")

    def _heat(self, head: Tensor) -> Tensor:
        flat = torch.softmax(head.flatten(2) / self.temperature, dim=2)
        return flat.reshape(head.shape)

    def _pool_jacobians(self, heat: Tensor, maps: Tensor) -> Tensor:
        batch, _, height, width = maps.shape
        maps = maps.reshape(batch, -1, 4, height, width)
        pooled = (heat.unsqueeze(2) * maps).sum(dim=(3, 4))
        return pooled.reshape(batch, self.num_kp, 2, 2)
