"""The stored numbers of the published modules, and our modules filled alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from parity_weights import fill, picture
from torch import Tensor, nn

from mebench.methods.fomm.blocks import ImagePyramid
from mebench.methods.fomm.discriminator import MultiScaleDiscriminator
from mebench.methods.fomm.generator import OcclusionAwareGenerator
from mebench.methods.fomm.keypoints import KPDetector
from mebench.methods.fomm.transform import Transform

DATA = Path(__file__).parents[2] / "data" / "parity"
CONFIG = json.loads((DATA / "config.json").read_text())
COMMON = CONFIG["common_params"]
SCALES = tuple(CONFIG["train_params"]["scales"])

# How far published numbers, which are float32, are from what exact arithmetic gives, with room.
MODULE = 1e-5
WHOLE = 1e-4
PRIOR = 1e-6
FIRST_STEP = 1e-4
LATER_STEP = 1e-2
GRADIENT = 1e-3
# Norms over a batch of two magnify rounding: up to 2.7e-3 in the published gradients themselves.
TRAIN_GRADIENT = 5e-3
ZERO_GRADIENT = 1e-4

ROOM = 4
"""What float32 may be off by, in tolerances: it rounds twice, and by processor."""


@contextmanager
def double_precision() -> Iterator[None]:
    """Compute all in float64, so that processors differ by nothing that matters here."""
    torch.set_default_dtype(torch.float64)
    try:
        with patch.object(Tensor, "float", Tensor.double):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


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
        """The array as an input, at torch's default precision."""
        self.used.add(name)
        step, array = self.arrays[name]
        assert step == 1, name
        tensor = torch.from_numpy(np.asarray(array))
        return tensor.float() if tensor.is_floating_point() else tensor

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


def pyramid() -> ImagePyramid:
    return ImagePyramid(SCALES).to(torch.get_default_dtype())


def detector(prior: str = "ewp", num_kp: int = 18) -> KPDetector:
    common = {**COMMON, "num_kp": num_kp}
    return KPDetector(**common, **CONFIG["kp_detector_params"], prior=prior)


def generator(align_corners: bool, **options: Any) -> OcclusionAwareGenerator:
    params = CONFIG["generator_params"]
    return OcclusionAwareGenerator(**COMMON, **params, align_corners=align_corners, **options)


def discriminator() -> MultiScaleDiscriminator:
    return MultiScaleDiscriminator(**CONFIG["discriminator_params"], num_channels=3)


def filled(kind: str, **options: Any) -> nn.Module:
    return _filled(kind, torch.get_default_dtype(), **options)


@cache
def _filled(kind: str, _: torch.dtype, **options: Any) -> nn.Module:
    makers: dict[str, Callable[..., nn.Module]] = {
        "detector": detector,
        "generator": generator,
        "discriminator": discriminator,
    }
    return fill(makers[kind](**options))


def formula_transform(stored: Stored) -> Transform:
    return Transform.from_noise(stored["noise"].float(), stored["control_params"].float())
