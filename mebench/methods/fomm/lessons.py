"""Training batches from exact pairs: tracked as real clips are, with an answer that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mebench.methods.fomm.blocks import coordinate_grid
from mebench.methods.fomm.config import FommConfig, SamplingConfig
from mebench.methods.fomm.fields import warp
from mebench.methods.fomm.model import to_tensor
from mebench.methods.fomm.networks import Networks, correction_in
from mebench.methods.fomm.painter import Prior, face_prior
from mebench.methods.fomm.points import mirror, pick
from mebench.methods.fomm.rehearsal import from_pairs, unpacked
from mebench.methods.fomm.sampling import Batch, flip

if TYPE_CHECKING:
    from mebench.methods.fomm.exact import ExactPairs

_GRAIN = 0.006
"""Most noise put on a template, standard deviation, full scale being 1."""
_LUMA = (0.299, 0.587, 0.114)
_WHOLE = 0.5
"""Share of the pairs with true motion whose painter is shown all of it, not the points' alone."""
_PLAIN = SamplingConfig(track_noise=0.0, flip=0.0, jitter=0.0, to_gray=0.0)
_STEPS = 8
"""Of the fixed-point iteration for a flow's inverse, as in `preprocess.known_flow`."""


@dataclass(frozen=True)
class Lessons:
    """Exact pairs and what is known of their motion.

    Attributes:
        pairs: the pairs.
        tracks: (N, 6K), what the tracker found in each (`rehearsal.features`).
        truth: (N, 6K), how the template's points truly move.
        correction: (6K, 6K), of the tracker's errors.
    """

    pairs: ExactPairs
    tracks: NDArray[np.float32]
    truth: NDArray[np.float32]
    correction: NDArray[np.float32]

    def keys(self) -> Sequence[str]:
        """Return the names of the pairs."""
        return [f"exact pair {index}" for index in range(len(self.pairs))]


def draw_lessons(lessons: Lessons, config: FommConfig, seed: int, step: int) -> Batch:
    """Return the batch of a step; the same for the same arguments."""
    rng = np.random.default_rng([seed, step])
    chosen = rng.choice(len(lessons.pairs), config.train.batch, replace=False)
    rows = [_row(lessons, int(index), config, rng) for index in chosen]
    return Batch(*(torch.stack(column) for column in zip(*rows, strict=True)))


def _row(lessons: Lessons, index: int, config: FommConfig, rng: np.random.Generator) -> Batch:
    pair = lessons.pairs[index]
    size = pair.template.shape[0]
    sampling = config.train.sampling
    prior = face_prior(pair.landmarks, size)
    unit = float(prior.unit)
    truly = bool(rng.random() < sampling.true_motion)
    motion, jacobians = unpacked(
        lessons.truth[index] if truly else _tracked(lessons, index, sampling, rng)
    )
    start = pick(pair.landmarks, config.points.point_set)
    backward = backward_flow(torch.from_numpy(np.asarray(pair.flow, np.float32)))
    template, clean, answer = to_tensor(np.stack([pair.template, pair.clean, pair.answer]))
    change = answer - _moved(clean, backward)
    shown = _light(sampling, rng)
    template, change = shown(template), shown(change)
    grain = rng.uniform(0, _GRAIN) * rng.normal(0, 1, tuple(template.shape))
    template = (template + torch.from_numpy(grain.astype(np.float32))).clamp(0, 1)
    row = Batch(
        template=template,
        driving=(_moved(template, backward) + change).clamp(0, 1),
        template_points=torch.from_numpy(start),
        driving_points=torch.from_numpy((start + motion * unit).astype(np.float32)),
        driving_jacobians=torch.from_numpy(jacobians),
        flow=backward,
        flow_known=torch.tensor(True),
        clip=torch.tensor(index),
        maps=prior.maps[0],
        unit=prior.unit[0],
        change=change,
        flow_shown=torch.tensor(truly and rng.random() < _WHOLE),
    )
    if rng.random() < sampling.flip:
        row = flip(row, mirror(config.points.point_set))
    return row


