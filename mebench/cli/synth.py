"""``mebench data synth`` and ``mebench data show``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mebench import settings
from mebench.cli.options import Choice, job_count
from mebench.cli.progress import console_progress


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option(
    "--preset",
    type=Choice(["tiny", "default", "full"]),
    default="default",
    show_default=True,
    help="tiny: tests; default: 12 people, 48 clips; full: 32 people, 240 clips.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes; default: all CPUs.")
def synth(out: Path, preset: str, seed: int, jobs: int | None) -> None:
    """Write SynthME, synthetic faces in the layouts of the real data sets; resumable."""
    from mebench.synthme.export import export

    export(out, preset=preset, seed=seed, jobs=job_count(jobs), progress=console_progress())
    click.echo(f"{out}: casme2/ samm/ smic/ MEGC2021_generation/ truth/")


@click.command()
@click.argument("dataset")
@click.argument("clip")
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the copy.")
@click.option(
    "--crop",
    type=Choice(["head", "face"]),
    help="Draw the aligned crop instead of the recorded frames.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="PNG to write.",
)
def show(dataset: str, clip: str, root: Path | None, crop: Any, out: Path) -> None:
    """Draw a contact sheet of one CLIP of DATASET: onset, apex, offset, motion over time."""
    from mebench.cli.sheet import draw_sheet
    from mebench.datasets.base import load_dataset
    from mebench.errors import UsageError

    place = root or settings.data_root(dataset)
    if place is None:
        raise UsageError(f"no folder known for {dataset}; give --root DIR")
    draw_sheet(load_dataset(dataset, place), clip, out, crop)
    click.echo(str(out))
