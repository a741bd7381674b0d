"""Wide 3x3 convolutions on 4x4 tiles, forwards and backwards; on the CPU.

Source: Lavin and Gray, CVPR 2016: F(4x4, 3x3), 36 products where the plain sum needs 144.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SMALLEST_WEIGHT = 128 * 256
"""Below this many channel pairs the transforms cost more than the products they save."""

_FEWEST_PLACES = 1024
"""Below this many pixels transforming the weights costs more than it saves."""

_FEWEST_PLACES_FROZEN = 256

_TILES_AT_ONCE = 256

_TO_TILE = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_TO_KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_TO_OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


def _twice(rows: tuple[tuple[float, ...], ...]) -> Tensor:
    matrix = torch.tensor(rows, dtype=torch.float64)
    return torch.kron(matrix, matrix).float()


_TILE = _twice(_TO_TILE)
_KERNEL = _twice(_TO_KERNEL)
_OUTPUT = _twice(_TO_OUTPUT)


class WideConv2d(nn.Conv2d):
    """A 3x3 convolution of padding 1 that takes the quick way where there is one.

    The numbers agree with `nn.Conv2d` to rounding, those of the gradients as well. Parameters
    have the same names. Any other device, precision, size or width is convolved as usual.

    Attributes:
        tiles: False convolves as usual everywhere.
    """

    tiles = True

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)
        self._kept: tuple[Tensor, int, int, Tensor] | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Shapes: (B, in, h, w) to (B, out, h, w)."""
        if not self._pays(input):
            return super().forward(input)
        made: Any = _Tiled.apply
        out: Tensor = made(input, self.weight, self.bias, self._kernels())
        return out

    def _pays(self, x: Tensor) -> bool:
        batch, channels, height, width = x.shape
        fewest = _FEWEST_PLACES if self.weight.requires_grad else _FEWEST_PLACES_FROZEN
        return (
            self.tiles
            and channels * self.out_channels >= _SMALLEST_WEIGHT
            and batch * height * width >= fewest
            and height % 4 == 0
            and width % 4 == 0
            and x.device.type == "cpu"
            and x.dtype == self.weight.dtype == torch.float32
        )

    def _kernels(self) -> Tensor:
        """Return the transformed weights; frozen ones are transformed once."""
        weight = self.weight
        if weight.requires_grad:
            return _to_kernels(weight.detach())
        version = 0 if weight.is_inference() else weight._version
        kept = self._kept
        if kept is None or kept[0] is not weight or kept[1:3] != (weight.data_ptr(), version):
            kept = (weight, weight.data_ptr(), version, _to_kernels(weight.detach()))
            self._kept = kept
        return kept[3]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}


class _Tiled(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, x: Tensor, weight: Tensor, bias: Tensor | None, kernels: Tensor
    ) -> Tensor:
        wanted = context.needs_input_grad
        context.save_for_backward(x if wanted[1] else None, kernels if wanted[0] else None)
        batch, _, height, width = x.shape
        channels = kernels.shape[2]
        out = torch.empty(
            (batch, channels, height, width), memory_format=torch.channels_last, dtype=x.dtype
        )
        places = out.permute(0, 2, 3, 1)
        padded = _padded(x)
        offset = x.new_zeros(channels) if bias is None else bias
        for part in _parts(x):
            target = _blocks(places[part])
            products = torch.bmm(_tiles(padded, part), kernels)
            torch.add((_OUTPUT @ products.view(36, -1)).view(target.shape), offset, out=target)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, kernels = context.saved_tensors
        batch, channels, height, width = gradient.shape
        last = gradient.permute(0, 2, 3, 1).contiguous()
        to_input = to_kernels = None
        if kernels is not None:
            to_input = gradient.new_zeros((batch, height + 2, width + 2, kernels.shape[1]))
        padded = None if x is None else _padded(x)
        for part in _parts(gradient):
            pieces = _blocks(last[part]).reshape(16, -1)
            products = (_OUTPUT.T @ pieces).view(36, -1, channels)
            if to_input is not None:
                _add_tiles(to_input, part, torch.bmm(products, kernels.transpose(1, 2)))
            if padded is not None:
                tiles = _tiles(padded, part).transpose(1, 2)
                if to_kernels is None:
                    to_kernels = torch.bmm(tiles, products)
                else:
                    to_kernels.baddbmm_(tiles, products)
        return (
            None if to_input is None else to_input[:, 1:-1, 1:-1].permute(0, 3, 1, 2),
            None if to_kernels is None else _from_kernels(to_kernels),
            last.sum((0, 1, 2)) if context.needs_input_grad[2] else None,
            None,
        )


def _parts(x: Tensor) -> Iterator[tuple[slice, slice]]:
    """Yield (pictures, rows) of about as many tiles as the cache holds."""
    batch, _, height, width = x.shape
    high = 4 * max(1, 4 * _TILES_AT_ONCE // width)
    many = max(1, high // height)
    for first in range(0, batch, many):
        for row in range(0, height, high):
            yield slice(first, min(batch, first + many)), slice(row, min(height, row + high))


def _to_kernels(weight: Tensor) -> Tensor:
    """Return (36, in, out) of a weight (out, in, 3, 3)."""
    out_channels, in_channels = weight.shape[:2]
    flat = weight.permute(2, 3, 1, 0).reshape(9, -1)
    return (_KERNEL @ flat).view(36, in_channels, out_channels)


def _from_kernels(gradient: Tensor) -> Tensor:
    _, in_channels, out_channels = gradient.shape
    flat = _KERNEL.T @ gradient.view(36, -1)
    return flat.view(3, 3, in_channels, out_channels).permute(3, 2, 0, 1).contiguous()


def _padded(x: Tensor) -> Tensor:
    """Return (B, h + 2, w + 2, C) of pictures (B, C, h, w)."""
    return F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))


def _tiles(padded: Tensor, part: tuple[slice, slice]) -> Tensor:
    """Return (36, tiles, C): the transformed 6x6 tiles of a part of padded pictures."""
    pictures, strip = part
    after, down, right, channel = padded.stride()
    count, channels = pictures.stop - pictures.start, padded.shape[3]
    rows, columns = (strip.stop - strip.start) // 4, (padded.shape[2] - 2) // 4
    overlapping = padded.as_strided(
        (6, 6, count, rows, columns, channels),
        (down, right, after, 4 * down, 4 * right, channel),
        padded.storage_offset() + pictures.start * after + strip.start * down,
    )
    return (_TILE @ overlapping.reshape(36, -1)).view(36, count * rows * columns, channels)


def _add_tiles(padded: Tensor, part: tuple[slice, slice], tiles: Tensor) -> None:
    """Add what belongs to each tile of a part to padded pictures (B, h + 2, w + 2, C)."""
    pictures, strip = part
    count = pictures.stop - pictures.start
    high, wide = strip.stop - strip.start, padded.shape[2] - 2
    places = (_TILE.T @ tiles.view(36, -1)).view(6, 6, count, high // 4, wide // 4, -1)
    for row in range(6):
        first = strip.start + row
        for column in range(6):
            target = padded[pictures, first : first + high - 3 : 4, column : column + wide - 3 : 4]
            target += places[row, column]


def _blocks(pictures: Tensor) -> Tensor:
    """Return (4, 4, B, h / 4, w / 4, C), a view: place within a tile, then the tile."""
    batch, height, width, channels = pictures.shape
    tiled = pictures.view(batch, height // 4, 4, width // 4, 4, channels)
    return tiled.permute(2, 4, 0, 1, 3, 5)
