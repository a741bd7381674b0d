"""The VGG19 feature pyramid of the perceptual loss.

Source: Johnson et al., ECCV 2016; five layers and four scales as in Siarohin et al. 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mebench.errors import WeightsError
from mebench.methods.fomm.blocks import ImagePyramid
from mebench.methods.fomm.winograd import WideConv2d

_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)
CUTS = (2, 7, 12, 21, 30)
"""Layers whose output counts: relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 of torchvision."""
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class Vgg19(nn.Module):
    """The convolutions of VGG19 up to relu5_1, frozen; keys as torchvision's ``features.*``.

    Without weights it is random; load the published ones with `load_torchvision`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in _WIDTHS:
            if width == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [WideConv2d(channels, width), nn.ReLU(inplace=True)]
            channels = width
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).reshape(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()

    def load_torchvision(self, state: Mapping[str, Tensor]) -> None:
        """Load a torchvision VGG19 state dict; its classifier and last layers are not used.

        Raises:
            WeightsError: when a layer is missing or has another shape.
        """
        own = self.state_dict()
        for key, value in own.items():
            found = state.get(key)
            if found is None or found.shape != value.shape:
                got = "nothing" if found is None else str(tuple(found.shape))
                raise WeightsError(
                    f"VGG19 weights: expected {key} {tuple(value.shape)}, got {got}; "
                    "fetch torchvision's vgg19 weights again"
                )
        self.load_state_dict({key: state[key] for key in own})

    def train(self, mode: bool = True) -> Vgg19:
        """Stay in eval mode: the loss network never learns."""
        super().train(False)
        return self

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the five feature maps of (B, 3, H, W) images in 0..1."""
        out = (image - self.mean) / self.std
        features: list[Tensor] = []
        for index, layer in enumerate(self.features, start=1):
            out = layer(out)
            if index in CUTS:
                features.append(out)
        return features


class PerceptualLoss(nn.Module):
    """Mean absolute difference of VGG19 features over a pyramid of scales, weighted by layer."""

    def __init__(
        self,
        weights: Sequence[float] = (10, 10, 10, 10, 10),
        scales: Sequence[float] = (1, 0.5, 0.25, 0.125),
        network: Vgg19 | None = None,
    ) -> None:
        super().__init__()
        self.weights = tuple(weights)
        self.scales = tuple(scales)
        self.pyramid = ImagePyramid(self.scales)
        self.network = network if network is not None else Vgg19()
        self.requires_grad_(False)

    def forward(self, generated: Tensor, target: Tensor) -> Tensor:
        """Return the loss of (B, 3, H, W) images in 0..1; scales too small for VGG are left out."""
        total = generated.new_zeros(())
        ours, theirs = self.pyramid(generated), self.pyramid(target)
        for scale in self.scales:
            # Four poolings come before relu5_1.
            if min(ours[scale].shape[-2:]) < 16:
                continue
            with torch.no_grad():
                wanted = self.network(theirs[scale])
            for weight, a, b in zip(self.weights, self.network(ours[scale]), wanted, strict=True):
                if weight:
                    total = total + weight * (a - b).abs().mean()
        return total
