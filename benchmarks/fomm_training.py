"""Times a training step of the paper configuration: as published, and as mebench makes it.

Usage: python -m benchmarks.fomm_training [--size 256] [--batch 1] [--passes 3]
       python -m benchmarks.fomm_training --tables
CPU seconds of one thread a step, each way in a process of its own, steps in turn; the losses of the
first step must agree; the most memory of each process. The loss network has seeded weights, which
cost what the published ones cost. `--tables` shows the cost by resolution and batch.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.fomm_inference import clip, networks
from benchmarks.fomm_published import detect, generate, judge, slopes, smaller, vgg_features
from benchmarks.interleaved import Make, Measured, measure
from mebench.methods.fomm.allocator import keep_freed_memory
from mebench.methods.fomm.blocks import ImagePyramid
from mebench.methods.fomm.denormals import without_denormals
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
from mebench.methods.fomm.winograd import WideConv2d
from mebench.weights import seeded_state

SCALES = (1.0, 0.5, 0.25, 0.125)
PUBLISHED = "as published"


class Step:
    """Networks, optimisers and one fixed batch."""

    def __init__(self, size: int, batch: int, *, together: bool, fused: bool) -> None:
        detector, generator = networks(size)
        torch.manual_seed(1)
        critic = MultiScaleDiscriminator((1,), 3, 32, 4, 512)
        vgg = Vgg19()
        vgg.load_state_dict(seeded_state(vgg, 0))
        self.detector, self.generator = detector.train(), generator.train()
        self.critic = critic.train()
        self.vgg = vgg
        self.perceptual = PerceptualLoss(network=vgg)
        self.pyramid = ImagePyramid(SCALES)
        parts = [[*detector.parameters()], [*generator.parameters()]]
        groups = [[*parts[0], *parts[1]]] if together else parts
        self.adams = [self._adam(group, fused) for group in groups]
        self.critic_adam = self._adam([*critic.parameters()], fused)
        frames, points = clip(2 * batch, size)
        pictures = to_tensor(frames)
        self.template, self.driving = pictures[:batch], pictures[batch:]
        self.points = torch.from_numpy(points)[None].expand(batch, -1, -1)
        self.transform = Transform.random(
            batch, sigma_affine=0.05, sigma_tps=0.005, points_tps=5,
            generator=torch.Generator().manual_seed(2), device=torch.device("cpu"),
        )  # fmt: skip

    @staticmethod
    def _adam(parameters: list[torch.nn.Parameter], fused: bool) -> torch.optim.Adam:
        return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999), fused=fused or None)

    def scales(self, image: Tensor) -> dict[float, Tensor]:
        """The pyramid, blurred at full size."""
        downs = zip(SCALES, self.pyramid.downs, strict=True)
        return {scale: smaller(down, image) for scale, down in downs}


def numbers(losses: dict[str, Tensor], critic: Tensor) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in {**losses, "critic": critic}.items()}


def published_step(step: Step) -> dict[str, float]:
    """Every part recomputed and every gradient kept, as the published trainer does."""
    detector, generator, critic = step.detector, step.generator, step.critic
    still = detect(detector, step.template, step.points)
    driving = detect(detector, step.driving, step.points)
    out = generate(generator, step.template, driving, still)
    real, fake = step.scales(step.driving), step.scales(out["prediction"])
    losses: dict[str, Tensor] = {}
    total = torch.zeros(())
    for scale in SCALES:
        # As published a picture of 8 pixels, which the last pooling empties, gives no number.
        if min(fake[scale].shape[-2:]) < 16:
            continue
        made, wanted = vgg_features(step.vgg, fake[scale]), vgg_features(step.vgg, real[scale])
        for a, b in zip(made, wanted, strict=True):
            total = total + 10 * (a - b.detach()).abs().mean()
    losses["perceptual"] = total
    judged_fake, judged_real = judge(critic, fake[1.0]), judge(critic, real[1.0])
    losses["gen_gan"] = ((1 - judged_fake[-1]) ** 2).mean()
    pairs = zip(judged_real[:-1], judged_fake[:-1], strict=True)
    losses["feature_matching"] = sum(10 * (a - b).abs().mean() for a, b in pairs)
    found = detect(detector, step.transform.frame(step.driving, False), step.points)
    away = (driving["value"] - step.transform.warp(found["value"])).abs().mean()
    losses["equivariance_value"] = 10 * away
    moved = torch.matmul(slopes(step.transform, found["value"]), found["jacobian"])
    change = torch.eye(2) - torch.matmul(torch.inverse(driving["jacobian"]), moved)
    losses["equivariance_jacobian"] = 10 * change.abs().mean()
    sum(value.mean() for value in losses.values()).backward()
    for adam in step.adams:
        adam.step()
        adam.zero_grad()
    step.critic_adam.zero_grad()
    real, fake = step.scales(step.driving), step.scales(out["prediction"].detach())
    judged_fake, judged_real = judge(critic, fake[1.0]), judge(critic, real[1.0])
    judged = ((1 - judged_real[-1]) ** 2 + judged_fake[-1] ** 2).mean()
    judged.backward()
    step.critic_adam.step()
    step.critic_adam.zero_grad()
    return numbers(losses, judged)


def our_step(step: Step) -> dict[str, float]:
    """The step of `mebench.methods.fomm.engine`, its losses and its order."""
    pyramid = ImagePyramid((1.0,))
    weights = LossWeights()
    batch = PairBatch(step.template, step.driving, step.points, step.points)
    step.critic.requires_grad_(False)
    for adam in step.adams:
        adam.zero_grad()
    made = generator_losses(
        step.detector, step.generator, batch, weights, transform=step.transform,
        discriminator=step.critic, pyramid=pyramid, perceptual=step.perceptual,
    )  # fmt: skip
    made.total.backward()
    for adam in step.adams:
        adam.step()
    step.critic.requires_grad_(True)
    generated = made.generated["prediction"].detach()
    losses = {name: value.detach() for name, value in made.losses.items()}
    del made
    step.critic_adam.zero_grad()
    judged = discriminator_loss(step.critic, pyramid(step.driving), pyramid(generated), weights)
    judged.backward()
    step.critic_adam.step()
    return numbers(losses, judged)


def published(size: int, batch: int) -> Callable[[], dict[str, float]]:
    step = Step(size, batch, together=False, fused=False)
    return lambda: published_step(step)


def ours(
    size: int, batch: int, *, tiles: bool = True, keep: bool = True, fused: bool = True
) -> Callable[[], dict[str, float]]:
    """What mebench does, or all of it but one part."""
    if keep:
        keep_freed_memory()
    step = Step(size, batch, together=True, fused=fused)
    if not tiles:
        for network in (step.detector, step.generator, step.vgg):
            for module in network.modules():
                if isinstance(module, WideConv2d):
                    module.tiles = False
    return lambda: without_denormals(lambda: our_step(step))


def gap(one: Measured, other: Measured) -> float:
    """The largest relative difference of a loss."""
    return max(
        abs(one.first[name] - value) / max(abs(value), 1e-6) for name, value in other.first.items()
    )


def row(name: str, one: Measured, base: Measured) -> str:
    return (
        f"| {name} | {one.best:.2f} | {base.best / one.best:.2f} | {gap(one, base):.1e} "
        f"| {one.peak_mb:.0f} |"
    )


HEADS = ("CPU s a step", "speed-up", "largest relative difference of a loss", "peak MB")


def compare(options: argparse.Namespace) -> None:
    ways: dict[str, Make] = {
        PUBLISHED: published,
        "mebench": ours,
        "mebench, PyTorch's convolutions": partial(ours, tiles=False),
        "mebench, allocator as it is": partial(ours, keep=False),
        "mebench, Adam not fused": partial(ours, fused=False),
    }
    found = measure(ways, options.passes, size=options.size, batch=options.batch)
    print("| step | " + " | ".join(HEADS) + " |")
    print("|---|--:|--:|--:|--:|")
    for name, one in found.items():
        print(row(name, one, found[PUBLISHED]))


def tables(options: argparse.Namespace) -> None:
    print("| size | batch | step | " + " | ".join(HEADS) + " |")
    print("|--:|--:|---|--:|--:|--:|--:|")
    for size, batches in ((64, (1, 2, 4)), (128, (1, 2, 4)), (256, (1, 2))):
        for batch in batches:
            ways: dict[str, Make] = {PUBLISHED: published, "mebench": ours}
            found = measure(ways, options.passes, size=size, batch=batch)
            for name, one in found.items():
                print(f"| {size} | {batch} {row(name, one, found[PUBLISHED])}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--tables", action="store_true")
    options = parser.parse_args()
    (tables if options.tables else compare)(options)


if __name__ == "__main__":
    main()
