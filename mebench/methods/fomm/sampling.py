"""Training pairs: two frames of one clip, or a face moved by a field that is known exactly.

A micro-expression changes few pixels by less than one pixel, so a pair of real frames teaches
little about motion. Most pairs are therefore one real frame and the same frame under a smooth
field: the measured motion of a clip, made stronger, or random movements of face regions. Their
tracks and their flow are exact. A batch is a function of (seed, step) alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mebench.methods.fomm.config import FommConfig, SamplingConfig
from mebench.methods.fomm.fields import carried, inverse2x2, laid_on, random_field, scaled_to, warp
from mebench.methods.fomm.material import Material
from mebench.methods.fomm.painter import face_prior, mirrored
from mebench.methods.fomm.points import mirror
from mebench.preprocess.canonical import eye_distance


class Batch(NamedTuple):
    """What one training step sees; points in pixels, flow on the driving frame's grid.

    Attributes:
        template: (B, 3, S, S) float32, 0..1.
        driving: (B, 3, S, S) float32, 0..1.
        template_points: (B, K, 2) float32.
        driving_points: (B, K, 2) float32.
        driving_jacobians: (B, K, 2, 2) float32, of template to driving.
        flow: (B, S, S, 2) float32, pixels from a driving pixel to its place in the template.
        flow_known: (B,) bool.
        clip: (B,) int64, index of the clip a pair is from.
        maps: (B, M, S, S) float32, the painter's prior of the template; empty without a painter.
        unit: (B,) float32, eye distance of the template, pixels.
        change: (B, 3, S, S) float32, what the driving frame shows beyond the template moved by
            `flow`; empty where it is not known.
        flow_shown: (B,) bool, whether the painter is shown `flow` instead of what is predicted.
    """

    template: Tensor
    driving: Tensor
    template_points: Tensor
    driving_points: Tensor
    driving_jacobians: Tensor
    flow: Tensor
    flow_known: Tensor
    clip: Tensor = torch.tensor(-1)
    maps: Tensor = torch.zeros(0)
    unit: Tensor = torch.tensor(1.0)
    change: Tensor = torch.zeros(0)
    flow_shown: Tensor = torch.tensor(False)

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(column.to(device, non_blocking=True) for column in self))

    def rows(self, part: slice) -> Batch:
        """Return some of the pairs."""
        return Batch(*(column[part] for column in self))

    def pinned(self) -> Batch:
        """Return the batch in memory that a GPU reads without the processor's help."""
        return Batch(*(column.pin_memory() for column in self))


def draw(
    materials: Sequence[Material], config: FommConfig, seed: int, step: int, total: int
) -> Batch:
    """Return the batch of a step of `total`; the same for the same arguments."""
    rng = np.random.default_rng([seed, step])
    progress = step / max(1.0, total * config.train.sampling.curriculum)
    rows = [
        _draw_one(materials, config, rng, min(1.0, progress)) for _ in range(config.train.batch)
    ]
    return Batch(*(torch.stack(column) for column in zip(*rows, strict=True)))


def _draw_one(
    materials: Sequence[Material], config: FommConfig, rng: np.random.Generator, progress: float
) -> Batch:
    sampling = config.train.sampling
    index = int(rng.integers(len(materials)))
    item = materials[index]
    if rng.random() < sampling.synthetic:
        other = materials[int(rng.integers(len(materials)))]
        row = _synthetic(item, other, config, rng, progress)
        if config.points.tracking == "none":
            # Points that nobody tracks stay where frame 0 has them; the Jacobians must do it all.
            row = row._replace(driving_points=row.template_points)
    else:
        painter = config.model.blend == "painter"
        row = _held_still(item, config, rng) if painter else _real(item, config, rng)
    if config.model.blend == "painter":
        prior = face_prior(item.landmarks, item.frames.shape[1])
        row = row._replace(maps=prior.maps[0], unit=prior.unit[0])
    if rng.random() < sampling.flip:
        row = flip(row, mirror(config.points.point_set))
    return _jitter(row, item.gray, sampling, rng)._replace(clip=torch.tensor(index))


def _real(item: Material, config: FommConfig, rng: np.random.Generator) -> Batch:
    """Two different frames of a clip; apex-heavy draws prefer a still and a strong frame."""
    n = len(item.frames)
    even = np.full(n, 1.0 / n)
    focus = config.train.sampling.apex_focus
    strong = item.strength.astype(np.float64) ** 2 + 1e-3
    weak = (1.0 - item.strength.astype(np.float64)) ** 2 + 1e-3
    a = int(rng.choice(n, p=(1 - focus) * even + focus * weak / weak.sum()))
    chance = (1 - focus) * even + focus * strong / strong.sum()
    if n > 1:
        chance[a] = 0.0
    b = int(rng.choice(n, p=chance / chance.sum()))
    tracks = item.tracks
    # The frames show the head's motion too, so the points of a real pair must have it.
    moved = tracks.start + tracks.motion + tracks.head
    relative = tracks.jacobians[b] @ inverse2x2(tracks.jacobians[a])
    size = item.frames.shape[1]
    return Batch(
        template=_tensor(item.frames[a]),
        driving=_tensor(item.frames[b]),
        template_points=torch.from_numpy(moved[a]),
        driving_points=torch.from_numpy(moved[b]),
        driving_jacobians=torch.from_numpy(relative),
        flow=torch.zeros(size, size, 2),
        flow_known=torch.tensor(False),
    )


