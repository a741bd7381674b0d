"""`mebench run baseline`: data, preparation, training, generation, scoring, report; resumable.

Each stage finds what it finished before: a run cut at any point and started again with the same
settings ends in the same record.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from mebench import environment
from mebench.errors import MebenchError, UsageError, WeightsError, did_you_mean
from mebench.io.files import sha256_file, write_json
from mebench.methods.base import Baseline
from mebench.methods.catalogue import BaselineSpec, baseline_spec, load_baseline
from mebench.metrics.catalogue import families_of, metric_infos
from mebench.preprocess.parallel import each
from mebench.protocol import Protocol, ProtocolData, load_protocol, open_protocol
from mebench.record import DatasetStamp, MethodRow, ProtocolStamp, Record
from mebench.registry import spec_files
from mebench.scoring import (
    ScoringOptions,
    check_order,
    one_thread,
    requirement_of,
    score_submission,
    weights_in_use,
)
from mebench.spec import digest
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import pack, pair_folder, write_manifest, write_output
from mebench.submission.validate import Submission, open_submission
from mebench.types import Frames, Pair, Progress, SilentProgress

RUN_FILE = "run.json"
ORACLE = "oracle"
UNTRAINED = "untrained"


@dataclass(frozen=True)
class RunSettings:
    """What a run is; the same settings and seed on the same machine give the same record.

    Attributes:
        baseline: baseline id or path to its spec.
        protocol: protocol id or path to its spec.
        preset: preset of the baseline.
        seed: seed of everything.
        overrides: ``key=value`` settings over the preset.
        limit: only the first so many pairs (a quick look), None for all.
        checkpoint: networks that are taken as they are instead of training, None to train.
    """

    baseline: str
    protocol: str = "synthme"
    preset: str = "quick"
    seed: int = 0
    overrides: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    checkpoint: str | None = None

    @property
    def checkpoint_digest(self) -> str | None:
        """The sha256 of the checkpoint's file."""
        if self.checkpoint is None:
            return None
        path = Path(self.checkpoint)
        if not path.is_file():
            raise WeightsError(f"{path}: no such checkpoint; train first or name another file")
        return sha256_file(path)


@dataclass(frozen=True)
class Place:
    """Where a run works and what it may use; never part of the result.

    Attributes:
        out: folder of the run.
        cache: cache folder.
        roots: data roots by data set id.
        device: torch device name.
        jobs: worker processes for preparation and scoring.
        devices: devices to train on, one process each.
    """

    out: Path
    cache: Path
    roots: Mapping[str, Path] = field(default_factory=dict)
    device: str = "cpu"
    jobs: int = 1
    devices: int = 1


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
    _claim(place.out, settings, protocol, resume)
    with timer.stage("data"):
        try:
            data = _data(protocol, place, told)
        except MebenchError:
            _release(place.out)
            raise
    if settings.limit is not None:
        data = data.some(settings.limit)
    with timer.stage("train"):
        if settings.checkpoint is None:
            _fit(method, data, place.out / "training", place, settings.seed, told)
    options = ScoringOptions(
        metrics=protocol.metrics,
        cache=place.cache,
        device=place.device,
        jobs=place.jobs,
        seed=settings.seed,
    )
    rows: list[MethodRow] = []
    with timer.stage("generate"):
        folder = place.out / "submission"
        _generate(method, data, folder, _method(spec.id, spec.title), place, told)
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
        notes=check_order(rows, protocol.rank_by),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        seconds=timer.seconds,
        environment=environment.describe(place.device),
    )
    record.save(place.out / "record.json")
    return RunResult(record, data, options, place.out / "submission")


def dataset_stamp(data: ProtocolData) -> DatasetStamp:
    """Return which clips a result was computed on."""
    return DatasetStamp(
        id=data.protocol.dataset,
        index_digest=data.index_digest,
        clips=data.n_clips,
        subjects=data.n_subjects,
        driving_subjects=len({data.group(pair) for pair in data.pairs}),
        pairs=len(data.pairs),
    )


def default_out(settings: RunSettings) -> Path:
    """Return ``runs/<baseline>-<protocol>-<preset>-seed<N>``."""
    names = (Path(settings.baseline).stem, Path(settings.protocol).stem, settings.preset)
    return Path("runs") / ("-".join(names) + f"-seed{settings.seed}")


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
    _fit(method, data, place.out, place, settings.seed, told)
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
    known = {ORACLE, *spec_files("baselines")}
    for name in protocol.controls:
        if name not in known:
            raise UsageError(
                f"{where}: key 'controls': unknown control '{name}'.{did_you_mean(name, known)}"
            )