def _tracked(
    lessons: Lessons, index: int, sampling: SamplingConfig, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the points' motion (6K,) as generation has it."""
    found = lessons.tracks[index]
    # Noise comes before the correction, as in a compressed recording.
    found = found + rng.normal(0, 1, found.shape) * rng.uniform(0, sampling.track_noise)
    corrected: NDArray[np.float32] = (found + found @ lessons.correction).astype(np.float32)
    return corrected


def plain_row(lessons: Lessons, index: int, config: FommConfig) -> Batch:
    """Return a pair as it was tracked: no noise added, no other light, no mirror."""
    plain = config.model_copy(
        update={"train": config.train.model_copy(update={"sampling": _PLAIN})}
    )
    return _row(lessons, index, plain, np.random.default_rng(index))


def backward_flow(flow: Tensor) -> Tensor:
    """Return where each pixel of the second frame comes from, (S, S, 2), pixels.

    Shapes: flow (S, S, 2), from the first frame on its own grid.
    """
    size = flow.shape[0]
    still = coordinate_grid((size, size), flow)
    unit = (size - 1) / 2
    maps = flow.permute(2, 0, 1)[None]
    found = torch.zeros_like(flow)
    for _ in range(_STEPS):
        at = (still + found / unit)[None]
        read = functional.grid_sample(maps, at, padding_mode="border", align_corners=True)
        found = -read[0].permute(1, 2, 0)
    return found


def _moved(picture: Tensor, backward: Tensor) -> Tensor:
    return warp(picture[None], backward[None])[0]


def _light(sampling: SamplingConfig, rng: np.random.Generator) -> _Light:
    amount = sampling.jitter
    gains = rng.uniform(1 - amount, 1 + amount) * rng.uniform(1 - amount / 2, 1 + amount / 2, 3)
    mix = np.tile(_LUMA, (3, 1)) if rng.random() < sampling.to_gray else np.eye(3)
    return _Light(torch.from_numpy((mix * gains).astype(np.float32)))


@dataclass(frozen=True)
class _Light:
    """The same light for a picture and for a change of it."""

    mix: Tensor

    def __call__(self, picture: Tensor) -> Tensor:
        return torch.einsum("ij,jhw->ihw", self.mix, picture)


def examine(networks: Networks, config: FommConfig, pairs: ExactPairs) -> dict[str, float]:
    """Return what networks make of exact pairs that they did not learn from.

    Values: `flow_left`, the mean error of the field over the mean motion, `warp_left`, the same of
    the field that the painter was shown, and `appearance_gain`, 1 - error² / change² of the
    correction, over all pairs.
    """
    known = from_pairs(pairs, config.points)
    lessons = Lessons(pairs, known.found, known.true, correction_in(networks))
    generator = networks.generator.eval()
    sums = np.zeros(5)
    for index in range(len(pairs)):
        row = plain_row(lessons, index, config)
        batch = Batch(*(column[None] for column in row))
        with torch.inference_mode():
            at = networks.detector(batch.template, batch.template_points)
            to = networks.detector(batch.driving, batch.driving_points, batch.driving_jacobians)
            out = generator(batch.template, to, at, prior=Prior(batch.maps, batch.unit))
        truth = batch.flow
        size = truth.shape[1]
        still, unit = coordinate_grid((size, size), truth), (size - 1) / 2
        errors = [(out[name] - still) * unit - truth for name in ("deformation", "shown")]
        gap = out["correction"] - batch.change
        sums += [
            *(float(one.norm(dim=-1).mean()) for one in (*errors, truth)),
            float(gap.square().sum()),
            float(batch.change.square().sum()),
        ]
    left, shown, still_, gaps, changes = (float(value) for value in sums)
    return {
        "flow_left": round(left / still_, 4),
        "warp_left": round(shown / still_, 4),
        "appearance_gain": round(1 - gaps / changes, 4),
    }
