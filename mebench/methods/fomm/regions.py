"""Regions instead of points: their place and shape are moments of the detector's heat maps.

With S the covariance of a heat map, any F with F F^T = S is a local affine frame of the region,
known up to a turn. Siarohin et al. take F = U sqrt(D) from the eigenvectors U of S; their sign is
free, a nearly round region has any axes, and the gradient of the decomposition grows without bound
there. Here F is the symmetric root of S, which is smooth and has no choice to make, and the turn
between two frames is the angle between their main axes, less than a quarter turn, that falls to
zero where a region is too round to show one. For elongated regions the product of the two frames
is that of the published axes with their signs made to agree.

Source: Siarohin et al., CVPR 2021, "Motion Representations for Articulated Animation".
"""

from __future__ import annotations

import torch
from torch import Tensor

from mebench.methods.fomm.blocks import coordinate_grid, product2

_SMALLEST_VARIANCE = 1e-4
"""Added to every covariance, grid units squared: a heat map of one pixel has a shape too."""

_ROUND = 1e-3
"""Square of the elongation (a - b) / (a + b) of variances a, b below which turns are not seen."""


def mean_and_root(heat: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of each heat map and the symmetric square root of its covariance.

    Shapes: heat (B, K, h, w), each map of sum 1; returns (B, K, 2) and (B, K, 2, 2).
    Units: grid units, -1..1 across the map.
    """
    grid = coordinate_grid((heat.shape[2], heat.shape[3]), heat)
    mean = (heat.unsqueeze(-1) * grid).sum(dim=(2, 3))
    offset = grid - mean[:, :, None, None, :]
    weighted = heat.unsqueeze(-1) * offset
    covariance = torch.einsum("bkhwi,bkhwj->bkij", weighted, offset)
    eye = torch.eye(2, dtype=heat.dtype, device=heat.device)
    return mean, square_root(covariance + _SMALLEST_VARIANCE * eye)


def square_root(matrix: Tensor) -> Tensor:
    """Return the symmetric square root of (..., 2, 2) symmetric positive definite matrices.

    In closed form, (S + sqrt(det S) I) / sqrt(tr S + 2 sqrt(det S)), whose gradient is finite for
    equal eigenvalues too.
    """
    a, b, d = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 1]
    smallest = torch.finfo(matrix.dtype).tiny
    root = torch.sqrt((a * d - b * b).clamp_min(smallest))
    eye = torch.eye(2, dtype=matrix.dtype, device=matrix.device)
    return (matrix + root[..., None, None] * eye) / torch.sqrt(a + d + 2 * root)[..., None, None]


def turned_to(moved: Tensor, reference: Tensor) -> Tensor:
    """Return the frames `moved`, turned so that their axes answer to those of `reference`.

    Both are symmetric roots. The product of the result with the inverse of `reference` is then the
    affine motion between the regions: for a region that turns by less than a quarter turn and
    grows it is that turn and growth.

    Shapes: (..., 2, 2) both.
    """
    now, before = _elongation(moved), _elongation(reference)
    cross = before[..., 0] * now[..., 1] - before[..., 1] * now[..., 0]
    along = (before * now).sum(dim=-1) + _ROUND
    # Elongation turns twice as fast as the axes. At exactly a quarter turn there is no angle.
    lost = (cross == 0) & (along == 0)
    angle = torch.atan2(cross, torch.where(lost, torch.ones_like(along), along)) / 2
    cosine, sine = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
    return product2(moved, turn)


def _elongation(root: Tensor) -> Tensor:
    """Return (..., 2): (a - d, 2 b) / (a + d) of the covariance; 0 for a round region."""
    covariance = product2(root, root)
    a, b, d = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    return torch.stack([a - d, 2 * b], dim=-1) / (a + d).unsqueeze(-1)