def _held_still(item: Material, config: FommConfig, rng: np.random.Generator) -> Batch:
    """The first frame of a clip and another, the head held still as it is in generation."""
    n = len(item.frames)
    focus = config.train.sampling.apex_focus
    strong = item.strength.astype(np.float64) ** 2 + 1e-3
    index = int(rng.choice(n, p=(1 - focus) / n + focus * strong / strong.sum()))
    tracks, size = item.tracks, item.frames.shape[1]
    head = _affine(tracks.start, tracks.head[index])
    y, x = np.mgrid[:size, :size]
    pixels = np.stack([np.ones_like(x), x, y], axis=-1).astype(np.float32)
    shift = torch.from_numpy(pixels @ head)
    return Batch(
        template=_tensor(item.frames[0]),
        driving=warp(_tensor(item.frames[index])[None], shift[None])[0].clamp(0, 1),
        template_points=torch.from_numpy(tracks.start),
        driving_points=torch.from_numpy(tracks.start + tracks.motion[index]),
        driving_jacobians=torch.from_numpy(tracks.jacobians[index]),
        flow=torch.zeros(size, size, 2),
        flow_known=torch.tensor(False),
    )


def _affine(points: NDArray[np.float32], shift: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the (3, 2) that takes (1, x, y) of points (K, 2) nearest to their shifts (K, 2)."""
    design = np.concatenate([np.ones((len(points), 1)), points], axis=1)
    found = np.linalg.lstsq(design, shift.astype(np.float64), rcond=None)[0]
    return np.asarray(found, np.float32)


def _synthetic(
    item: Material, other: Material, config: FommConfig, rng: np.random.Generator, progress: float
) -> Batch:
    """A frame and the same frame under a known backward field."""
    sampling = config.train.sampling
    size = item.frames.shape[1]
    iod = eye_distance(item.landmarks)
    if len(other.fields) and rng.random() < sampling.measured:
        measured = other.fields[int(rng.integers(len(other.fields)))].astype(np.float32)
        field = laid_on(measured, other.landmarks, item.landmarks, size)
    else:
        field = random_field(item.landmarks, size, rng)
    low = sampling.amplitude_start[0] * (1 - progress) + sampling.amplitude_end[0] * progress
    high = sampling.amplitude_start[1] * (1 - progress) + sampling.amplitude_end[1] * progress
    field = scaled_to(field, float(np.exp(rng.uniform(np.log(low), np.log(high)))) * iod)
    frame = item.frames[int(rng.integers(len(item.frames)))]
    template = _tensor(frame)
    backward = torch.from_numpy(field)
    driving = warp(template[None], backward[None])[0].clamp(0, 1)
    start = item.tracks.start
    moved, jacobians = carried(start, field)
    noise = sampling.track_noise * iod
    moved = moved + rng.normal(0, 1, moved.shape).astype(np.float32) * np.float32(noise)
    shaking = rng.normal(0, 1, jacobians.shape).astype(np.float32)
    jacobians = jacobians + shaking * np.float32(sampling.track_noise * 2)
    return Batch(
        template=template,
        driving=driving,
        template_points=torch.from_numpy(start.copy()),
        driving_points=torch.from_numpy(moved),
        driving_jacobians=torch.from_numpy(jacobians),
        flow=backward,
        flow_known=torch.tensor(True),
    )


def flip(row: Batch, partner: NDArray[np.intp]) -> Batch:
    """Return one pair seen in a mirror, its points re-indexed to their partners."""
    width = row.template.shape[-1]
    index = torch.from_numpy(np.asarray(partner))
    sign = torch.tensor([-1.0, 1.0])

    def points(at: Tensor) -> Tensor:
        return at[index] * sign + torch.tensor([width - 1.0, 0.0])

    return row._replace(
        template=row.template.flip(-1),
        driving=row.driving.flip(-1),
        template_points=points(row.template_points),
        driving_points=points(row.driving_points),
        driving_jacobians=row.driving_jacobians[index] * (sign[:, None] * sign[None, :]),
        flow=row.flow.flip(1) * sign,
        maps=mirrored(row.maps) if len(row.maps) else row.maps,
        change=row.change.flip(-1),
    )


def _jitter(row: Batch, gray: bool, sampling: SamplingConfig, rng: np.random.Generator) -> Batch:
    """The same change of light and colour for both frames; a grey clip stays grey."""
    amount = sampling.jitter
    light = float(rng.uniform(1 - amount, 1 + amount))
    contrast = float(rng.uniform(1 - amount, 1 + amount))
    gains = rng.uniform(1 - amount / 2, 1 + amount / 2, 3)
    to_gray = bool(rng.random() < sampling.to_gray)
    if amount == 0:
        return row
    tint = torch.ones(3, 1, 1) if gray else torch.tensor(gains, dtype=torch.float32).view(3, 1, 1)
    mean = row.template.mean()

    def change(image: Tensor) -> Tensor:
        if to_gray and not gray:
            mix = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
            image = (image * mix).sum(0, keepdim=True).expand(3, -1, -1)
            return (((image - mean) * contrast + mean) * light).clamp(0, 1)
        return (((image - mean) * contrast + mean) * light * tint).clamp(0, 1)

    return row._replace(template=change(row.template), driving=change(row.driving))


def _tensor(image: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255
