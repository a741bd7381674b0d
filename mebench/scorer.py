"""`mebench score`: many submissions, one record each; a bad one never stops the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import lru_cache, partial
from pathlib import Path

from mebench import environment
from mebench.aggregate import INTERVALS
from mebench.errors import SubmissionError
from mebench.io.files import write_json
from mebench.preprocess.flow import Engine
from mebench.preprocess.parallel import each
from mebench.protocol.data import ProtocolData
from mebench.record import SCORE_REPORT, MethodRow, ProtocolStamp, Record
from mebench.report.curves import write_curves
from mebench.runner.run import dataset_stamp
from mebench.scored_before import Before, basis, stamp
from mebench.scoring import (
    Measured,
    ScoringOptions,
    measure_pair,
    outputs_of,
    requirement_of,
    row_of,
    weights_in_use,
)
from mebench.submission.manifest import MANIFEST
from mebench.submission.validate import Submission, open_submission
from mebench.types import Pair, Progress, SilentProgress

REPORT = "report"
"""Name of the file that tells what was scored and what was refused."""


def find_submissions(paths: Sequence[Path]) -> list[Path]:
    """Return the submissions among `paths`: each one itself, or the folders and zips inside it.

    Raises:
        SubmissionError: when a path does not exist or holds no submission.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise SubmissionError(f"{path}: no such folder or zip; give a submission")
        if path.is_file() or (path / MANIFEST).is_file():
            found.append(path)
            continue
        inside = [
            entry
            for entry in sorted(path.iterdir())
            if entry.suffix.lower() == ".zip" or (entry / MANIFEST).is_file()
        ]
        if not inside:
            raise SubmissionError(
                f"{path}: holds neither {MANIFEST} nor submissions; give another folder"
            )
        found += inside
    return found


def score_many(
    paths: Sequence[Path],
    data: ProtocolData,
    *,
    families: tuple[str, ...],
    cache: Path,
    device: str = "cpu",
    jobs: int = 1,
    flow: Engine = "farneback",
    curves: bool = False,
    out: Path,
    progress: Progress | None = None,
) -> tuple[list[Record], dict[str, str]]:
    """Score submissions and write ``<out>/<name>.json`` for each; return records and refusals.

    The outputs of all submissions are measured in one queue. A finished submission is kept at once,
    and is not opened again by a later call while neither it nor what scores depend on changes.
    `device` may be ``auto``. With `curves`, the AU curves of every pair go into
    ``<out>/<name>.curves.csv``.
    """
    options = ScoringOptions(metrics=families, cache=cache, device=device, jobs=jobs, flow=flow)
    before = Before.read(out, basis(data, options))
    done: dict[Path, Record] = {}
    refused: dict[Path, str] = {}
    waiting: list[_Entry] = []
    names: list[Path] = []
    for path in paths:
        twin = next((other for other in names if _name(other) == _name(path)), None)
        if twin is not None:
            refused[path] = f"{path.name}: shares its name with {twin.name}; rename one of them"
            continue
        names.append(path)
        if _name(path).casefold() == REPORT:
            refused[path] = f"{path.name}: '{REPORT}.json' is where scores are reported; rename it"
            continue
        entry = _looked_at(path, data, before, done, refused)
        if entry is not None:
            waiting.append(entry)
    if waiting:
        options = replace(options, device=environment.choose_device(device))
    for entry, result in _measured(waiting, data, options, progress or SilentProgress()):
        if isinstance(result, str):
            refused[entry.path] = result
            before.keep(entry.name, entry.stamp, refused=result)
            continue
        record = _record(entry.submission, row_of(entry.submission, data, options, result), data,
                         options)  # fmt: skip
        record.save(out / f"{entry.name}.json")
        before.keep(entry.name, entry.stamp, record=record.digest)
        done[entry.path] = record
    for path in done if curves else ():
        submission = _opened(path, data)
        write_curves(out / f"{_name(path)}.curves.csv", submission, data, options)
    told = {path.name: refused[path] for path in paths if path in refused}
    kept = [done[path] for path in paths if path in done]
    scored = [record.result.id for record in kept]
    write_json(out / f"{REPORT}.json", {"schema": SCORE_REPORT, "scored": scored, "refused": told})
    return kept, told


@dataclass(frozen=True)
class _Entry:
    """A submission that is to be scored."""

    path: Path
    name: str
    stamp: str
    submission: Submission


def _name(path: Path) -> str:
    return path.name.removesuffix(".zip")


def _opened(path: Path, data: ProtocolData) -> Submission:
    partial = data.protocol.missing_output == "partial"
    return open_submission(path, requirement_of(data), allow_missing=partial)


def _looked_at(
    path: Path,
    data: ProtocolData,
    before: Before,
    done: dict[Path, Record],
    refused: dict[Path, str],
) -> _Entry | None:
    """Return what is to be scored, or None where a record or a refusal is known already."""
    name = _name(path)
    try:
        own = stamp(path)
    except OSError as error:
        refused[path] = f"{path.name}: cannot be read ({type(error).__name__}); mend its files"
        return None
    record, why = before.record(name, own), before.refusal(name, own)
    if record is not None:
        done[path] = record
    elif why is not None:
        refused[path] = why
    else:
        try:
            return _Entry(path, name, own, _opened(path, data))
        except SubmissionError as error:
            refused[path] = str(error)
            before.keep(name, own, refused=str(error))
    return None


def _measured(
    waiting: Sequence[_Entry], data: ProtocolData, options: ScoringOptions, progress: Progress
) -> Iterator[tuple[_Entry, list[Measured] | str]]:
    """Yield each submission with what was measured on its outputs, or why it is refused."""
    work = [(e.submission, pair) for e in waiting for pair in outputs_of(e.submission, data)]
    if not work:
        return
    found = each(partial(_attempt, data=data, options=options), work, options.jobs)
    with progress.task("score", total=len(work)) as task:
        for entry in waiting:
            measured: list[Measured] = []
            why: str | None = None
            for pair in outputs_of(entry.submission, data):
                one = next(found)
                task.advance(note=f"{entry.name} {pair.key}")
                if isinstance(one, str):
                    why = why or one
                else:
                    measured.append(one)
            yield entry, measured if why is None else why


def _attempt(
    work: tuple[Submission, Pair], data: ProtocolData, options: ScoringOptions
) -> Measured | str:
    """Measure one output; one that is refused must not stop the others."""
    submission, pair = work
    try:
        return measure_pair(submission, pair, data, options)
    except SubmissionError as error:
        return str(error)


_environment = lru_cache(maxsize=2)(environment.describe)


def _record(
    submission: Submission, row: MethodRow, data: ProtocolData, options: ScoringOptions
) -> Record:
    return Record(
        result=row,
        protocol=ProtocolStamp(id=data.protocol.id, digest=data.protocol.digest),
        dataset=dataset_stamp(data),
        weights=weights_in_use(options),
        groups={pair.key: data.group(pair) for pair in data.pairs},
        intervals=INTERVALS,
        status="partial" if submission.missing else "verified",
        notes=[
            *data.told,
            *(["frames were converted from a lossy form"] if submission.manifest.lossy else []),
        ],
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        environment=_environment(options.device),
    )
