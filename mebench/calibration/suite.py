"""Runs the ladders and controls over scenes: long work, kept piece by piece, resumed for free."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.calibration.controls import controls
from mebench.calibration.damage import resampled
from mebench.calibration.ladders import LADDERS
from mebench.calibration.scenes import RECORDINGS, Scene
from mebench.environment import code_digest
from mebench.errors import UsageError, did_you_mean
from mebench.io.files import atomic_path
from mebench.metrics.base import Case, Metric
from mebench.metrics.catalogue import DEFAULT, build_metrics
from mebench.preprocess.flow import Engine
from mebench.preprocess.parallel import each
from mebench.scoring import one_thread
from mebench.spec import digest
from mebench.types import Progress, SilentProgress

Array = NDArray[np.float64]
Label = str | float
"""A control's name, or a ladder's level."""

CONTROLS = "controls"
OTHERS = "other clips"
OWN, DISJOINT, SHARING = "own", "no AU in common", "some AU in common"
PARTS = (*(ladder.name for ladder in LADDERS), CONTROLS, OTHERS)
_ROOMS = ("metrics", "preprocess", "facs", "synthme", "calibration")
_MOTION = ("action_units", "temporal", "motion")


@dataclass(frozen=True)
class Plan:
    """What is measured, and where what is finished is kept.

    Attributes:
        pairs: scenes.
        cache: folder for finished pieces and features.
        parts: of `PARTS`.
        recording: of `RECORDINGS`.
        families: metric families of ladders and controls.
        flow: ``farneback`` or ``dis``.
        seed: of stand-in weights.
    """

    pairs: int
    cache: Path
    parts: tuple[str, ...] = PARTS
    recording: str = "default"
    families: tuple[str, ...] = DEFAULT
    flow: Engine = "farneback"
    seed: int = 0


@dataclass
class Results:
    """All values of a plan.

    Attributes:
        clips: (S,) values of each clip-level key by part and label, NaN where it is missing; a
            label that comes more than once in a scene has several rows, (R, S).
        sets: (value, (S,) values with one scene left out) of each set-level key, likewise.
        weights: network weights in use.
    """

    clips: dict[tuple[str, Label], dict[str, Array]] = field(default_factory=dict)
    sets: dict[tuple[str, Label], dict[str, tuple[float, Array]]] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)


Piece = list[tuple[Label, list[Any]]]
"""What the families kept of each case of one part of one scene."""


def measure(plan: Plan, jobs: int = 1, progress: Progress | None = None) -> Results:
    """Measure every part on every scene.

    Raises:
        UsageError: for an unknown part or recording, or fewer than 2 pairs.
    """
    for name, known in [*((part, PARTS) for part in plan.parts), (plan.recording, RECORDINGS)]:
        if name not in known:
            raise UsageError(f"unknown part or recording '{name}'.{did_you_mean(name, known)}")
    if plan.pairs < 2:
        raise UsageError(f"calibration needs 2 pairs or more, got {plan.pairs}")
    results = Results()
    work = [(index, part) for part in plan.parts for index in range(plan.pairs)]
    pieces: dict[str, list[Piece]] = {part: [] for part in plan.parts}
    with (progress or SilentProgress()).task("calibrate", total=len(work)) as task:
        for (index, part), piece in zip(work, each(partial(_piece, plan), work, jobs), strict=True):
            pieces[part].append(piece)
            task.advance(note=f"{part}, pair {index + 1}")
    for part, found in pieces.items():
        families = _families(plan, part)
        for family in families:
            results.weights.update(family.weights)
        _gather(results, part, found, families)
    return results


def _families(plan: Plan, part: str) -> list[Metric]:
    names = plan.families
    if part == OTHERS:
        names = tuple(name for name in names if name == "action_units")
    return list(_built(names, plan.cache, plan.seed, plan.flow))


@lru_cache(maxsize=4)
def _built(names: tuple[str, ...], cache: Path, seed: int, flow: Engine) -> tuple[Metric, ...]:
    return tuple(build_metrics(names, cache=cache, allow_seeded=True, seed=seed, flow=flow))


@lru_cache(maxsize=24)
def _scene(index: int, recording: str, one_sided: bool = False) -> Scene:
    return Scene.of(index, RECORDINGS[recording], one_sided=one_sided)


def _piece(plan: Plan, work: tuple[int, str]) -> Piece:
    index, part = work
    families = _families(plan, part)
    named = [[type(f).__name__, f.variant, dict(f.weights)] for f in families]
    others = plan.pairs if part == OTHERS else 0
    key = digest([index, part, plan.recording, named, others, code_digest(*_ROOMS)])
    path = plan.cache / "calibration" / f"{key}.pkl"
    try:
        with path.open("rb") as handle:
            kept: Piece = pickle.load(handle)
            return kept
    except (OSError, EOFError, pickle.UnpicklingError):
        pass
    with one_thread():
        found = [
            (label, [family.describe(case) for family in families])
            for label, case in _cases(plan, index, part)
        ]
    with atomic_path(path) as temporary:
        temporary.write_bytes(pickle.dumps(found))
    return found


def _cases(plan: Plan, index: int, part: str) -> Iterator[tuple[Label, Case]]:
    if part == CONTROLS:
        yield from controls(_scene(index, plan.recording))
    elif part == OTHERS:
        yield from _other_clips(plan, index)
    else:
        ladder = next(ladder for ladder in LADDERS if ladder.name == part)
        scene = _scene(index, plan.recording, ladder.one_sided)
        for level in ladder.levels:
            yield level, scene.case(ladder.make(scene, level))


def _other_clips(plan: Plan, index: int) -> Iterator[tuple[Label, Case]]:
    """Yield the right answers to every driving clip, shown as answers to this one."""
    scene = _scene(index, plan.recording)
    own = {part.au for part in scene.act.components}
    for number in range(plan.pairs):
        other = _scene(number, plan.recording)
        frames = resampled(other.right.frames, len(scene.driving.frames))
        common = own & {part.au for part in other.act.components}
        label = OWN if number == index else SHARING if common else DISJOINT
        yield label, scene.case(frames, other.points, answer=False)


def _gather(
    results: Results, part: str, pieces: Sequence[Piece], families: Sequence[Metric]
) -> None:
    """Put the values of one part into `results`."""
    labels = list(dict.fromkeys(label for piece in pieces for label, _ in piece))
    for label in labels:
        rows = [[found for name, found in piece if name == label] for piece in pieces]
        values: dict[str, list[list[float]]] = {}
        for number, family in enumerate(families):
            for scene, cases in enumerate(rows):
                for case in cases:
                    for key, value in family.clip_values(case[number]).items():
                        per_scene = values.setdefault(key, [[] for _ in pieces])
                        per_scene[scene].append(value if isinstance(value, float) else np.nan)
        results.clips[part, label] = {key: _padded(found) for key, found in values.items()}
        results.sets[part, label] = {}
        for number, family in enumerate(families):
            by_scene = [[case[number] for case in cases] for cases in rows]
            results.sets[part, label].update(_set_values(family, by_scene))


def _padded(rows: Sequence[Sequence[float]]) -> Array:
    """Return (S,), or (R, S) where some scene has R > 1 values."""
    most = max(map(len, rows))
    table = np.full((most, len(rows)), np.nan)
    for scene, values in enumerate(rows):
        table[: len(values), scene] = values
    return table[0] if most == 1 else table


def _set_values(
    family: Metric, by_scene: Sequence[Sequence[Any]]
) -> Mapping[str, tuple[float, Array]]:
    def of(scenes: Sequence[Sequence[Any]]) -> dict[str, float]:
        found = family.set_values([case for cases in scenes for case in cases])
        return {k: v if isinstance(v, float) else np.nan for k, v in found.items()}

    whole = of(by_scene)
    if not whole:
        return {}
    without = [of([*by_scene[:n], *by_scene[n + 1 :]]) for n in range(len(by_scene))]
    return {key: (value, np.array([one[key] for one in without])) for key, value in whole.items()}
