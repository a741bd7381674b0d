"""CPU seconds a frame of the region motion, its memory by length, and scoring by worker processes.

Run: ``python -m benchmarks.au_pipeline [--size 256] [--frames 24] [--passes 3] [--memory 100 800]
[--jobs 1 2] [--clips 8]``. Clips are SynthME renderings, made once outside the clock. CPU time of
one thread, the least of several passes; memory is the growth of the largest resident set of a
process that reads frame after frame from disk (Linux); `--jobs` is the wall time of the same clips.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mebench.preprocess.flow import Engine
from mebench.preprocess.parallel import each
from mebench.preprocess.region_motion import region_motion
from mebench.synthme.expression import Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.render import Camera, render

# The peak is set back once code and buffers are there: what grows then, grows with the frames.
GROWTH = """
import sys
from pathlib import Path
import cv2
import numpy as np
from mebench.preprocess.region_motion import region_motion

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

cv2.setNumThreads(1)
folder, count = Path(sys.argv[1]), int(sys.argv[2])
points = np.load(folder / "points.npy")

class Stream:
    shape = (count, *np.load(folder / "frames.npy", mmap_mode="r").shape[1:])
    ndim = 4
    def __len__(self):
        return count
    def __getitem__(self, t):
        return np.load(folder / "frames.npy", mmap_mode="r")[t % 8].copy()

region_motion(Stream()[np.arange(8)], points, 50.0)
Path("/proc/self/clear_refs").write_text("5")
before = peak()
region_motion(Stream(), points, 50.0)
print((peak() - before) / 1e3)
"""


def make_clip(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    view = Camera(size, size, 0.30 * size, (size - 1) / 2, 0.40 * size)
    act = Expression.from_text("1+2+12", 0.018, seconds=count / 50.0, fps=50.0)
    recording = Nuisance(1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0)
    made = render(Identity.from_seed(203), act, recording, seed=5, camera=view)
    return made.frames[:count], made.landmarks[0]


def cost(frames: np.ndarray, points: np.ndarray, flow: Engine, passes: int) -> float:
    """Return CPU ms a frame."""
    region_motion(frames[:3], points, 50.0, flow=flow)
    spent = []
    for _ in range(passes):
        start = time.process_time()
        region_motion(frames, points, 50.0, flow=flow)
        spent.append(time.process_time() - start)
    return 1000 * min(spent) / (len(frames) - 1)


def growth_mb(frames: np.ndarray, points: np.ndarray, count: int) -> float:
    """Return how much the largest resident set grew while a clip of `count` frames was read."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "frames.npy", frames[:8])
        np.save(Path(folder) / "points.npy", points)
        done = subprocess.run(
            [sys.executable, "-c", GROWTH, folder, str(count)],
            check=True,
            capture_output=True,
            text=True,
        )
    return float(done.stdout)


def analyse(frames: np.ndarray, points: np.ndarray, number: int) -> float:
    cv2.setNumThreads(1)
    shifted = np.roll(frames, number, axis=1)  # another clip for every call
    return float(region_motion(shifted, points, 50.0).vectors.max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[100, 800])
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--clips", type=int, default=8)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    frames, points = make_clip(chosen.size, chosen.frames)
    flows: tuple[Engine, ...] = ("farneback", "dis")
    for flow in flows:
        spent = cost(frames, points, flow, chosen.passes)
        print(f"{flow}: {spent:.1f} ms CPU a frame of {chosen.size} px, one thread")
    for count in chosen.memory:
        grown = growth_mb(frames, points, count)
        print(f"{count} frames ({count * frames[0].nbytes / 1e6:.0f} MB): {grown:.1f} MB grown")
    work = partial(analyse, frames, points)
    for jobs in chosen.jobs:
        list(each(work, range(jobs), jobs))  # workers are started outside the clock
        start = time.monotonic()
        list(each(work, range(chosen.clips), jobs))
        print(f"jobs {jobs}: {time.monotonic() - start:.1f} s wall for {chosen.clips} clips")


if __name__ == "__main__":
    main()
