"""``mebench data prepare``: crop, align and cache the clips of a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mebench import settings
from mebench.cli.data_options import load, missing_option, root_option
from mebench.cli.options import Choice
from mebench.errors import UsageError
from mebench.preprocess.parallel import BACKENDS


@click.command()
@click.argument("dataset")
@root_option
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
@click.option("--colour", type=Choice(["rgb", "gray"]), default="rgb", show_default=True)
@click.option("--jobs", type=int, help="Processes; -1 for all cores; default: config or 1.")
@click.option("--backend", type=Choice(BACKENDS), default="loky", show_default=True)
@missing_option
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def prepare(
    dataset: str,
    root: Path | None,
    landmarks: str | None,
    landmarks_root: Path | None,
    face: int | None,
    size: int,
    colour: Any,
    jobs: int | None,
    backend: Any,
    on_missing: Any,
    as_json: bool,
) -> None:
    """Crop, align and cache the clips of DATASET; run again to go on after an interruption."""
    from mebench.cli.progress import console_progress
    from mebench.preprocess.landmarks import choose_landmarker
    from mebench.preprocess.prepare import prepare as prepare_clips

    source = load(dataset, root)
    clips = source.clips(on_missing=on_missing)
    landmarker = choose_landmarker(
        dataset, source.root, how=landmarks, folder=landmarks_root, face=face
    )
    cache = settings.cache_folder()
    prepared = prepare_clips(
        clips,
        size=size,
        landmarker=landmarker,
        colour=colour,
        cache=cache,
        jobs=_jobs(jobs),
        backend=backend,
        progress=console_progress(),
        on_missing=on_missing,
    )
    for line in (*prepared.notes, *(failure.reason for failure in prepared.failures)):
        click.echo(line, err=True)
    if as_json:
        done = {
            "dataset": dataset,
            "clips": len(prepared),
            "made": prepared.made,
            "failures": {failure.key: failure.reason for failure in prepared.failures},
            "notes": list(prepared.notes),
            "landmarks": landmarker.name,
            "cache": str(cache),
        }
        click.echo(json.dumps(done, indent=2, sort_keys=True, ensure_ascii=False))
        return
    click.echo(
        f"{len(prepared)} clips ready at {size} px ({prepared.made} new, landmarks: "
        f"{landmarker.name}, {len(prepared.failures)} left out) in {cache}"
    )


def _jobs(given: int | None) -> int:
    if given is not None:
        return given
    stated = settings.get("jobs") or "1"
    try:
        return int(stated)
    except ValueError as error:
        raise UsageError(f"setting 'jobs' must be a whole number, got '{stated}'") from error
