"""``mebench data landmarks``: find the landmarks of a data set and keep them as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mebench.cli.data_options import load, root_option
from mebench.cli.options import Choice
from mebench.errors import DatasetError
from mebench.preprocess.parallel import BACKENDS


@click.command()
@click.argument("dataset")
@root_option
@click.option(
    "--landmarks",
    type=Choice(["given", "dlib", "fan", "fan-dlib"]),
    default="dlib",
    show_default=True,
    help="Who finds them; 'given' checks a folder and writes it again.",
)
@click.option(
    "--landmarks-root",
    type=click.Path(path_type=Path),
    help="Folder of given landmarks; with fan: of boxes, left, top, right, bottom.",
)
@click.option(
    "--frames",
    type=Choice(["first", "all"]),
    default="first",
    show_default=True,
    help="Frame 0 alone, or every frame in the box of frame 0.",
)
@click.option("--face", type=int, help="With several faces: which one, 0 is the leftmost.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write; 'data prepare --landmarks-root' reads it.",
)
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes; -1: all cores.")
@click.option("--backend", type=Choice(BACKENDS), default="loky", show_default=True)
def landmarks(
    dataset: str,
    root: Path | None,
    landmarks: str,
    landmarks_root: Path | None,
    frames: Any,
    face: int | None,
    out: Path,
    jobs: int,
    backend: Any,
) -> None:
    """Find 68 points of every clip of DATASET; run again to go on after an interruption."""
    from mebench.cli.progress import console_progress
    from mebench.preprocess.landmarks import choose_landmarker
    from mebench.preprocess.landmarks_export import export_landmarks

    source = load(dataset, root)
    clips = source.clips(on_missing="skip")
    landmarker = choose_landmarker(
        dataset, source.root, how=landmarks, folder=landmarks_root, face=face
    )
    written, notes, failures = export_landmarks(
        clips,
        landmarker,
        out,
        frames=frames,
        jobs=jobs,
        backend=backend,
        progress=console_progress(),
    )
    for line in (*notes, *(failure.reason for failure in failures)):
        click.echo(line, err=True)
    done = len(clips) - len(failures)
    if not done:
        first = failures[0].reason if failures else f"{source.root}: no clip"
        raise DatasetError(f"none of {len(clips)} clips has landmarks; first: {first}")
    click.echo(
        f"landmarks ({landmarker.name}) of {done} clips in {out} ({written} new, "
        f"{len(failures)} left out)"
    )
