"""The facial prior: which points matter for micro-expressions, and the map that shows them.

Source: Zhang et al., ACM MM 2021 (region focusing, EWP); Zhang et al., IEEE TIP 2024 (AWP).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Kind = Literal["ewp", "awp"]

NUM_PRIOR_POINTS = 18
SIGMA = 0.75

_AS_THEY_ARE = (19, 24, 27, 38, 41, 43, 46, 48, 54, 55, 57, 59)
# (landmark, direction it is moved in by half the distance between the inner eye corners)
_MOVED = (
    (31, (-1.0, 0.0)),
    (35, (1.0, 0.0)),
    (41, (0.0, 1.0)),
    (46, (0.0, 1.0)),
    (48, (-1.0, 0.0)),
    (54, (1.0, 0.0)),
)
_INNER_EYES = (39, 42)


def landmarks_to_prior_points(landmarks: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return the 18 points of the prior for 68 landmarks.

    Shapes: (..., 68, 2) to (..., 18, 2). Units: (x, y) pixels, as given.
    Source: Zhang et al. 2021, region focusing: twelve AU-related landmarks and six beside the
    nose, cheeks and mouth corners.
    """
    points = np.asarray(landmarks, dtype=np.float32)
    right, left = _INNER_EYES
    half = (points[..., left, 0] - points[..., right, 0])[..., None, None] / 2
    kept = points[..., list(_AS_THEY_ARE), :]
    directions = np.array([direction for _, direction in _MOVED], dtype=np.float32)
    moved = points[..., [index for index, _ in _MOVED], :] + half * directions
    return np.concatenate([kept, moved], axis=-2).astype(np.float32)


def prior_maps_numpy(
    points: NDArray[np.float32],
    image_size: tuple[int, int],
    map_size: tuple[int, int],
    kind: Kind = "ewp",
    sigma: float = SIGMA,
) -> NDArray[np.float64]:
    """Return the prior of one face, written for reading rather than for speed.

    Shapes: points (K, 2) pixels; sizes (height, width); returns (1, h, w) for "ewp" and
    (K, h, w) for "awp". Range: 0..1.
    """
    rows = np.arange(1, map_size[0] + 1, dtype=np.float64)[:, None]
    columns = np.arange(1, map_size[1] + 1, dtype=np.float64)[None, :]
    maps = []
    for x, y in np.asarray(points, dtype=np.float32):
        row = np.float32(y * np.float32(map_size[0]) / np.float32(image_size[0]))
        column = np.float32(x * np.float32(map_size[1]) / np.float32(image_size[1]))
        down, across = np.abs(rows - row), np.abs(columns - column)
        distance = down + across if kind == "ewp" else np.sqrt(down**2 + across**2)
        peak = np.exp(-np.sqrt(distance) / (2 * sigma**2))
        peak = peak / peak.max()
        maps.append(np.where(peak < peak.mean(), 0.0, peak))
    if kind == "awp":
        return np.stack(maps)
    total = np.sum(maps, axis=0)
    return np.asarray(total / total.max())[None]


@torch.no_grad()
def prior_maps(
    points: Tensor,
    image_size: tuple[int, int],
    map_size: tuple[int, int],
    kind: Kind = "ewp",
    sigma: float = SIGMA,
) -> Tensor:
    """Return the priors of a batch of faces; the same numbers as `prior_maps_numpy`.

    Shapes: points (B, K, 2) pixels; sizes (height, width); returns float32 (B, 1, h, w) for
    "ewp" and (B, K, h, w) for "awp". Range: 0..1.
    """
    device = points.device
    scale = torch.tensor(
        [[map_size[1], map_size[0]], [image_size[1], image_size[0]]],
        dtype=torch.float32,
        device=device,
    )
    # Thresholding at the mean needs float64: float32 rounding would flip pixels at the edge.
    place = (points.float() * scale[0] / scale[1]).double()
    rows = torch.arange(1, map_size[0] + 1, dtype=torch.float64, device=device)
    columns = torch.arange(1, map_size[1] + 1, dtype=torch.float64, device=device)
    down = (rows - place[..., 1:2]).abs()[..., :, None]
    across = (columns - place[..., 0:1]).abs()[..., None, :]
    distance = down + across if kind == "ewp" else (down**2 + across**2).sqrt()
    peak = torch.exp(-distance.sqrt() / (2 * sigma**2))
    peak = peak / peak.amax(dim=(-2, -1), keepdim=True)
    peak = torch.where(peak < peak.mean(dim=(-2, -1), keepdim=True), 0.0, peak)
    if kind == "ewp":
        peak = peak.sum(dim=1, keepdim=True)
        peak = peak / peak.amax(dim=(-2, -1), keepdim=True)
    return peak.float()
