"""``mebench run baseline``: the main job, end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from mebench.cli.options import Choice, data_roots, device_of, job_count, pairs_of
from mebench.cli.progress import console_progress


@click.group()
def run() -> None:
    """Train, generate, score and report a baseline."""


@run.command()
@click.argument("name")
@click.option("--protocol", default="synthme", show_default=True, help="Protocol id or YAML.")
@click.option("--preset", default="quick", show_default=True, help="Preset of the baseline.")
@click.option("--data", multiple=True, metavar="DATASET=ROOT", help="Data root; repeatable.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--checkpoint", help="Networks to take instead of training.")
@click.option("--device", help="auto, cpu or cuda:N; default: config or auto.")
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    help="Devices to train on.",
    show_default=True,
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of everything."
)
@click.option(
    "--flow",
    type=Choice(["farneback", "dis"]),
    default="farneback",
    show_default=True,
    help="Flow of the motion metrics; dis is quicker and has columns of its own.",
)
@click.option("-s", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one setting.")
@click.option("--pairs", type=click.IntRange(min=1), help="Only the first N pairs (a quick look).")
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes; default: all CPUs.")
@click.option("--private", is_flag=True, help="Show pixels of gated data in the report.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
def baseline(
    name: str,
    protocol: str,
    preset: str,
    data: tuple[str, ...],
    out: Path | None,
    checkpoint: str | None,
    device: str | None,
    devices: int,
    seed: int,
    flow: Literal["farneback", "dis"],
    overrides: tuple[str, ...],
    pairs: int | None,
    jobs: int | None,
    private: bool,
    resume: bool,
) -> None:
    """Run baseline NAME: make or read data, prepare, train, generate, score, report."""
    from mebench import settings as user
    from mebench.environment import process_count
    from mebench.errors import UsageError
    from mebench.io.locks import alone_in
    from mebench.protocol.spec import load_protocol
    from mebench.report.run_report import write_report
    from mebench.runner.folder import RunSettings, default_out
    from mebench.runner.outputs import Place
    from mebench.runner.run import run_baseline

    if process_count() > 1:
        raise UsageError(
            "`run baseline` is one process; train with `torchrun -m mebench train`, then run with "
            "--checkpoint, or let --devices start the processes"
        )
    chosen = RunSettings(
        baseline=name,
        protocol=protocol,
        preset=preset,
        seed=seed,
        overrides=pairs_of(overrides, "-s"),
        limit=pairs,
        checkpoint=checkpoint,
        flow=flow,
    )
    place = Place(
        out=out or default_out(chosen),
        cache=user.cache_folder(),
        roots=data_roots(data, load_protocol(protocol).sources),
        device=device_of(device),
        jobs=job_count(jobs),
        devices=devices,
    )
    progress = console_progress()
    with alone_in(place.out, place.cache):
        result = run_baseline(chosen, place, resume=resume, progress=progress)
    written = write_report(place.out, result, progress, private=private)
    click.echo(written.text, nl=False)
    click.echo("")
    click.echo("seconds: " + ", ".join(f"{k} {v:.0f}" for k, v in result.record.seconds.items()))
    for path in written.files:
        click.echo(f"wrote {path}")
