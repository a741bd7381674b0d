"""`mebench run baseline`: data, preparation, training, generation, scoring, report; resumable.

Each stage finds what it finished before: a run cut at any point and started again with the same
settings ends in the same record.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from mebench import environment
from mebench.aggregate import INTERVALS
from mebench.errors import MebenchError, UsageError, WeightsError, did_you_mean
from mebench.io.files import sha256_file
from mebench.methods.base import Baseline
from mebench.methods.catalogue import BaselineSpec, baseline_spec, load_baseline
from mebench.metrics.catalogue import families_of, metric_infos
from mebench.protocol.data import Fold, ProtocolData
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import SYNTHME, Protocol, load_protocol
from mebench.record import DatasetStamp, MethodRow, ProtocolStamp, Record
from mebench.registry import spec_files
from mebench.runner import ceilings
from mebench.runner.folder import RunSettings, claim, release
from mebench.runner.outputs import Place, close, fit, outputs_of, write_outputs
from mebench.scoring import (
    ScoringOptions,
    check_order,
    requirement_of,
    score_submission,
    weights_in_use,
)
from mebench.spec import digest
from mebench.submission.manifest import Method
from mebench.submission.pack import pack
from mebench.submission.validate import Submission, open_submission
from mebench.types import Progress, SilentProgress

UNTRAINED = "untrained"


@dataclass(frozen=True)
class RunResult:
    """A finished run: the record, and what a report needs to draw it."""

    record: Record
    data: ProtocolData
    options: ScoringOptions
    folder: Path


@dataclass
class Timer:
    """Seconds spent by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        start = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - start
            self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 1)


def run_baseline(
    settings: RunSettings, place: Place, *, resume: bool = False, progress: Progress | None = None
) -> RunResult:
    """Train, generate, validate and score a baseline; write and return the record.

    Raises:
        UsageError: when `place.out` holds another run, or holds this one and `resume` is not set.
        WeightsError: for a checkpoint that does not fit.
        DatasetError: when the data cannot be used.
    """
    told = progress or SilentProgress()
    timer = Timer()
    protocol = load_protocol(settings.protocol)
    spec = baseline_spec(settings.baseline)
    method = _load(settings, place)
    check_protocol(protocol)
    if settings.checkpoint is not None:
        _take_checkpoint(method, Path(settings.checkpoint), settings, place)
    claim(place.out, settings, protocol, resume)
    with timer.stage("data"):
        try:
            data = _data(protocol, place, told)
        except MebenchError:
            release(place.out)
            raise
    if settings.limit is not None:
        data = data.some(settings.limit)
    options = ScoringOptions(
        metrics=protocol.metrics,
        cache=place.cache,
        device=place.device,
        jobs=place.jobs,
        seed=settings.seed,
        flow=settings.flow,
    )
    rows: list[MethodRow] = []
    folder = place.out / "submission"
    for fold in data.folds:
        if settings.checkpoint is None:
            method = _load(settings, place)
            with timer.stage("train"):
                _learn(method, data, fold, place, settings, told)
        with timer.stage("generate"):
            outputs_of(method, data, fold.pairs, folder, place, told)
    with timer.stage("generate"):
        close(folder, data, Method(id=spec.id, title=spec.title), method)
        pack(folder, place.out / "submission.zip")
    with timer.stage("score"):
        rows.append(_score(folder, data, options, told))
    for name in _controls(protocol, method):
        with timer.stage("controls"):
            rows.append(_control(name, settings, data, place, options, told))
    record = Record(
        result=rows[0],
        controls=rows[1:],
        protocol=ProtocolStamp(id=protocol.id, digest=protocol.digest),
        dataset=dataset_stamp(data),
        weights=weights_in_use(options),
        made_by=_made_by(settings, spec, method, data),
        groups={pair.key: data.group(pair) for pair in data.pairs},
        intervals=INTERVALS,
        notes=[*_notes(data, settings), *check_order(rows, _ranked(rows, protocol, settings))],
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        seconds=timer.seconds,
        environment=environment.describe(place.device),
    )
    record.save(place.out / "record.json")
    return RunResult(record, data, options, place.out / "submission")


