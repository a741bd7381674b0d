"""Every comparison with the published modules, as ``name -> (max difference, tolerance)``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from parity_weights import fill, picture
from torch import Tensor, nn

from mebench.methods.fomm.blocks import (
    AntiAliasDownsample,
    ImagePyramid,
    Keypoints,
    gaussian_maps,
)
from mebench.methods.fomm.discriminator import MultiScaleDiscriminator
from mebench.methods.fomm.generator import OcclusionAwareGenerator
from mebench.methods.fomm.keypoints import KPDetector
from mebench.methods.fomm.losses import (
    GeneratorStep,
    LossWeights,
    PairBatch,
    discriminator_loss,
    generator_losses,
)
from mebench.methods.fomm.model import normalize_kp
from mebench.methods.fomm.prior import (
    landmarks_to_prior_points,
    prior_maps,
    prior_maps_numpy,
)
from mebench.methods.fomm.transform import Transform

DATA = Path(__file__).parents[2] / "data" / "parity"
CONFIG = json.loads((DATA / "config.json").read_text())
COMMON = CONFIG["common_params"]
SCALES = tuple(CONFIG["train_params"]["scales"])

MODULE = 1e-5
WHOLE = 1e-4
PRIOR = 1e-6
FIRST_STEP = 1e-4
LATER_STEP = 1e-2
GRADIENT = 1e-3
ZERO_GRADIENT = 1e-4


@dataclass
class Stored:
    """Published arrays by name, each compared at most once, so that none is forgotten."""

    file: str
    arrays: dict[str, tuple[int, np.ndarray]] = field(init=False)
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.arrays = {}
        with np.load(DATA / self.file) as archive:
            for key in archive.files:
                name, _, step = key.partition("@")
                self.arrays[name] = (int(step or 1), archive[key])

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def __getitem__(self, name: str) -> Tensor:
        """The array as an input."""
        self.used.add(name)
        step, array = self.arrays[name]
        assert step == 1, name
        return torch.from_numpy(np.asarray(array))

    def gap(self, name: str, got: Tensor | np.ndarray) -> float:
        """Largest absolute difference to the stored elements."""
        self.used.add(name)
        step, want = self.arrays[name]
        ours = got.detach().double().numpy() if isinstance(got, Tensor) else np.asarray(got)
        if step == 1:
            assert ours.shape == want.shape, (name, ours.shape, want.shape)
        assert want.size
        return float(np.abs(ours.ravel()[::step] - want.ravel()).max())

    def unused(self) -> set[str]:
        return set(self.arrays) - self.used


Gaps = dict[str, tuple[float, float]]


def images(size: int, *seeds: int) -> Tensor:
    stack = np.stack([picture(size, seed) for seed in seeds])
    return torch.from_numpy(stack).float() / 255


def detector(prior: str = "ewp", num_kp: int = 18) -> KPDetector:
    common = {**COMMON, "num_kp": num_kp}
    return KPDetector(**common, **CONFIG["kp_detector_params"], prior=prior)


def generator(align_corners: bool, **options: Any) -> OcclusionAwareGenerator:
    params = CONFIG["generator_params"]
    return OcclusionAwareGenerator(**COMMON, **params, align_corners=align_corners, **options)


def discriminator() -> MultiScaleDiscriminator:
    return MultiScaleDiscriminator(**CONFIG["discriminator_params"], num_channels=3)


@cache
def filled(kind: str, **options: Any) -> nn.Module:
    makers: dict[str, Callable[..., nn.Module]] = {
        "detector": detector,
        "generator": generator,
        "discriminator": discriminator,
    }
    return fill(makers[kind](**options))


def whole_model(size: int) -> Iterator[tuple[str, Gaps]]:
    """Detector, normalisation, generator (both samplers, absolute and relative) on one size."""
    stored = Stored(f"model{size}.npz")
    seeds = {"source": 1, "driving0": 2, "driving": 3}
    points = {n: stored["kp_px_" + ("source" if n == "source" else "driving")] for n in seeds}
    net = filled("detector")
    kp = {n: net(images(size, s), points[n]) for n, s in seeds.items()}
    gaps: Gaps = {}
    for name, found in kp.items():
        gaps[f"{name} value"] = (stored.gap(f"kp_{name}_value", found.value), MODULE)
        gaps[f"{name} jacobian"] = (stored.gap(f"kp_{name}_jacobian", found.jacobian), MODULE)
    trace = net.trace(images(size, 1), points["source"])
    inner = {
        "src_kp_hourglass_in": trace.hourglass_in,
        "src_kp_hourglass_out": trace.hourglass_out,
        "src_kp_head": trace.head,
        "src_kp_jacobian_map": trace.jacobian_map,
        "src_prior": trace.prior,
        "src_down": trace.hourglass_in[:, :3],
    }
    for name, got in inner.items():
        if name in stored:
            gaps[name] = (stored.gap(name, got), PRIOR if name == "src_prior" else MODULE)
    yield f"detector (EWP), {size}", gaps
    yield f"normalised points, {size}", _normalized(stored, "kpnorm_", kp)
    for align in (0, 1):
        for mode in ("abs", "rel"):
            yield f"generator {mode} ac{align}, {size}", _generated(stored, size, align, mode, kp)
    if size == 64:
        yield from _small_parts(stored, kp)
    assert not stored.unused(), stored.unused()


def _generated(stored: Stored, size: int, align: int, mode: str, kp: dict[str, Keypoints]) -> Gaps:
    driving = kp["driving"]
    if mode == "rel":
        driving = normalize_kp(kp["source"], driving, kp["driving0"])
    net = filled("generator", align_corners=bool(align))
    out = net(images(size, 1), driving, kp["source"])
    out["prediction_s4"] = out["prediction"][:, :, ::4, ::4]
    prefix = f"g_{mode}_ac{align}_"
    gaps: Gaps = {}
    for name, got in out.items():
        if prefix + name in stored:
            whole = name.startswith(("prediction", "deformed"))
            gaps[name] = (stored.gap(prefix + name, got), WHOLE if whole else MODULE)
    mean = prefix + "prediction_mean"
    if mean in stored:
        gaps["prediction mean"] = (stored.gap(mean, out["prediction"].double().mean()), WHOLE)
    return gaps


def _small_parts(stored: Stored, kp: dict[str, Keypoints]) -> Iterator[tuple[str, Gaps]]:
    driving = images(64, 3)
    pyramid = ImagePyramid(SCALES)(driving)
    yield (
        "image pyramid",
        {f"{s}": (stored.gap(f"pyr_prediction_{s}", pyramid[s]), MODULE) for s in SCALES},
    )
    gaps: Gaps = {}
    net = filled("discriminator")
    for scale, said in zip(net.scales, net(pyramid), strict=True):
        for i, features in enumerate(said.features):
            key = f"disc_feature_maps_{scale}_{i}"
            gaps[f"features {scale} {i}"] = (stored.gap(key, features), MODULE)
        gaps[f"score {scale}"] = (stored.gap(f"disc_prediction_map_{scale}", said.score), MODULE)
    yield "discriminator", gaps
    heat = gaussian_maps(kp["source"].value, (16, 16), 0.01)
    kernels = {f"kernel_scale_{s}": AntiAliasDownsample(3, s).weight[:1] for s in (0.25, 0.5)}
    gaps = {name: (stored.gap(name, kernel), MODULE) for name, kernel in kernels.items()}
    gaps["heat map"] = (stored.gap("kp2gaussian_source_16_var0.01", heat), MODULE)
    yield "anti-alias kernels, heat maps", gaps


_NORMALIZE = {
    "rel": {},
    "rel_adapt": {"adapt_movement_scale": True},
    "rel_value_only": {"use_relative_jacobian": False},
    "abs": {"use_relative_movement": False},
}


def _normalized(stored: Stored, prefix: str, kp: dict[str, Keypoints]) -> Gaps:
    gaps: Gaps = {}
    for name, options in _NORMALIZE.items():
        got = normalize_kp(kp["source"], kp["driving"], kp["driving0"], **options)
        gaps[f"{name} value"] = (stored.gap(f"{prefix}{name}_value", got.value), MODULE)
        gaps[f"{name} jacobian"] = (stored.gap(f"{prefix}{name}_jacobian", got.jacobian), MODULE)
    return gaps


def normalization() -> Iterator[tuple[str, Gaps]]:
    stored = Stored("normalize.npz")
    names = {"source": "source", "driving": "driving", "driving0": "initial"}
    kp = {
        n: Keypoints(stored[f"in_{m}_value"], stored[f"in_{m}_jacobian"]) for n, m in names.items()
    }
    yield "normalize_kp, arbitrary inputs", _normalized(stored, "out_", kp)
    assert not stored.unused(), stored.unused()


def formula_transform(stored: Stored) -> Transform:
    return Transform.from_noise(stored["noise"].float(), stored["control_params"].float())


def equivariance_transform() -> Iterator[tuple[str, Gaps]]:
    stored = Stored("transform.npz")
    transform = formula_transform(stored)
    points = stored["points"]
    grid = transform.control_points().reshape(1, 5, 5, 2)
    gaps = {
        "theta": (stored.gap("theta", transform.theta), MODULE),
        "control points": (stored.gap("control_points", grid), MODULE),
        "warped points": (stored.gap("warped", transform.warp(points)), MODULE),
        "jacobian": (stored.gap("jacobian", transform.jacobian(points)), MODULE),
    }
    frame = images(64, 3, 5)
    for align in (0, 1):
        got = transform.frame(frame, bool(align))
        gaps[f"frame ac{align}"] = (stored.gap(f"frame_warped_ac{align}", got), MODULE)
    yield "equivariance transform", gaps
    assert not stored.unused(), stored.unused()


def priors() -> Iterator[tuple[str, Gaps]]:
    stored = Stored("prior_maps.npz")
    reference: Gaps = {}
    batched: Gaps = {}
    for name in [n for n in stored.arrays if not n.startswith("kp")]:
        face = name.split("_", 1)[1].removesuffix("_ch0_5_17")
        if name.startswith("ewp_sigma1.2"):
            face = "mean_face"
        small = name.startswith("ewp16")
        points = stored["kp16_mean_face" if small else f"kp_{face}"]
        image, size = ((64, 64), (16, 16)) if small else ((256, 256), (64, 64))
        sigma = 1.2 if "sigma1.2" in name else 0.75
        slow = prior_maps_numpy(points.numpy(), image, size, name[:3], sigma)
        fast = prior_maps(points[None], image, size, name[:3], sigma)[0]
        if name.endswith("ch0_5_17"):
            slow, fast = slow[[0, 5, 17]], fast[[0, 5, 17]]
        if name.startswith("ewp"):
            slow, fast = slow[0], fast[0]
        reference[name] = (stored.gap(name, slow), PRIOR)
        batched[name] = (stored.gap(name, fast), PRIOR)
    yield "prior maps, NumPy", reference
    yield "prior maps, torch", batched
    assert not stored.unused(), stored.unused()
    stored = Stored("landmarks68to18.npz")
    gaps = {
        f"face {i}": (
            stored.gap(f"kp18_{i}", landmarks_to_prior_points(stored[f"pts68_{i}"].numpy())),
            0.0,
        )
        for i in range(3)
    }
    yield "68 to 18 points", gaps
    # The constant mean face is what published code falls back to; an error here by choice.
    assert stored.unused() == {"fallback_kp18_no_face"}


def other_detectors() -> Iterator[tuple[str, Gaps]]:
    stored = Stored("awp256.npz")
    net = filled("detector", prior="awp")
    picture256 = images(256, 1, 3)
    points = stored["kp_px"]
    found, trace = net(picture256, points), net.trace(picture256, points)
    yield (
        "detector (AWP), 256",
        {
            "value": (stored.gap("value", found.value), MODULE),
            "jacobian": (stored.gap("jacobian", found.jacobian), MODULE),
            "aggregated prior": (stored.gap("aggregated_prior", trace.prior), MODULE),
        },
    )
    assert not stored.unused(), stored.unused()
    stored = Stored("fomm_detector.npz")
    net = filled("detector", prior="none", num_kp=10)
    gaps: Gaps = {}
    for size in (64, 256):
        found = net(images(size, 1, 3))
        gaps[f"value {size}"] = (stored.gap(f"value_{size}", found.value), MODULE)
        gaps[f"jacobian {size}"] = (stored.gap(f"jacobian_{size}", found.jacobian), MODULE)
    yield "detector (no prior)", gaps
    assert not stored.unused(), stored.unused()


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
        self.pyramid = ImagePyramid(SCALES)
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
                    yield f"gradients {mode} {name}", _gradients(net, want)
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


def _gradients(net: nn.Module, want: dict[str, list[float]]) -> Gaps:
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
        "norm (relative)": (max(norms), GRADIENT),
        "sum (relative)": (max(sums), GRADIENT),
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
        gaps[f"{name} (relative to largest)"] = (gap / size, FIRST_STEP)
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


GROUPS: dict[str, Callable[[], Iterator[tuple[str, Gaps]]]] = {
    "model64": lambda: whole_model(64),
    "model256": lambda: whole_model(256),
    "normalize": normalization,
    "transform": equivariance_transform,
    "priors": priors,
    "detectors": other_detectors,
    "losses": losses,
}