def _claim(out: Path, settings: RunSettings, protocol: Protocol, resume: bool) -> None:
    """Mark the folder as this run's, or refuse one that holds something else."""
    stamp = {**asdict(settings), "protocol_digest": protocol.digest}
    stamp["overrides"] = dict(settings.overrides)
    stamp["checkpoint_sha256"] = settings.checkpoint_digest
    file = out / RUN_FILE
    if file.is_file():
        found = _stamp_of(file)
        if found != stamp:
            wrong = next((key for key in stamp if found.get(key) != stamp[key]), "settings")
            raise UsageError(
                f"{out}: holds a run with other settings ({wrong} {found.get(wrong)!r}, expected "
                f"{stamp.get(wrong)!r}); choose another --out"
            )
        if not resume:
            raise UsageError(f"{out}: holds this run already; add --resume or choose another --out")
        return
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out}: is not empty and holds no run; choose another --out")
    write_json(file, stamp)


def _stamp_of(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{file}: cannot be read ({type(error).__name__}); choose another --out"
        ) from error
    return found if isinstance(found, dict) else {}


def _release(out: Path) -> None:
    """Take the mark away where nothing was done yet, so that the next try is not a second run."""
    if [entry.name for entry in out.iterdir()] == [RUN_FILE]:
        (out / RUN_FILE).unlink()
        out.rmdir()


def _data(protocol: Protocol, place: Place, progress: Progress) -> ProtocolData:
    roots = dict(place.roots)
    if protocol.dataset == "synthme" and "synthme" not in roots:
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


def _fit(
    method: Baseline,
    data: ProtocolData,
    workdir: Path,
    place: Place,
    seed: int,
    progress: Progress,
) -> None:
    method.fit(data.train, workdir=workdir, device=place.device, seed=seed, progress=progress)
    if method.trainable and environment.process_rank() == 0:
        method.save(workdir / "model.pt")


def _generate(
    method: Baseline,
    data: ProtocolData,
    folder: Path,
    made_by: Method,
    place: Place,
    progress: Progress,
) -> None:
    """Write the outputs that are not there yet, in worker processes on a CPU."""
    # A GPU is one device: workers would only fight for it.
    jobs = place.jobs if place.device == "cpu" else 1
    _write_outputs(folder, data, made_by, partial(_generate_pair, method, data), jobs, progress)


def _generate_pair(method: Baseline, data: ProtocolData, pair: Pair) -> Frames:
    with one_thread():
        return method.generate(data.templates[pair.template], data.driving[pair.driving])


def _oracle_pair(data: ProtocolData, pair: Pair) -> Frames:
    reference = data.reference(pair)
    if reference is None:
        raise UsageError(f"protocol '{data.protocol.id}' has no truth for an oracle row")
    return reference.frames


def _write_pair(folder: Path, make: Callable[[Pair], Frames], pair: Pair) -> None:
    write_output(folder, pair, make(pair))


def _write_outputs(
    folder: Path,
    data: ProtocolData,
    made_by: Method,
    make: Callable[[Pair], Frames],
    jobs: int,
    progress: Progress,
) -> None:
    missing = [pair for pair in data.pairs if not pair_folder(folder, pair).is_dir()]
    done = len(data.pairs) - len(missing)
    with progress.task(f"generate {made_by.id}", total=len(data.pairs), done=done) as task:
        work = each(partial(_write_pair, folder, make), missing, jobs)
        for pair, _ in zip(missing, work, strict=True):
            task.advance(note=pair.key)
    write_manifest(folder, Manifest(protocol=data.protocol.id, method=made_by))


def _score(
    folder: Path, data: ProtocolData, options: ScoringOptions, progress: Progress
) -> MethodRow:
    submission: Submission = open_submission(folder, requirement_of(data))
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
    if name == ORACLE:
        title = _method(ORACLE, "Oracle (re-rendered truth)")
        _write_outputs(folder, data, title, partial(_oracle_pair, data), place.jobs, progress)
    elif name == UNTRAINED:
        method = _load(settings, place)
        if settings.checkpoint is not None:
            # Only for the configuration that comes with it.
            method.load(Path(settings.checkpoint), device=place.device)
        method.initialise(device=place.device, seed=settings.seed)
        title = _method(UNTRAINED, f"{baseline_spec(settings.baseline).title}, before training")
        _generate(method, data, folder, title, place, progress)
    else:
        method = _placed(load_baseline(name, preset="default"), place)
        workdir = place.out / "controls" / f".{name}"
        method.fit(
            data.train, workdir=workdir, device=place.device, seed=settings.seed, progress=progress
        )
        spec = baseline_spec(name)
        _generate(method, data, folder, _method(spec.id, spec.title), place, progress)
    return _score(folder, data, options, progress)


def _method(name: str, title: str) -> Method:
    return Method(id=name, title=title)


def _made_by(
    settings: RunSettings, spec: BaselineSpec, method: Baseline, data: ProtocolData
) -> dict[str, Any]:
    return {
        "baseline": spec.id,
        "preset": settings.preset,
        "overrides": dict(settings.overrides),
        "config": method.config.model_dump(mode="json"),
        "seed": settings.seed,
        **_learnt_from(settings, data),
    }


def _learnt_from(settings: RunSettings, data: ProtocolData) -> dict[str, Any]:
    if settings.checkpoint is not None:
        return {"checkpoint_sha256": settings.checkpoint_digest}
    return {
        "train_clips": len(data.train),
        "train_digest": digest(sorted(clip.key for clip in data.train)),
    }