def dataset_stamp(data: ProtocolData) -> DatasetStamp:
    """Return which clips a result was computed on."""
    return DatasetStamp(
        id=data.protocol.source,
        index_digest=data.index_digest,
        clips=data.n_clips,
        subjects=data.n_subjects,
        driving_subjects=len({data.group(pair) for pair in data.pairs}),
        pairs=len(data.pairs),
    )


def _load(settings: RunSettings, place: Place) -> Baseline:
    method = load_baseline(
        settings.baseline, preset=settings.preset, overrides=dict(settings.overrides)
    )
    return _placed(method, place)


def _placed(method: Baseline, place: Place) -> Baseline:
    method.cache, method.jobs, method.devices = place.cache, place.jobs, place.devices
    return method


def _take_checkpoint(method: Baseline, path: Path, settings: RunSettings, place: Place) -> None:
    """Load a checkpoint, whose own configuration must not contradict what was asked for."""
    if not method.trainable:
        raise UsageError(f"'{settings.baseline}' learns nothing and takes no --checkpoint")
    asked = method.config.model_dump(mode="json")
    method.load(path, device=place.device)
    holds = method.config.model_dump(mode="json")
    for key in settings.overrides:
        wanted, found = _setting(asked, key), _setting(holds, key)
        if wanted != found:
            raise WeightsError(
                f"{path}: was made with {key} {found!r}, -s asks for {wanted!r}; leave the "
                "setting out, or train with it"
            )


def _setting(config: Mapping[str, Any], key: str) -> Any:
    found: Any = config
    for name in key.split("."):
        found = found[name]
    return found


def train_baseline(
    settings: RunSettings, place: Place, *, progress: Progress | None = None
) -> Path:
    """Train a baseline on a protocol's training clips, or go on training; return ``model.pt``.

    May run in several processes at once (``torchrun``); all of them must see `place.out`.

    Raises:
        UsageError: when the baseline does not learn, or `place.out` holds something else.
        DatasetError: when the data cannot be used.
    """
    told = progress or SilentProgress()
    protocol = load_protocol(settings.protocol)
    method = _load(settings, place)
    if not method.trainable:
        raise UsageError(f"'{settings.baseline}' does not learn; there is nothing to train")
    data = _data(protocol, place, told)
    fit(method, data.train, place.out, place, settings.seed, told)
    return place.out / "model.pt"


def check_protocol(protocol: Protocol) -> None:
    """Find now what would otherwise stop a run after its training.

    Raises:
        UsageError: for an unknown metric, rank key or control.
    """
    where = f"protocol '{protocol.id}'"
    try:
        keys = metric_infos(families_of(protocol.metrics))
    except UsageError as error:
        raise UsageError(f"{where}: key 'metrics': {error}") from error
    if protocol.rank_by not in keys:
        raise UsageError(
            f"{where}: key 'rank_by': its metrics have no '{protocol.rank_by}'."
            f"{did_you_mean(protocol.rank_by, keys)}"
        )
    known = {*ceilings.TITLES, *spec_files("baselines")}
    for name in protocol.controls:
        if name not in known:
            raise UsageError(
                f"{where}: key 'controls': unknown control '{name}'.{did_you_mean(name, known)}"
            )


def _data(protocol: Protocol, place: Place, progress: Progress) -> ProtocolData:
    roots = dict(place.roots)
    if SYNTHME in protocol.dataset and SYNTHME not in roots:
        from mebench.synthme.export import export

        roots["synthme"] = place.out / "data"
        export(
            roots["synthme"],
            preset=protocol.synth.preset,
            seed=protocol.synth.seed,
            jobs=place.jobs,
            progress=progress,
        )
    return open_protocol(protocol, roots, cache=place.cache, jobs=place.jobs, progress=progress)


def _learn(
    method: Baseline,
    data: ProtocolData,
    fold: Fold,
    place: Place,
    settings: RunSettings,
    progress: Progress,
) -> None:
    """Train on a fold, or find what was trained before."""
    if method.needs_clips and not fold.train:
        names = " ".join(f"--data {name}=ROOT" for name in data.protocol.train_on)
        advice = f"{names} or --checkpoint FILE" if names else "--checkpoint FILE"
        raise UsageError(
            f"protocol '{data.protocol.id}' has no clips that '{settings.baseline}' may learn "
            f"from; give {advice}{_or_shipped(settings)}"
        )
    workdir = place.out / "training"
    if len(data.folds) > 1:
        workdir = workdir / fold.name
    fit(method, fold.train, workdir, place, settings.seed, progress)


