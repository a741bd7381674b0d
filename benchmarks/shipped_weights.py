"""Writes trained networks as the weights that come with the package, and what they are worth.

Usage: mebench train fomm-prior --preset default --out TRAINED
       python -m benchmarks.shipped_weights TRAINED --out baselines/fomm-prior/weights [--jobs 2]
       mebench train fomm-prior --preset further --out FURTHER
       python -m benchmarks.shipped_weights FURTHER --out baselines/fomm-prior/weights [--jobs 2]

The second training starts from the weights that the first one put into the package. The networks
are examined on the exact pairs of people after those that they learned from.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

import torch
import yaml

from mebench import settings
from mebench.io.files import sha256_file
from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm import checkpoint
from mebench.methods.fomm.baseline import FommPrior
from mebench.methods.fomm.exact import folder_name, make_pairs
from mebench.methods.fomm.lessons import examine
from mebench.methods.fomm.shipped import SUFFIX, write_weights
from mebench.types import SilentProgress

EXAMINED = 10
"""People the stated values are means over; the first of them alone is stated too, for a test."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trained", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--took", default="", help="time and machine of the last training")
    chosen = parser.parse_args()
    method = cast(FommPrior, load_baseline("fomm-prior", preset="default"))
    method.load(chosen.trained / "model.pt")
    config = method.config
    people, size = config.train.people, config.model.size
    folder = settings.cache_folder() / folder_name(size, config.points)
    held = {"first": people, "size": size, "jobs": chosen.jobs, "points": config.points}
    values = {}
    for name, count in (("examined", EXAMINED), ("first_examined", 1)):
        pairs = make_pairs(folder, people=count, progress=SilentProgress(), **held)
        found = examine(method.networks, config, pairs)
        values[name] = {"people": [people, people + count - 1], **found}
    path = chosen.out / f"{size}{SUFFIX}"
    before = checkpoint.read(chosen.trained / "checkpoint.pt")["identity"].get("start")
    states = {name: module.state_dict() for name, module in method.networks.modules().items()}
    write_weights(path, config.model_dump(mode="json"), states)
    log = chosen.trained / "losses.csv"
    about = {
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": sha256_file(path),
        "numbers": sum(v.numel() for state in states.values() for v in state.values()),
        "commands": [
            line
            for preset in (["default"] if before is None else ["default", "further"])
            for line in (
                f"mebench train fomm-prior --preset {preset} --out {preset}",
                f"python -m benchmarks.shipped_weights {preset} --out baselines/fomm-prior/weights",
            )
        ],
        "started_from": before,
        "seed": 0,
        "took": chosen.took,
        "pairs": folder.name,
        "licence": "MIT; learned from SynthME alone, no photograph of a person was seen",
        "losses_sha256": sha256_file(log),
        "torch": torch.__version__.split("+")[0],
        **values,
    }
    notes = chosen.out / "weights.yaml"
    known = yaml.safe_load(notes.read_text(encoding="utf-8")) if notes.is_file() else {}
    known[str(size)] = about
    notes.write_text(yaml.safe_dump(known, sort_keys=False), encoding="utf-8")
    print(notes.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
