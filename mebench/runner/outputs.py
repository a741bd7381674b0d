"""Lets a method make the outputs of a protocol; resumable, each output whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from mebench import environment
from mebench.methods.base import Baseline
from mebench.preprocess.parallel import each
from mebench.protocol.data import ProtocolData
from mebench.scoring import one_thread
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import pair_folder, write_manifest, write_output
from mebench.types import FaceClip, Frames, Pair, Progress


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


def fit(
    method: Baseline,
    clips: Sequence[FaceClip],
    workdir: Path,
    place: Place,
    seed: int,
    progress: Progress,
) -> None:
    """Train a method in `workdir`, or go on there, and leave ``model.pt``."""
    method.fit(clips, workdir=workdir, device=place.device, seed=seed, progress=progress)
    if method.trainable and environment.process_rank() == 0:
        method.save(workdir / "model.pt")


def outputs_of(
    method: Baseline,
    data: ProtocolData,
    pairs: Sequence[Pair],
    folder: Path,
    place: Place,
    progress: Progress,
) -> None:
    """Write the outputs of a method that are not there yet, in worker processes on a CPU."""
    # A GPU is one device: workers would only fight for it.
    jobs = place.jobs if place.device == "cpu" else 1
    make = partial(_generate_pair, method, data)
    write_outputs(folder, pairs, make, f"generate {folder.name}", jobs, progress)


def write_outputs(
    folder: Path,
    pairs: Sequence[Pair],
    make: Callable[[Pair], Frames],
    name: str,
    jobs: int,
    progress: Progress,
) -> None:
    """Write the outputs that are not there yet; `close` makes a submission of the folder."""
    missing = [pair for pair in pairs if not pair_folder(folder, pair).is_dir()]
    with progress.task(name, total=len(pairs), done=len(pairs) - len(missing)) as task:
        work = each(partial(_write_pair, folder, make), missing, jobs)
        for pair, _ in zip(missing, work, strict=True):
            task.advance(note=pair.key)


def close(
    folder: Path, data: ProtocolData, made_by: Method, method: Baseline | None = None
) -> None:
    """Write the manifest, which makes the outputs a submission and says how they are drawn."""
    own = method is not None and method.paints and data.draws_pictures
    view: Literal["aligned", "template"] = "template" if own else "aligned"
    write_manifest(folder, Manifest(protocol=data.protocol.id, method=made_by, view=view))


def _generate_pair(method: Baseline, data: ProtocolData, pair: Pair) -> Frames:
    with one_thread():
        name = pair.template
        face = data.canvas(name) if method.paints else data.templates[name]
        return method.generate(face, data.driving[pair.driving])


def _write_pair(folder: Path, make: Callable[[Pair], Frames], pair: Pair) -> None:
    write_output(folder, pair, make(pair))
