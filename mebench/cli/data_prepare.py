"""``mebench data prepare``: crop, align and cache the clips of a data set."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mebench import settings
from mebench.cli.data_options import copy_options, crop_option, load
from mebench.cli.options import Choice, job_count
from mebench.errors import UsageError
from mebench.preprocess.parallel import BACKENDS

if TYPE_CHECKING:
    from mebench.datasets.base import Dataset
    from mebench.preprocess.prepared import Failure, PreparedSet
    from mebench.types import Clip, Progress


@click.command()
@click.argument("dataset")
@copy_options
@click.option(
    "--landmarks",
    type=Choice(["given", "dlib", "fan", "fan-dlib"]),
    help="Where landmarks come from; default: given where there are some, else dlib.",
)
@click.option(
    "--landmarks-root",
    type=click.Path(path_type=Path),
    help="Folder with <dataset>.<subject>.<clip>.npy or .csv, (68, 2) pixels of frame 0.",
)
@click.option("--face", type=int, help="With several faces: which one, 0 is the leftmost.")
@click.option("--size", type=int, default=256, show_default=True, help="Side of the crop.")
@crop_option
@click.option("--colour", type=Choice(["rgb", "gray"]), default="rgb", show_default=True)
@click.option(
    "--apex",
    metavar="motion|middle|lbp|none|FILE.csv",
    default="motion",
    show_default=True,
    help="How the apex is spotted in clips without one, or a CSV with columns filename, apex and "
    "perhaps subject; annotated ones never change.",
)
@click.option("--tim", type=int, help="Bring every clip to this many frames (TIM).")
@click.option("--jobs", type=int, help="Processes; -1 for all cores; default: config or 1.")
@click.option("--backend", type=Choice(BACKENDS), default="loky", show_default=True)
@click.option(
    "--on-missing",
    type=Choice(["skip", "fail"]),
    default="skip",
    show_default=True,
    help="Leave out and report clips that cannot be prepared, or stop at the first.",
)
@click.option(
    "--index",
    "index_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the canonical index with the spotted apexes.",
)
@click.option(
    "--triples",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write onset, apex and offset of every clip as PNG, and triples.csv.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def prepare(
    dataset: str,
    root: Path | None,
    landmarks: str | None,
    landmarks_root: Path | None,
    face: int | None,
    size: int,
    crop: Any,
    colour: Any,
    apex: str,
    tim: int | None,
    jobs: int | None,
    backend: Any,
    on_missing: Any,
    index_file: Path | None,
    triples: Path | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Crop, align and cache the clips of DATASET; run again to go on after an interruption."""
    from mebench.cli.progress import console_progress
    from mebench.datasets.apex_list import read_apexes, with_listed
    from mebench.preprocess.apex import check_method
    from mebench.preprocess.framing import copy_crop, described
    from mebench.preprocess.landmarks import choose_landmarker
    from mebench.preprocess.prepare import prepare as prepare_clips

    if tim is not None and triples is not None:
        raise UsageError("--triples writes recorded frames and --tim makes others; leave out one")
    listed = read_apexes(Path(apex)) if Path(apex).suffix.lower() == ".csv" else None
    spotted: Any = apex if listed is None else "motion"
    check_method(spotted)
    source = load(dataset, root, **how)
    clips, remarks = source.clips(on_missing=on_missing), list[str]()
    if listed is not None:
        clips, remarks = with_listed(clips, listed)
    landmarker = choose_landmarker(
        dataset, source.root, how=landmarks, folder=landmarks_root, face=face
    )
    cache, workers, progress = settings.cache_folder(), job_count(jobs, 1), console_progress()
    chosen = copy_crop(clips, landmarker, cache, crop)
    prepared = prepare_clips(
        clips,
        size=size,
        landmarker=landmarker,
        colour=colour,
        cache=cache,
        jobs=workers,
        backend=backend,
        progress=progress,
        on_missing=on_missing,
        apex=spotted,
        tim=tim,
        crop=chosen,
    )
    failures = (*_without_frames(source, clips), *prepared.failures)
    if index_file is not None:
        _write_index(clips, prepared, index_file, chosen.share)
    if triples is not None:
        _write_triples(source, prepared, triples, workers, backend, progress)
    for line in (*source.told, *remarks, *prepared.notes, *_failure_table(failures)):
        click.echo(line, err=True)
    apexes = Counter(clip.annotation.apex_source for clip in prepared.clips)
    if as_json:
        done = {
            "dataset": dataset,
            "clips": len(prepared),
            "made": prepared.made,
            "apex_sources": dict(apexes),
            "failures": {failure.key: failure.reason for failure in failures},
            "notes": [*source.told, *remarks, *prepared.notes],
            "landmarks": landmarker.name,
            "eye_share": chosen.share,
            "eye_height": chosen.height,
            "cache": str(cache),
        }
        click.echo(json.dumps(done, indent=2, sort_keys=True, ensure_ascii=False))
        return
    shown = ", ".join(f"{count} {source}" for source, count in sorted(apexes.items()))
    click.echo(
        f"{len(prepared)} clips ready at {size} px ({prepared.made} new, landmarks: "
        f"{landmarker.name}, apex: {shown}, {len(failures)} left out) in {cache}; "
        f"{described(chosen)}"
    )


def _without_frames(source: Dataset, clips: Sequence[Clip]) -> list[Failure]:
    """Return the annotated clips whose frames this copy does not hold, with what was found."""
    from mebench.preprocess.prepared import Failure

    there = {clip.annotation.name for clip in clips}
    absent = [row for row in source.annotations() if row.name not in there]
    said = {
        row.name: reason
        for row in absent
        for reason in source.collected.missing
        if re.search(rf"\bclip {re.escape(row.name)}(?![\w.-])", reason)
    }
    key = f"{source.info.id}.{{0.subject}}.{{0.clip_id}}"
    return [Failure(key.format(row), said[row.name]) for row in absent if row.name in said]


def _failure_table(failures: Sequence[Failure]) -> list[str]:
    if not failures:
        return []
    width = max(len(failure.key) for failure in failures)
    rows = [f"  {failure.key:<{width}}  {failure.reason}" for failure in failures]
    return [f"left out: {len(failures)} clips", *rows]


def _write_index(
    clips: Sequence[Clip], prepared: PreparedSet, path: Path, eye_share: float
) -> None:
    from mebench.datasets.index import index_digest, write_index
    from mebench.preprocess.apex import with_apexes

    stated = with_apexes(clips, prepared.clips)
    write_index(stated, path, {"eye_share": eye_share})
    click.echo(f"{len(stated)} clips written to {path}", err=True)
    click.echo(f"index digest {index_digest(stated)}", err=True)


def _write_triples(
    source: Dataset,
    prepared: PreparedSet,
    out: Path,
    jobs: int,
    backend: Any,
    progress: Progress,
) -> None:
    from mebench.preprocess.triples import export_triples

    written = export_triples(prepared, out, jobs=jobs, backend=backend, progress=progress)
    click.echo(f"{len(prepared)} triples in {out} ({written} new)", err=True)
    if not source.redistribute:
        click.echo(
            f"warning: {out} holds faces of {source.info.title}: its licence goes for these "
            "pictures too, do not pass them on",
            err=True,
        )