def _or_shipped(settings: RunSettings) -> str:
    known = "shipped" in baseline_spec(settings.baseline).presets
    return ", or take the weights in the package: --preset shipped" if known else ""


def _ranked(rows: list[MethodRow], protocol: Protocol, settings: RunSettings) -> str:
    """Return the key rows are ranked by: with the fast flow, that column where there is one."""
    fast = f"{protocol.rank_by}~{settings.flow}"
    return fast if fast in rows[0].metrics else protocol.rank_by


def _notes(data: ProtocolData, settings: RunSettings) -> list[str]:
    found = [*data.told, *data.notes]
    if settings.checkpoint is not None:
        found.append(
            "networks were taken from a checkpoint; what they learnt from was not checked for leaks"
        )
    return found


def _score(
    folder: Path, data: ProtocolData, options: ScoringOptions, progress: Progress
) -> MethodRow:
    submission: Submission = open_submission(folder, requirement_of(data), guarded=False)
    return score_submission(submission, data, options, progress)


def _controls(protocol: Protocol, method: Baseline) -> list[str]:
    return [*([UNTRAINED] if method.trainable else []), *protocol.controls]


def _control(
    name: str,
    settings: RunSettings,
    data: ProtocolData,
    place: Place,
    options: ScoringOptions,
    progress: Progress,
) -> MethodRow:
    folder = place.out / "controls" / name
    method: Baseline | None = None
    if name in ceilings.TITLES:
        made_by = Method(id=name, title=ceilings.TITLES[name])
        write_outputs(
            folder,
            data.pairs,
            partial(ceilings.answer, data, name),
            f"generate {name}",
            place.jobs,
            progress,
        )
    elif name == UNTRAINED:
        title = f"{baseline_spec(settings.baseline).title}, before training"
        made_by = Method(id=UNTRAINED, title=title)
        method = _load(settings, place)
        if settings.checkpoint is not None:
            # Only for the configuration that comes with it.
            method.load(Path(settings.checkpoint), device=place.device)
        method.initialise(device=place.device, seed=settings.seed)
        outputs_of(method, data, data.pairs, folder, place, progress)
    else:
        spec = baseline_spec(name)
        made_by = Method(id=spec.id, title=spec.title)
        for fold in data.folds:
            method = _placed(load_baseline(name, preset="default"), place)
            workdir = place.out / "controls" / f".{name}"
            # A control knows nothing of the answer, so it may look at other driving clips.
            clips = fold.train or list(data.driving.values())
            method.fit(
                clips, workdir=workdir, device=place.device, seed=settings.seed, progress=progress
            )
            outputs_of(method, data, fold.pairs, folder, place, progress)
    close(folder, data, made_by, method)
    return _score(folder, data, options, progress)


def _made_by(
    settings: RunSettings, spec: BaselineSpec, method: Baseline, data: ProtocolData
) -> dict[str, Any]:
    return {
        "baseline": spec.id,
        "preset": settings.preset,
        "overrides": dict(settings.overrides),
        "config": method.config.model_dump(mode="json"),
        "seed": settings.seed,
        **_learnt_from(settings, data, method),
    }


def _learnt_from(settings: RunSettings, data: ProtocolData, method: Baseline) -> dict[str, Any]:
    if settings.checkpoint is not None:
        return {"checkpoint_sha256": settings.checkpoint_digest}
    start = method.started_from()
    first = {} if start is None else {"started_from_sha256": sha256_file(start)}
    learnt = [
        {
            "train_clips": len(fold.train),
            "train_digest": digest(sorted(clip.key for clip in fold.train)),
        }
        for fold in data.folds
    ]
    if len(learnt) == 1:
        return {**first, **learnt[0]}
    names = [fold.name for fold in data.folds]
    return {**first, "folds": dict(zip(names, learnt, strict=True))}
