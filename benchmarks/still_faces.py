"""What the appearance metrics say of a face that does not move, and of one that moves rightly.

Run: ``python -m benchmarks.still_faces [--pairs 4]``. Scenes are SynthME's: the right
answer is the template's person making the driving clip's expression. Rows spoil it, or freeze it.
LPIPS has **seeded stand-in weights**.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import cv2
import numpy as np

from mebench.calibration.scenes import RECORDINGS, Scene
from mebench.metrics.base import Missing
from mebench.metrics.catalogue import build_metrics
from mebench.settings import cache_folder

KEYS = ("au_consistency", "au_amplitude", "flow_epe_iod", "ssim", "psnr_db", "lpips~seeded",
        "identity_distance")  # fmt: skip
FAMILIES = ("action_units", "motion", "pixel", "perceptual", "identity")


def moved(frames: np.ndarray, pixels: float) -> np.ndarray:
    """Shift every frame but the first to the right."""
    shift = np.array([[1, 0, pixels], [0, 1, 0]], np.float64)
    size = frames.shape[2], frames.shape[1]
    rest = [cv2.warpAffine(f, shift, size, borderMode=cv2.BORDER_REPLICATE) for f in frames[1:]]
    return np.stack([frames[0], *rest])


def spoilt(frames: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    wide = frames.astype(np.float64)
    noise = rng.normal(0.0, 2.0, frames.shape)
    blurred = np.stack([cv2.GaussianBlur(f, (0, 0), 0.7) for f in frames])
    return {
        "right answer": frames,
        "template, frozen": np.repeat(frames[:1], len(frames), axis=0),
        "right answer, moved half a pixel": moved(frames, 0.5),
        "right answer, 2 % brighter": np.clip(wide * 1.02, 0, 255).astype(np.uint8),
        "right answer, noise of 2 grey levels": np.clip(wide + noise, 0, 255).astype(np.uint8),
        "right answer, blurred (σ .7 px)": blurred,
        "right answer, backwards": frames[::-1].copy(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=4)
    chosen = parser.parse_args()
    metrics = build_metrics(FAMILIES, cache=cache_folder(), allow_seeded=True)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for index in range(chosen.pairs):
        scene = Scene.of(index, RECORDINGS["default"])
        for name, frames in spoilt(scene.right.frames).items():
            case = scene.case(frames)
            for metric in metrics:
                for key, value in metric.clip_values(metric.describe(case)).items():
                    if key in KEYS and not isinstance(value, Missing):
                        found[name][key].append(value)
    print(f"| generated | {' | '.join(KEYS)} |\n|{'---|' * (len(KEYS) + 1)}")
    for name, values in found.items():
        cells = (f"{np.mean(values[key]):.3f}" if values[key] else "" for key in KEYS)
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
