"""Scores a submission on a protocol: every pair, every metric family, then means and intervals."""

from __future__ import annotations

import hashlib
import math
import pickle
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from mebench.environment import code_digest
from mebench.io.files import atomic_path
from mebench.metrics.base import Case, Metric, MetricInfo, Missing, Value
from mebench.preprocess.flow import Engine
from mebench.preprocess.parallel import each
from mebench.protocol.data import ProtocolData
from mebench.record import MethodRow, MetricResult
from mebench.spec import digest
from mebench.submission.validate import Requirement, Submission
from mebench.types import Pair, Progress, SilentProgress

_ROOMS = ("metrics", "preprocess", "facs", "synthme")
"""The code a measurement depends on: a cached one never outlives it."""


@dataclass(frozen=True)
class ScoringOptions:
    """How values are computed; part of nothing but the environment, except the seed.

    Attributes:
        metrics: metric families.
        cache: where measurements are kept, by content.
        device: torch device.
        jobs: worker processes.
        allow_seeded: run network metrics with seeded stand-ins where weights are missing.
        seed: seed of stand-ins and bootstraps.
        flow: ``farneback``, or ``dis``: half the cost, in columns of its own (``~dis``).
    """

    metrics: tuple[str, ...]
    cache: Path
    device: str = "cpu"
    jobs: int = 1
    allow_seeded: bool = True
    seed: int = 0
    flow: Engine = "farneback"


def requirement_of(data: ProtocolData) -> Requirement:
    """Return what the protocol asks of a submission."""
    protocol = data.protocol
    return Requirement(
        protocol=protocol.id,
        n_frames={pair: data.n_frames(pair) for pair in data.pairs},
        size=protocol.size,
        allow_gray=protocol.colour == "gray",
        limits=protocol.limits,
    )


def score_submission(
    submission: Submission,
    data: ProtocolData,
    options: ScoringOptions,
    progress: Progress | None = None,
) -> MethodRow:
    """Return the row of a submission: metrics with intervals, per-clip values, reasons.

    Raises:
        SubmissionError: for a damaged frame.
    """
    families = list(build(options))
    pairs = [pair for pair in data.pairs if pair not in submission.missing]
    measured = _measure(submission, pairs, data, options, progress or SilentProgress())
    digests = {pair: pixels for pair, (pixels, _) in zip(pairs, measured, strict=True)}
    row = MethodRow(
        id=submission.manifest.method.id,
        title=submission.manifest.method.title,
        pixel_digest=digest({pair.key: pixels for pair, pixels in digests.items()}),
        metrics={},
        per_clip={pair.key: {} for pair in pairs},
    )
    groups = [data.group(pair) for pair in pairs]
    for number, family in enumerate(families):
        described = [values[number] for _, values in measured]
        _add_clip_values(row, family, pairs, described, groups, options.seed)
        _add_set_values(row, family, described)
    row.flags = [f"output {pair.key} is missing" for pair in submission.missing]
    return row


def weights_in_use(options: ScoringOptions) -> dict[str, str]:
    """Return ``{name: sha256 or seeded}`` over all metric families."""
    found: dict[str, str] = {}
    for family in build(options):
        found.update(family.weights)
    return found


def build(options: ScoringOptions) -> tuple[Metric, ...]:
    """Return the metric families of the options, built once a process."""
    return _build(
        options.metrics,
        options.device,
        options.cache,
        options.allow_seeded,
        options.seed,
        options.flow,
    )


@lru_cache(maxsize=4)
def _build(
    names: tuple[str, ...], device: str, cache: Path, allow_seeded: bool, seed: int, flow: Engine
) -> tuple[Metric, ...]:
    from mebench.metrics.catalogue import build_metrics

    return tuple(
        build_metrics(
            names, device=device, cache=cache, allow_seeded=allow_seeded, seed=seed, flow=flow
        )
    )


def _measure(
    submission: Submission,
    pairs: Sequence[Pair],
    data: ProtocolData,
    options: ScoringOptions,
    progress: Progress,
) -> list[tuple[str, list[Any]]]:
    work = each(partial(_measure_pair, submission, data=data, options=options), pairs, options.jobs)
    name = f"score {submission.manifest.method.id}"
    measured = []
    with progress.task(name, total=len(pairs)) as task:
        for pair, one in zip(pairs, work, strict=True):
            measured.append(one)
            task.advance(note=pair.key)
    return measured


def _measure_pair(
    submission: Submission, pair: Pair, data: ProtocolData, options: ScoringOptions
) -> tuple[str, list[Any]]:
    with one_thread():
        return _measured_pair(submission, pair, data, options)


