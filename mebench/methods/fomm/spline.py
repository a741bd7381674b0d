"""Pictures read between their pixels by cubic splines.

The bicubic kernel that PyTorch and OpenCV share (a = -0.75) moves a slope by half as much again as
it is asked to where that is a small part of a pixel: .03 for .02, .14 for .1. A micro-expression is
made of such shifts. Cubic B-splines move a slope by what they are asked to.

Source: Unser, Splines: a perfect fit for signal and image processing, IEEE SPM 1999; four linear
reads for sixteen taps: Sigg and Hadwiger, GPU Gems 2, 2005, chapter 20.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional


def sharp_warp(image: Tensor, field: Tensor, align_corners: bool) -> Tensor:
    """Return the image read at a grid: half a pixel must not blur the skin.

    Beyond the image its border is read.

    Shapes: image (B, C, H, W), field (B, h, w, 2), grid units; result (B, C, h, w).
    """
    size = torch.tensor([image.shape[3], image.shape[2]], device=field.device, dtype=field.dtype)
    at = (field + 1) * ((size - 1) / 2) if align_corners else ((field + 1) * size - 1) / 2
    at = torch.minimum(at.clamp_min(0), size - 1)
    whole = at.detach().floor()
    before, after, share = _halves(at - whole)
    coefficients = _coefficients(image)
    # One more pixel lies on each side; places are told in that larger picture.
    unit = 2 / (size + 1)
    left, right = ((whole + 1 + one) * unit - 1 for one in (before, after))
    (x0, y0), (x1, y1) = left.unbind(-1), right.unbind(-1)

    def read(x: Tensor, y: Tensor) -> Tensor:
        place = torch.stack([x, y], dim=-1)
        found: Tensor = functional.grid_sample(
            coefficients, place, padding_mode="border", align_corners=True
        )
        return found

    across, down = share[:, None, :, :, 0], share[:, None, :, :, 1]
    above = torch.lerp(read(x0, y0), read(x1, y0), across)
    below = torch.lerp(read(x0, y1), read(x1, y1), across)
    return torch.lerp(above, below, down)


def _halves(part: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the two places where linear reads stand for the four taps, and the second's weight."""
    rest = 1 - part
    second = (4 - 6 * rest**2 + 3 * rest**3 + part**3) / 6
    first = 1 - second
    near = (4 - 6 * part**2 + 3 * part**3) / 6
    return near / first - 1, part**3 / 6 / second + 1, second


def _coefficients(image: Tensor) -> Tensor:
    """Return spline coefficients (B, C, H + 2, W + 2), mirrored at the border pixels."""
    count = image.shape[0]
    if count > 1 and image.stride(0) == 0:
        return _coefficients(image[:1]).expand(count, -1, -1, -1)
    down = _solver(image.shape[2]).to(image)
    along = _solver(image.shape[3]).to(image)
    with torch.autocast(image.device.type, enabled=False):
        found: Tensor = down @ image @ along.T
    padded: Tensor = functional.pad(found, (1, 1, 1, 1), mode="reflect")
    return padded


@lru_cache(maxsize=8)
def _solver(size: int) -> Tensor:
    """Return the matrix (size, size) that takes samples to B-spline coefficients, float64."""
    system = torch.eye(size, dtype=torch.float64) * 4
    index = torch.arange(size - 1)
    system[index, index + 1] = 1
    system[index + 1, index] = 1
    system[0, 1] = system[-1, -2] = 2
    inverse: Tensor = torch.linalg.inv(system / 6)
    return inverse
