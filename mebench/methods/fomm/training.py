"""Trains the networks; can be killed at any moment and continued to the same last bit."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from mebench import spec
from mebench.errors import MebenchError, UsageError, WeightsError
from mebench.methods.fomm import checkpoint
from mebench.methods.fomm.blocks import ImagePyramid
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.denormals import without_denormals
from mebench.methods.fomm.discriminator import MultiScaleDiscriminator
from mebench.methods.fomm.losses import LossWeights, discriminator_loss
from mebench.methods.fomm.material import Material, prepare
from mebench.methods.fomm.networks import GivenPoints, Networks
from mebench.methods.fomm.objective import Objective, Outcome
from mebench.methods.fomm.perceptual import PerceptualLoss
from mebench.methods.fomm.rehearsal import fit_correction, lenders_of, rehearse
from mebench.methods.fomm.sampling import Batch, draw
from mebench.methods.fomm.tracks import clip_digest
from mebench.methods.fomm.training_aids import LossLog, memory_told, note_of, reproducible
from mebench.methods.fomm.transform import Transform
from mebench.preprocess.parallel import each
from mebench.types import FaceClip, Progress

CHECKPOINT = "checkpoint.pt"
LOSSES = "losses.csv"

_TRANSFORM = (0.05, 0.005, 5)
"""Published strength of the equivariance transform: affine, thin plate, control points a side."""


@dataclass
class Trainer:
    """Everything one training run holds.

    Attributes:
        config: the settings.
        networks: trained in place.
        workdir: keeps ``checkpoint.pt``, ``losses.csv`` and the tracks of the clips.
        device: ``cpu`` or ``cuda:0``.
        seed: of everything random.
        perceptual: the VGG19 loss with its published weights, where it is wanted.
        jobs: processes that track the clips' points.
    """

    config: FommConfig
    networks: Networks
    workdir: Path
    device: str
    seed: int
    perceptual: PerceptualLoss | None = None
    jobs: int = 1

    def fit(self, clips: Sequence[FaceClip], progress: Progress) -> None:
        """Train from the workdir's checkpoint, or from the start, to the last step.

        Raises:
            UsageError: for no clips, or a workdir of another configuration, seed or clips.
            WeightsError: for a damaged checkpoint.
            MebenchError: when a loss is not finite; names the step.
        """
        if not clips:
            raise UsageError("training needs at least one clip, got none")
        self._keys = [clip.key for clip in clips]
        identity = self._identity(clips)
        total = total_steps(self.config, len(clips))
        start = self._resume_point(identity)
        if start < total:
            materials = self._materials(clips, progress)
            self._correct(materials, progress)
            span = _Span(start, total, threading.Event())
            with reproducible():
                without_denormals(
                    lambda: self._loop(materials, span, identity, progress), span.stop.set
                )

    def _identity(self, clips: Sequence[FaceClip]) -> dict[str, Any]:
        """What must be the same for a checkpoint to be continued."""
        learning = self.config.model_dump(mode="json", exclude={"inference"})
        learning["train"].pop("checkpoint_every")
        return {
            "config": spec.digest(learning),
            "clips": _clips_digest(clips),
            "seed": self.seed,
        }

    def _resume_point(self, identity: dict[str, Any]) -> int:
        path = self.workdir / CHECKPOINT
        if not path.exists():
            self._resumed: dict[str, Any] | None = None
            return 0
        content = checkpoint.read(path)
        found = content.get("identity")
        for key, wanted in identity.items():
            got = found.get(key) if isinstance(found, dict) else None
            if got != wanted:
                raise UsageError(
                    f"{path}: was trained with another {key}; "
                    "choose an empty folder or delete this one"
                )
        step = content.get("step")
        if not isinstance(step, int):
            raise WeightsError(f"{path}: holds no training step; it cannot be continued")
        for name, module in self.networks.modules().items():
            checkpoint.load_into(module, name, content.get(name), path)
        self._resumed = content
        return step

    def _materials(self, clips: Sequence[FaceClip], progress: Progress) -> list[Material]:
        made = partial(prepare, config=self.config, cache=self.workdir / "tracks")
        materials = []
        with progress.task("track face points", total=len(clips)) as task:
            for clip, material in zip(clips, each(made, clips, self.jobs), strict=True):
                materials.append(material)
                task.advance(note=clip.key)
        return materials

    def _correct(self, materials: list[Material], progress: Progress) -> None:
        """Learn the tracker's errors; a network that is continued knows them already."""
        detector, count = self.networks.detector, self.config.train.rehearsals
        if count == 0 or self._resumed is not None or not isinstance(detector, GivenPoints):
            return
        work = [(item, lenders_of(materials, index)) for index, item in enumerate(materials)]
        made = partial(rehearse, config=self.config, cache=self.workdir / "tracks")
        found = []
        with progress.task("rehearse", total=len(work)) as task:
            for rehearsals in each(made, work, self.jobs):
                found.append(rehearsals)
                task.advance()
        correction = fit_correction(found, self.config.points)
        with torch.no_grad():
            detector.correction.copy_(torch.from_numpy(correction))

    def _loop(
        self,
        materials: list[Material],
        span: _Span,
        identity: dict[str, Any],
        progress: Progress,
    ) -> None:
        config = self.config.train
        start, total, stop = span
        fabric = Fabric(**_where(self.device), precision=config.precision)
        fabric.launch()
        objective = Objective(self.config, self.networks, self.perceptual)
        if self.perceptual is not None:
            self.perceptual.to(fabric.device)
        optimiser = self._adam(objective)
        run = _Run(fabric, *fabric.setup(objective, optimiser))
        critic = self.networks.discriminator
        if critic is not None:
            run.critic, run.critic_optimiser = fabric.setup(critic, self._adam(critic))
        if self._resumed is not None:
            run.optimiser.load_state_dict(self._resumed["optimiser"])
            if run.critic_optimiser is not None:
                run.critic_optimiser.load_state_dict(self._resumed["critic_optimiser"])
        log = LossLog(self.workdir / LOSSES, start)
        with progress.task("train", total, start) as task:
            began = time.monotonic()
            for step in range(start, total):
                with memory_told(config.batch):
                    losses = self._step(run, materials, step, total)
                done = step + 1
                log.add(done, losses)
                last = done == total or stop.is_set()
                if last or done % config.checkpoint_every == 0:
                    log.flush()
                    self._save(run, done, identity)
                task.advance(note=note_of(losses, began, done - start, total - done))
                if stop.is_set() and done < total:
                    raise KeyboardInterrupt

    def _step(
        self, run: _Run, materials: list[Material], step: int, total: int
    ) -> dict[str, float]:
        config = self.config.train
        batch = draw(materials, self.config, self.seed, step, total).to(run.fabric.device)
        rate = learning_rate(self.config, step, total)
        motion_only = step < round(total * config.motion_first)
        transform = self._transform(step, run.fabric.device) if not motion_only else None
        run.set_rate(rate)
        critic = None if motion_only else run.critic
        if critic is not None:
            critic.requires_grad_(False)
        outcome: Outcome = run.objective(batch, transform, critic, motion_only)
        loss = torch.stack(list(outcome.losses.values())).sum()
        self._check_finite(outcome.losses, step, batch)
        run.optimiser.zero_grad()
        run.fabric.backward(loss)
        run.optimiser.step()
        losses = {name: float(value.detach()) for name, value in outcome.losses.items()}
        if critic is not None and outcome.generated is not None:
            judged = _critic_loss(run, batch, outcome.generated, config.losses.gan)
            self._check_finite({"critic": judged}, step, batch)
            run.critic_optimiser.zero_grad()
            run.fabric.backward(judged)
            run.critic_optimiser.step()
            losses["critic"] = float(judged.detach())
        return losses

    def _check_finite(self, losses: dict[str, Tensor], step: int, batch: Batch) -> None:
        for name, value in losses.items():
            if not math.isfinite(float(value.detach())):
                clips = sorted({self._keys[index] for index in batch.clip.tolist()})
                raise MebenchError(
                    f"training step {step + 1}: loss '{name}' is {float(value.detach())} (clips "
                    f"{', '.join(clips)}); the last checkpoint is kept; lower train.learning_rate "
                    "and train again in a new folder"
                )

    def _transform(self, step: int, device: torch.device) -> Transform | None:
        losses = self.config.train.losses
        if not (losses.equivariance_value or losses.equivariance_jacobian):
            return None
        affine, plate, points = _TRANSFORM
        drawn = np.random.default_rng([self.seed, step, 1]).integers(2**31)
        return Transform.random(
            self.config.train.batch,
            sigma_affine=affine,
            sigma_tps=plate,
            points_tps=points,
            generator=torch.Generator().manual_seed(int(drawn)),
            device=device,
        )

    def _adam(self, module: nn.Module) -> torch.optim.Adam:
        config = self.config.train
        slow: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                slow_one = name.startswith("generator.dense_motion_network.mask.")
                (slow if slow_one else others).append(parameter)
        groups: list[dict[str, Any]] = [{"params": others}]
        if slow:
            groups.append({"params": slow, "factor": config.mask_rate})
        return torch.optim.Adam(groups, lr=config.learning_rate, betas=config.betas)

    def _save(self, run: _Run, step: int, identity: dict[str, Any]) -> None:
        content: dict[str, Any] = {
            "identity": identity,
            "step": step,
            "configuration": self.config.model_dump(mode="json"),
            "optimiser": run.optimiser.state_dict(),
        }
        if run.critic_optimiser is not None:
            content["critic_optimiser"] = run.critic_optimiser.state_dict()
        for name, module in self.networks.modules().items():
            content[name] = module.state_dict()
        checkpoint.write(self.workdir / CHECKPOINT, content)


