"""Reading training batches: from the prepared cache, and by decoding a PNG for every frame.

Run: ``python -m benchmarks.prepare_reading --root DIR [--batches 200] [--workers 0]`` on an export
of ``mebench data synth``. Both give the same onset and apex frames of 256 px in the same batches.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, RandomSampler

from mebench.datasets.base import load_dataset
from mebench.io.frames import write_png
from mebench.preprocess.landmarks import GivenLandmarks
from mebench.preprocess.prepare import PreparedSet, prepare
from mebench.preprocess.torch_data import ClipData
from mebench.synthme.truth import Truth

BATCH = 16


class PngPairs(Dataset[dict[str, Any]]):
    """Onset and apex decoded with OpenCV for every item, as training code without a cache does."""

    def __init__(self, prepared: PreparedSet, folder: Path) -> None:
        self.paths = []
        for clip in prepared:
            pair = []
            for index in (0, clip.apex_index or 0):
                pair.append(folder / clip.key / f"{index:05d}.png")
                write_png(pair[-1], clip.frames[index])
            self.paths.append((clip.key, pair))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        key, pair = self.paths[index]
        frames = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in pair]
        stacked = torch.stack([torch.from_numpy(frame) for frame in frames])
        return {"frames": stacked.permute(0, 3, 1, 2), "key": key}


def items_a_second(data: Dataset[dict[str, Any]], batches: int, workers: int) -> float:
    """Return items a second over some batches, after one round that warms the file cache."""
    for item in range(len(data)):  # type: ignore[arg-type]
        data[item]
    sampler = RandomSampler(
        data,  # type: ignore[arg-type]
        replacement=True,
        num_samples=batches * BATCH,
        generator=torch.Generator().manual_seed(0),
    )
    loader = DataLoader(data, BATCH, sampler=sampler, num_workers=workers)
    start = time.perf_counter()
    seen = sum(len(batch["key"]) for batch in loader)
    return seen / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="A SynthME export.")
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--workers", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    truth = Truth(chosen.root)
    with tempfile.TemporaryDirectory() as place:
        prepared = prepare(
            load_dataset("casme2", chosen.root / "casme2").clips(),
            size=256,
            landmarker=GivenLandmarks(truth.landmarks_folder),
            cache=Path(place) / "cache",
        )
        cached, decoded = ClipData(prepared), PngPairs(prepared, Path(place) / "png")
        for index in range(len(cached)):
            if not torch.equal(cached[index]["frames"], decoded[index]["frames"]):
                raise SystemExit(f"{cached[index]['key']}: the two give other frames")
        rates = [items_a_second(data, chosen.batches, chosen.workers) for data in (cached, decoded)]
    print(f"cache {rates[0]:.0f} pairs a second, PNG {rates[1]:.0f}: {rates[0] / rates[1]:.1f} x")


if __name__ == "__main__":
    main()
