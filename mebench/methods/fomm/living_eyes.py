"""The template's eyes, drawn beside the networks: lids that close, eyeballs that turn.

A field that is smooth can show neither: what covers an eye comes from above it, and an eyeball
moves under lids that stay. So both are taken out of the field and drawn by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mebench.methods.fomm.blocks import coordinate_grid
from mebench.methods.fomm.eyes import Array, Eye, soft
from mebench.methods.fomm.gaze import Gaze, gazes, opening, turned
from mebench.methods.fomm.lids import close, closings
from mebench.preprocess.canonical import eye_distance
from mebench.types import FaceClip, Points

_SLIGHT, _PLAIN = 0.15, 0.4
"""Up to the first closing the networks draw the eyes alone, from the second on the lids do."""
_AROUND = 0.12
"""Of the average that carries the motion of the skin around an eye into it, eye distances."""


@dataclass(frozen=True)
class LivingEyes:
    """What the eyes of a template do.

    Attributes:
        closing: (T, 2) how far each eye closes.
        gaze: how both turn.
        inside: (68, 2) the template's landmarks on the networks' square.
        landmarks: (68, 2) the same in the picture that is drawn.
    """

    closing: Array
    gaze: Gaze
    inside: Points
    landmarks: Points

    @classmethod
    def of(
        cls,
        driving: FaceClip,
        inside: Points,
        landmarks: Points,
        *,
        amplitude: float = 1.0,
        lids: bool = True,
        gaze: bool = True,
    ) -> LivingEyes:
        """Return the eyes as a driving clip moves them, motion times `amplitude`."""
        closing = closings(driving)
        turn, trust = gazes(driving, closing)
        return cls(
            np.minimum(np.float32(amplitude * lids) * closing, 1),
            Gaze(np.float32(amplitude * gaze) * turn, np.float32(gaze) * trust),
            inside,
            landmarks,
        )

    def clear(self, out: dict[str, Tensor], part: slice) -> None:
        """Take what is drawn here out of the networks' field and correction of some frames.

        Of a turning eyeball that is all that moves it, and around it what moves sideways: lids go
        up and down, and that the networks saw.
        """
        field = out["deformation"]
        size, iod = field.shape[1], eye_distance(self.inside)
        ball = opening(self.inside, size)
        around = _around(self.inside, size)
        strength = soft(self.closing[part], _SLIGHT, _PLAIN)[..., None, None]
        for index, trust in enumerate(self.gaze.trust[part]):
            shut = (strength[index] * around).max(axis=0)
            whole = np.maximum(shut, trust * ball)
            aside = np.maximum(shut, trust * around.max(axis=0))
            if not aside.any():
                continue
            one = slice(index, index + 1)
            shares = (torch.from_numpy(share[None]).to(field.device) for share in (whole, aside))
            inner, outer = (_without(field[one], share, iod) for share in shares)
            field[one] = torch.stack([outer[..., 0], inner[..., 1]], dim=-1)
            left = torch.from_numpy(1 - whole).to(field.device)
            out["correction"][one] *= left

    def drawn(self, picture: Tensor, part: slice) -> Tensor:
        """Return the pictures (B, 3, H, W) with their eyeballs turned and their lids closed."""
        closing, turn = self.closing[part], self.gaze.turn[part] * self.gaze.trust[part][:, None]
        if not closing.any() and not turn.any():
            return picture
        frames = picture.permute(0, 2, 3, 1).float().numpy(force=True)
        made = [
            close(turned(frame, self.landmarks, to), self.landmarks, shut)
            for frame, to, shut in zip(frames, turn, closing, strict=True)
        ]
        return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).to(picture)


def _around(landmarks: Points, size: int) -> Array:
    """Return (2, S, S): 1 in each eye and on its lids, falling to 0 around it."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    places = []
    for side in range(2):
        eye = Eye.of(landmarks, side)
        s, v = eye.local(x, y)
        upper, lower = eye.lids(s)
        width = np.float32(0.3 * max(eye.opening, 1.0))
        # Skin below an eye belongs to the cheek, which the networks move.
        away = np.maximum(np.maximum(upper - v, 3 * (v - lower)), 0) / width
        aside = np.maximum(np.abs(s) - 1, 0) * eye.half / width
        places.append(1 - soft(np.hypot(away, aside), 1.0, 3.0))
    return np.stack(places)


def _without(field: Tensor, share: Tensor, iod: float) -> Tensor:
    """Return a sampling grid that moves the eyes as the skin around them moves.

    Shapes: field (1, S, S, 2), grid units; share (1, S, S), how much of a pixel is to be replaced.
    """
    size = field.shape[1]
    still = coordinate_grid((size, size), field)
    at = torch.arange(size, device=field.device, dtype=field.dtype)
    near = torch.exp(-0.5 * ((at[:, None] - at) / (_AROUND * iod)) ** 2)
    weight = 1 - share[..., None] + 1e-6
    moved = torch.cat([(field - still) * weight, weight], dim=-1)
    spread = torch.einsum("ij,bjkc,lk->bilc", near, moved, near)
    filled = spread[..., :2] / spread[..., 2:]
    return field + share[..., None] * (still + filled - field)
