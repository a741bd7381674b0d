"""LPIPS: distance of deep features to the right answer, or to the template without one."""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mebench import weights
from mebench.metrics.base import Case, Metric, MetricInfo, Missing, Value
from mebench.metrics.frames import pixel_digest, sample_indices
from mebench.types import Frames, Image

if TYPE_CHECKING:
    import torch

_FRAMES = 5
_TARGETS_BYTES = 256 << 20
_FORMULA = "Σ_l mean over pixels of ‖w_l ⊙ (y_l - y0_l)‖²"
_STAND_IN = "a smoke test of the code; never compared or ranked"


def _infos(key: str, title: str) -> tuple[MetricInfo, ...]:
    infos = []
    for end, note, better in (("", "", False), ("~seeded", " (stand-in weights)", None)):
        for part, words, target in (("", "", "template"), ("_apex", " at the apex", "reference")):
            infos.append(
                MetricInfo(
                    key + part + end,
                    title + words + note,
                    low=0.0,
                    higher_is_better=better,
                    needs=(target, "weights"),
                    formula=_FORMULA + (", the apex frame alone" if part else ", mean of 5 frames"),
                    reading="0 for equal frames" if better is False else _STAND_IN,
                )
            )
    return tuple(infos)


@dataclass(frozen=True)
class PerceptualValues:
    """What `Perceptual` keeps of one case: the mean over the frames looked at, and the apex."""

    mean: float
    apex: Value


class Perceptual(Metric):
    """LPIPS on AlexNet of a few evenly spaced frames and the apex.

    Formula: y_l and y0_l are the unit-length features of layer l, of the generated frame and of its
    target: the same frame of the reference, or the template where there is none. w_l is learnt.
    Reading: only beside the motion values. See docs/what-ssim-rewards.md.
    Blind to: time and small motion; the features were learnt on whole objects, and the weights on
    answers about much coarser damage.
    Source: Zhang et al., The unreasonable effectiveness of deep features, CVPR 2018, equation 1.

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
            weights.verify(name)
        end = "" if self.seed is None else "~seeded"
        self.keys = tuple(self.infos[0].key + part + end for part in ("", "_apex"))

    def describe(self, case: Case) -> PerceptualValues:
        """Return the distances of the frames looked at."""
        generated, apex = case.generated, case.driving.apex_index
        length = len(generated)
        if case.reference is not None:
            length = min(length, len(case.reference.frames))
        indices = sample_indices(length, self.frames, apex)
        if case.reference is not None:
            target = case.reference.frames[indices]
        else:
            target = case.template.image[None]
        shown = case.within(generated[indices], np.asarray(target))
        found = lpips_distances(shown, target, self._network())
        at_apex: Value = Missing("the apex of the driving clip is not known or not in the clip")
        if case.reference is None:
            at_apex = Missing("the protocol has no reference frames")
        elif apex in indices:
            at_apex = float(found[indices.index(apex)])
        return PerceptualValues(float(np.mean(found)), at_apex)

    def clip_values(self, described: PerceptualValues) -> Mapping[str, Value]:
        """Return the distances of one case."""
        return dict(zip(self.keys, (described.mean, described.apex), strict=True))

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
    """LPIPS on VGG16; much slower than on AlexNet."""

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
        self.model: Any = model.to(memory_format=torch.channels_last)
        self.device = device
        self._targets: OrderedDict[str, list[torch.Tensor]] = OrderedDict()

    def features(self, image: Image) -> list[torch.Tensor]:
        """Return the unit-length features of one image at each layer.

        One image at a time: the same bits whatever else is looked at.
        """
        import lpips
        import torch

        planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
        values = planes.to(self.device, torch.float32) / 127.5 - 1.0
        values = values.to(memory_format=torch.channels_last)
        layers = self.model.net.forward(self.model.scaling_layer(values))
        return [lpips.normalize_tensor(layer) for layer in layers]

    def target_features(self, image: Image) -> list[torch.Tensor]:
        """Return the same, kept by pixels: every row of a run meets its targets again."""
        digest = pixel_digest(image)
        found = self._targets.pop(digest, None)
        if found is None:
            found = self.features(image)
        self._targets[digest] = found
        size = sum(layer.nbytes for layer in found)
        while len(self._targets) > max(1, _TARGETS_BYTES // size):
            self._targets.popitem(last=False)
        return found

    def distance(self, ours: list[torch.Tensor], target: list[torch.Tensor]) -> float:
        """Return the weighted squared distance of two pictures' features."""
        layers = zip(self.model.lins, ours, target, strict=True)
        return float(sum(lin((a - b) ** 2).mean() for lin, a, b in layers))


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

    with torch.inference_mode():
        values = [
            network.distance(
                network.features(frame),
                network.target_features(target[i if len(target) > 1 else 0]),
            )
            for i, frame in enumerate(frames)
        ]
    return np.asarray(values, dtype=np.float64)
