"""The quick layers compute what the plain ones do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mebench.methods.fomm.blocks import ResidualBlock, UpBlock
from mebench.methods.fomm.fast import (
    FoldedResidualBlock,
    PhaseUpBlock,
    RowSplitConv,
    fast_copy,
)


def seen(module: nn.Module) -> nn.Module:
    """Random weights, and norms whose statistics are not the initial ones."""
    torch.manual_seed(0)
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.running_mean.normal_(std=0.3)
            child.running_var.uniform_(0.5, 2.0)
            nn.init.uniform_(child.weight, 0.5, 1.5)
            nn.init.normal_(child.bias)
    return module.eval().requires_grad_(False)


@pytest.mark.parametrize("size", [(8, 12), (1, 1), (5, 3)])
def test_four_small_convolutions_equal_doubling_first(size: tuple[int, int]) -> None:
    block = seen(UpBlock(6, 5))
    x = torch.randn(2, 6, *size)
    quick = fast_copy(nn.Sequential(block))
    assert isinstance(quick[0], PhaseUpBlock)
    assert (quick(x) - block(x)).abs().max() < 1e-5


@pytest.mark.parametrize("size", [(16, 9), (2, 3), (7, 7)])
def test_split_rows_equal_the_square_kernel(size: tuple[int, int]) -> None:
    conv = seen(nn.Conv2d(5, 3, 7, padding=3))
    x = torch.randn(2, 5, *size)
    assert (RowSplitConv(conv)(x) - conv(x)).abs().max() < 1e-5


@pytest.mark.parametrize("features", [8, 256])
def test_a_folded_residual_block_equals_the_plain_one(features: int) -> None:
    block = seen(ResidualBlock(features))
    x = torch.randn(2, features, 8, 8)
    before = x.clone()
    assert (FoldedResidualBlock(block)(x) - block(x)).abs().max() < 2e-5
    assert torch.equal(x, before)
