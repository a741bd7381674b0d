"""``mebench train``: training alone, on one device or many."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from mebench.cli.options import data_roots, device_of, job_count, pairs_of
from mebench.cli.progress import console_progress


@click.command()
@click.argument("name")
@click.option("--protocol", default="synthme", show_default=True, help="Protocol id or YAML.")
@click.option("--preset", default="default", show_default=True, help="Preset of the baseline.")
@click.option("--data", multiple=True, metavar="DATASET=ROOT", help="Data root; repeatable.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to work in.")
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
@click.option("-s", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one setting.")
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes; default: all CPUs.")
def train(
    name: str,
    protocol: str,
    preset: str,
    data: tuple[str, ...],
    out: Path,
    device: str | None,
    devices: int,
    seed: int,
    overrides: tuple[str, ...],
    jobs: int | None,
) -> None:
    """Train baseline NAME on the training clips of a protocol.

    The same command again goes on where it was cut. Under torchrun, its processes share every
    batch: torchrun --nproc-per-node 8 -m mebench train ... Slurm's srun starts them too, with as
    many --devices as tasks. A batch job without either is one process, whatever its tasks.
    """
    from mebench import settings as user
    from mebench.environment import launcher, process_count, process_rank
    from mebench.errors import UsageError
    from mebench.io.locks import alone_in
    from mebench.protocol.spec import load_protocol
    from mebench.runner.folder import RunSettings
    from mebench.runner.outputs import Place
    from mebench.runner.run import train_baseline

    wanted = load_protocol(protocol)
    roots = data_roots(data, wanted.sources)
    missing = [name for name in wanted.dataset if name not in roots]
    if launcher() == "srun" and devices != process_count():
        raise UsageError(
            f"srun started {process_count()} of this command: give --devices {process_count()} to "
            "train in all of them, or start one with srun --ntasks=1"
        )
    if process_count() > 1 and missing:
        raise UsageError(f"several processes need their data beforehand: --data {missing[0]}=ROOT")
    chosen = RunSettings(
        baseline=name,
        protocol=protocol,
        preset=preset,
        seed=seed,
        overrides=pairs_of(overrides, "-s"),
    )
    place = Place(
        out=out,
        cache=user.cache_folder(),
        roots=roots,
        device=device_of(device),
        jobs=job_count(jobs),
        devices=devices,
    )
    # The first of several processes holds the folder for all of them.
    with alone_in(out, place.cache) if process_rank() == 0 else nullcontext():
        path = train_baseline(chosen, place, progress=console_progress())
    if process_rank() == 0:
        click.echo(f"wrote {path}")