class _Span(NamedTuple):
    start: int
    total: int
    stop: threading.Event


@dataclass
class _Run:
    fabric: Fabric
    objective: nn.Module
    optimiser: Any
    critic: Any = None
    critic_optimiser: Any = None

    def set_rate(self, rate: float) -> None:
        for optimiser in (self.optimiser, self.critic_optimiser):
            for group in [] if optimiser is None else optimiser.param_groups:
                group["lr"] = rate * group.get("factor", 1.0)


def total_steps(config: FommConfig, clip_count: int) -> int:
    """Return how many optimiser steps a training run takes."""
    train = config.train
    if train.steps is not None:
        return train.steps
    return train.epochs * math.ceil(train.repeats * clip_count / train.batch)


def learning_rate(config: FommConfig, step: int, total: int) -> float:
    """Return the learning rate of a step: half a cosine, or tenths at the drops."""
    train = config.train
    if train.cosine:
        return train.learning_rate * 0.5 * (1 + math.cos(math.pi * step / total))
    passed = sum(step >= round(share * total) for share in train.drops)
    return train.learning_rate * 0.1**passed


def _critic_loss(run: _Run, batch: Batch, generated: Tensor, weight: float) -> Tensor:
    critic = cast(MultiScaleDiscriminator, run.critic)
    critic.requires_grad_(True)
    pyramid = ImagePyramid((1.0,)).to(generated.device)
    weights = LossWeights(discriminator_gan=weight)
    return discriminator_loss(critic, pyramid(batch.driving), pyramid(generated.detach()), weights)


def _where(device: str) -> dict[str, Any]:
    kind, _, index = device.partition(":")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError("device 'cuda' is not available here; use --device cpu")
    try:
        devices: Any = [int(index)] if index and kind != "cpu" else 1
        if kind not in ("cpu", "cuda", "mps"):
            raise ValueError(kind)
    except ValueError as error:
        raise UsageError(f"unknown device '{device}'; use cpu or cuda:0") from error
    return {"accelerator": kind, "devices": devices}


def _clips_digest(clips: Sequence[FaceClip]) -> str:
    return hashlib.sha256(" ".join(clip_digest(clip) for clip in clips).encode()).hexdigest()
