"""The critic of the adversarial loss: patches judged at one or more scales.

Source: Siarohin et al., NeurIPS 2019; the loss is LSGAN (Mao et al., ICCV 2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm


class Judgement(NamedTuple):
    """What the critic says at one scale.

    Shapes: features, one (B, C, h, w) a block; score (B, 1, h, w), 1 for real.
    """

    features: list[Tensor]
    score: Tensor


class _Block(nn.Module):
    def __init__(
        self, in_features: int, out_features: int, norm: bool, pool: bool, sn: bool
    ) -> None:
        super().__init__()
        conv = nn.Conv2d(in_features, out_features, 4)
        self.conv = spectral_norm(conv) if sn else conv
        self.norm = nn.InstanceNorm2d(out_features, affine=True) if norm else None
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)
        if self.norm is not None:
            out = self.norm(out)
        out = F.leaky_relu(out, 0.2, inplace=True)
        return F.avg_pool2d(out, 2) if self.pool else out


class Discriminator(nn.Module):
    """Blocks of 4x4 convolution, instance norm, leaky ReLU and pooling; then one score a place.

    Args:
        num_channels: colour channels of the image.
        block_expansion: half the width of the first block.
        num_blocks: number of blocks.
        max_features: most channels a layer has.
        sn: spectral norm on every convolution.
    """

    def __init__(
        self,
        num_channels: int = 3,
        block_expansion: int = 64,
        num_blocks: int = 4,
        max_features: int = 512,
        sn: bool = False,
    ) -> None:
        super().__init__()
        widths = [min(max_features, block_expansion * 2**i) for i in range(1, num_blocks + 1)]
        ends = [num_channels, *widths]
        self.down_blocks = nn.ModuleList(
            _Block(ends[i], ends[i + 1], norm=i > 0, pool=i < num_blocks - 1, sn=sn)
            for i in range(num_blocks)
        )
        conv = nn.Conv2d(widths[-1], 1, 1)
        self.conv = spectral_norm(conv) if sn else conv

    def forward(self, image: Tensor) -> Judgement:
        """Shapes: image (B, C, H, W)."""
        features: list[Tensor] = []
        out = image
        for block in self.down_blocks:
            out = block(out)
            features.append(out)
        return Judgement(features, self.conv(out))


class MultiScaleDiscriminator(nn.Module):
    """One `Discriminator` for each scale of the image pyramid; arguments as there."""

    def __init__(
        self,
        scales: tuple[float, ...] = (1,),
        num_channels: int = 3,
        block_expansion: int = 64,
        num_blocks: int = 4,
        max_features: int = 512,
        sn: bool = False,
    ) -> None:
        super().__init__()
        self.scales = tuple(scales)
        self.discs = nn.ModuleDict(
            {
                f"{scale:g}".replace(".", "-"): Discriminator(
                    num_channels, block_expansion, num_blocks, max_features, sn
                )
                for scale in self.scales
            }
        )

    def forward(self, pyramid: Mapping[float, Tensor]) -> list[Judgement]:
        """Return one judgement a scale, in the order of `scales`; other scales are not read."""
        return [
            disc(pyramid[scale])
            for scale, disc in zip(self.scales, self.discs.values(), strict=True)
        ]
