"""Times inference of the paper configuration: frame by frame as published, and as mebench runs it.

Usage: python -m benchmarks.fomm_inference [--size 256] [--batch 4] [--frames 8] [--passes 3]
       python -m benchmarks.fomm_inference --tables
CPU seconds of one thread a frame, each way in a process of its own, passes in turn; the largest
difference of the pictures from the published way's; the most memory of each process. `--tables`
shows the cost by resolution and batch.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from benchmarks import fomm_published
from benchmarks.interleaved import Make, Measured, measure
from mebench.methods.fomm.denormals import without_denormals
from mebench.methods.fomm.generator import OcclusionAwareGenerator
from mebench.methods.fomm.keypoints import KPDetector
from mebench.methods.fomm.model import Animator, DrivingPoints, to_tensor

PUBLISHED = "as published, frame by frame"

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


def networks(size: int = 256) -> tuple[KPDetector, OcclusionAwareGenerator]:
    """Random weights, with norms that have seen something and Jacobians that vary.

    Below 128 pixels the hourglasses have a level less: their maps cannot be halved five times.
    """
    torch.manual_seed(0)
    levels = {"num_blocks": 5 if size >= 128 else 4}
    motion = {**GENERATOR["dense_motion_params"], **levels}
    detector = KPDetector(**{**COMMON, **DETECTOR, **levels})
    generator = OcclusionAwareGenerator(**{**COMMON, **GENERATOR, "dense_motion_params": motion})
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


def published(size: int, frames: int) -> Callable[[], np.ndarray]:
    """Frame by frame; the template is encoded for every frame and every output is computed."""
    detector, generator = networks(size)
    pictures, points = clip(frames + 1, size)
    where = torch.from_numpy(points)[None]

    def run() -> np.ndarray:
        template, driving = to_tensor(pictures[:1]), to_tensor(pictures[1:])
        return fomm_published.animate(detector, generator, template, driving, where)

    return run


def ours(size: int, frames: int, batch: int, fast: bool = True) -> Callable[[], np.ndarray]:
    """What `mebench` runs; `fast=False` leaves layers and the allocator as they are."""
    detector, generator = networks(size)
    pictures, points = clip(frames + 1, size)
    animator = Animator(detector, generator, batch_size=batch, fast=fast)

    def run() -> np.ndarray:
        made = animator.pictures(pictures[0], points, pictures[1:], DrivingPoints(points))
        return np.concatenate(without_denormals(lambda: [one.numpy() for one in made]))

    return run


def gap(one: Measured, other: Measured) -> float:
    return float(np.abs(one.first - other.first).max())


def compare(options: argparse.Namespace) -> None:
    batch = options.batch
    ways: dict[str, Make] = {
        PUBLISHED: published,
        f"template once, batch {batch}": partial(ours, batch=batch, fast=False),
        "and quick layers, memory kept, batch 1": partial(ours, batch=1),
        f"and quick layers, memory kept, batch {batch}": partial(ours, batch=batch),
    }
    found = measure(ways, options.passes, size=options.size, frames=options.frames)
    base = found[PUBLISHED]
    print("| way | CPU s a frame | speed-up | largest difference | peak MB |")
    print("|---|--:|--:|--:|--:|")
    for name, one in found.items():
        cost, ratio = one.best / options.frames, base.best / one.best
        difference = gap(one, base)
        print(f"| {name} | {cost:.3f} | {ratio:.2f} | {difference:.1e} | {one.peak_mb:.0f} |")


def tables(options: argparse.Namespace) -> None:
    print("| size | way | CPU s a frame | speed-up | largest difference | peak MB |")
    print("|--:|---|--:|--:|--:|--:|")
    for size in (64, 128, 256):
        ways: dict[str, Make] = {PUBLISHED: published}
        ways |= {f"mebench, batch {n}": partial(ours, batch=n) for n in (1, 2, 4, 8)}
        found = measure(ways, options.passes, size=size, frames=options.frames)
        base = found[PUBLISHED]
        for name, one in found.items():
            cost, ratio = one.best / options.frames, base.best / one.best
            print(
                f"| {size} | {name} | {cost:.4f} | {ratio:.2f} | {gap(one, base):.1e} "
                f"| {one.peak_mb:.0f} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--tables", action="store_true")
    options = parser.parse_args()
    (tables if options.tables else compare)(options)


if __name__ == "__main__":
    main()
