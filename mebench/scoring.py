"""Scores a submission on a protocol: every pair, every metric family, then means and intervals."""

from __future__ import annotations

import hashlib
import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from mebench.aggregate import add_clip_values, add_parts, set_values
from mebench.environment import code_digest
from mebench.io.files import atomic_path
from mebench.metrics.base import Metric
from mebench.preprocess.flow import Engine
from mebench.preprocess.parallel import each
from mebench.protocol.data import ProtocolData
from mebench.record import MethodRow
from mebench.spec import digest
from mebench.submission.case import case_of, is_gray
from mebench.submission.copies import Copied, find_copies
from mebench.submission.placing import Placed, place_output
from mebench.submission.validate import Requirement, Submission
from mebench.types import Frames, Pair, Progress, SilentProgress
from mebench.views.view import View


class Measured(NamedTuple):
    """One output as it was measured.

    Attributes:
        pixels: digest of its frames.
        found: what each family found.
        flags: what is unusual.
        view: how it lies on its template.
        copies: the clip that it is a copy of, or nothing.
    """

    pixels: str
    found: list[Any]
    flags: list[str]
    view: View
    copies: str = ""


MOSTLY = 0.5
"""From this share of exact copies on, an output is a copy."""
IDENTITY_FLOOR = 0.5
"""From this `identity_leak` on a row shows other faces than its templates, and has no rank."""
_ROOMS = ("metrics", "preprocess", "facs", "synthme", "views")
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
        flow: ``farneback``, or ``dis``: faster, in columns of its own (``~dis``).
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
        limits=protocol.limits,
        tolerance=protocol.length_tolerance,
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
    pairs = outputs_of(submission, data)
    measured = _measure(submission, pairs, data, options, progress or SilentProgress())
    return row_of(submission, data, options, measured)


def outputs_of(submission: Submission, data: ProtocolData) -> list[Pair]:
    """Return the pairs of the protocol that the submission holds."""
    return [pair for pair in data.pairs if pair not in submission.missing]


def row_of(
    submission: Submission,
    data: ProtocolData,
    options: ScoringOptions,
    measured: Sequence[Measured],
) -> MethodRow:
    """Return the row of a submission from what was measured on each of its outputs, in order."""
    families = list(build(options))
    pairs = outputs_of(submission, data)
    digests = {pair: one.pixels for pair, one in zip(pairs, measured, strict=True)}
    row = MethodRow(
        id=submission.manifest.method.id,
        title=submission.manifest.method.title,
        pixel_digest=outputs_digest(digests),
        metrics={},
        per_clip={pair.key: {} for pair in pairs},
        views={pair.key: one.view.row() for pair, one in zip(pairs, measured, strict=True)},
    )
    groups = [data.group(pair) for pair in pairs]
    parts = [data.part(pair) for pair in pairs]
    if data.protocol.fid_reference == "data":
        clips = data.clips()
        families = [family.with_reference_set(clips, options.jobs) for family in families]
    for number, family in enumerate(families):
        described = [one.found[number] for one in measured]
        add_clip_values(row, family, pairs, described, groups, options.seed)
        row.metrics.update(set_values(family, described))
        if len(set(parts)) > 1:
            add_parts(row, family, pairs, described, parts)
    row.flags = [f"output {pair.key} is missing" for pair in submission.missing]
    row.flags += own_views([one.view for one in measured])
    row.flags += [flag for one in measured for flag in one.flags]
    row.unranked = _unranked(row, measured)
    return row


def _unranked(row: MethodRow, measured: Sequence[Measured]) -> str:
    """Return why a row can have no rank: its outputs are copies, or show the driving person."""
    copied = Counter(one.copies for one in measured if one.copies)
    if copied:
        told = " and ".join(f"{count} of the {name}" for name, count in sorted(copied.items()))
        return f"{copied.total()} of {len(measured)} outputs are copies: {told}"
    leak = row.metrics.get("identity_leak")
    if leak is not None and leak.value is not None and leak.value >= IDENTITY_FLOOR:
        return (
            f"its faces are not the templates': identity leak {leak.value:.2f}, "
            f"a rank needs less than {IDENTITY_FLOOR}"
        )
    return ""


def own_views(views: Sequence[View]) -> list[str]:
    """Return, in one line, how many outputs are drawn in views of their own, and their sizes."""
    own = Counter(f"{view.shape[1]}x{view.shape[0]}" for view in views if not view.aligned)
    if not own:
        return []
    sizes = ", ".join(f"{size} ({count})" for size, count in own.items())
    return [f"{own.total()} of {len(views)} outputs are drawn in views of their own: {sizes}"]


def frames_digest(frames: Frames) -> str:
    """Return the sha256 of one output's shape and pixels."""
    return hashlib.sha256(f"{frames.shape}".encode() + frames.tobytes()).hexdigest()


