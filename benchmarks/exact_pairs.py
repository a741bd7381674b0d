"""What the tracker misses of a known motion, by part of the face, and what learning gives back.

Usage: python -m benchmarks.exact_pairs [--people 160] [--held 40] [--jobs 2] [--model FILE]

Makes exact pairs (two clips of each of so many people, at 128 px) or takes those it finds. The last
people are held back. The correction is the ridge regression of `rehearsal`, learned on the others;
with --model the correction of a trained fomm-prior stands beside it, learned by rehearsals on the
clips it was trained on. Errors are of the 44 points' motion, in % of the eye distance.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mebench import settings
from mebench.cli.progress import console_progress
from mebench.methods.fomm import checkpoint
from mebench.methods.fomm.config import PointsConfig
from mebench.methods.fomm.exact import CLIPS, FRAMES, ExactPairs, make_pairs
from mebench.methods.fomm.points import pick
from mebench.methods.fomm.rehearsal import Rehearsals, fit_correction, from_pairs

_PARTS = {
    "jaw": range(17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "eyes": range(36, 48),
    "mouth": range(48, 68),
}


@dataclass(frozen=True)
class Told:
    """How near a motion (N, K, 2) is to the true one, both in eye distances."""

    rms: float
    size: float
    alike: float


def told(found: np.ndarray, true: np.ndarray) -> Told:
    """Return RMS error in % IOD, the size found per true size, and the cosine."""
    rms = 100 * float(np.sqrt(((found - true) ** 2).sum(axis=-1).mean()))
    size = float((found * true).sum() / (true**2).sum())
    alike = float((found * true).sum() / np.sqrt((found**2).sum() * (true**2).sum() + 1e-30))
    return Told(rms, size, alike)


def parts(pairs: ExactPairs, point_set: str) -> np.ndarray:
    """Return the part of the face (K,) nearest to each point."""
    marks = pairs[0].landmarks
    points = pick(marks, point_set)
    near = np.linalg.norm(points[:, None] - marks, axis=-1).argmin(axis=1)
    return np.array([next(name for name, r in _PARTS.items() if k in r) for k in near])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=160)
    parser.add_argument("--held", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="where pairs are kept; default: in the cache")
    parser.add_argument("--model", type=Path)
    chosen = parser.parse_args()
    config = PointsConfig()
    out = chosen.out or settings.cache_folder() / "benchmark-exact-pairs"
    start = time.perf_counter()
    pairs = make_pairs(
        out, people=chosen.people, jobs=chosen.jobs, progress=console_progress(), points=config
    )
    print(f"pairs: {len(pairs)}, made or found in {time.perf_counter() - start:.0f} s")
    known = from_pairs(pairs, config)
    cut = (chosen.people - chosen.held) * CLIPS * FRAMES
    held = Rehearsals(known.found[cut:], known.true[cut:])
    rows = {"nothing": np.zeros((held.found.shape[1],) * 2, np.float32)}
    if chosen.model is not None:
        state = checkpoint.read(chosen.model)["kp_detector"]
        rows["rehearsals on the training clips"] = state["correction"].numpy()
    for people in sorted({15, 30, 60, chosen.people - chosen.held}):
        if people <= chosen.people - chosen.held:
            end = people * CLIPS * FRAMES
            learned = Rehearsals(known.found[:end], known.true[:end])
            rows[f"exact pairs of {people} people"] = fit_correction([learned], config)
    where = parts(pairs, config.point_set)
    names = [name for name in _PARTS if (where == name).any()]
    count = 2 * len(where)
    true = held.true[:, :count].reshape(len(held.true), -1, 2)
    print(
        "| corrected by | RMS error | size found | cosine | "
        + " | ".join(names)
        + " |\n|---|"
        + "--:|" * (3 + len(names))
    )
    still = told(np.zeros_like(true), true)
    cells = [told(np.zeros_like(true)[:, where == n], true[:, where == n]).rms for n in names]
    print(
        f"| (no motion) | {still.rms:.3f} | 0 | | " + " | ".join(f"{c:.3f}" for c in cells) + " |"
    )
    for name, correction in rows.items():
        made = held.found + held.found @ correction
        motion = made[:, :count].reshape(true.shape)
        whole = told(motion, true)
        cells = [told(motion[:, where == n], true[:, where == n]).rms for n in names]
        print(
            f"| {name} | {whole.rms:.3f} | {whole.size:.2f} | {whole.alike:.3f} | "
            + " | ".join(f"{cell:.3f}" for cell in cells)
            + " |"
        )


if __name__ == "__main__":
    main()
