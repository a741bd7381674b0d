"""Trains the networks; can be killed at any moment and continued to the same last bit."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from mebench import spec
from mebench.environment import process_count
from mebench.errors import UsageError, WeightsError
from mebench.io.figures import beside_a_result
from mebench.methods.fomm import checkpoint
from mebench.methods.fomm.allocator import keep_freed_memory
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.engine import BEST, CHECKPOINT, LOSSES, VALIDATION, Engine, Job
from mebench.methods.fomm.lessons import Lessons
from mebench.methods.fomm.material import Material, prepare
from mebench.methods.fomm.networks import GivenPoints, Networks, correction_in
from mebench.methods.fomm.painter import Painter
from mebench.methods.fomm.perceptual import PerceptualLoss
from mebench.methods.fomm.processes import fabric_for, share
from mebench.methods.fomm.rehearsal import (
    corrected,
    fit_correction,
    from_pairs,
    lenders_of,
    rehearse,
)
from mebench.methods.fomm.spawned import run_spawned
from mebench.methods.fomm.tracks import clip_digest
from mebench.methods.fomm.training_aids import draw_losses, in_this_process
from mebench.methods.fomm.validation import split
from mebench.preprocess.parallel import each
from mebench.types import FaceClip, Progress, SilentProgress


@dataclass
class Trainer:
    """Everything one training run holds.

    Attributes:
        config: the settings.
        networks: trained in place.
        workdir: keeps ``checkpoint.pt``, ``best.pt``, ``losses.csv``, ``losses.png``,
            ``validation.csv``, ``samples`` and the tracks of the clips.
        device: ``cpu`` or ``cuda:0``.
        seed: of everything random.
        perceptual: the VGG19 loss with its published weights, where it is wanted.
        jobs: processes that track the clips' points.
        devices: devices to train on, one process each; under ``torchrun`` its processes are taken.
        cache: where exact pairs are kept, to be used again; None keeps them in `workdir`.
        started_from: digest of the weights that the networks start from; None for random ones.
    """

    config: FommConfig
    networks: Networks
    workdir: Path
    device: str
    seed: int
    perceptual: PerceptualLoss | None = None
    jobs: int = 1
    devices: int = 1
    cache: Path | None = None
    started_from: str | None = None

    def fit(self, clips: Sequence[FaceClip], progress: Progress) -> None:
        """Train from the workdir's checkpoint, or from the start, to the last step.

        The networks end as the best on the held-back subjects where there are any, else as the
        last; as their moving average where one is kept.

        Raises:
            UsageError: for no clips, a batch that the processes cannot share, or a workdir of
                another configuration, seed or clips.
            WeightsError: for a damaged checkpoint.
            MebenchError: when a loss is not finite; names the step and its clips.
        """
        if self.config.train.steps == 0:
            return
        if not clips and not self.config.train.people:
            raise UsageError("training needs at least one clip, got none")
        if self.device == "cpu":
            keep_freed_memory()
        world = max(process_count(), self.devices)
        share(self.config.train.batch, self.config.train.accumulate, 0, world)
        train = self.config.train
        fabric = fabric_for(
            self.device,
            self.devices,
            train.precision,
            parts_rest=train.motion_first > 0 or self.config.model.blend == "painter",
        )
        learn, held_back = split(clips, self.config.train.validation, self.seed)
        identity = self._identity(clips)
        started: Painter | None = None
        if train.losses.kept and self.started_from is not None:
            started = deepcopy(self.networks.generator.painter).requires_grad_(False)
        total = total_steps(self.config, len(learn))
        resumed = self._resume_point(identity)
        start = 0 if resumed is None else int(resumed["step"])
        if start < total:
            if process_count() > 1:
                fabric.launch()
            # The first process tracks the clips; the others then find the tracks in the workdir.
            with fabric.rank_zero_first() if process_count() > 1 else nullcontext():
                lessons = self._lessons(resumed is None, progress) if train.people else None
                materials: list[Material] = []
                if lessons is None:
                    materials = self._materials([*learn, *held_back], progress)
                if resumed is None:
                    self._correct(materials[: len(learn)], progress)
            job = Job(
                config=self.config,
                networks=self.networks,
                materials=materials[: len(learn)],
                held_back=materials[len(learn) :],
                keys=[clip.key for clip in learn] if lessons is None else lessons.keys(),
                workdir=self.workdir,
                seed=self.seed,
                identity=identity,
                resumed=resumed,
                start=start,
                total=total,
                perceptual=self.perceptual,
                lessons=lessons,
                started=started,
            )
            self._train(job, fabric, progress)
        self._take_result()

    def _train(self, job: Job, fabric: Fabric, progress: Progress) -> None:
        first = fabric.global_rank == 0
        shown = progress if first else SilentProgress()
        try:
            with shown.task("train", job.total, job.start) as task:

                def report(note: str) -> None:
                    task.advance(note=note)

                if fabric.world_size > 1 and process_count() == 1:
                    run_spawned(job, fabric, report)
                else:
                    if process_count() == 1:
                        fabric.launch()
                    run_here(job, fabric, report)
        finally:
            if first:
                with beside_a_result(self.workdir / "losses.png"):
                    draw_losses(self.workdir, LOSSES, VALIDATION)

    def _take_result(self) -> None:
        best = self.workdir / BEST
        path = best if self.config.train.validation else self.workdir / CHECKPOINT
        content = checkpoint.read(path)
        for name, module in self.networks.modules().items():
            states = {**content, **(content.get("average") or {})}
            if name in states:
                checkpoint.load_into(module, name, states[name], path)

    def _identity(self, clips: Sequence[FaceClip]) -> dict[str, Any]:
        """What must be the same for a checkpoint to be continued."""
        learning = self.config.model_dump(mode="json", exclude={"inference"})
        for name in ("checkpoint_every", "sample_every"):
            learning["train"].pop(name)
        return {
            "config": spec.digest(learning),
            "clips": _clips_digest(clips),
            "seed": self.seed,
            **({"start": self.started_from} if self.started_from else {}),
        }

    def _resume_point(self, identity: dict[str, Any]) -> dict[str, Any] | None:
        path = self.workdir / CHECKPOINT
        if not path.exists():
            return None
        content = checkpoint.read(path)
        found = content.get("identity")
        for key, wanted in identity.items():
            got = found.get(key) if isinstance(found, dict) else None
            if got != wanted:
                raise UsageError(
                    f"{path}: was trained with another {key}; "
                    "choose an empty folder or delete this one"
                )
        if not isinstance(content.get("step"), int):
            raise WeightsError(f"{path}: holds no training step; it cannot be continued")
        for name, module in self.networks.modules().items():
            checkpoint.load_into(module, name, content.get(name), path)
        return content

    def _materials(self, clips: Sequence[FaceClip], progress: Progress) -> list[Material]:
        made = partial(prepare, config=self.config, cache=self.workdir / "tracks")
        materials = []
        with progress.task("track face points", total=len(clips)) as task:
            for clip, material in zip(clips, each(made, clips, self.jobs), strict=True):
                materials.append(
                    material if self.started_from is None else self._believed(material)
                )
                task.advance(note=clip.key)
        return materials

    def _lessons(self, new: bool, progress: Progress) -> Lessons:
        """Make the exact pairs, and learn the tracker's errors from them."""
        from mebench.methods.fomm import exact  # Draws faces: most runs have no need of that.

        size, points = self.config.model.size, self.config.points
        out = (self.cache or self.workdir) / exact.folder_name(size, points)
        pairs = exact.make_pairs(
            out,
            people=self.config.train.people,
            size=size,
            jobs=self.jobs,
            points=points,
            progress=progress,
        )
        known = from_pairs(pairs, points)
        detector = self.networks.detector
        if new and isinstance(detector, GivenPoints):
            with torch.no_grad():
                detector.correction.copy_(torch.from_numpy(fit_correction([known], points)))
        return Lessons(pairs, known.found, known.true, correction_in(self.networks))

    def _believed(self, material: Material) -> Material:
        """Return a clip with the tracks that its motion will be generated from."""
        return replace(material, tracks=corrected(material.tracks, correction_in(self.networks)))

    def _correct(self, materials: list[Material], progress: Progress) -> None:
        """Learn the tracker's errors; a network that is continued knows them already."""
        detector, count = self.networks.detector, self.config.train.rehearsals
        if count == 0 or not materials or not isinstance(detector, GivenPoints):
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


def run_here(job: Job, fabric: Fabric, report: Any) -> None:
    """Run the loop in this process; Ctrl-C stops it after a checkpoint."""
    stop = threading.Event()
    in_this_process(Engine(job, fabric, report, stop).run, stop)


def total_steps(config: FommConfig, clip_count: int) -> int:
    """Return how many optimiser steps a training run takes."""
    train = config.train
    if train.steps is not None:
        return train.steps
    return train.epochs * math.ceil(train.repeats * clip_count / train.batch)


def _clips_digest(clips: Sequence[FaceClip]) -> str:
    return hashlib.sha256(" ".join(clip_digest(clip) for clip in clips).encode()).hexdigest()
