"""Layers and 2-D geometry that every network of the family shares."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mebench.methods.fomm.winograd import WideConv2d

Padding = Literal["zeros", "border", "reflection"]

_SMALLEST_DETERMINANT = 1e-6


class Keypoints(NamedTuple):
    """Points with the local affine frame around each.

    Shapes: value (B, K, 2), jacobian (B, K, 2, 2) or None.
    Units: value (x, y) in -1..1 across the image.
    """

    value: Tensor
    jacobian: Tensor | None = None

    def detach(self) -> Keypoints:
        """Return the same numbers without their history."""
        return Keypoints(
            self.value.detach(), None if self.jacobian is None else self.jacobian.detach()
        )

    def expand(self, batch: int) -> Keypoints:
        """Return views with a batch of one repeated `batch` times."""
        jacobian = None if self.jacobian is None else self.jacobian.expand(batch, -1, -1, -1)
        return Keypoints(self.value.expand(batch, -1, -1), jacobian)

    def select(self, index: slice) -> Keypoints:
        """Return the given part of the batch."""
        return Keypoints(self.value[index], None if self.jacobian is None else self.jacobian[index])


class EncodedTemplate(NamedTuple):
    """The part of the work that depends on the template alone.

    Shapes: features (B, C, H / 2^n, W / 2^n) or None without a decoder; small (B, 3, h, w) or None
    without dense motion.
    """

    features: Tensor | None
    small: Tensor | None

    def expand(self, batch: int) -> EncodedTemplate:
        """Return views with a batch of one repeated `batch` times."""

        def repeated(maps: Tensor | None) -> Tensor | None:
            return None if maps is None else maps.expand(batch, -1, -1, -1)

        return EncodedTemplate(repeated(self.features), repeated(self.small))


def coordinate_grid(size: tuple[int, int], like: Tensor) -> Tensor:
    """Return the (h, w, 2) grid of (x, y) whose first and last pixel centres are -1 and 1."""
    axes = [
        2 * torch.arange(n, dtype=like.dtype, device=like.device) / max(n - 1, 1) - 1 for n in size
    ]
    y, x = torch.meshgrid(axes[0], axes[1], indexing="ij")
    return torch.stack([x, y], dim=-1)


def gaussian_maps(points: Tensor, size: tuple[int, int], variance: float) -> Tensor:
    """Return (B, K, h, w): exp(-d^2 / 2 variance) around each of the (B, K, 2) points."""
    return torch.exp(-0.5 * squared_distances(points, size) / variance)


def squared_distances(points: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (B, K, h, w): squared distance of every grid position to each point."""
    offset = coordinate_grid(size, points) - points[:, :, None, None, :]
    return (offset**2).sum(dim=-1)


def product2(first: Tensor, second: Tensor) -> Tensor:
    """Return the product of (..., 2, 2) matrices, in full precision even under autocast."""
    return (first.unsqueeze(-1) * second.unsqueeze(-3)).sum(dim=-2)


def inverse2(matrix: Tensor) -> Tensor:
    """Return the inverse of (..., 2, 2) matrices; determinants below 1e-6 are moved to 1e-6."""
    a, b = matrix[..., 0, 0], matrix[..., 0, 1]
    c, d = matrix[..., 1, 0], matrix[..., 1, 1]
    determinant = a * d - b * c
    guard = torch.where(determinant < 0, -_SMALLEST_DETERMINANT, _SMALLEST_DETERMINANT)
    safe = torch.where(
        determinant.abs() < _SMALLEST_DETERMINANT, guard.to(determinant.dtype), determinant
    )
    adjugate = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    return adjugate / safe[..., None, None]


def sample(image: Tensor, grid: Tensor, align_corners: bool, padding: Padding = "zeros") -> Tensor:
    """Return `image` (B, C, H, W) read bilinearly at `grid` (B, h, w, 2)."""
    return F.grid_sample(image, grid, padding_mode=padding, align_corners=align_corners)


def resize(maps: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    """Return (B, C, h, w) `maps` resized bilinearly; the same tensor where nothing changes."""
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=align_corners)


