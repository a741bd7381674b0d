"""Where the networks' aligned square lies in a picture, and how what they find is carried there.

Motion is found on the aligned square, as the networks learned it, and turned, scaled and shifted
into the picture; the picture's own pixels are moved, so that it keeps its detail, its frame and
everything far from the face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mebench.errors import DatasetError
from mebench.methods.fomm.blocks import coordinate_grid
from mebench.methods.fomm.generator import OcclusionAwareGenerator
from mebench.methods.fomm.objective import correction_of
from mebench.methods.fomm.spline import sharp_warp
from mebench.preprocess.crop import HEAD, Crop, align_frames, align_image, align_points, alignment
from mebench.preprocess.framing import crop_in
from mebench.types import Face, FaceClip, Image, Points

_FEWEST = 0.1
"""Of the side: eyes closer than this are no landmarks of an aligned clip."""
_SAME = 0.02
"""Difference of two crops that is none, of the side."""
_FADE, _SEAM = 0.08, 0.05
"""Over how much of the side motion fades outside the square, and drawn pixels inside it."""


class CutOut(NamedTuple):
    """The aligned square of a picture at the networks' size, and its place in the picture."""

    image: Image
    landmarks: Points
    placement: Placement


@dataclass(frozen=True)
class Placement:
    """The part of a picture that is drawn on.

    Attributes:
        size: side of the networks' square.
        turn: (2, 2) from displacements in the square to displacements in the picture.
        rows: rows of the picture that are drawn on.
        columns: columns of the picture that are drawn on.
        pixels: (h, w, 2) picture pixels of that part.
        at: (h, w, 2) the same places in the square.
        moving: (h, w) share of the motion: 1 in the square, fading outside.
        drawn: (h, w) share of what the networks draw: 1 in the square, fading towards its edge.
    """

    size: int
    turn: Tensor
    rows: slice
    columns: slice
    pixels: Tensor
    at: Tensor
    moving: Tensor
    drawn: Tensor

    def read(self, maps: Tensor, align_corners: bool) -> Tensor:
        """Return maps (1, C, h, w) over the square at the places of the part drawn on."""
        if align_corners:
            grid = self.at * (2 / (self.size - 1)) - 1
        else:
            grid = (2 * self.at + 1) / self.size - 1
        found: Tensor = functional.grid_sample(
            maps, grid[None], mode="bilinear", padding_mode="border", align_corners=align_corners
        )
        return found

    def field(self, deformation: Tensor, shape: torch.Size, generator_corners: bool) -> Tensor:
        """Return the sampling grid (1, h, w, 2) of the picture for a deformation of the square."""
        still = coordinate_grid((deformation.shape[1], deformation.shape[2]), deformation)
        unit = ((self.size - 1) if generator_corners else self.size) / 2
        moved = (deformation - still).permute(0, 3, 1, 2) * unit
        shift = self.read(moved, generator_corners)[0].permute(1, 2, 0) @ self.turn.T
        to = self.pixels + shift * self.moving[..., None]
        last = torch.tensor([shape[3] - 1, shape[2] - 1], dtype=to.dtype, device=to.device)
        return (to * 2 / last - 1)[None]


def is_aligned(face: Face, crop: Crop) -> bool:
    """Return whether a face's picture is the aligned square that the networks know.

    A picture without landmarks is taken for one: some networks need none.
    """
    height, width = face.image.shape[:2]
    try:
        matrix = alignment(face.landmarks, height, crop)
    except DatasetError:
        return True
    if height != width:
        return False
    corners = np.array([[x, y, 1.0] for x in (0, height - 1) for y in (0, height - 1)])
    return bool(np.abs(corners @ matrix.T - corners[:, :2]).max() <= _SAME * height)


