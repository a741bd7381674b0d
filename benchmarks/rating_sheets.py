"""What a picture codec does to a micro-expression, and what it saves.

Run after a baseline's run: ``python -m benchmarks.rating_sheets RUN`` (its submission and the
SynthME data beside it). Each clip is written as the sheet a rating bundle shows.
"""

from __future__ import annotations

import argparse
import io
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.scoring import requirement_of
from mebench.settings import cache_folder
from mebench.submission.validate import open_submission
from mebench.types import Frames

WAYS: dict[str, dict[str, object]] = {
    "lossless": {"lossless": True, "quality": 20, "method": 2},
    "lossless, most effort": {"lossless": True, "quality": 75, "method": 4},
    "quality 100": {"quality": 100, "method": 4},
    "quality 90": {"quality": 90, "method": 4},
    "quality 82": {"quality": 82, "method": 4},
}


def sheet(frames: Frames, columns: int = 12) -> np.ndarray:
    rows = -(-len(frames) // columns)
    side = frames.shape[1]
    whole = np.zeros((rows * columns, *frames.shape[1:]), np.uint8)
    whole[: len(frames)] = frames
    tiled = whole.reshape(rows, columns, side, side, 3).transpose(0, 2, 1, 3, 4)
    return tiled.reshape(rows * side, columns * side, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--protocol", default="synthme")
    chosen = parser.parse_args()
    data = open_protocol(
        load_protocol(chosen.protocol), {"synthme": chosen.run / "data"}, cache=cache_folder()
    )
    submission = open_submission(chosen.run / "submission", requirement_of(data))
    megabytes: dict[str, list[float]] = defaultdict(list)
    errors: dict[str, list[float]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    changes = []
    for pair in data.pairs:
        for frames in (submission.frames(pair), np.asarray(data.driving[pair.driving].frames)):
            whole = sheet(frames)
            changes.append(np.abs(frames.astype(np.int16) - frames[0]).mean())
            for name, options in WAYS.items():
                out = io.BytesIO()
                begun = time.perf_counter()
                Image.fromarray(whole).save(out, "WEBP", **options)
                seconds[name].append(time.perf_counter() - begun)
                back = np.asarray(Image.open(out).convert("RGB")).astype(np.int16)
                megabytes[name].append(len(out.getvalue()) / 1e6)
                errors[name].append(np.abs(back - whole).mean())
    print(f"change since frame 0: {np.mean(changes):.2f} grey levels, {len(changes)} clips\n")
    print("| sheet | mean error (grey levels) | MB a clip | time |\n|---|---|---|---|")
    base = np.mean(seconds["lossless"])
    for name in WAYS:
        cells = f"{np.mean(errors[name]):.2f} | {np.mean(megabytes[name]):.2f}"
        print(f"| {name} | {cells} | {np.mean(seconds[name]) / base:.1f} |")


if __name__ == "__main__":
    main()
