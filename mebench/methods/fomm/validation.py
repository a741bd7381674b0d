"""Looks at the networks while they learn: a number on held-back subjects, and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from mebench.errors import UsageError
from mebench.io.frames import write_png
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.material import Material
from mebench.methods.fomm.model import to_frames
from mebench.methods.fomm.networks import Networks
from mebench.methods.fomm.objective import Objective, Outcome
from mebench.methods.fomm.perceptual import PerceptualLoss
from mebench.methods.fomm.sampling import Batch, draw
from mebench.types import FaceClip

_BATCHES = 8
_STRIP_PAIRS = 4
_DIFFERENCE = 5.0
"""How much stronger the strip shows differences."""

Item = TypeVar("Item")


def split(
    clips: Sequence[FaceClip], subjects: int, seed: int
) -> tuple[list[FaceClip], list[FaceClip]]:
    """Return the clips to learn from and those of so many held-back subjects, drawn from a seed.

    Raises:
        UsageError: when nobody would be left to learn from.
    """
    if subjects == 0:
        return list(clips), []
    names = sorted({clip.subject for clip in clips})
    if subjects >= len(names):
        raise UsageError(
            f"train.validation holds back {subjects} of {len(names)} training subjects; "
            "leave at least one to learn from"
        )
    drawn = np.random.default_rng([seed, len(names)]).permutation(len(names))[:subjects]
    held = {names[index] for index in drawn}
    learn = [clip for clip in clips if clip.subject not in held]
    return learn, [clip for clip in clips if clip.subject in held]


class Examiner:
    """Measures networks on pairs that stay the same through a run and are never learnt from.

    The pairs are drawn as in training at its end, from the given clips; the test data of a
    protocol are not among them.
    """

    def __init__(
        self, config: FommConfig, materials: Sequence[Material], seed: int, workdir: Path
    ) -> None:
        self.config, self.materials, self.seed, self.workdir = config, materials, seed, workdir

    def losses(self, networks: Networks, perceptual: PerceptualLoss | None) -> dict[str, float]:
        """Return the mean losses but those of the critic, whose meaning changes as it learns."""
        found: list[dict[str, float]] = []
        for number in range(_BATCHES):
            outcome = self._outcome(networks, self._pairs(number), perceptual)
            found.append({name: float(value) for name, value in outcome.losses.items()})
        return {name: float(np.mean([one[name] for one in found])) for name in found[0]}

    def draw_strip(self, networks: Networks, step: int) -> None:
        """Write ``samples/step-NNNNNN.png``: template, driving, generated, difference x 5."""
        batch = self._pairs(0).rows(slice(0, _STRIP_PAIRS))
        generated = self._outcome(networks, batch, None).generated
        if generated is None:
            return
        gap = 0.5 + _DIFFERENCE * (generated.cpu() - batch.driving)
        columns = [to_frames(part) for part in (batch.template, batch.driving, generated, gap)]
        rows = [np.concatenate([column[i] for column in columns], 1) for i in range(len(gap))]
        folder = self.workdir / "samples"
        folder.mkdir(parents=True, exist_ok=True)
        write_png(folder / f"step-{step:06d}.png", np.concatenate(rows))

    def _pairs(self, number: int) -> Batch:
        # Steps from the last one on are never drawn in training, and their amplitudes are small.
        last = self.config.train.steps or 1
        return draw(self.materials, self.config, self.seed + 1_000_003, last + number, last)

    def _outcome(
        self, networks: Networks, batch: Batch, perceptual: PerceptualLoss | None
    ) -> Outcome:
        modules = list(networks.modules().values())
        device = _device(networks)
        training = [module.training for module in modules]
        for module in modules:
            module.eval()
        try:
            with torch.no_grad():
                objective = Objective(self.config, networks, perceptual)
                outcome: Outcome = objective(batch.to(device), None, None, motion_only=False)
                return outcome
        finally:
            for module, was in zip(modules, training, strict=True):
                module.train(was)


def _device(networks: Networks) -> torch.device:
    first: Tensor = next(networks.generator.parameters())
    return first.device
