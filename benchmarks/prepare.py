"""``mebench data prepare`` against the straightforward script, on the same clips.

Run: ``python -m benchmarks.prepare --out DIR [--clips 200] [--frames 64] [--jobs 2]`` (needs the
extra ``dlib``). The script reads every frame with OpenCV, finds the face in every frame with dlib's
frontal detector, crops it and writes a PNG. Both use dlib and the same number of processes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.prepare_clips import make_copy

SIZE = 256


def script(folder: Path, out: Path, upsample: int) -> int:
    """Prepare one clip as a short script would; return its number of frames."""
    import cv2
    import dlib

    cv2.setNumThreads(1)
    detector = dlib.get_frontal_face_detector()
    out.mkdir(parents=True, exist_ok=True)
    done = 0
    for path in sorted(folder.iterdir()):
        image = cv2.imread(str(path))
        faces = detector(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), upsample)
        if not faces:
            continue
        box = max(faces, key=lambda face: face.area())
        top, left = max(box.top(), 0), max(box.left(), 0)
        crop = image[top : box.bottom(), left : box.right()]
        cv2.imwrite(str(out / f"{path.stem}.png"), cv2.resize(crop, (SIZE, SIZE)))
        done += 1
    return done


def run_script(folders: list[Path], out: Path, upsample: int, jobs: int) -> None:
    from joblib import Parallel, delayed

    Parallel(n_jobs=jobs)(
        delayed(script)(folder, out / folder.parent.name / folder.name, upsample)
        for folder in folders
    )


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds on the clock and seconds of processor time of finished child processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    work()
    spent = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--part", type=int, help="Time the slower script on so many clips only.")
    parser.add_argument("--script", type=int, metavar="UPSAMPLE", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    root = make_copy(chosen.out, chosen.clips, chosen.frames, chosen.jobs)
    folders = sorted(root.glob("*/*/EP*"))
    if chosen.script is not None:
        part = folders[: chosen.part] if chosen.script else folders
        run_script(part, chosen.out / "script", chosen.script, chosen.jobs)
        return
    environment = {**os.environ, "MEBENCH_CACHE": str(chosen.out / "cache")}
    measured: list[tuple[str, int, float, float]] = []
    ours = [sys.executable, "-m", "mebench", "data", "prepare", "casme2", "--root", str(root)]
    ours += ["--size", str(SIZE), "--jobs", str(chosen.jobs), "--json"]
    for name, given in (
        ("data prepare --landmarks dlib", ["--landmarks", "dlib"]),
        ("data prepare --landmarks given", ["--landmarks-root", str(chosen.out / "points")]),
    ):
        shutil.rmtree(chosen.out / "cache", ignore_errors=True)
        told: list[str] = []

        def call(given: list[str] = given, told: list[str] = told) -> None:
            done = subprocess.run(
                [*ours, *given], env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            told.append(done.stdout)

        clock, processor = timed(call)
        report = json.loads(told[0])
        if report["made"] != chosen.clips or report["failures"]:
            raise SystemExit(f"not all clips were prepared: {report}")
        measured.append((name, chosen.clips, clock, processor))
    again = [sys.executable, "-m", "benchmarks.prepare", *sys.argv[1:]]
    for upsample in (0, 1):
        shutil.rmtree(chosen.out / "script", ignore_errors=True)
        clock, processor = timed(
            lambda: subprocess.run([*again, "--script", str(upsample)], check=True)  # noqa: B023
        )
        written = sum(1 for _ in (chosen.out / "script").rglob("*.png"))
        count = chosen.part if chosen.part and upsample else chosen.clips
        name = f"script, detector(image, {upsample}), {written} faces found"
        measured.append((name, count, clock, processor))
    best = measured[0]
    print(f"\n{chosen.frames} frames of 640x480 a clip, {chosen.jobs} processes\n")
    print("| | clips | s | processor s | clips a second | times as long | of processor time |")
    print("|---|---|---|---|---|---|---|")
    for name, count, clock, processor in measured:
        slower = [clock / count / (best[2] / best[1]), processor / count / (best[3] / best[1])]
        print(
            f"| {name} | {count} | {clock:.0f} | {processor:.0f} | {count / clock:.2f} "
            f"| {slower[0]:.1f} | {slower[1]:.1f} |"
        )


if __name__ == "__main__":
    main()
