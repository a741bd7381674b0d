"""What each module of fomm-prior is worth, and what people, steps and width add.

Usage: python -m benchmarks.modules --out DIR [--steps 300] [--seeds 3] [--jobs 2]

The correction of the tracks and the motion network are those of the shipped weights; every row
trains a painter from random numbers for the same number of steps and is examined on the exact
pairs of ten people nobody learns from. Goes on where it was cut. Prints two tables.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any, cast

import torch
from torch import Tensor, nn

from mebench import settings
from mebench.cli.progress import console_progress
from mebench.io.files import sha256_file, write_json
from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm.baseline import FommPrior
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.exact import folder_name, make_pairs
from mebench.methods.fomm.lessons import examine
from mebench.methods.fomm.networks import GivenPoints, Networks, build
from mebench.methods.fomm.painter import MAPS
from mebench.methods.fomm.shipped import read_weights
from mebench.methods.fomm.training import Trainer
from mebench.types import SilentProgress

PEOPLE, EXAMINED = 400, 10
_AVERAGED = 0.98
"""Of the moving average of the weights: short trainings need a short one."""
_BLOCK = 4
"""Pixels of a block, which the painter sees as channels."""
_BLIND = {
    "maps": slice(_BLOCK * 10, _BLOCK * (10 + MAPS)),
    "motion": slice(_BLOCK * 3, _BLOCK * 10),
}
"""Channels of what the painter sees: 3 of the picture, 7 of the motion, then the maps."""
_WIDTHS = {"half": (16, 24, 32, 32)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args()
    bench = _Bench(chosen.out, chosen.steps, chosen.jobs)
    rows: dict[str, list[Mapping[str, float]]] = {}
    for seed in range(chosen.seeds):
        whole = bench.trained("whole", seed)
        rows.setdefault("motion network, tracks as they are", []).append(whole["raw"])
        rows.setdefault("+ corrected tracks", []).append(whole["corrected"])
        rows.setdefault("+ painter", []).append(whole["painted"])
        for blind in _BLIND:
            found = bench.trained(f"no-{blind}", seed, blind=blind)
            rows.setdefault(f"painter that sees no {blind}", []).append(found["painted"])
    _table(f"modules, {chosen.seeds} seeds", rows)
    curves: dict[str, list[Mapping[str, float]]] = {}
    curves[f"{PEOPLE} people, {chosen.steps} steps"] = [bench.trained("whole", 0)["painted"]]
    for people in (25, 100):
        curves[f"{people} people"] = [
            bench.trained(f"people-{people}", 0, {"train": {"people": people}})["painted"]
        ]
    for name, widths in _WIDTHS.items():
        change = {"model": {"painter_widths": list(widths)}}
        curves[f"painter {name} as wide"] = [bench.trained(f"width-{name}", 0, change)["painted"]]
    for times in (0.25, 0.5, 2):
        change = {"train": {"steps": round(chosen.steps * times)}}
        curves[f"{times:g} x the steps"] = [bench.trained(f"steps-{times:g}", 0, change)["painted"]]
    _table("one change each, seed 0", curves)


class _Bench:
    def __init__(self, out: Path, steps: int, jobs: int) -> None:
        self.out, self.steps, self.jobs = out, steps, jobs
        method = cast(FommPrior, load_baseline("fomm-prior", preset="further"))
        self.config, self.shipped = method.config, method.shipped()
        size, points = self.config.model.size, self.config.points
        self.held = make_pairs(
            settings.cache_folder() / folder_name(size, points),
            people=EXAMINED,
            first=PEOPLE,
            size=size,
            jobs=jobs,
            points=points,
            progress=SilentProgress(),
        )

    def trained(
        self,
        name: str,
        seed: int,
        change: Mapping[str, Mapping[str, Any]] | None = None,
        blind: str | None = None,
    ) -> dict[str, dict[str, float]]:
        """Return what a training is worth; read where it was done before."""
        place = self.out / f"{name}-{seed}"
        done = place / "examined.json"
        if done.is_file():
            found: dict[str, dict[str, float]] = json.loads(done.read_text(encoding="utf-8"))
            return found
        config = self._config(change or {})
        networks = build(config, seed)
        self._take_motion(networks)
        if blind is not None:
            hide(networks, blind)
        place.mkdir(parents=True, exist_ok=True)
        cache = settings.cache_folder()
        start = sha256_file(self.shipped)
        trainer = Trainer(
            config, networks, place, "cpu", seed, jobs=self.jobs, cache=cache, started_from=start
        )
        trainer.fit([], console_progress())
        found = {"painted": examine(networks, config, self.held)}
        found["corrected"] = _unpainted(found["painted"])
        if isinstance(networks.detector, GivenPoints):
            for weights in networks.detector.parameters():
                weights.data.zero_()
        found["raw"] = _unpainted(examine(networks, config, self.held))
        write_json(done, found)
        return found

    def _take_motion(self, networks: Networks) -> None:
        """Give the networks all that the shipped ones know but the painter."""
        known = read_weights(self.shipped)
        networks.detector.load_state_dict(known["kp_detector"])
        whole = networks.generator.state_dict()
        motion = {k: v for k, v in known["generator"].items() if not k.startswith("painter.")}
        networks.generator.load_state_dict({**whole, **motion})

    def _config(self, change: Mapping[str, Mapping[str, Any]]) -> FommConfig:
        content = self.config.model_dump()
        content["train"].update(
            start="scratch", steps=self.steps, motion_first=0.0, learning_rate=1e-3, ema=_AVERAGED
        )
        for room, values in change.items():
            content[room].update(values)
        return FommConfig.model_validate(content)


def hide(networks: Networks, what: str) -> None:
    """Show the painter zeros in place of some of what it sees: ``maps`` or ``motion``."""
    stem = networks.generator.painter.stem

    def zeroed(_: nn.Module, seen: tuple[Tensor]) -> tuple[Tensor]:
        rest = seen[0].clone()
        rest[:, _BLIND[what]] = 0
        return (rest,)

    stem.register_forward_pre_hook(zeroed)


def _unpainted(found: Mapping[str, float]) -> dict[str, float]:
    return {"flow_left": found["warp_left"], "appearance_gain": 0.0}


def _table(title: str, rows: Mapping[str, list[Mapping[str, float]]]) -> None:
    print(f"\n| {title} | motion error left | appearance gain |\n|---|--:|--:|")
    for name, found in rows.items():
        cells = (_cell([one[key] for one in found]) for key in ("flow_left", "appearance_gain"))
        print(f"| {name} | {' | '.join(cells)} |")


def _cell(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    torch.set_flush_denormal(True)
    main()
