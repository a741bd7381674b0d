"""What each ingredient of fomm-prior's CPU recipe is worth, at equal steps, on SynthME.

    mebench data synth --out synthme
    python -m benchmarks.fomm_ablation --root synthme --out ablation --seeds 0
    python -m benchmarks.fomm_ablation --root synthme --out ablation --row scratch --steps 100 \\
        --steps 400 --steps 1000 --steps 3000

Every row trains on the protocol's training people and is scored on all its pairs of unseen people.
Values are means over the seeds, with 95 % intervals over the driving subjects. A row that is in
`--out` already is not made again, so an interrupted run goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from mebench.io.files import write_json
from mebench.methods.catalogue import load_baseline
from mebench.metrics.base import Case, Missing
from mebench.metrics.catalogue import build_metrics
from mebench.protocol.data import ProtocolData
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.scoring import one_thread
from mebench.stats import bootstrap_interval, paired_difference
from mebench.types import SilentProgress

FIXED = {
    "model.jacobians": "learned",
    "train.rehearsals": "0",
    "points.point_set": "published-18",
    "points.tracking": "none",
    "points.remove_head_motion": "false",
}
ROWS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "copy-template": ("copy-template", {}),
    "linear-warp": ("linear-warp", {}),
    "linear-warp, reversed": ("reversed", {}),
    "linear-warp, another clip's motion": ("mismatched", {}),
    "scratch (tracked points)": ("fomm-prior", {}),
    "before training": ("fomm-prior", {"untrained": "1"}),
    "no rehearsals": ("fomm-prior", {"train.rehearsals": "0"}),
    "all components over time": ("fomm-prior", {"points.rank": "0"}),
    "head motion left in the tracks": ("fomm-prior", {"points.remove_head_motion": "false"}),
    "no distance in the mask": ("fomm-prior", {"model.mask_sigma": "0"}),
    "18 published points, tracked": (
        "fomm-prior", {"points.point_set": "published-18", "train.rehearsals": "0"},
    ),
    "18 fixed points, learned Jacobians": ("fomm-prior", FIXED),
    "fomm-awp": ("fomm-awp", {}),
    "fomm (no prior)": ("fomm", {}),
    "mraa (no prior)": ("mraa", {}),
}  # fmt: skip
CONTROLS = ("copy-template", "linear-warp", "reversed", "mismatched")
METRICS = ("au_consistency", "flow_epe_px", "psnr_db")


@click.command()
@click.option("--root", type=click.Path(path_type=Path), required=True, help="A SynthME export.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Values and models.")
@click.option("--steps", type=int, multiple=True, default=(400,), show_default=True)
@click.option("--seeds", type=int, multiple=True, default=(0,), show_default=True)
@click.option("--row", "rows", multiple=True, help="Only rows whose name holds this text.")
@click.option("--pairs", type=int, default=10, show_default=True)
def main(
    root: Path,
    out: Path,
    steps: tuple[int, ...],
    seeds: tuple[int, ...],
    rows: tuple[str, ...],
    pairs: int,
) -> None:
    """Train, score and print the table."""
    import torch

    torch.set_num_threads(1)
    protocol = load_protocol("synthme").model_copy(update={"max_pairs": pairs})
    cache = out / "cache"
    data = open_protocol(protocol, {"synthme": root}, cache=cache, jobs=1)
    wanted = [name for name in ROWS if not rows or any(text in name for text in rows)]
    found: dict[str, list[dict[str, Any]]] = {}
    for name in wanted:
        if ROWS[name][0] in CONTROLS or "untrained" in ROWS[name][1]:
            found[name] = [row(name, data, out, 0, 0)]
            continue
        for count in steps:
            label = name if len(steps) == 1 else f"{name}, {count} steps"
            found[label] = [row(name, data, out, count, seed) for seed in seeds]
    print_table(found, [data.group(pair) for pair in data.pairs])


def row(name: str, data: ProtocolData, out: Path, steps: int, seed: int) -> dict[str, Any]:
    """Return (and keep) the values of one row: {pair: {metric: value}} and seconds of training."""
    place = out / f"{name.replace(' ', '-')}-{steps}-{seed}.json"
    if place.is_file():
        stored: dict[str, Any] = json.loads(place.read_text())
        return stored
    baseline, settings = ROWS[name]
    overrides = {key: value for key, value in settings.items() if "." in key}
    if baseline.startswith(("fomm", "mraa")):
        overrides["train.steps"] = str(steps)
    preset = "scratch" if baseline == "fomm-prior" else "quick"
    method = load_baseline(baseline, preset=preset, overrides=overrides)
    method.cache = out / "cache"
    start = time.process_time()
    if "untrained" in settings:
        method.initialise(device="cpu", seed=seed)
    else:
        workdir = out / "work" / place.stem
        method.fit(data.train, workdir=workdir, device="cpu", seed=seed, progress=SilentProgress())
    seconds = time.process_time() - start
    values = {pair.key: scored(method, data, pair) for pair in data.pairs}
    result = {"values": values, "train_cpu_s": seconds}
    write_json(place, result)
    click.echo(f"{name}, seed {seed}: {seconds:.0f} s of processor time", err=True)
    return result


def scored(method: Any, data: ProtocolData, pair: Any) -> dict[str, float | None]:
    """Return the metrics of one generated clip."""
    families = build_metrics(
        ("action_units", "motion", "pixel"), device="cpu", cache=method.cache,
        allow_seeded=True, seed=0,
    )  # fmt: skip
    driving = data.driving[pair.driving]
    template = data.templates[pair.template]
    with one_thread():
        case = Case(
            pair=pair,
            generated=method.generate(template, driving),
            template=template,
            driving=driving,
            reference=data.reference(pair),
            labels=driving.action_units,
        )
        found: dict[str, float | None] = {}
        for family in families:
            for key, value in family.clip_values(family.describe(case)).items():
                found[key] = None if isinstance(value, Missing) else value
    return {key: found.get(key) for key in METRICS}


def print_table(found: Mapping[str, list[dict[str, Any]]], groups: list[str]) -> None:
    """Print the means over seeds with intervals, and the first row's paired flow difference."""
    scratch = next((name for name in found if "scratch" in name), None)
    still = found.get("copy-template")
    click.echo(
        "| row | seeds | au_consistency | flow_epe_px | of copy-template | psnr_db | ", nl=False
    )
    click.echo("CPU s of training | scratch - row, flow_epe_px |")
    click.echo("|---|--:|---|---|--:|--:|--:|---|")
    for name, runs in found.items():
        cells = [with_interval(runs, key, groups) for key in METRICS[:2]]
        psnr = np.mean([mean_of(run, "psnr_db") for run in runs])
        flow = np.mean([mean_of(run, "flow_epe_px") for run in runs])
        share = "" if still is None else f"{flow / mean_of(still[0], 'flow_epe_px'):.0%}"
        seconds = np.mean([run["train_cpu_s"] for run in runs])
        paired = ""
        if scratch is not None and name != scratch:
            paired = compared(found[scratch], runs, groups)
        click.echo(
            f"| {name} | {len(runs)} | {cells[0]} | {cells[1]} | {share} | {psnr:.2f} | "
            f"{seconds:.0f} | {paired} |"
        )


