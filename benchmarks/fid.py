"""FID of two folders: the whole command against ``python -m pytorch_fid`` on the same files.

Run: ``python -m benchmarks.fid --out DIR [--frames 1000] [--size 64] [--threads 1] [--step 400]``.
Both read the same seeded weights (published ones would cost the same). CPU seconds of all processes
of a command, and of one thread for the Fréchet step; wall seconds beside them.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

SEED = 3
# The seeded file lies where the published one would; only its hash is not asked for.
OURS = """
import sys
from dataclasses import replace
from pathlib import Path
from mebench import weights
from mebench.metrics.folders import folder_distance
name = "fid-inception"
weights.TABLE = {**weights.TABLE, name: replace(weights.entry(name), sha256=None)}
a, b, cache = (Path(place) for place in sys.argv[1:])
print("FID:", folder_distance(a, b, cache=cache).fid)
"""
# SciPy 1.18 takes away the argument that pytorch-fid 0.3.0 calls its matrix root with.
THEIRS = """
import inspect, runpy, sys
import scipy.linalg as linalg
if "disp" not in inspect.signature(linalg.sqrtm).parameters:
    root = linalg.sqrtm
    linalg.sqrtm = lambda a, disp=True: root(a) if disp else (root(a), 0.0)
runpy.run_module("pytorch_fid", run_name="__main__", alter_sys=True)
"""


def make_frames(folder: Path, count: int, size: int, first: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(first + number)
        coarse = rng.uniform(40, 210, (6, 6, 3))
        smooth = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
        image = np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:05d}.png"), image)
    return folder


def write_weights(home: Path) -> Path:
    """Put a seeded file where pytorch-fid looks for the published one; return its folder."""
    import torch

    from mebench import weights
    from mebench.metrics.inception import _structure

    place = home / "hub" / "checkpoints" / weights.entry("fid-inception").file
    place.parent.mkdir(parents=True, exist_ok=True)
    torch.save(weights.seeded_state(_structure(), SEED), place)
    return place.parent


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Return (CPU s, wall s, FID) of a command and all its processes."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.monotonic() - start, float(done.stdout.rsplit("FID:", 1)[1])


def frechet_step(count: int) -> tuple[float, float, float]:
    """Return (their CPU s, our CPU s, relative difference) of the distance from features on."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    from mebench.metrics.frechet import frechet_distance

    rng = np.random.default_rng(0)
    x, y = np.maximum(rng.normal(0, 1, (2, count, 2048)) + 0.2, 0).astype(np.float32)
    start = time.process_time()
    ours = frechet_distance(x, y * np.float32(1.1))
    middle = time.process_time()
    sides = [(a.mean(axis=0), np.cov(a, rowvar=False)) for a in (x, y * np.float32(1.1))]
    theirs = calculate_frechet_distance(*sides[0], *sides[1])
    return time.process_time() - middle, middle - start, abs(ours / theirs - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1, help="of both; 0 for torch's default")
    parser.add_argument("--step", type=int, default=400)
    chosen = parser.parse_args()
    if chosen.step:
        theirs, ours, gap = frechet_step(chosen.step)
        print(f"Fréchet step, n = {chosen.step}: pytorch-fid {theirs:.2f} s, mebench {ours:.3f} s "
              f"CPU: {theirs / ours:.0f} times; relative difference {gap:.1e}")  # fmt: skip
    if not chosen.frames:
        return
    a = make_frames(chosen.out / "a", chosen.frames, chosen.size, 0)
    b = make_frames(chosen.out / "b", chosen.frames, chosen.size, 10**6)
    store = write_weights(chosen.out / "torch")
    cache = chosen.out / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    place = {**os.environ, "TORCH_HOME": str(chosen.out / "torch"), "MEBENCH_WEIGHTS": str(store)}
    if chosen.threads:
        # Threads that wait for each other on a busy machine burn CPU time.
        place.update(OMP_NUM_THREADS=str(chosen.threads), MKL_NUM_THREADS=str(chosen.threads))
    mine = [sys.executable, "-c", OURS, str(a), str(b), str(cache)]
    first = timed(mine, place)
    shutil.rmtree(cache / "inception")  # the statistics of the other side alone are left
    again = timed(mine, place)
    known = timed(mine, place)
    theirs = [sys.executable, "-c", THEIRS, str(a), str(b), "--device", "cpu"]
    base = timed(theirs, place)
    for name, (cpu, wall, fid) in (
        ("pytorch-fid", base),
        ("mebench, the first time", first),
        ("mebench, the other side known", again),
        ("mebench, both sides known", known),
    ):
        print(
            f"{name}: {cpu:.1f} s CPU, {wall:.1f} s wall, {base[0] / cpu:.1f} times; FID {fid:.6f}"
        )
    print(
        f"{chosen.frames} against {chosen.frames} frames of {chosen.size} px; "
        f"threads {chosen.threads}"
    )


if __name__ == "__main__":
    main()
