"""All figures of a GPU in one call of a few minutes: training, inference, precision, use.

Usage: python -m benchmarks.gpu [--device cuda:0] [--seconds 20]

Prints a table for each baseline of the family at the size of its preset: frames a second of
generation by batch, steps a second of training in fp32 and bf16, peak memory, and the GPU's use as
nvidia-smi tells it while it trains. On a CPU it runs too, to see that nothing is broken; its
numbers are no GPU figures then.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import numpy as np
import torch

from mebench import spec
from mebench.methods.catalogue import baseline_spec
from mebench.methods.fomm.blocks import Keypoints
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.networks import Networks, build
from mebench.methods.fomm.objective import Objective
from mebench.methods.fomm.painter import MAPS, Prior
from mebench.methods.fomm.sampling import Batch

ROWS = (("fomm-prior", "default"), ("fomm-prior", "paper"), ("fomm", "paper"), ("mraa", "paper"))
BATCHES = (1, 8, 32)


def config_of(name: str, preset: str) -> FommConfig:
    return spec.parse(FommConfig, baseline_spec(name).presets[preset], f"{name}, {preset}")


def batch_of(config: FommConfig, pairs: int, device: torch.device) -> Batch:
    """Random pairs of the shapes that training sees."""
    size, count = config.model.size, config.point_count
    made = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return torch.rand(pairs, *shape, generator=made)

    start = noise(count, 2) * size
    painted = config.model.blend == "painter"
    return Batch(
        template=noise(3, size, size),
        driving=noise(3, size, size),
        template_points=start,
        driving_points=start + 0.5 * noise(count, 2),
        driving_jacobians=torch.eye(2) + 0.01 * noise(count, 2, 2),
        flow=0.3 * noise(size, size, 2),
        flow_known=torch.ones(pairs, dtype=torch.bool),
        clip=torch.zeros(pairs, dtype=torch.int64),
        maps=noise(MAPS, size, size) if painted else torch.zeros(pairs, 0),
        unit=torch.full((pairs,), 0.3 * size),
        change=0.02 * noise(3, size, size) if painted else torch.zeros(pairs, 0),
    ).to(device)


def rate(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Return how often a second `work` is done."""
    for _ in range(3):
        work()
    synchronise(device)
    count, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        work()
        count += 1
        if count % 10 == 0:
            synchronise(device)
    synchronise(device)
    return count / (time.monotonic() - began)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def frames_a_second(config: FommConfig, batch: int, device: torch.device, seconds: float) -> float:
    networks = build(config, 0)
    pairs = batch_of(config, batch, device)
    for module in networks.modules().values():
        module.to(device).eval()
    at, to = points_of(networks, config, pairs)
    prior = Prior(pairs.maps, pairs.unit) if config.model.blend == "painter" else None

    def work() -> None:
        with torch.inference_mode():
            networks.generator(pairs.template, to, at, prior=prior)

    return batch * rate(work, device, seconds)


def points_of(networks: Networks, config: FommConfig, pairs: Batch) -> tuple[Keypoints, Keypoints]:
    with torch.inference_mode():
        if config.model.prior == "none":
            return networks.detector(pairs.template), networks.detector(pairs.driving)
        given = pairs.driving_jacobians if config.measures else None
        at = networks.detector(pairs.template, pairs.template_points)
        return at, networks.detector(pairs.driving, pairs.driving_points, given)


def steps_a_second(config: FommConfig, device: torch.device, seconds: float, half: bool) -> float:
    networks = build(config, 0)
    for module in networks.modules().values():
        module.to(device).train()
    losses = config.train.losses.model_copy(
        update={"perceptual": 0.0, "gan": 0.0, "equivariance_value": 0.0,
                "equivariance_jacobian": 0.0, "pixel": 10.0}
    )  # fmt: skip
    plain = config.model_copy(update={"train": config.train.model_copy(update={"losses": losses})})
    objective = Objective(plain, networks)
    optimiser = torch.optim.Adam([p for p in objective.parameters() if p.requires_grad])
    pairs = batch_of(config, config.train.batch, device)

    def work() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            outcome = objective(pairs, None, None, False)
            loss = torch.stack([one.float() for one in outcome.losses.values()]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return rate(work, device, seconds)


@contextmanager
def used(device: torch.device) -> Iterator[list[float]]:
    """Collect the GPU's use in percent, once a second."""
    found: list[float] = []
    if device.type != "cuda" or shutil.which("nvidia-smi") is None:
        yield found
        return
    done = Event()

    def look() -> None:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not done.wait(1.0):
            told = subprocess.run(query, capture_output=True, text=True, check=False).stdout
            found.append(float(told.split()[device.index or 0]))

    watch = Thread(target=look, daemon=True)
    watch.start()
    yield found
    done.set()
    watch.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, default=15.0, help="Of each measurement.")
    chosen = parser.parse_args()
    device = torch.device(chosen.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "a processor"
    print(f"{name}, torch {torch.__version__}\n")
    heads = [f"frames/s, batch {batch}" for batch in BATCHES]
    heads += ["steps/s, fp32", "steps/s, bf16", "use in training", "peak GiB"]
    print("| baseline, preset | " + " | ".join(heads) + " |\n|---|" + "--:|" * len(heads))
    for baseline, preset in ROWS:
        config = config_of(baseline, preset)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        cells = [
            f"{frames_a_second(config, batch, device, chosen.seconds / 3):.0f}" for batch in BATCHES
        ]
        with used(device) as use:
            for half in (False, True):
                cells.append(f"{steps_a_second(config, device, chosen.seconds, half):.2f}")
        cells.append(f"{np.mean(use):.0f} %" if use else "--")
        peak = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0
        cells.append(f"{peak:.1f}" if peak else "--")
        print(f"| {baseline}, {preset} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