def over_seeds(runs: list[dict[str, Any]], key: str) -> list[float | None]:
    """Return the mean over the seeds for each pair, None where one has no value."""
    columns = [[run["values"][pair][key] for run in runs] for pair in runs[0]["values"]]
    return [None if None in column else float(np.mean(column)) for column in columns]


def with_interval(runs: list[dict[str, Any]], key: str, groups: list[str]) -> str:
    """Return the mean over pairs and seeds with its interval over subjects."""
    kept = [(v, g) for v, g in zip(over_seeds(runs, key), groups, strict=True) if v is not None]
    values = [value for value, _ in kept]
    interval = bootstrap_interval(values, [group for _, group in kept])
    text = f"{np.mean(values):.3f}"
    return text if interval is None else f"{text} [{interval[0]:.3f}, {interval[1]:.3f}]"


def mean_of(run: Mapping[str, Any], key: str) -> float:
    """Return the mean over the pairs that have the value."""
    return float(np.mean([v[key] for v in run["values"].values() if v[key] is not None]))


def compared(scratch: list[dict[str, Any]], others: list[dict[str, Any]], groups: list[str]) -> str:
    """Return the paired difference of the flow error with its 95 % interval."""
    ours, theirs = over_seeds(scratch, "flow_epe_px"), over_seeds(others, "flow_epe_px")
    kept = [
        (a, b, group)
        for a, b, group in zip(ours, theirs, groups, strict=True)
        if a is not None and b is not None
    ]
    first, second, of = (list(column) for column in zip(*kept, strict=True))
    found = paired_difference(first, second, of)
    if found.interval is None:
        return f"{found.mean:+.3f}"
    return f"{found.mean:+.3f} [{found.interval[0]:+.3f}, {found.interval[1]:+.3f}]"


if __name__ == "__main__":
    main()
