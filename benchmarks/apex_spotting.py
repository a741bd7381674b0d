"""How far spotted apexes lie from the true ones on SynthME, in milliseconds.

Run: ``python -m benchmarks.apex_spotting --root DIR [--jobs 2]`` on an export of ``mebench data
synth``. The annotated apexes are hidden, every method spots them, and the truth is what drew them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mebench.datasets.base import load_dataset
from mebench.preprocess.apex import ApexMethod
from mebench.preprocess.landmarks import DlibLandmarks, GivenLandmarks, Landmarker
from mebench.preprocess.prepare import prepare
from mebench.synthme.truth import Truth
from mebench.types import Clip

METHODS: tuple[ApexMethod, ...] = ("motion", "middle", "lbp")
DATASETS = ("casme2", "samm", "smic")


def hidden(clip: Clip) -> Clip:
    """Return the clip as if its annotation held no apex."""
    row = replace(clip.annotation, apex=None, apex_source="none")
    return replace(clip, annotation=row)


def errors(
    clips: Sequence[Clip],
    truth: Truth,
    method: ApexMethod,
    landmarker: Landmarker,
    cache: Path,
    jobs: int,
) -> tuple[np.ndarray, float]:
    """Return the signed error of every clip in ms and the seconds the run took."""
    start = time.perf_counter()
    prepared = prepare(clips, size=256, landmarker=landmarker, cache=cache, jobs=jobs, apex=method)
    spent = time.perf_counter() - start
    found = []
    for clip in prepared.clips:
        found.append(((clip.annotation.apex or 0) - truth.clip(clip.key).apex) / clip.fps * 1000)
    return np.array(found), spent


def row(name: str, signed: np.ndarray) -> str:
    size = np.abs(signed)
    values = (size.mean(), np.median(size), np.percentile(size, 90), size.max(), signed.mean())
    return f"| {name} | " + " | ".join(f"{value:.1f}" for value in values) + f" | {len(size)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, nargs="+", help="SynthME exports.")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--landmarks", choices=["given", "dlib"], default="given")
    chosen = parser.parse_args()
    signed: dict[tuple[str, str], list[np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for root in chosen.root:
            truth = Truth(root)
            finder: Landmarker = (
                GivenLandmarks(truth.landmarks_folder)
                if chosen.landmarks == "given"
                else DlibLandmarks()
            )
            for dataset in DATASETS:
                clips = [hidden(clip) for clip in load_dataset(dataset, root / dataset).clips()]
                place = Path(cache) / root.name
                prepare(clips, size=256, landmarker=finder, cache=place, jobs=chosen.jobs)
                frames = sum(len(clip.frame_numbers) for clip in clips)
                for method in METHODS:
                    found, spent = errors(clips, truth, method, finder, place, chosen.jobs)
                    signed.setdefault((method, dataset), []).append(found)
                    print(f"{root} {dataset} {method}: {1000 * spent / frames:.1f} ms a frame")
    print("\n| method | mean ms | median | 90th percentile | largest | bias | clips |")
    print("|---|---|---|---|---|---|---|")
    for method in METHODS:
        parts = {name: np.concatenate(signed[method, name]) for name in DATASETS}
        print(row(f"`{method}`", np.concatenate(list(parts.values()))))
        for name, values in parts.items():
            print(row(f"`{method}`, {name}", values))


if __name__ == "__main__":
    main()
