"""Times inference of the paper configuration: frame by frame as published, and as mebench runs it.

Usage: python benchmarks/fomm_inference.py [--frames 8] [--batch 4] [--passes 2] [--size 256]
CPU seconds of one thread a frame, passes interleaved, and the largest difference of the pictures.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from mebench.methods.fomm.generator import OcclusionAwareGenerator
from mebench.methods.fomm.keypoints import KPDetector
from mebench.methods.fomm.model import Animator, DrivingPoints, normalize_kp, to_tensor

COMMON = {"num_kp": 18, "num_channels": 3, "estimate_jacobian": True}
DETECTOR = {
    "temperature": 0.1,
    "block_expansion": 32,
    "max_features": 1024,
    "scale_factor": 0.25,
    "num_blocks": 5,
}
GENERATOR = {
    "block_expansion": 64,
    "max_features": 512,
    "num_down_blocks": 2,
    "num_bottleneck_blocks": 6,
    "estimate_occlusion_map": True,
    "dense_motion_params": {
        "block_expansion": 64,
        "max_features": 1024,
        "num_blocks": 5,
        "scale_factor": 0.25,
    },
}


def networks() -> tuple[KPDetector, OcclusionAwareGenerator]:
    """Random weights, with norms that have seen something and Jacobians that vary."""
    torch.manual_seed(0)
    detector = KPDetector(**COMMON, **DETECTOR)
    generator = OcclusionAwareGenerator(**COMMON, **GENERATOR)
    torch.nn.init.normal_(detector.jacobian.weight, std=2e-3)
    for network in (detector, generator):
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d) and module is not detector.jacobian:
                torch.nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 1.5)
                torch.nn.init.uniform_(module.weight, 0.8, 1.2)
    return detector.eval(), generator.eval()


def clip(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A smooth moving picture and 18 points on it."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    phases = rng.uniform(0, 6, (count, 1, 1, 3)) * 0.05 + np.arange(3)
    waves = 0.5 + 0.4 * np.sin(9 * x[None, ..., None] + 7 * y[None, ..., None] + phases)
    points = rng.uniform(0.2 * size, 0.8 * size, (18, 2)).astype(np.float32)
    return np.round(255 * waves).astype(np.uint8), points


@torch.no_grad()
def literal(
    detector: KPDetector, generator: OcclusionAwareGenerator, frames: np.ndarray, points: np.ndarray
) -> torch.Tensor:
    """Frame by frame, everything recomputed, as the published script does."""
    where = torch.from_numpy(points)[None]
    template = to_tensor(frames[:1])
    kp_template = detector(template, where)
    kp_initial = detector(to_tensor(frames[:1]), where)
    pictures = []
    for frame in frames:
        kp_driving = detector(to_tensor(frame[None]), where)
        moved = normalize_kp(kp_template, kp_driving, kp_initial)
        pictures.append(generator(template, moved, kp_template)["prediction"])
    return torch.cat(pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(1)
    detector, generator = networks()
    frames, points = clip(options.frames, options.size)
    given = DrivingPoints(points)

    def run(animator: Animator) -> torch.Tensor:
        return torch.cat(list(animator.pictures(frames[0], points, frames, given)))

    plain = Animator(detector, generator, batch_size=options.batch, fast=False)
    fast = Animator(detector, generator, batch_size=options.batch)
    ways = {
        "literal, frame by frame": lambda: literal(detector, generator, frames, points),
        f"template once, batch {options.batch}": lambda: run(plain),
        f"and folded, split, channels last (batch {options.batch})": lambda: run(fast),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    pictures = {}
    for _ in range(options.passes):
        for name, way in ways.items():
            start = time.process_time()
            pictures[name] = way()
            seconds[name].append(time.process_time() - start)
    names = list(ways)
    base = min(seconds[names[0]])
    print("| way | CPU s a frame | speed-up | largest difference |")
    print("|---|--:|--:|--:|")
    for name in names:
        best = min(seconds[name])
        gap = (pictures[name] - pictures[names[0]]).abs().max().item()
        print(f"| {name} | {best / options.frames:.3f} | {base / best:.2f} | {gap:.1e} |")


if __name__ == "__main__":
    main()
