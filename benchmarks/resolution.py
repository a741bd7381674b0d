"""How much of what no warp makes can be seen at a resolution, and what networks make of it.

Usage: python -m benchmarks.resolution [--people 10] [--jobs 2]

People whom no network learned from are drawn at 128, 256 and 512 pixels. Of the change that no warp
of the template makes, the part that the same change at 512 pixels explains is appearance: furrows,
folds, lids. The rest comes from pixels too coarse to be moved by a part of themselves, and no
painter can know it. Then the shipped networks are examined on exact pairs at 128 pixels, and at
256, where their motion and correction are carried to the larger picture.
"""

from __future__ import annotations

import argparse
from typing import cast

import cv2
import numpy as np
import torch
from torch.nn import functional

from mebench import settings
from mebench.cli.progress import console_progress
from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm.baseline import FommPrior
from mebench.methods.fomm.blocks import coordinate_grid
from mebench.methods.fomm.exact import CLIPS, FIRST_PERSON, ExactPairs, folder_name, make_pairs
from mebench.methods.fomm.lessons import Lessons, plain_row
from mebench.methods.fomm.networks import correction_in
from mebench.methods.fomm.painter import Prior
from mebench.methods.fomm.rehearsal import from_pairs
from mebench.methods.fomm.sampling import Batch
from mebench.preprocess.canonical import eye_distance, prepare_canvas
from mebench.preprocess.crop import HEAD
from mebench.preprocess.known_flow import grid, moved_by
from mebench.synthme.expression import EMOTIONS, Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.render import Rendering, render
from mebench.synthme.stage import Camera

FINEST = 512
BLUR = 0.02
"""Of `appearance_gain`, eye distances."""


def drawn(person: int, size: int) -> Rendering:
    """Return a person making an expression; eyes turn and blink, all else is still."""
    rng = np.random.default_rng([FIRST_PERSON, person])
    emotion = str(rng.choice(EMOTIONS))
    act = Expression.sample(rng, emotion, 100.0)
    view = Camera(size, size, HEAD.share * size, (size - 1) / 2, HEAD.height * size - 0.5)
    face = Identity.from_seed(FIRST_PERSON + (CLIPS + 1) * person)
    return render(face, act, Nuisance.default().only_eyes(), seed=person, camera=view)


def unmoved(made: Rendering, at: int) -> np.ndarray:
    """Return what frame `at` shows that frame 0 moved by the true flow does not, (S, S, 3)."""
    first = np.asarray(made.frames[0])
    return made.frames[at].astype(float) - moved_by(first, made.flow[at : at + 1])[0].astype(float)


def seen(person: int, sizes: list[int]) -> list[tuple[float, float]]:
    """Return (change that no warp makes, the part that 512 pixels do not explain) at each size."""
    finest = drawn(person, FINEST)
    at = int(np.square(finest.flow).sum(axis=-1).mean(axis=(1, 2)).argmax())
    truth = unmoved(finest, at)
    found = []
    for size in sizes:
        made = drawn(person, size)
        marks = made.landmarks[0]
        canvas = prepare_canvas(np.asarray(made.frames[0]), marks)
        face, _ = canvas.sample(grid(size, size).astype(np.int64))
        shown = face.reshape(size, size, 1)
        change = unmoved(made, at) * shown
        fine = cv2.resize(truth, (size, size), interpolation=cv2.INTER_AREA) * shown
        sigma = BLUR * eye_distance(marks)
        whole, rest = (
            float(np.square(cv2.GaussianBlur(one, (0, 0), sigma)).sum()) / size**2
            for one in (change, change - fine)
        )
        found.append((whole, rest))
    return found


def smaller(batch: Batch, size: int) -> Batch:
    """Return a batch of pairs at another size."""
    factor = size / batch.template.shape[-1]

    def planes(image: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(image, (size, size), mode="area")

    return batch._replace(
        template=planes(batch.template),
        template_points=(batch.template_points + 0.5) * factor - 0.5,
        driving=planes(batch.driving),
        driving_points=(batch.driving_points + 0.5) * factor - 0.5,
        maps=planes(batch.maps),
        unit=batch.unit * factor,
    )


def carried(method: FommPrior, pairs: ExactPairs) -> tuple[float, float]:
    """Return the error of the field over the motion, and the gain of the correction."""
    config, size = method.config, method.config.model.size
    known = from_pairs(pairs, config.points)
    detector, generator = method.networks.detector, method.networks.generator.eval()
    lessons = Lessons(pairs, known.found, known.true, correction_in(method.networks))
    sums = np.zeros(4)
    for index in range(len(pairs)):
        full = Batch(*(column[None] for column in plain_row(lessons, index, config)))
        batch = smaller(full, size)
        with torch.inference_mode():
            at = detector(batch.template, batch.template_points)
            to = detector(batch.driving, batch.driving_points, batch.driving_jacobians)
            out = generator(batch.template, to, at, prior=Prior(batch.maps, batch.unit))
        whole = full.flow.shape[1]
        shift = out["deformation"] - coordinate_grid((size, size), full.flow)
        shift = shift.permute(0, 3, 1, 2) * (size - 1) / 2 * (whole / size)
        field, correction = (
            functional.interpolate(one, (whole, whole), mode="bicubic", align_corners=False)
            for one in (shift, out["correction"])
        )
        sums += [
            float((field.permute(0, 2, 3, 1) - full.flow).norm(dim=-1).mean()),
            float(full.flow.norm(dim=-1).mean()),
            float((correction - full.change).square().sum()),
            float(full.change.square().sum()),
        ]
    return float(sums[0] / sums[1]), float(1 - sums[2] / sums[3])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args()
    method = cast(FommPrior, load_baseline("fomm-prior", preset="shipped"))
    method.load(method.shipped())
    first = cast(FommPrior, load_baseline("fomm-prior", preset="default")).config.train.people
    sizes = [128, 256]
    people = range(first, first + chosen.people)
    lost = np.array([seen(person, sizes) for person in people])
    print("| pixels | not appearance, mean of people | by size | field left | appearance gain |")
    print("|--:|--:|--:|--:|--:|")
    for index, size in enumerate(sizes):
        folder = settings.cache_folder() / folder_name(size, method.config.points)
        pairs = make_pairs(
            folder,
            people=chosen.people,
            first=first,
            size=size,
            jobs=chosen.jobs,
            points=method.config.points,
            progress=console_progress(),
        )
        left, gain = carried(method, pairs)
        each = (lost[:, index, 1] / lost[:, index, 0]).mean()
        whole = lost[:, index, 1].sum() / lost[:, index, 0].sum()
        print(f"| {size} | {each:.2f} | {whole:.2f} | {left:.3f} | {gain:.3f} |", flush=True)


if __name__ == "__main__":
    main()
