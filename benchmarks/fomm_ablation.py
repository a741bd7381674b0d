"""What each ingredient of fomm-prior's CPU recipe is worth, at equal steps, on SynthME.

    mebench data synth --out synthme
    python -m benchmarks.fomm_ablation --root synthme --out ablation --seeds 0

Every row trains on the protocol's training people and is scored on all its pairs of unseen people.
A row that is in `--out` already is not made again, so an interrupted run goes on.
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
from mebench.stats import paired_difference
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
    "as shipped (tracked points)": ("fomm-prior", {}),
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
}  # fmt: skip
METRICS = ("au_consistency", "flow_epe_px", "psnr_db")


@click.command()
@click.option("--root", type=click.Path(path_type=Path), required=True, help="A SynthME export.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Values and models.")
@click.option("--steps", type=int, default=400, show_default=True)
@click.option("--seeds", type=int, multiple=True, default=(0,), show_default=True)
@click.option("--row", "rows", multiple=True, help="Only rows whose name holds this text.")
@click.option("--pairs", type=int, default=10, show_default=True)
def main(
    root: Path, out: Path, steps: int, seeds: tuple[int, ...], rows: tuple[str, ...], pairs: int
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
        trained = ROWS[name][0] not in ("copy-template", "linear-warp")
        for seed in seeds if trained else seeds[:1]:
            found.setdefault(name, []).append(row(name, data, out, steps, seed))
    groups = [data.group(pair) for pair in data.pairs]
    print_table(found, groups)


def row(name: str, data: ProtocolData, out: Path, steps: int, seed: int) -> dict[str, Any]:
    """Return (and keep) the values of one row: {pair: {metric: value}} and seconds of training."""
    place = out / f"{name.replace(' ', '-')}-{steps}-{seed}.json"
    if place.is_file():
        stored: dict[str, Any] = json.loads(place.read_text())
        return stored
    baseline, settings = ROWS[name]
    overrides = {key: value for key, value in settings.items() if "." in key}
    if baseline.startswith("fomm"):
        overrides["train.steps"] = str(steps)
    method = load_baseline(baseline, preset="quick", overrides=overrides)
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
    """Print each seed, the flow error beside copy-template's, and the shipped row paired."""
    shipped = next(iter(found.get("as shipped (tracked points)", [])), None)
    still = next(iter(found.get("copy-template", [])), None)
    click.echo(
        "| row | au_consistency | flow_epe_px | of copy-template | psnr_db | shipped - row |"
    )
    click.echo("|---|--:|--:|--:|--:|---|")
    for name, runs in found.items():
        means = {key: [mean_of(run, key) for run in runs] for key in METRICS}
        cells = [" / ".join(f"{value:.3f}" for value in means[key]) for key in METRICS]
        share = ""
        if still is not None:
            ratio = np.mean(means["flow_epe_px"]) / mean_of(still, "flow_epe_px")
            share = f"{ratio:.0%}"
        paired = "" if shipped is None or runs[0] is shipped else compared(shipped, runs[0], groups)
        click.echo(f"| {name} | {cells[0]} | {cells[1]} | {share} | {cells[2]} | {paired} |")


def mean_of(run: Mapping[str, Any], key: str) -> float:
    """Return the mean over the pairs that have the value."""
    return float(np.mean([v[key] for v in run["values"].values() if v[key] is not None]))


def compared(shipped: Mapping[str, Any], other: Mapping[str, Any], groups: list[str]) -> str:
    """Return the paired difference of the flow error with its 95 % interval."""
    pairs = [
        (shipped["values"][key]["flow_epe_px"], other["values"][key]["flow_epe_px"], group)
        for key, group in zip(shipped["values"], groups, strict=True)
    ]
    ours, theirs, of = zip(*pairs, strict=True)
    found = paired_difference(list(ours), list(theirs), list(of))
    low, high = found.interval
    return f"flow {found.mean:+.3f} [{low:+.3f}, {high:+.3f}]"


if __name__ == "__main__":
    main()
