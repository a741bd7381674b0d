"""Peak memory of ``mebench data prepare`` for 100 and for 1000 clips.

Run: ``python -m benchmarks.prepare_memory --out DIR [--clips 100 1000] [--frames 32] [--jobs 1]
[--landmarks dlib]``.
The clips of a person are hard links to one file a frame. The peak is the largest resident set of
any of the command's processes (Linux and macOS).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.prepare_clips import make_copy

PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
scale = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * scale / 1e6)
sys.exit(done.returncode)
"""


def peak_mb(command: list[str], environment: dict[str, str]) -> float:
    """Return the largest resident set of a command, MB."""
    told = subprocess.run(
        [sys.executable, "-c", PEAK, *command],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(told.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs=2, default=[100, 1000])
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--landmarks", choices=["given", "dlib"], default="dlib")
    parser.add_argument("--size", type=int, default=64)
    chosen = parser.parse_args()
    environment = {**os.environ, "MEBENCH_CACHE": str(chosen.out / "cache")}
    peaks = []
    for clips in chosen.clips:
        out = chosen.out / str(clips)
        root = make_copy(out, clips, chosen.frames, chosen.jobs, linked=True)
        shutil.rmtree(chosen.out / "cache", ignore_errors=True)
        command = [sys.executable, "-m", "mebench", "data", "prepare", "casme2"]
        command += ["--root", str(root), "--json", "--landmarks", chosen.landmarks]
        if chosen.landmarks == "given":
            command += ["--landmarks-root", str(out / "points")]
        command += ["--size", str(chosen.size), "--jobs", str(chosen.jobs)]
        peaks.append(peak_mb(command, environment))
        print(f"{clips} clips of {chosen.frames} frames, jobs {chosen.jobs}: {peaks[-1]:.1f} MB")
    print(f"{chosen.clips[1] / chosen.clips[0]:.0f} times the clips: {peaks[1] / peaks[0]:.3f}")


if __name__ == "__main__":
    main()
