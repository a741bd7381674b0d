"""Losses, gradients and optimiser steps against the published ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from parity_stored import (
    CONFIG,
    DATA,
    FIRST_STEP,
    GRADIENT,
    LATER_STEP,
    MODULE,
    TRAIN_GRADIENT,
    WHOLE,
    ZERO_GRADIENT,
    Gaps,
    Stored,
    detector,
    discriminator,
    formula_transform,
    generator,
    images,
    pyramid,
)
from parity_weights import fill
from torch import Tensor, nn

from mebench.methods.fomm.losses import (
    GeneratorStep,
    LossWeights,
    PairBatch,
    discriminator_loss,
    generator_losses,
)


@dataclass
class Training:
    """Freshly filled networks and the fixed batch of the loss vectors."""

    align_corners: bool
    training: bool
    stored: Stored

    def __post_init__(self) -> None:
        self.detector = fill(detector()).train(self.training)
        self.generator = fill(generator(self.align_corners)).train(self.training)
        self.discriminator = fill(discriminator()).train(self.training)
        self.pyramid = pyramid()
        self.transform = formula_transform(Stored("transform.npz"))
        weights = CONFIG["train_params"]["loss_weights"]
        self.weights = LossWeights(feature_matching=tuple(weights["feature_matching"]))
        points = self.stored["keypoint_px"]
        self.batch = PairBatch(images(64, 1, 4), images(64, 3, 5), points, points)

    def step(self) -> GeneratorStep:
        return generator_losses(
            self.detector,
            self.generator,
            self.batch,
            self.weights,
            transform=self.transform,
            discriminator=self.discriminator,
            pyramid=self.pyramid,
            align_corners=self.align_corners,
        )

    def critic(self, done: GeneratorStep) -> Tensor:
        return discriminator_loss(
            self.discriminator,
            self.pyramid(self.batch.driving),
            self.pyramid(done.generated["prediction"]),
            self.weights,
        )


def losses() -> Iterator[tuple[str, Gaps]]:
    """Losses and gradients in eval and train mode, then three optimiser steps."""
    stored = Stored("losses.npz")
    gradients = json.loads((DATA / "gradients.json").read_text())
    for mode in ("eval", "train"):
        for align in (0, 1):
            setup = Training(bool(align), mode == "train", stored)
            done = setup.step()
            prefix = f"{mode}_ac{align}_"
            yield f"losses {mode} ac{align}", _first_losses(stored, prefix, setup, done)
            if align == 0:
                done.total.backward()
                for name in ("kp_detector", "generator", "discriminator"):
                    net = getattr(setup, name.removeprefix("kp_"))
                    want = gradients[f"{mode}_ac0_{name}"]
                    room = TRAIN_GRADIENT if setup.training else GRADIENT
                    yield f"gradients {mode} {name}", _gradients(net, want, room)
            if prefix == "train_ac0_":
                yield "gradients and norms, train", _stored_gradients(stored, setup)
    yield "three optimiser steps", _three_steps(stored)
    # The published norm class does not count batches, torch's does; nothing reads the count.
    assert stored.unused() == {"train_ac0_num_batches_tracked_g.first"}, stored.unused()


def _first_losses(stored: Stored, prefix: str, setup: Training, done: GeneratorStep) -> Gaps:
    values = {**done.losses, "disc_gan": setup.critic(done)}
    gaps: Gaps = {}
    for name, value in values.items():
        want = float(stored[f"{prefix}loss_{name}"])
        gaps[f"{name} (relative)"] = (abs(value.item() / want - 1), FIRST_STEP)
    kp = done.kp_transformed
    assert kp is not None
    gap = stored.gap(f"{prefix}prediction", done.generated["prediction"])
    gaps["prediction"] = (gap, WHOLE)
    gaps["transformed jacobian"] = (
        stored.gap(f"{prefix}transformed_kp_jacobian", kp.jacobian),
        MODULE,
    )
    return gaps


def _gradients(net: nn.Module, want: dict[str, list[float]], tolerance: float) -> Gaps:
    """Norm and sum of each gradient; where the true one is zero, only that ours is as small."""
    found = dict(net.named_parameters())
    assert set(found) == set(want)
    norms, sums, zeros = [0.0], [0.0], [0.0]
    for key, (norm, total) in want.items():
        gradient = found[key].grad
        assert gradient is not None, key
        our_norm, our_sum = gradient.norm().item(), gradient.sum().item()
        if norm < ZERO_GRADIENT:
            zeros.append(our_norm)
            continue
        norms.append(abs(our_norm - norm) / norm)
        sums.append(abs(our_sum - total) / max(norm, abs(total)))
    return {
        "norm (relative)": (max(norms), tolerance),
        "sum (relative)": (max(sums), tolerance),
        "norm where zero": (max(zeros), ZERO_GRADIENT),
    }


def _stored_gradients(stored: Stored, setup: Training) -> Gaps:
    norm = setup.generator.first.norm
    gaps: Gaps = {}
    parameters = {
        "kp.jacobian.weight": setup.detector.jacobian.weight.grad[:4],
        "g.final.weight": setup.generator.final.weight.grad,
        "g.dense_motion_network.mask.bias": setup.generator.dense_motion_network.mask.bias.grad,
    }
    for name, got in parameters.items():
        size = got.abs().max().item()
        gap = stored.gap(f"train_ac0_grad_{name}", got)
        gaps[f"{name} (relative to largest)"] = (gap / size, TRAIN_GRADIENT)
    running = {
        "running_mean_g.first": norm.running_mean,
        "running_var_g.first": norm.running_var,
        "running_mean_kp.enc0": setup.detector.predictor.encoder.down_blocks[0].norm.running_mean,
    }
    for name, got in running.items():
        gaps[name] = (stored.gap(f"train_ac0_{name}", got), MODULE)
    return gaps


def _three_steps(stored: Stored) -> Gaps:
    setup = Training(False, True, stored)
    optimizers = [
        torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999))
        for net in (setup.generator, setup.detector, setup.discriminator)
    ]
    keys = _step_keys(stored)
    gaps: Gaps = {}
    for step, want in enumerate(stored["steps_losses"].numpy()):
        done = setup.step()
        for optimizer in optimizers:
            optimizer.zero_grad()
        done.total.backward()
        optimizers[0].step()
        optimizers[1].step()
        optimizers[2].zero_grad()
        critic = setup.critic(done)
        critic.backward()
        optimizers[2].step()
        values = {**done.losses, "disc_gan": critic}
        miss = max(abs(values[k].item() / w - 1) for k, w in zip(keys, want, strict=True))
        gaps[f"step {step + 1} losses (relative)"] = (miss, LATER_STEP if step else FIRST_STEP)
    after = {
        "steps_final_bias_after": setup.generator.final.bias,
        "steps_kp_jacobian_bias_after": setup.detector.jacobian.bias,
        "steps_disc_conv_bias_after": setup.discriminator.discs["1"].conv.bias,
    }
    for name, got in after.items():
        # Three Adam steps move a bias by up to 6e-4.
        gaps[name] = (stored.gap(name, got), 3e-4)
    return gaps


def _step_keys(stored: Stored) -> list[str]:
    stored.used.add("steps_keys")
    return [str(key) for key in stored.arrays["steps_keys"][1]]