def usual_crop(clips: Sequence[FaceClip]) -> Crop:
    """Return the crop of aligned clips, in the middle of them; `HEAD` where no landmarks are."""
    found = [crop_in(clip.landmarks, clip.frames.shape[2]) for clip in clips] or [HEAD]
    share, height = (
        float(np.median([getattr(one, name) for one in found])) for name in ("share", "height")
    )
    if abs(share - HEAD.share) <= _SAME and abs(height - HEAD.height) <= _SAME:
        return HEAD
    if not (_FEWEST <= share < 1 and 0 < height < 1):
        return HEAD
    return Crop(round(share, 2), round(height, 2))


def in_crop(clip: FaceClip, size: int, crop: Crop) -> FaceClip:
    """Return a clip aligned as networks know faces; itself where it is."""
    if is_aligned(Face(np.asarray(clip.frames[0]), clip.landmarks), crop):
        return clip
    matrix = alignment(clip.landmarks, size, crop)
    frames = align_frames(np.asarray(clip.frames), matrix, size)
    return replace(clip, frames=frames, landmarks=align_points(clip.landmarks, matrix))


def cut_out(face: Face, size: int, crop: Crop, device: torch.device) -> CutOut:
    """Return the aligned square of a picture for the networks, and where it lies."""
    matrix = alignment(face.landmarks, size, crop)
    image = align_image(face.image, matrix, size)
    height, width = face.image.shape[:2]
    placement = _placement(matrix, size, height, width, device)
    return CutOut(image, align_points(face.landmarks, matrix), placement)


def compose_in(
    generator: OcclusionAwareGenerator, canvas: Tensor, out: dict[str, Tensor], place: Placement
) -> Tensor:
    """Return the picture (B, 3, H, W) with the face moved, as `objective.compose` does for squares.

    Without a blend the decoder draws all pixels: they are laid into the picture with a soft edge.

    Shapes: canvas (1, 3, H, W).
    """
    frames = [_composed(generator, canvas, out, place, i) for i in range(len(out["prediction"]))]
    return torch.cat(frames)


def _composed(
    generator: OcclusionAwareGenerator,
    canvas: Tensor,
    out: dict[str, Tensor],
    place: Placement,
    index: int,
) -> Tensor:
    part = slice(index, index + 1)
    prediction = out["prediction"][part]
    before = canvas[..., place.rows, place.columns]
    if generator.blend == "none":
        drawn = place.read(prediction, generator.align_resize)
        now = before + place.drawn * (drawn - before)
    else:
        field = place.field(out["deformation"][part], canvas.shape, generator.align_corners)
        correction = place.read(correction_of(out)[part], generator.align_resize)
        now = sharp_warp(canvas, field, align_corners=True) + place.drawn * correction
    result = canvas.clone()
    result[..., place.rows, place.columns] = torch.where(place.moving > 0, now, before)
    return result


def _placement(
    matrix: NDArray[np.float64], size: int, height: int, width: int, device: torch.device
) -> Placement:
    margin = _FADE * size
    ends = (-margin, size - 1 + margin)
    corners = np.array([[x, y, 1.0] for x in ends for y in ends]) @ matrix.T
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, [width, height])
    y, x = np.mgrid[top:bottom, left:right].astype(np.float64)
    pixels = np.stack([x, y], axis=-1)
    at = (pixels - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    beyond = np.maximum(np.maximum(-0.5 - at, at - (size - 0.5)), 0.0)
    outside = np.hypot(beyond[..., 0], beyond[..., 1])
    edge = np.minimum(at + 0.5, size - 0.5 - at).min(axis=-1)

    def tensor(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(device)

    return Placement(
        size=size,
        turn=tensor(matrix[:, :2]),
        rows=slice(int(top), int(bottom)),
        columns=slice(int(left), int(right)),
        pixels=tensor(pixels),
        at=tensor(at),
        moving=tensor(1.0 - soft_step(outside / margin)),
        drawn=tensor(soft_step(edge / (_SEAM * size))),
    )


def soft_step(part: NDArray[Any]) -> NDArray[Any]:
    """Return a soft step: 0 up to 0, 1 from 1 on."""
    held = np.clip(part, 0.0, 1.0)
    step: NDArray[Any] = held * held * (3.0 - 2.0 * held)
    return step
