"""LPIPS: distance of deep features to the right answer, or to the template without one."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from mebench import weights
from mebench.metrics.base import Case, Metric, MetricInfo, Value
from mebench.metrics.frames import sample_indices
from mebench.types import Frames

if TYPE_CHECKING:
    import torch

_FRAMES = 5


def _infos(key: str, title: str) -> tuple[MetricInfo, ...]:
    needs = ("template", "weights")
    return (
        MetricInfo(key, title, low=0.0, higher_is_better=False, needs=needs),
        MetricInfo(
            f"{key}~seeded",
            f"{title} (stand-in weights)",
            low=0.0,
            higher_is_better=None,
            needs=needs,
        ),
    )


class Perceptual(Metric):
    """LPIPS on AlexNet of a few evenly spaced frames and the apex.

    Args:
        device: torch device.
        allow_seeded: without published weights, use stand-ins under ``<key>~seeded``.
        seed: seed of the stand-ins.
        frames: frames looked at in each clip.

    Raises:
        WeightsError: without published weights unless `allow_seeded`.
    """

    infos: ClassVar[tuple[MetricInfo, ...]] = _infos("lpips", "LPIPS")
    net: ClassVar[str] = "alex"

    def __init__(
        self,
        *,
        device: str = "cpu",
        allow_seeded: bool = False,
        seed: int = 0,
        frames: int = _FRAMES,
    ) -> None:
        self.device, self.frames = device, frames
        name = f"lpips-{self.net}"
        self.seed = seed if allow_seeded and not weights.is_present(name) else None
        if self.seed is None:
            weights.require(name)
        self.key = self.infos[0 if self.seed is None else 1].key

    def describe(self, case: Case) -> float:
        """Return the mean distance over the frames looked at."""
        generated = case.generated
        length = len(generated)
        if case.reference is not None:
            length = min(length, len(case.reference.frames))
        indices = sample_indices(length, self.frames, case.driving.apex_index)
        if case.reference is not None:
            target = case.reference.frames[indices]
        else:
            target = case.template.image[None]
        return float(np.mean(lpips_distances(generated[indices], target, self._network())))

    def clip_values(self, described: float) -> Mapping[str, Value]:
        """Return the distance of one case."""
        return {self.key: described}

    @property
    def weights(self) -> Mapping[str, str]:
        """Return the hashes of trunk and linear layers."""
        name = f"lpips-{self.net}"
        trunk = self._network().trunk_weights
        return {name: trunk, f"{name}-linear": weights.verify(f"{name}-linear")}

    def _network(self) -> LpipsNetwork:
        place = "" if self.seed is not None else str(weights.path(f"lpips-{self.net}"))
        return _cached_network(self.net, place, self.seed, self.device)


class PerceptualVgg(Perceptual):
    """LPIPS on VGG16; about 14 times slower than AlexNet."""

    infos: ClassVar[tuple[MetricInfo, ...]] = _infos("lpips_vgg", "LPIPS (VGG)")
    net: ClassVar[str] = "vgg"


class PerceptualSqueeze(Perceptual):
    """LPIPS on SqueezeNet 1.1."""

    infos: ClassVar[tuple[MetricInfo, ...]] = _infos("lpips_squeeze", "LPIPS (SqueezeNet)")
    net: ClassVar[str] = "squeeze"


class LpipsNetwork:
    """The lpips package's network with verified or seeded weights, built without any download."""

    def __init__(self, net: str, seed: int | None, device: str) -> None:
        import lpips
        import torch

        # On the meta device nothing is drawn from the global RNG; all weights are read below.
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = lpips.LPIPS(pretrained=False, net=net, pnet_rand=True, verbose=False)
        linear = weights.load_state(f"lpips-{net}-linear")
        trunk = {k.removeprefix("net."): v for k, v in model.state_dict().items() if "net." in k}
        if seed is None:
            name = f"lpips-{net}"
            self.trunk_weights = weights.verify(name)
            published = weights.load_state(name)
            state = {key: published[_published_key(key)] for key in trunk}
        else:
            state = weights.seeded_state(model.net, seed)
            self.trunk_weights = f"seeded:{seed}:{weights.state_sha256(state)}"
        model.net.load_state_dict(state, assign=True)
        model.load_state_dict(linear, strict=False, assign=True)
        model = model.eval().requires_grad_(False).to(device)
        self.model: torch.nn.Module = model.to(memory_format=torch.channels_last)
        self.device = device


def _published_key(key: str) -> str:
    """``slice2.3.weight`` of the package is ``features.3.weight`` of torchvision."""
    return "features." + key.split(".", 1)[1]


@functools.lru_cache(maxsize=4)
def _cached_network(net: str, place: str, seed: int | None, device: str) -> LpipsNetwork:
    # `place` is part of the key: another store is another network.
    return LpipsNetwork(net, seed, device)


def lpips_distances(frames: Frames, target: Frames, network: LpipsNetwork) -> NDArray[np.float64]:
    """Return the distance of each frame to its target, or to the one target.

    Shapes: frames (N, H, W, 3) uint8; target (N, H, W, 3) or (1, H, W, 3) uint8; returns (N,).
    Range: 0 for equal frames, lower is better.
    Source: Zhang et al., The unreasonable effectiveness of deep features, CVPR 2018, equation 1.
    """
    import torch

    def tensor(image: NDArray[np.uint8]) -> torch.Tensor:
        planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
        values = planes.to(network.device, torch.float32) / 127.5 - 1.0
        return values.to(memory_format=torch.channels_last)

    values = []
    with torch.inference_mode():
        for i, frame in enumerate(frames):
            # One at a time: the same bits whatever else is in the batch.
            value = network.model(tensor(frame), tensor(target[i if len(target) > 1 else 0]))
            values.append(float(value))
    return np.asarray(values, dtype=np.float64)
