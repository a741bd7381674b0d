"""Times a training step of the paper configuration: as published, and as mebench makes it.

Usage: python -m benchmarks.fomm_training [--size 256] [--batch 1] [--passes 3]
CPU seconds of one thread a step, passes interleaved; the losses must agree. The loss network
has seeded weights, which cost what the published ones cost.
"""

from __future__ import annotations

import argparse
import resource
import time

import torch
from torch import Tensor

from benchmarks.fomm_inference import COMMON, clip, networks
from mebench.methods.fomm.blocks import ImagePyramid, inverse2
from mebench.methods.fomm.discriminator import MultiScaleDiscriminator
from mebench.methods.fomm.losses import (
    LossWeights,
    PairBatch,
    discriminator_loss,
    generator_losses,
)
from mebench.methods.fomm.model import to_tensor
from mebench.methods.fomm.perceptual import PerceptualLoss, Vgg19
from mebench.methods.fomm.transform import Transform
from mebench.weights import seeded_state

SCALES = (1.0, 0.5, 0.25, 0.125)


class Step:
    """Networks, optimisers and one fixed batch."""

    def __init__(self, size: int, batch: int, channels_last: bool) -> None:
        detector, generator = networks()
        torch.manual_seed(1)
        critic = MultiScaleDiscriminator((1,), 3, 32, 4, 512)
        vgg = Vgg19()
        vgg.load_state_dict(seeded_state(vgg, 0))
        self.detector, self.generator = detector.train(), generator.train()
        self.critic = critic.train()
        self.vgg = vgg
        self.perceptual = PerceptualLoss(network=vgg)
        self.adam = torch.optim.Adam(
            [*detector.parameters(), *generator.parameters()], lr=2e-4, betas=(0.5, 0.999)
        )
        self.critic_adam = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
        frames, points = clip(2 * batch, size)
        pictures = to_tensor(frames)
        if channels_last:
            pictures = pictures.contiguous(memory_format=torch.channels_last)
            for network in (detector, generator, critic, vgg):
                network.to(memory_format=torch.channels_last)
        self.template, self.driving = pictures[:batch], pictures[batch:]
        self.points = torch.from_numpy(points)[None].expand(batch, -1, -1)
        self.transform = Transform.random(
            batch, sigma_affine=0.05, sigma_tps=0.005, points_tps=5,
            generator=torch.Generator().manual_seed(2), device=torch.device("cpu"),
        )  # fmt: skip


def literal(step: Step) -> dict[str, float]:
    """Every part recomputed and every gradient kept, as the published trainer does."""
    detector, generator, critic = step.detector, step.generator, step.critic
    pyramid = ImagePyramid(SCALES)
    kp_template = detector(step.template, step.points)
    kp_driving = detector(step.driving, step.points)
    out = generator(step.template, kp_driving, kp_template)
    real, fake = pyramid(step.driving), pyramid(out["prediction"])
    losses: dict[str, Tensor] = {}
    total = torch.zeros(())
    for scale in SCALES:
        if min(fake[scale].shape[-2:]) < 16:
            continue
        for a, b in zip(step.vgg(fake[scale]), step.vgg(real[scale]), strict=True):
            total = total + 10 * (a - b.detach()).abs().mean()
    losses["perceptual"] = total
    judged_fake, judged_real = critic(fake), critic(real)
    losses["gen_gan"] = sum(((1 - one.score) ** 2).mean() for one in judged_fake)
    losses["feature_matching"] = sum(
        10 * (a - b).abs().mean()
        for one, other in zip(judged_real, judged_fake, strict=True)
        for a, b in zip(one.features, other.features, strict=True)
    )
    frame = step.transform.frame(step.driving, False)
    found = detector(frame, step.points)
    gap = (kp_driving.value - step.transform.warp(found.value)).abs().mean()
    losses["equivariance_value"] = 10 * gap
    moved = step.transform.jacobian(found.value) @ found.jacobian
    change = torch.eye(2) - inverse2(kp_driving.jacobian) @ moved
    losses["equivariance_jacobian"] = 10 * change.abs().mean()
    torch.stack([value.mean() for value in losses.values()]).sum().backward()
    step.adam.step()
    step.adam.zero_grad()
    step.critic_adam.zero_grad()
    fake = {scale: picture.detach() for scale, picture in fake.items()}
    judged_real, judged_fake = critic(real), critic(fake)
    judged = sum(
        ((1 - a.score) ** 2 + b.score**2).mean()
        for a, b in zip(judged_real, judged_fake, strict=True)
    )
    judged.backward()
    step.critic_adam.step()
    step.critic_adam.zero_grad()
    return {
        **{name: float(value.detach()) for name, value in losses.items()},
        "critic": float(judged.detach()),
    }


def ours(step: Step) -> dict[str, float]:
    """The step of `mebench.methods.fomm.training`, its losses and its order."""
    pyramid = ImagePyramid((1.0,))
    weights = LossWeights()
    batch = PairBatch(step.template, step.driving, step.points, step.points)
    step.critic.requires_grad_(False)
    made = generator_losses(
        step.detector, step.generator, batch, weights, transform=step.transform,
        discriminator=step.critic, pyramid=pyramid, perceptual=step.perceptual,
    )  # fmt: skip
    step.adam.zero_grad()
    made.total.backward()
    step.adam.step()
    step.critic.requires_grad_(True)
    generated = made.generated["prediction"].detach()
    judged = discriminator_loss(step.critic, pyramid(step.driving), pyramid(generated), weights)
    step.critic_adam.zero_grad()
    judged.backward()
    step.critic_adam.step()
    return {
        **{n: float(value.detach()) for n, value in made.losses.items()},
        "critic": float(judged.detach()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ways = {
        "as published": (literal, False),
        "ours": (ours, False),
        "ours, channels last": (ours, True),
    }
    steps = {name: Step(options.size, options.batch, last) for name, (_, last) in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    first: dict[str, dict[str, float]] = {}
    for _ in range(options.passes):
        for name, (way, _) in ways.items():
            start = time.process_time()
            losses = way(steps[name])
            seconds[name].append(time.process_time() - start)
            first.setdefault(name, losses)
    published = first["as published"]
    base = min(seconds["as published"])
    print(f"{options.size} px, batch {options.batch}, points {COMMON['num_kp']}")
    print("| step | CPU s | speed-up | largest relative difference of a loss, first step |")
    print("|---|--:|--:|--:|")
    for name in ways:
        gap = max(
            abs(first[name][key] - value) / max(abs(value), 1e-6)
            for key, value in published.items()
        )
        best = min(seconds[name])
        print(f"| {name} | {best:.2f} | {base / best:.2f} | {gap:.1e} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of the process, which holds all {len(ways)}: {peak:.0f} MB")


if __name__ == "__main__":
    main()