def _measured_pair(
    submission: Submission, pair: Pair, data: ProtocolData, options: ScoringOptions
) -> tuple[str, list[Any]]:
    frames = submission.frames(pair)
    pixels = hashlib.sha256(f"{frames.shape}".encode() + frames.tobytes()).hexdigest()
    families = build(options)
    basis = [pixels, pair.key, _basis(data), code_digest(*_ROOMS)]
    keys = [digest([type(f).__name__, f.variant, dict(f.weights), *basis]) for f in families]
    found = [_cached(options.cache, key) for key in keys]
    if any(value is None for value in found):
        driving = data.driving[pair.driving]
        case = Case(
            pair=pair,
            generated=frames,
            template=data.templates[pair.template],
            driving=driving,
            reference=data.reference(pair),
            labels=driving.action_units,
            method=submission.manifest.method.id,
        )
        for number, family in enumerate(families):
            if found[number] is None:
                found[number] = family.describe(case)
                _keep(options.cache, keys[number], found[number])
    return pixels, found


def _basis(data: ProtocolData) -> list[str]:
    return [data.protocol.digest, data.index_digest]


def _cached(cache: Path, key: str) -> Any:
    path = cache / "described" / key[:2] / f"{key}.pkl"
    try:
        with path.open("rb") as handle:
            return pickle.load(handle)
    except (OSError, EOFError, pickle.UnpicklingError):
        return None


def _keep(cache: Path, key: str, value: Any) -> None:
    with atomic_path(cache / "described" / key[:2] / f"{key}.pkl") as temporary:
        temporary.write_bytes(pickle.dumps(value))


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep the block to one thread: workers share the cores, and sums keep their order."""
    import cv2
    import torch

    before = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        # Training in this process must not depend on what was scored before it.
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])


def _add_clip_values(
    row: MethodRow,
    family: Metric,
    pairs: Sequence[Pair],
    described: Sequence[Any],
    groups: Sequence[str],
    seed: int,
) -> None:
    values: dict[str, list[Value]] = defaultdict(list)
    for one in described:
        for key, value in family.clip_values(one).items():
            values[key].append(_finite(value))
    for info in family.infos:
        if info.level == "clip" and info.key in values:
            column = values[info.key]
            for pair, value in zip(pairs, column, strict=True):
                row.per_clip[pair.key][info.key] = None if isinstance(value, Missing) else value
            row.metrics[info.key] = _mean(info, pairs, column, groups, seed)


def _mean(
    info: MetricInfo,
    pairs: Sequence[Pair],
    column: Sequence[Value],
    groups: Sequence[str],
    seed: int,
) -> MetricResult:
    from mebench.stats import bootstrap_interval

    kept = [(v, g) for v, g in zip(column, groups, strict=True) if not isinstance(v, Missing)]
    result = _result(info, n=len(kept))
    result.failed = {
        pair.key: value.reason
        for pair, value in zip(pairs, column, strict=True)
        if isinstance(value, Missing)
    }
    if kept:
        numbers = np.array([value for value, _ in kept], dtype=np.float64)
        result.value = float(numbers.mean())
        result.ci95 = bootstrap_interval(numbers, [group for _, group in kept], seed=seed)
    return result


def _add_set_values(row: MethodRow, family: Metric, described: Sequence[Any]) -> None:
    infos = {info.key: info for info in family.infos if info.level == "set"}
    if not infos or not described:
        return
    for key, value in family.set_values(described).items():
        result = _result(infos[key], n=len(described))
        checked = _finite(value)
        if isinstance(checked, Missing):
            result.failed = {"*": checked.reason}
        else:
            result.value = checked
        row.metrics[key] = result


def _result(info: MetricInfo, n: int) -> MetricResult:
    return MetricResult(
        title=info.title,
        unit=info.unit,
        higher_is_better=info.higher_is_better,
        level=info.level,
        headline=info.headline,
        n=n,
    )


def _finite(value: Value) -> Value:
    if isinstance(value, Missing):
        return value
    return float(value) if math.isfinite(value) else Missing("not a finite number")


def curves_of(
    submission: Submission, pair: Pair, data: ProtocolData, options: ScoringOptions
) -> dict[str, Any]:
    """Return the per-frame curves of one pair for plots, from the cache where it has them."""
    _, described = _measure_pair(submission, pair, data, options)
    found: dict[str, Any] = {}
    for family, one in zip(build(options), described, strict=True):
        found.update(family.curves(one))
    return found


def check_order(rows: Iterable[MethodRow], key: str) -> list[str]:
    """Return a warning for each pair of control rows whose order on `key` is not as expected."""
    values = {row.id: row.metrics[key].value for row in rows if key in row.metrics}
    expected = (
        ("oracle", "mismatched"),
        ("linear-warp", "mismatched"),
        ("copy-driving", "mismatched"),
        ("mismatched", "reversed"),
        ("mismatched", "copy-template"),
    )
    found = []
    for better, worse in expected:
        high, low = values.get(better), values.get(worse)
        if high is not None and low is not None and high <= low:
            found.append(f"{key}: control '{better}' is not above '{worse}' on this data")
    return found