def outputs_digest(digests: Mapping[Pair, str]) -> str:
    """Return the pixel digest of a row from those of its outputs."""
    return digest({pair.key: pixels for pair, pixels in digests.items()})


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
) -> list[Measured]:
    work = each(partial(measure_pair, submission, data=data, options=options), pairs, options.jobs)
    name = f"score {submission.manifest.method.id}"
    measured = []
    with progress.task(name, total=len(pairs)) as task:
        for pair, one in zip(pairs, work, strict=True):
            measured.append(one)
            task.advance(note=pair.key)
    return measured


def measure_pair(
    submission: Submission, pair: Pair, data: ProtocolData, options: ScoringOptions
) -> Measured:
    """Return what the metrics find on one output, from the cache where it was met before.

    Raises:
        SubmissionError: for a damaged frame.
    """
    with one_thread():
        return _measured_pair(submission, pair, data, options)


def _measured_pair(
    submission: Submission, pair: Pair, data: ProtocolData, options: ScoringOptions
) -> Measured:
    frames = submission.frames(pair)
    driving = data.driving[pair.driving]
    placed = place_output(submission, pair, frames, data, options.cache)
    flags = [*_flags(frames, pair, len(driving.frames), data), *placed.remarks]
    pixels = frames_digest(frames)
    families = build(options)
    lies = [] if placed.view.aligned else [placed.view.to_picture.tolist()]
    basis = [pixels, pair.key, *lies, _basis(data), code_digest(*_ROOMS)]
    copies = _copies(frames, pair, data, placed, options.cache, digest(["copies/2", *basis]))
    flags += [one.line for one in copies]
    maker = submission.manifest.method.id
    keys = [
        digest(
            [type(f).__name__, f.variant, dict(f.weights), maker if f.per_method else "", *basis]
        )
        for f in families
    ]
    found = [_cached(options.cache, key) for key in keys]
    if any(value is None for value in found):
        case = case_of(frames, pair, data, placed, maker)
        for number, family in enumerate(families):
            if found[number] is None:
                found[number] = family.describe(case)
                _keep(options.cache, keys[number], found[number])
    whole = [one.name for one in copies if _is_copy(one, data)]
    return Measured(pixels, found, flags, placed.view, " and ".join(whole))


def _is_copy(copied: Copied, data: ProtocolData) -> bool:
    """Whether an output is nothing but a copy; a perfect method comes near to a right answer."""
    if copied.exact:
        return copied.exact >= MOSTLY
    return copied.name == "driving clip" and data.protocol.reference != "driving"


def _flags(frames: Frames, pair: Pair, wanted: int, data: ProtocolData) -> list[str]:
    """Return what is unusual about an output that is taken nevertheless."""
    template = data.templates[pair.template].image
    found = []
    if len(frames) != wanted:
        found.append(
            f"output {pair.key} has {len(frames)} frames, the driving clip {wanted}: "
            f"both are cut to {min(len(frames), wanted)}"
        )
    if is_gray(frames[0]) and not is_gray(template):
        found.append(f"output {pair.key} is grey, its template has colour")
    return found


def _copies(
    frames: Frames, pair: Pair, data: ProtocolData, placed: Placed, cache: Path, key: str
) -> list[Copied]:
    """Return what an output copies; the driving clip only lies in the aligned view."""
    found: list[Copied] | None = _cached(cache, key)
    if found is None:
        others = {"driving clip": data.driving[pair.driving].frames} if placed.view.aligned else {}
        if data.protocol.reference != "driving" or not placed.view.aligned:
            reference = data.answer(pair, placed.view)
            if reference is not None:
                name = "driving clip" if data.protocol.reference == "driving" else "reference"
                others[name] = reference.frames
        found = find_copies(frames, placed.face.image, others, f"output {pair.key}")
        _keep(cache, key, found)
    return found


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


def curves_of(
    submission: Submission, pair: Pair, data: ProtocolData, options: ScoringOptions
) -> dict[str, Any]:
    """Return the per-frame curves of one pair for plots, from the cache where it has them."""
    measured = measure_pair(submission, pair, data, options)
    found: dict[str, Any] = {}
    for family, one in zip(build(options), measured.found, strict=True):
        found.update(family.curves(one))
    return found


def check_order(rows: Iterable[MethodRow], key: str) -> list[str]:
    """Return a warning for each pair of control rows whose order on `key` is not as expected."""
    values = {row.id: row.metrics[key].value for row in rows if key in row.metrics}
    expected = (
        ("oracle", "mismatched"),
        ("linear-warp", "mismatched"),
        ("copy-driving", "mismatched"),
        ("linear-warp", "reversed"),
        ("linear-warp", "copy-template"),
    )
    found = []
    for better, worse in expected:
        high, low = values.get(better), values.get(worse)
        if high is not None and low is not None and high <= low:
            found.append(f"{key}: control '{better}' is not above '{worse}' on this data")
    return found
