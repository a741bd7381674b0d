"""The training loop as each process runs it, alone or sharing every batch with others."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mebench.errors import MebenchError
from mebench.methods.fomm import checkpoint
from mebench.methods.fomm.blocks import ImagePyramid
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.feed import batches
from mebench.methods.fomm.lessons import Lessons, draw_lessons
from mebench.methods.fomm.losses import LossWeights, discriminator_loss
from mebench.methods.fomm.material import Material
from mebench.methods.fomm.networks import Networks
from mebench.methods.fomm.objective import Objective, Outcome
from mebench.methods.fomm.painter import Painter
from mebench.methods.fomm.perceptual import PerceptualLoss
from mebench.methods.fomm.processes import share, share_norms
from mebench.methods.fomm.sampling import Batch, draw
from mebench.methods.fomm.training_aids import LossLog, memory_told, note_of
from mebench.methods.fomm.transform import Transform
from mebench.methods.fomm.validation import Examiner

CHECKPOINT = "checkpoint.pt"
BEST = "best.pt"
LOSSES = "losses.csv"
VALIDATION = "validation.csv"

_TRANSFORM = (0.05, 0.005, 5)
"""Published strength of the equivariance transform: affine, thin plate, control points a side."""

_SETTLE_ON_GPU = 20
"""Steps after which losses are fetched from a GPU; each fetch makes it wait."""


@dataclass
class Job:
    """One training run; sent whole to each of its processes.

    Attributes:
        config: the settings.
        networks: trained in place where there is one process.
        materials: clips that are learnt from.
        held_back: clips of training subjects the best networks are chosen by.
        keys: names of the clips of `materials`.
        workdir: folder of checkpoints, logs and pictures.
        seed: of everything random.
        identity: what a checkpoint must agree with to be continued.
        resumed: content of the checkpoint that is continued, or None.
        start: steps done before.
        total: steps in all.
        perceptual: the VGG19 loss, where it is wanted.
        lessons: exact pairs to learn from in place of `materials`.
        started: the painter that training started from, where the new one is kept near it.
    """

    config: FommConfig
    networks: Networks
    materials: Sequence[Material]
    held_back: Sequence[Material]
    keys: Sequence[str]
    workdir: Path
    seed: int
    identity: Mapping[str, Any]
    resumed: Mapping[str, Any] | None
    start: int
    total: int
    perceptual: PerceptualLoss | None = None
    lessons: Lessons | None = None
    started: Painter | None = None


class Report(Protocol):
    """Takes the news of a finished step."""

    def __call__(self, note: str) -> None:
        """One more step is done."""


class _Pending(NamedTuple):
    step: int
    names: list[str]
    values: Tensor


class Engine:
    """Optimisers, averages and logs of one process, and its loop."""

    def __init__(
        self, job: Job, fabric: Fabric, report: Report, stop: threading.Event | None = None
    ) -> None:
        self.job, self.fabric, self.report = job, fabric, report
        self.stop = stop or threading.Event()
        self.config = job.config.train
        self.parts = share(
            self.config.batch, self.config.accumulate, fabric.global_rank, fabric.world_size
        )
        networks = job.networks if fabric.world_size == 1 else deepcopy(job.networks)
        if fabric.world_size > 1:
            for module in networks.modules().values():
                share_norms(module, fabric.device.type == "cuda")
        self.networks = networks
        self._set_up()
        self.log = LossLog(job.workdir / LOSSES, job.start)
        self.rows = LossLog(job.workdir / VALIDATION, job.start)
        self.best = math.inf if job.resumed is None else float(job.resumed.get("best", math.inf))
        self.examiner = Examiner(job.config, job.held_back or job.materials, job.seed, job.workdir)
        self.pending: list[_Pending] = []

    def _set_up(self) -> None:
        if self.job.perceptual is not None:
            self.job.perceptual.to(self.fabric.device)
        job = self.job
        if job.started is not None:
            job.started.to(self.fabric.device)
        objective = Objective(job.config, self.networks, job.perceptual, job.started)
        self.objective, self.optimiser = self.fabric.setup(objective, self._adam(objective))
        self.critic: Any = None
        self.critic_optimiser: Any = None
        critic = self.networks.discriminator
        if critic is not None:
            self.critic, self.critic_optimiser = self.fabric.setup(critic, self._adam(critic))
        self.average: AveragedModel | None = None
        if self.config.ema:
            generating = nn.ModuleDict(self.networks._replace(discriminator=None).modules())
            blend: Any = get_ema_multi_avg_fn
            self.average = AveragedModel(generating, multi_avg_fn=blend(self.config.ema))
        resumed = self.job.resumed
        if resumed is not None:
            self.optimiser.load_state_dict(resumed["optimiser"])
            if self.critic_optimiser is not None:
                self.critic_optimiser.load_state_dict(resumed["critic_optimiser"])
            if self.average is not None:
                for name, module in self._weights().modules().items():
                    module.load_state_dict(resumed["average"][name])
                self.average.n_averaged.fill_(resumed["averaged"])

    def _adam(self, module: nn.Module) -> torch.optim.Adam:
        slow: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                slow_one = name.startswith("generator.dense_motion_network.mask.")
                (slow if slow_one else others).append(parameter)
        groups: list[dict[str, Any]] = [{"params": others}]
        if slow:
            groups.append({"params": slow, "factor": self.config.mask_rate})
        return torch.optim.Adam(
            groups,
            lr=self.config.learning_rate,
            betas=self.config.betas,
            fused=self.fabric.device.type in ("cpu", "cuda"),
        )

    def run(self) -> None:
        """Train to the last step.

        Raises:
            KeyboardInterrupt: when `stop` was set, after a checkpoint.
            MebenchError: when a loss is not finite, or memory runs out.
        """
        job = self.job
        began = time.monotonic()
        feed = batches(self._draw, job.start, job.total, self.fabric.device)
        for step, batch in zip(range(job.start, job.total), feed, strict=True):
            with memory_told(self.config.batch):
                losses = self._step(step, batch)
                self.pending.append(
                    _Pending(step + 1, list(losses), torch.stack(list(losses.values())))
                )
                done = step + 1
                last: Mapping[str, float] = {}
                stopped = False
                if self._due(done):
                    last, stopped = self._settle()
                    self._keep(done, stopped)
            self.report(note_of(last, began, done - job.start, job.total - done))
            if stopped and done < job.total:
                raise KeyboardInterrupt

    def _draw(self, step: int) -> Batch:
        if self.job.lessons is not None:
            return draw_lessons(self.job.lessons, self.job.config, self.job.seed, step)
        return draw(self.job.materials, self.job.config, self.job.seed, step, self.job.total)

    def _due(self, done: int) -> bool:
        every = _SETTLE_ON_GPU if self.fabric.device.type == "cuda" else 1
        return done % every == 0 or self._marked(done)

    def _marked(self, done: int) -> bool:
        """Whether something is written at this step."""
        config = self.config
        marks = [config.checkpoint_every, config.sample_every]
        marks.append(config.validate_every if self.job.held_back else 0)
        return done == self.job.total or any(mark and done % mark == 0 for mark in marks)

    def _step(self, step: int, whole: Batch) -> dict[str, Tensor]:
        job = self.job
        motion_only = step < round(job.total * self.config.motion_first)
        transform = None if motion_only else self._transform(step)
        critic = None if motion_only else self.critic
        self._set_rate(learning_rate(job.config, step, job.total))
        if critic is not None:
            critic.requires_grad_(False)
        outcomes: list[Outcome] = []
        batches_ = [whole.rows(part).to(self.fabric.device) for part in self.parts]
        self.optimiser.zero_grad()
        for index, (part, batch) in enumerate(zip(self.parts, batches_, strict=True)):
            moved = None if transform is None else transform.rows(part)
            judge = None if critic is None else critic.module
            with self._unsynced(self.objective, index):
                outcome = self.objective(batch, moved, judge, motion_only)
                loss = torch.stack(list(outcome.losses.values())).sum() / len(self.parts)
                self.fabric.backward(loss)
            outcomes.append(outcome.detached())
        self._move(self.objective, self.optimiser)
        losses = _mean([outcome.losses for outcome in outcomes])
        if critic is not None and outcomes[0].generated is not None:
            losses["critic"] = self._critic_step(batches_, outcomes)
        if self.average is not None:
            self.average.update_parameters(self._generating())
        return losses

    def _critic_step(self, parts: list[Batch], outcomes: list[Outcome]) -> Tensor:
        self.critic.requires_grad_(True)
        pyramid = ImagePyramid((1.0,)).to(self.fabric.device)
        weights = LossWeights(discriminator_gan=self.config.losses.gan)
        found = []
        self.critic_optimiser.zero_grad()
        for index, (batch, outcome) in enumerate(zip(parts, outcomes, strict=True)):
            if outcome.generated is None:
                continue
            with self._unsynced(self.critic, index):
                real, fake = pyramid(batch.driving), pyramid(outcome.generated)
                judged = discriminator_loss(self.critic, real, fake, weights)
                self.fabric.backward(judged / len(parts))
            found.append(judged.detach())
        self._move(self.critic, self.critic_optimiser)
        return torch.stack(found).mean()

    def _unsynced(self, module: Any, index: int) -> Any:
        """Gradients are exchanged once a step, at the last part."""
        if self.fabric.world_size == 1 or index == len(self.parts) - 1:
            return nullcontext()
        return self.fabric.no_backward_sync(module)

    def _move(self, module: Any, optimiser: Any) -> None:
        if self.config.clip_norm:
            self.fabric.clip_gradients(
                module, optimiser, max_norm=self.config.clip_norm, error_if_nonfinite=False
            )
        optimiser.step()

    def _set_rate(self, rate: float) -> None:
        for optimiser in (self.optimiser, self.critic_optimiser):
            for group in [] if optimiser is None else optimiser.param_groups:
                group["lr"] = rate * group.get("factor", 1.0)

    def _generating(self) -> nn.ModuleDict:
        return nn.ModuleDict(self.networks._replace(discriminator=None).modules())

    def _transform(self, step: int) -> Transform | None:
        losses = self.config.losses
        if not (losses.equivariance_value or losses.equivariance_jacobian):
            return None
        return random_transform(self.config.batch, self.job.seed, step, self.fabric.device)

    def _settle(self) -> tuple[dict[str, float], bool]:
        """Fetch the losses since the last time, the mean over processes; say whether to stop.

        All processes see the same numbers, so all of them stop at the same step.
        """
        flag = torch.tensor([float(self.stop.is_set())], device=self.fabric.device)
        vector: Any = torch.cat([*(one.values.float() for one in self.pending), flag])
        if self.fabric.world_size > 1:
            vector = self.fabric.all_reduce(vector, reduce_op="mean")
        numbers = vector.tolist()
        losses: dict[str, float] = {}
        for one in self.pending:
            mine, numbers = numbers[: len(one.names)], numbers[len(one.names) :]
            losses = dict(zip(one.names, mine, strict=True))
            self._check_finite(losses, one.step)
            self.log.add(one.step, losses)
        self.pending = []
        return losses, numbers[0] > 0

    def _check_finite(self, losses: Mapping[str, float], step: int) -> None:
        for name, value in losses.items():
            if not math.isfinite(value):
                clips = sorted({self.job.keys[i] for i in self._draw(step - 1).clip.tolist()})
                raise MebenchError(
                    f"training step {step}: loss '{name}' is {value} (clips {', '.join(clips)}); "
                    "the last checkpoint is kept; lower train.learning_rate and train again in a "
                    "new folder"
                )

    def _keep(self, done: int, stopped: bool) -> None:
        """Write what is due at this step; the first process does."""
        config, total = self.config, self.job.total
        marked = stopped or done == total
        if self.fabric.global_rank == 0:
            look = config.validate_every if self.job.held_back else 0
            if look and (done % look == 0 or done == total):
                self._validate(done)
            if config.sample_every and (done % config.sample_every == 0 or done == total):
                self.examiner.draw_strip(self._weights(), done)
            if marked or done % config.checkpoint_every == 0:
                self._save(done)
        if self.fabric.world_size > 1 and self._marked(done):
            self.fabric.barrier()

    def _validate(self, done: int) -> None:
        weights = self._weights()
        losses = self.examiner.losses(weights, self.job.perceptual)
        value = sum(losses.values())
        self.rows.add(done, {**losses, "sum": value})
        if value < self.best:
            self.best = value
            checkpoint.write(
                self.job.workdir / BEST,
                {
                    "identity": dict(self.job.identity),
                    "step": done,
                    "validation": value,
                    "configuration": self.job.config.model_dump(mode="json"),
                    **_states(weights.modules()),
                },
            )

    def _weights(self) -> Networks:
        """Return the networks that generate: the moving average where there is one."""
        networks = self.networks._replace(discriminator=None)
        if self.average is None:
            return networks
        kept: Any = self.average.module
        return networks._replace(detector=kept["kp_detector"], generator=kept["generator"])

    def _save(self, done: int) -> None:
        content: dict[str, Any] = {
            "identity": dict(self.job.identity),
            "step": done,
            "configuration": self.job.config.model_dump(mode="json"),
            "optimiser": self.optimiser.state_dict(),
            "best": self.best,
            **_states(self.networks.modules()),
        }
        if self.critic_optimiser is not None:
            content["critic_optimiser"] = self.critic_optimiser.state_dict()
        if self.average is not None:
            content["average"] = _states(self._weights().modules())
            content["averaged"] = int(self.average.n_averaged)
        self._check_weights(done)
        self.log.flush()
        if self.job.held_back:
            self.rows.flush()
        checkpoint.write(self.job.workdir / CHECKPOINT, content)

    def _check_weights(self, done: int) -> None:
        for name, module in self.networks.modules().items():
            for key, value in module.state_dict().items():
                if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                    raise MebenchError(
                        f"training step {done}: {name}.{key} is not finite; the last checkpoint "
                        "is kept; lower train.learning_rate or set train.clip_norm, and train "
                        "again in a new folder"
                    )


def random_transform(batch: int, seed: int, step: int, device: torch.device) -> Transform:
    """Return the equivariance transforms of a step."""
    affine, plate, points = _TRANSFORM
    drawn = np.random.default_rng([seed, step, 1]).integers(2**31)
    return Transform.random(
        batch,
        sigma_affine=affine,
        sigma_tps=plate,
        points_tps=points,
        generator=torch.Generator().manual_seed(int(drawn)),
        device=device,
    )


def learning_rate(config: FommConfig, step: int, total: int) -> float:
    """Return the learning rate of a step: half a cosine, or tenths at the drops."""
    train = config.train
    if train.cosine:
        return train.learning_rate * 0.5 * (1 + math.cos(math.pi * step / total))
    passed = sum(step >= round(share * total) for share in train.drops)
    return train.learning_rate * 0.1**passed


def _mean(losses: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([one[name] for one in losses]).mean() for name in losses[0]}


def _states(modules: Mapping[str, nn.Module]) -> dict[str, Any]:
    return {name: module.state_dict() for name, module in modules.items()}
