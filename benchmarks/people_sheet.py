"""Thirty synthetic people nobody learned from, drawn by trained networks, to be looked at.

Usage: python -m benchmarks.people_sheet --out sheet.png [--model FILE] [--people 30] [--jobs 2]

A row a person: template, right answer and its difference to the template × 6, what the networks
draw from tracked motion and its difference × 6, at the strongest frame of the first clip. Prints
how much the networks change where the right answer changes nothing, off the face and on it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

import numpy as np
import torch

from mebench import settings
from mebench.cli.progress import console_progress
from mebench.io.frames import write_png
from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm.baseline import FommPrior
from mebench.methods.fomm.exact import CLIPS, FRAMES, folder_name, make_pairs
from mebench.methods.fomm.lessons import Lessons, plain_row
from mebench.methods.fomm.model import to_frames
from mebench.methods.fomm.networks import correction_in
from mebench.methods.fomm.painter import Prior
from mebench.methods.fomm.rehearsal import from_pairs
from mebench.methods.fomm.sampling import Batch
from mebench.report.sheets import contact_sheet, difference
from mebench.types import Image

FIRST, TIMES = 400, 6
_STILL = 1
"""Levels of 255 that a pixel may change and still counts as still."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args()
    method = cast(FommPrior, load_baseline("fomm-prior", preset="shipped"))
    method.load(chosen.model or method.shipped())
    networks, config = method.networks, method.config
    size = config.model.size
    pairs = make_pairs(
        settings.cache_folder() / folder_name(size, config.points),
        people=chosen.people,
        first=FIRST,
        size=size,
        jobs=chosen.jobs,
        points=config.points,
        progress=console_progress(),
    )
    known = from_pairs(pairs, config.points)
    lessons = Lessons(pairs, known.found, known.true, correction_in(networks))
    rows: list[list[Image]] = []
    off, on = [], []
    for person in range(chosen.people):
        index = person * CLIPS * FRAMES
        row = plain_row(lessons, index, config)
        batch = Batch(*(column[None] for column in row))
        with torch.inference_mode():
            at = networks.detector(batch.template, batch.template_points)
            to = networks.detector(batch.driving, batch.driving_points, batch.driving_jacobians)
            prior = Prior(batch.maps, batch.unit)
            out = networks.generator.eval()(batch.template, to, at, prior=prior)
        drawn, template = to_frames(out["prediction"])[0], to_frames(batch.template)[0]
        right = to_frames(batch.driving)[0]
        rows.append(
            [
                template,
                right,
                difference(right, template, TIMES),
                drawn,
                difference(drawn, template, TIMES),
            ]
        )
        changed = np.abs(drawn.astype(int) - template).max(axis=-1)
        still = np.abs(right.astype(int) - template).max(axis=-1) <= _STILL
        face = row.maps[-1].numpy() > 0
        off.append(int(changed[~face].max()))
        on.append(float(changed[face & still].mean()))
    columns = ["template", "right answer", f"{TIMES} x change", "drawn", f"{TIMES} x change"]
    write_png(chosen.out, contact_sheet(rows, columns, size))
    print(f"{chosen.people} people: largest change off the face {max(off)} of 255")
    print(f"mean change on the face where nothing should change: {np.mean(on):.2f} of 255")
    print(f"wrote {chosen.out}")


if __name__ == "__main__":
    main()
