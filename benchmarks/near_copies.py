"""How near honest outputs and worked-over copies come to the driving clip and to the right answer.

Run after a baseline's run: ``python -m benchmarks.near_copies RUN`` (its submission, its control
rows and the SynthME data beside them). The share is that of `mebench.submission.copies`: a clip's
difference from the other over the still template's.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from mebench.calibration.damage import blur, grain, jpeg
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.scoring import requirement_of
from mebench.settings import cache_folder
from mebench.submission.copies import NEAR, share
from mebench.submission.validate import open_submission
from mebench.types import Frames


def worked_over(frames: Frames, seed: int) -> dict[str, Frames]:
    brighter = np.clip(frames.astype(np.float64) * 1.02, 0, 255).astype(np.uint8)
    return {
        "copy, JPEG 95": jpeg(frames, 95),
        "copy, JPEG 75": jpeg(frames, 75),
        "copy, noise of 1 grey level": grain(frames, 1.0, seed),
        "copy, blurred (0.5 px)": blur(frames, 0.5),
        "copy, 2 % brighter": brighter,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--protocol", default="synthme")
    chosen = parser.parse_args()
    data = open_protocol(
        load_protocol(chosen.protocol), {"synthme": chosen.run / "data"}, cache=cache_folder()
    )
    folders = [chosen.run / "submission", *sorted((chosen.run / "controls").iterdir())]
    methods = [open_submission(folder, requirement_of(data)) for folder in folders]
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number, pair in enumerate(data.pairs):
        template = data.templates[pair.template].image
        right = data.reference(pair)
        others = {"driving clip": np.asarray(data.driving[pair.driving].frames)}
        if right is not None:
            others["right answer"] = right.frames
        for other, clip in others.items():
            outputs = {m.manifest.method.id: m.frames(pair) for m in methods}
            for name, frames in {**outputs, **worked_over(clip, number)}.items():
                found[name][other].append(share(frames, template, clip))
    print(f"near below {NEAR:g}; {len(data.pairs)} pairs: smallest, median\n")
    print("| clip | against the driving clip | against the right answer |\n|---|---|---|")
    for name, sides in found.items():
        cells = (f"{min(v):.3f}, {np.median(v):.3f}" for v in sides.values())
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
