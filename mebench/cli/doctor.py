"""``mebench doctor``: what works here, what is missing, and how to get it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mebench import environment, settings
from mebench.cli.options import job_count
from mebench.cli.progress import console_progress


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--calibrate", is_flag=True, help="Measure what the metrics feel (minutes).")
@click.option(
    "--pairs", type=click.IntRange(min=2), default=4, show_default=True, help="To calibrate on."
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes; default: the CPUs in reach.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Folder for the calibration's figure, CSV."
)
def doctor(as_json: bool, calibrate: bool, pairs: int, jobs: int | None, out: Path | None) -> None:
    """Tell what works here, what is missing, and how to get it.

    With --calibrate, spoil the right answer on synthetic faces in known ways, step by step, and
    tell which values feel it, from which step on, and what they are blind to.
    """
    if calibrate:
        _calibrate(pairs, job_count(jobs), out, as_json)
        return
    report = {
        "environment": environment.describe(environment.choose_device("auto")),
        "cache": str(settings.cache_place()),
        "data": _data(),
        "weights": _weights(),
        "extras": _extras(),
    }
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    for section, rows in report.items():
        click.echo(f"{section}:" if isinstance(rows, dict) else f"{section}: {rows}")
        for key, value in rows.items() if isinstance(rows, dict) else ():
            if isinstance(value, dict):
                value = ", ".join(f"{name} {version}" for name, version in value.items())
            click.echo(f"  {key}: {value}")


def _data() -> dict[str, str]:
    from mebench.datasets.base import DATASETS

    found = {}
    for name in DATASETS:
        root = settings.data_root(name)
        if root is None:
            found[name] = f"no root; set it with: mebench config set data.{name} PATH"
        else:
            found[name] = str(root) if root.is_dir() else f"{root} does not exist"
    return found


def _weights() -> dict[str, str]:
    from mebench import weights

    return {
        name: "present" if weights.is_present(name) else f"missing: mebench weights fetch {name}"
        for name in weights.TABLE
    }


def _extras() -> dict[str, Any]:
    from importlib.util import find_spec

    there = find_spec("dlib") is not None and find_spec("face_recognition_models") is not None
    return {"dlib": "present" if there else "missing: pip install 'mebench[dlib]'"}


def _calibrate(pairs: int, jobs: int, out: Path | None, as_json: bool) -> None:
    from dataclasses import asdict

    from tabulate import tabulate

    from mebench.calibration import tables
    from mebench.calibration.reading import feelings, separation
    from mebench.calibration.suite import Plan, measure
    from mebench.metrics.catalogue import metric_infos

    plan = Plan(pairs, settings.cache_folder())
    results = measure(plan, jobs, console_progress())
    found = feelings(results, metric_infos(plan.families).values())
    chosen = tables.headline(found)
    owed, parted = tables.owed_rows(chosen), separation(results)
    blind = tables.blind_spots(chosen)
    if out is not None:
        _write_calibration(out, found, chosen)
    if as_json:
        areas = {k: None if v != v else v for k, v in asdict(parted).items()}
        report = {"pairs": pairs, "ladders": owed, "separation": areas, "blind": blind}
        click.echo(json.dumps(report, indent=2, allow_nan=False))
        return
    click.echo(tabulate(owed, headers="keys", disable_numparse=True))
    click.echo(f"\n{tables.separation_line(parted)}\n\nblind to:")
    for key, ladders in blind.items():
        click.echo(f"  {key}: {', '.join(ladders) or 'none of these'}")
    stand_ins = [name for name, source in results.weights.items() if source.startswith("seeded")]
    if stand_ins:
        click.echo(f"\nstand-in weights: {', '.join(stand_ins)}; mebench weights fetch")


def _write_calibration(out: Path, found: list[Any], chosen: list[Any]) -> None:
    import csv

    from mebench.calibration.plot import ladder_figure
    from mebench.io.figures import beside_a_result
    from mebench.io.files import atomic_path

    out.mkdir(parents=True, exist_ok=True)
    with (
        atomic_path(out / "ladders.csv") as path,
        path.open("w", newline="", encoding="utf-8") as handle,
    ):
        writer = csv.writer(handle)
        writer.writerow(("value", "ladder", "level", "mean", "standard error", "clips"))
        for one in found:
            for level, mean, spread in zip(one.levels, one.curve, one.spread, strict=True):
                writer.writerow((one.key, one.ladder, level, mean, spread, one.n))
    with beside_a_result(out / "ladders.png"), atomic_path(out / "ladders.png") as path:
        path.write_bytes(ladder_figure(chosen))
