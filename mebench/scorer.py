"""`mebench score`: many submissions, one record each; a bad one never stops the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from mebench import environment
from mebench.aggregate import INTERVALS
from mebench.errors import SubmissionError
from mebench.io.files import write_json
from mebench.preprocess.flow import Engine
from mebench.protocol.data import ProtocolData
from mebench.record import ProtocolStamp, Record
from mebench.report.curves import write_curves
from mebench.runner.run import dataset_stamp
from mebench.scoring import ScoringOptions, requirement_of, score_submission, weights_in_use
from mebench.submission.manifest import MANIFEST
from mebench.submission.validate import open_submission
from mebench.types import Progress, SilentProgress


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

    With `curves`, the AU curves of every pair go into ``<out>/<name>.curves.csv``.
    """
    options = ScoringOptions(metrics=families, cache=cache, device=device, jobs=jobs, flow=flow)
    records: list[Record] = []
    refused: dict[str, str] = {}
    partial = data.protocol.missing_output == "partial"
    for path in paths:
        name = path.name.removesuffix(".zip")
        try:
            submission = open_submission(path, requirement_of(data), allow_missing=partial)
            row = score_submission(submission, data, options, progress or SilentProgress())
        except SubmissionError as error:
            refused[path.name] = str(error)
            continue
        record = Record(
            result=row,
            protocol=ProtocolStamp(id=data.protocol.id, digest=data.protocol.digest),
            dataset=dataset_stamp(data),
            weights=weights_in_use(options),
            groups={pair.key: data.group(pair) for pair in data.pairs},
            intervals=INTERVALS,
            status="partial" if submission.missing else "verified",
            notes=["frames were converted from a lossy form"] if submission.manifest.lossy else [],
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            environment=environment.describe(device),
        )
        record.save(out / f"{name}.json")
        if curves:
            write_curves(out / f"{name}.curves.csv", submission, data, options)
        records.append(record)
    write_json(out / "report.json", {"scored": [r.result.id for r in records], "refused": refused})
    return records, refused