class SameBlock(nn.Module):
    """Convolution, norm, ReLU."""

    def __init__(self, in_features: int, out_features: int, kernel: int) -> None:
        super().__init__()
        self.conv: nn.Conv2d = (
            WideConv2d(in_features, out_features)
            if kernel == 3
            else nn.Conv2d(in_features, out_features, kernel, padding=kernel // 2)
        )
        self.norm = nn.BatchNorm2d(out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, in, h, w) to (B, out, h, w)."""
        return F.relu(self.norm(self.conv(x)), inplace=True)


class DownBlock(SameBlock):
    """Convolution, norm, ReLU, half the size."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, in, h, w) to (B, out, h // 2, w // 2)."""
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock(SameBlock):
    """Twice the size (nearest), convolution, norm, ReLU."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, in, h, w) to (B, out, 2 h, 2 w)."""
        return super().forward(F.interpolate(x, scale_factor=2))


class ResidualBlock(nn.Module):
    """Twice norm, ReLU, convolution; added to the input."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = WideConv2d(features, features)
        self.conv2 = WideConv2d(features, features)
        self.norm1 = nn.BatchNorm2d(features)
        self.norm2 = nn.BatchNorm2d(features)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, C, h, w) to the same."""
        out = self.conv1(F.relu(self.norm1(x), inplace=True))
        out = self.conv2(F.relu(self.norm2(out), inplace=True))
        return cast(Tensor, out + x)


class _Encoder(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> list[Tensor]:
        out = [x]
        for block in self.down_blocks:
            out.append(block(out[-1]))
        return out


class _Decoder(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        deepest = len(widths) - 1
        self.up_blocks = nn.ModuleList(
            UpBlock(widths[i] * (1 if i == deepest else 2), widths[i - 1])
            for i in range(deepest, 0, -1)
        )

    def forward(self, levels: list[Tensor]) -> Tensor:
        out = levels[-1]
        for block, skip in zip(self.up_blocks, levels[-2::-1], strict=True):
            out = torch.cat([block(out), skip], dim=1)
        return out


class Hourglass(nn.Module):
    """Encoder and decoder with skip connections; `out_features` counts its output channels."""

    def __init__(
        self, block_expansion: int, in_features: int, num_blocks: int, max_features: int
    ) -> None:
        super().__init__()
        widths = [min(max_features, block_expansion * 2**i) for i in range(num_blocks + 1)]
        self.encoder = _Encoder([in_features, *widths[1:]])
        self.decoder = _Decoder([block_expansion, *widths[1:]])
        self.out_features = block_expansion + in_features

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, in, h, w) to (B, block_expansion + in, h, w)."""
        return cast(Tensor, self.decoder(self.encoder(x)))


class AntiAliasDownsample(nn.Module):
    """Gaussian blur and every m-th pixel, m = 1 / scale; the image itself at scale 1."""

    weight: Tensor

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.step = round(1 / scale)
        self.channels = channels
        sigma = (1 / scale - 1) / 2
        radius = round(sigma * 4)
        positions = torch.arange(-radius, radius + 1, dtype=torch.float32)
        line = torch.exp(-(positions**2) / (2 * sigma**2)) if radius else torch.ones(1)
        kernel = line[:, None] * line[None, :]
        kernel = (kernel / kernel.sum()).expand(channels, 1, -1, -1).clone()
        self.register_buffer("weight", kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, C, H, W) to (B, C, ceil(H / m), ceil(W / m))."""
        if self.step == 1:
            return x
        return F.conv2d(
            x,
            self.weight,
            stride=self.step,
            padding=self.weight.shape[-1] // 2,
            groups=self.channels,
        )


class ImagePyramid(nn.Module):
    """The image at several scales."""

    def __init__(self, scales: tuple[float, ...], num_channels: int = 3) -> None:
        super().__init__()
        self.scales = scales
        self.downs = nn.ModuleList(AntiAliasDownsample(num_channels, scale) for scale in scales)

    def forward(self, image: Tensor) -> dict[float, Tensor]:
        """Return {scale: (B, C, H * scale, W * scale)}."""
        return {scale: down(image) for scale, down in zip(self.scales, self.downs, strict=True)}


def full_field(deformation: Tensor, image: Tensor, align_corners: bool) -> Tensor:
    """Return the sampling grid (B, H, W, 2) of a deformation (B, h, w, 2) at the image's size."""
    size = (image.shape[2], image.shape[3])
    return resize(deformation.permute(0, 3, 1, 2), size, align_corners).permute(0, 2, 3, 1)
