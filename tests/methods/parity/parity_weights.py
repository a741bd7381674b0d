"""Weights by an integer formula, so that parity needs no weight files."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import nn

MODULUS = 65521
Module = TypeVar("Module", bound=nn.Module)


def u(i: np.ndarray, k: int) -> np.ndarray:
    """Numbers in [0, 1) that any language can repeat exactly."""
    return ((i * i * 7919 + i * 104729 + k * 15485863 + 12345) % MODULUS) / MODULUS


def _value(key: str, shape: tuple[int, ...], k: int) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64)) if shape else 1
    c = (2 * u(np.arange(count, dtype=np.int64), k) - 1).reshape(shape)
    if key.endswith("running_var"):
        return 1 + 0.5 * c**2
    if key.endswith("running_mean"):
        return 0.1 * c
    if key == "jacobian.bias":
        return 0.1 * c + np.tile([1.0, 0.0, 0.0, 1.0], count // 4)
    if key.endswith(".bias"):
        return 0.1 * c
    if len(shape) == 1:
        return 1 + 0.1 * c
    spread = np.sqrt(6 / np.prod(shape[1:]))
    return (0.3 if key == "jacobian.weight" else 1.0) * c * spread


def formula_state(module: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of `module` filled by the formula; anti-alias kernels stay as they are."""
    state = module.state_dict()
    filled = {}
    for k, key in enumerate(sorted(state)):
        old = state[key]
        if key.endswith("down.weight"):
            filled[key] = old
        elif key.endswith("num_batches_tracked"):
            filled[key] = torch.zeros_like(old)
        else:
            # The published weights are float32, whatever precision computes with them.
            value = torch.from_numpy(_value(key, tuple(old.shape), k)).to(torch.float32)
            filled[key] = value.to(old.dtype)
    return filled


def fill(module: Module) -> Module:
    """Load the formula weights, at torch's default precision, and switch to eval mode."""
    module.load_state_dict(formula_state(module))
    return module.to(torch.get_default_dtype()).eval()


def picture(size: int, seed: int) -> np.ndarray:
    """A (3, size, size) uint8 test picture from sines and formula noise."""
    s = 64 / size
    ys, xs = np.meshgrid(np.arange(size) * s, np.arange(size) * s, indexing="ij")
    i = np.arange(size * size, dtype=np.int64).reshape(size, size)
    channels = [
        0.5
        + 0.22 * np.sin(2 * np.pi * (0.031 * (c + 1) * xs + 0.047 * ys) + 0.7 * seed)
        + 0.16 * np.cos(2 * np.pi * (0.023 * xs - 0.053 * (c + 1) * ys) + 1.1 * seed)
        + 0.12 * (u(i, 97 + 10 * seed + c) - 0.5)
        for c in range(3)
    ]
    return np.clip(np.round(255 * np.stack(channels)), 0, 255).astype(np.uint8)
