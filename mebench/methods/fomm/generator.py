"""The generator: encode the template, warp its features, decode the frame.

Source: Siarohin et al., NeurIPS 2019, section 3.3; Zhang et al., ACM MM 2021, section 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mebench.errors import UsageError
from mebench.methods.fomm.blocks import (
    DownBlock,
    EncodedTemplate,
    Keypoints,
    Padding,
    ResidualBlock,
    SameBlock,
    UpBlock,
    full_field,
    resize,
    sample,
)
from mebench.methods.fomm.dense_motion import DenseMotionNetwork
from mebench.methods.fomm.painter import Painter, Prior
from mebench.methods.fomm.spline import sharp_warp

Blend = Literal["none", "gate", "residual", "painter"]

_GATE_START = -4.0


class OcclusionAwareGenerator(nn.Module):
    """Makes the template move as the points move.

    Args:
        num_channels: colour channels of the image.
        num_kp: number of points.
        block_expansion: width of the first layer.
        max_features: most channels a layer has.
        num_down_blocks: halvings before the features are warped.
        num_bottleneck_blocks: residual blocks after the warp.
        estimate_occlusion_map: features are weighted by an occlusion map.
        dense_motion_params: arguments of `DenseMotionNetwork`; None leaves motion out.
        estimate_jacobian: accepted as the published files give it; the points carry Jacobians.
        align_corners: of the sampler (published: False on today's torch, True on torch 1.0).
        align_resize: align_corners of the bilinear resize (published: False). With both True
            identity motion returns the template exactly.
        padding: what the sampler reads outside the template (published: zeros).
        blend: "none" (published): the decoder's picture. "gate": warped template, replaced by the
            decoder's picture where a learned gate opens. "residual": warped template plus gated
            correction; exactly the warped template before training. "painter": the same, by a
            decoder that sees the motion; the published one is not built.
        painter_widths: channels of the painter.
    """

    def __init__(
        self,
        num_channels: int,
        num_kp: int,
        block_expansion: int,
        max_features: int,
        num_down_blocks: int,
        num_bottleneck_blocks: int,
        estimate_occlusion_map: bool = False,
        dense_motion_params: Mapping[str, Any] | None = None,
        estimate_jacobian: bool = True,
        *,
        align_corners: bool = False,
        align_resize: bool = False,
        padding: Padding = "zeros",
        blend: Blend = "none",
        painter_widths: tuple[int, ...] = (32, 48, 64, 64),
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.align_resize = align_resize
        self.padding: Padding = padding
        self.blend: Blend = blend
        self.estimate_jacobian = estimate_jacobian
        self.dense_motion_network: DenseMotionNetwork | None = None
        if dense_motion_params is not None:
            self.dense_motion_network = DenseMotionNetwork(
                num_kp=num_kp,
                num_channels=num_channels,
                estimate_occlusion_map=estimate_occlusion_map,
                align_corners=align_corners,
                padding=padding,
                **dense_motion_params,
            )
        if blend == "painter":
            self.painter = Painter(painter_widths)
            return
        widths = [min(max_features, block_expansion * 2**i) for i in range(num_down_blocks + 1)]
        self.first = SameBlock(num_channels, block_expansion, 7)
        self.down_blocks = nn.ModuleList(
            DownBlock(widths[i], widths[i + 1]) for i in range(num_down_blocks)
        )
        self.up_blocks = nn.ModuleList(
            UpBlock(widths[i + 1], widths[i]) for i in reversed(range(num_down_blocks))
        )
        self.bottleneck = nn.Sequential()
        for i in range(num_bottleneck_blocks):
            self.bottleneck.add_module(f"r{i}", ResidualBlock(widths[-1]))
        self.final = nn.Conv2d(block_expansion, num_channels, 7, padding=3)
        if blend != "none":
            self.gate = nn.Conv2d(block_expansion, 1, 7, padding=3)
            self._start_closed()

    def _start_closed(self) -> None:
        nn.init.zeros_(self.gate.weight)
        if self.gate.bias is not None:
            nn.init.constant_(self.gate.bias, _GATE_START)
        if self.blend == "residual":
            # The correction starts at zero, so the gate may start half open and learn at once.
            nn.init.zeros_(self.final.weight)
            for bias in (self.final.bias, self.gate.bias):
                if bias is not None:
                    nn.init.zeros_(bias)

    def encode(self, template: Tensor) -> EncodedTemplate:
        """Return what depends on the template alone, to be used for many driving frames."""
        features: Tensor | None = None
        if self.blend != "painter":
            features = self.first(template)
            for block in self.down_blocks:
                features = block(features)
        motion = self.dense_motion_network
        return EncodedTemplate(features, None if motion is None else motion.down(template))

    def forward(
        self,
        template: Tensor,
        kp_driving: Keypoints,
        kp_template: Keypoints,
        encoded: EncodedTemplate | None = None,
        *,
        want_deformed: bool = True,
        prior: Prior | None = None,
    ) -> dict[str, Tensor]:
        """Return the generated frame and what it was made from.

        Shapes: template (B, C, H, W) in 0..1. Returns prediction and deformed (the warped
        template; absent where nobody `want_deformed`) (B, C, H, W), deformation (B, h, w, 2),
        mask (B, K+1, h, w), occlusion_map (B, 1, h, w), sparse_deformed (B, K+1, C, h, w), and
        with a blend, gate (B, 1, H, W). A painter needs the `prior` of the faces; its deformation
        is the refined one (B, H, W, 2), correction (B, C, H, W) is what it adds, and shown and
        moved are the grid and the warped template that it saw.
        """
        if encoded is None:
            encoded = self.encode(template)
        out: dict[str, Tensor] = {}
        features: Any = encoded.features
        warped: Tensor | None = template if self.blend != "none" else None
        if self.dense_motion_network is not None:
            motion = self.dense_motion_network(template, kp_driving, kp_template, encoded.small)
            out["mask"] = motion.mask
            out["sparse_deformed"] = motion.sparse_deformed
            out["deformation"] = motion.deformation
            if self.blend == "painter":
                return {**out, **self.paint(template, motion.deformation, prior)}
            features = self._warp(features, motion.deformation)
            if motion.occlusion_map is not None:
                out["occlusion_map"] = motion.occlusion_map
                size = (features.shape[2], features.shape[3])
                features = features * resize(motion.occlusion_map, size, self.align_resize)
            if want_deformed or self.blend != "none":
                warped = self._warp(template, motion.deformation)
                out["deformed"] = warped
        return self._decode(features, warped, out)

    def paint(
        self, template: Tensor, deformation: Tensor, prior: Prior | None
    ) -> dict[str, Tensor]:
        """Return what `forward` does with a painter, from a sampling grid (B, h, w, 2)."""
        if prior is None:
            raise UsageError("the painter needs to know where the face is, got no prior")
        # What the painter learns must not reach back into the motion it is shown.
        field = full_field(deformation, template, self.align_resize).detach()
        warped = sharp_warp(template, field, self.align_corners)
        painting = self.painter(field, warped, prior)
        deformed = sharp_warp(template, painting.field, self.align_corners)
        return {
            "shown": field,
            "moved": warped,
            "deformation": painting.field,
            "correction": painting.correction,
            "deformed": deformed,
            "prediction": deformed + painting.correction,
        }

    def _warp(self, image: Tensor, deformation: Tensor) -> Tensor:
        size = (image.shape[2], image.shape[3])
        field = resize(deformation.permute(0, 3, 1, 2), size, self.align_resize)
        return sample(image, field.permute(0, 2, 3, 1), self.align_corners, self.padding)

    def _decode(
        self, features: Tensor, warped: Tensor | None, out: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        features = self.bottleneck(features)
        for block in self.up_blocks:
            features = block(features)
        picture = self.final(features).float()
        if self.blend == "none" or warped is None:
            out["prediction"] = torch.sigmoid(picture)
            return out
        gate = torch.sigmoid(self.gate(features).float())
        out["gate"] = gate
        if self.blend == "gate":
            out["prediction"] = warped + gate * (torch.sigmoid(picture) - warped)
        else:
            out["prediction"] = warped + gate * torch.tanh(picture)
        return out
