"""The expression generation module that sees the motion: what a warp of the template cannot make.

Furrows, folds, lids that open: they depend on where the skin goes and how far. So the painter sees
the warped template, the dense motion with its derivatives, and maps of where the parts of the face
are; it returns what is missing from the motion and the change of appearance. Both are in proportion
to the strength of the motion: no motion, no change, to the bit.

Source: the part of the expression generation module in Zhang et al., ACM MM 2021, section 3.4.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mebench.methods.fomm.blocks import coordinate_grid
from mebench.methods.fomm.dense_flow import face_window
from mebench.preprocess.canonical import eye_distance
from mebench.types import Points

_PARTS = (
    range(17), range(17, 22), range(22, 27), range(27, 36), range(36, 42), range(42, 48),
    range(48, 60), range(60, 68),
)  # fmt: skip
"""Jaw, two brows, nose, two eyes, lips outside and inside, as indices of the 68 landmarks."""
_MIRRORED = [0, 2, 1, 3, 5, 4, 6, 7, 8]
_SPREAD = 0.065
"""Standard deviation of a landmark's spot on the maps, eye distances."""
MAPS = len(_PARTS) + 1
"""Maps of a prior: one for each part, and the window of the face."""
_PERCENT = 100.0
_FAINT = 0.02
"""Motion below this many % of the eye distance is not made larger for the network to see."""
_SHADE = 0.05
"""Change of brightness that motion of 1 % of the eye distance makes where the network says 1."""
_SLOPE = 4.0
_CELLS = 16
"""Cells a side in which it is asked whether anything moves."""


class Prior(NamedTuple):
    """Where the face is, for the painter.

    Attributes:
        maps: (B, `MAPS`, S, S), 0..1; the last is 1 on the face and falls to 0 around it.
        unit: (B,) eye distance, pixels.
    """

    maps: Tensor
    unit: Tensor

    def to(self, device: torch.device) -> Prior:
        """Return the prior on a device."""
        return Prior(self.maps.to(device), self.unit.to(device))

    def expand(self, count: int) -> Prior:
        """Return views with a batch of one repeated `count` times."""
        return Prior(self.maps.expand(count, -1, -1, -1), self.unit.expand(count))


class Painting(NamedTuple):
    """What the painter adds.

    Shapes: field (B, S, S, 2), the refined sampling grid; correction (B, 3, S, S), added to the
    template once it is warped.
    """

    field: Tensor
    correction: Tensor


def face_prior(landmarks: Points, size: int) -> Prior:
    """Return the prior of one face, a batch of one.

    Shapes: landmarks (68, 2), pixels of an image of size × size.
    """
    unit = eye_distance(landmarks)
    away = np.arange(size, dtype=np.float32) - np.asarray(landmarks, np.float32)[..., None]
    x, y = np.exp(-(away**2) / np.float32(2 * (_SPREAD * unit) ** 2)).transpose(1, 0, 2)
    maps = np.empty((MAPS, size, size), np.float32)
    for index, part in enumerate(_PARTS):
        maps[index] = (y[part, :, None] * x[part, None, :]).max(axis=0)
    maps[-1] = face_window(landmarks, size, size)
    return Prior(torch.from_numpy(maps)[None], torch.tensor([unit], dtype=torch.float32))


def mirrored(maps: Tensor) -> Tensor:
    """Return maps (..., `MAPS`, S, S) as the face's mirror image has them."""
    return maps.flip(-1)[..., _MIRRORED, :, :]


class Painter(nn.Module):
    """A small U-Net on blocks of 2 × 2 pixels.

    Args:
        widths: channels at each scale, the finest first; multiples of 4.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 48, 64, 64)) -> None:
        super().__init__()
        seen = 3 + 2 + 4 + 1 + MAPS
        steps = range(len(widths) - 1)
        self.stem = _block(4 * seen, widths[0])
        self.down = nn.ModuleList(_block(widths[i], widths[i + 1]) for i in steps)
        self.up = nn.ModuleList(_block(widths[i + 1] + widths[i], widths[i]) for i in steps[::-1])
        self.out = nn.Conv2d(widths[0], 4 * 6, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        if self.out.bias is not None:
            nn.init.zeros_(self.out.bias)

    def forward(self, field: Tensor, warped: Tensor, prior: Prior) -> Painting:
        """Return the refined field and the correction.

        Shapes: field (B, S, S, 2), a sampling grid whose ends are pixel centres; warped
        (B, 3, S, S), the template read there, 0..1.
        """
        size = warped.shape[-1]
        scale = (_PERCENT * (size - 1) / 2 / prior.unit)[:, None, None, None]
        shift = field - coordinate_grid((size, size), field)
        motion = shift.permute(0, 3, 1, 2) * scale
        strength = 2 * motion.square().sum(1, keepdim=True).mean((2, 3), keepdim=True).sqrt()
        shown = motion / strength.clamp_min(_FAINT)
        out = self._network(_seen(warped, shown, strength, prior))
        out = out * (_reach(shown, size) * prior.maps[:, -1:] * strength)
        refined = field + (out[:, :2] / scale).permute(0, 2, 3, 1)
        return Painting(refined, _SHADE * (out[:, 2:3] * warped + out[:, 3:]))

    def _network(self, seen: Tensor) -> Tensor:
        features = self.stem(functional.pixel_unshuffle(seen, 2))
        kept = [features]
        for block in self.down:
            features = block(functional.avg_pool2d(features, 2))
            kept.append(features)
        features = kept.pop()
        for block in self.up:
            finer = kept.pop()
            features = functional.interpolate(features, size=finer.shape[2:], mode="bilinear")
            features = block(torch.cat([features, finer], dim=1))
        return functional.pixel_shuffle(self.out(features).float(), 2)


def _seen(warped: Tensor, shown: Tensor, strength: Tensor, prior: Prior) -> Tensor:
    across = functional.pad(shown[..., 1:] - shown[..., :-1], (0, 1, 0, 0))
    along = functional.pad(shown[..., 1:, :] - shown[..., :-1, :], (0, 0, 0, 1))
    loud = strength.clamp_min(_FAINT).log().expand(-1, 1, *shown.shape[2:])
    return torch.cat(
        [2 * warped - 1, shown, _SLOPE * across, _SLOPE * along, loud, prior.maps], dim=1
    )


def _reach(shown: Tensor, size: int) -> Tensor:
    """Return (B, 1, S, S): 1 near what moves, 0 where nothing does."""
    far = shown.square().sum(1, keepdim=True).sqrt()
    near = functional.max_pool2d(functional.avg_pool2d(far, size // _CELLS), 3, stride=1, padding=1)
    return torch.tanh(3 * functional.interpolate(near, size=(size, size), mode="bilinear"))


def _block(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (before, after):
        layers += [nn.Conv2d(width, after, 3, padding=1), nn.GroupNorm(4, after), nn.SiLU()]
    return nn.Sequential(*layers)
