"""Copies of networks that compute the same numbers in less time; for inference only."""

from __future__ import annotations

import copy
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mebench.errors import UsageError
from mebench.methods.fomm.blocks import ResidualBlock, SameBlock, UpBlock
from mebench.methods.fomm.generator import OcclusionAwareGenerator

Network = TypeVar("Network", bound=nn.Module)


def fast_copy(network: Network) -> Network:
    """Return a copy in eval mode: norms folded, convolutions split, channels last.

    The numbers agree with the original to rounding.
    """
    quick = copy.deepcopy(network).eval().requires_grad_(False)
    for module in quick.modules():
        if isinstance(module, SameBlock):
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()  # type: ignore[assignment]
    _replace(quick)
    if isinstance(quick, OcclusionAwareGenerator) and quick.blend != "painter":
        quick.final = RowSplitConv(quick.final)  # type: ignore[assignment]
    return quick.to(memory_format=torch.channels_last)


def _replace(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, UpBlock):
            setattr(module, name, PhaseUpBlock(child.conv))
        elif isinstance(child, ResidualBlock):
            setattr(module, name, FoldedResidualBlock(child))
        else:
            _replace(child)


class FoldedResidualBlock(nn.Module):
    """A `ResidualBlock` whose first norm is one multiply-add and whose second is in a kernel."""

    scale: Tensor
    shift: Tensor

    def __init__(self, block: ResidualBlock) -> None:
        super().__init__()
        norm = block.norm1
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            raise UsageError("only norms with running statistics can be folded")
        scale = norm.weight.detach() * torch.rsqrt(variance + norm.eps)
        self.register_buffer("scale", scale.reshape(1, -1, 1, 1))
        self.register_buffer("shift", (norm.bias.detach() - mean * scale).reshape(1, -1, 1, 1))
        self.conv1 = fuse_conv_bn_eval(block.conv1, block.norm2)
        self.conv2 = block.conv2

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, C, h, w) to the same."""
        out = F.relu_(torch.addcmul(self.shift, x, self.scale))
        out = F.relu_(self.conv1(out))
        out = self.conv2(out)
        return cast(Tensor, out.add_(x))


class PhaseUpBlock(nn.Module):
    """Nearest-neighbour doubling and a 3x3 convolution as four 2x2 ones on the small map.

    A doubled map repeats its rows, so the three kernel rows meet only two different ones:
    16 instead of 36 products a place.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        weight = conv.weight.detach()
        rows = (
            torch.stack([weight[:, :, 0], weight[:, :, 1] + weight[:, :, 2]], dim=2),
            torch.stack([weight[:, :, 0] + weight[:, :, 1], weight[:, :, 2]], dim=2),
        )
        phases = []
        for row in rows:
            phases.append(torch.stack([row[..., 0], row[..., 1] + row[..., 2]], dim=3))
            phases.append(torch.stack([row[..., 0] + row[..., 1], row[..., 2]], dim=3))
        self.out_channels = conv.out_channels
        self.conv = nn.Conv2d(conv.in_channels, 4 * conv.out_channels, 2, padding=1)
        self.conv.weight = nn.Parameter(torch.cat(phases), requires_grad=False)
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
        self.conv.bias = nn.Parameter(bias.repeat(4), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, in, h, w) to (B, out, 2 h, 2 w)."""
        batch, _, height, width = x.shape
        phases = F.relu_(self.conv(x)).chunk(4, dim=1)
        out = torch.empty(
            (batch, self.out_channels, 2 * height, 2 * width),
            dtype=phases[0].dtype,
            device=x.device,
            memory_format=torch.channels_last,
        )
        for index, phase in enumerate(phases):
            down, right = divmod(index, 2)
            out[:, :, down::2, right::2] = phase[:, :, down : down + height, right : right + width]
        return out


class RowSplitConv(nn.Module):
    """A k x k convolution to few channels as one 1 x k convolution to k times as many, then a sum.

    Three output channels leave most vector lanes idle; 21 fill them.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        out_channels, in_channels, size, _ = conv.weight.shape
        self.size = size
        self.out_channels = out_channels
        self.bias = conv.bias
        self.conv = nn.Conv2d(
            in_channels, size * out_channels, (1, size), padding=(0, size // 2), bias=False
        )
        split = conv.weight.detach().permute(2, 0, 1, 3).reshape(-1, in_channels, 1, size)
        self.conv.weight = nn.Parameter(split.contiguous(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, in, H, W) to (B, out, H, W)."""
        height, half = x.shape[2], self.size // 2
        rows = self.conv(x).chunk(self.size, dim=1)
        bias = 0.0 if self.bias is None else self.bias.reshape(1, -1, 1, 1)
        out: Tensor = rows[half] + bias
        for index, row in enumerate(rows):
            shift = index - half
            if shift == 0 or abs(shift) >= height:
                continue
            if shift > 0:
                out[:, :, : height - shift] += row[:, :, shift:]
            else:
                out[:, :, -shift:] += row[:, :, : height + shift]
        return out
