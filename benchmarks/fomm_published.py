"""The published networks' arithmetic, step by step as their code has it, on our modules' weights.

For time and memory: what is computed, in which order, and what is kept, is as published, so that
mebench is compared with it and not with itself. Nothing is slowed down on purpose.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mebench.methods.fomm.blocks import AntiAliasDownsample, Hourglass, ResidualBlock, SameBlock
from mebench.methods.fomm.dense_motion import DenseMotionNetwork
from mebench.methods.fomm.discriminator import MultiScaleDiscriminator
from mebench.methods.fomm.generator import OcclusionAwareGenerator
from mebench.methods.fomm.keypoints import KPDetector
from mebench.methods.fomm.perceptual import CUTS, Vgg19
from mebench.methods.fomm.transform import Transform

Points = dict[str, Tensor]


def plain(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """PyTorch's own convolution, whatever the module would do."""
    return F.conv2d(x, conv.weight, conv.bias, padding=conv.padding)


def layer(block: SameBlock, x: Tensor) -> Tensor:
    return F.relu(block.norm(plain(block.conv, x)))


def down(block: SameBlock, x: Tensor) -> Tensor:
    return F.avg_pool2d(layer(block, x), 2)


def up(block: SameBlock, x: Tensor) -> Tensor:
    return layer(block, F.interpolate(x, scale_factor=2))


def residual(block: ResidualBlock, x: Tensor) -> Tensor:
    out = plain(block.conv1, F.relu(block.norm1(x)))
    out = plain(block.conv2, F.relu(block.norm2(out)))
    out += x
    return out


def hourglass(network: Hourglass, x: Tensor) -> Tensor:
    levels = [x]
    for block in network.encoder.down_blocks:
        levels.append(down(block, levels[-1]))
    out = levels.pop()
    for block in network.decoder.up_blocks:
        out = torch.cat([up(block, out), levels.pop()], dim=1)
    return out


def smaller(network: AntiAliasDownsample, x: Tensor) -> Tensor:
    """Blurs at full size, then leaves pixels out."""
    if network.step == 1:
        return x
    half = network.weight.shape[-1] // 2
    out = F.conv2d(F.pad(x, (half, half, half, half)), network.weight, groups=network.channels)
    return F.interpolate(out, scale_factor=(1 / network.step, 1 / network.step))


def grid_of(size: tuple[int, int]) -> Tensor:
    height, width = size
    x = 2 * (torch.arange(width).float() / (width - 1)) - 1
    y = 2 * (torch.arange(height).float() / (height - 1)) - 1
    rows, columns = y.view(-1, 1).repeat(1, width), x.view(1, -1).repeat(height, 1)
    return torch.cat([columns.unsqueeze(2), rows.unsqueeze(2)], 2)


def prior_map(points: Tensor, image: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """One face's map, from a list of all places."""
    points = points * size[0] / image[0]
    count = points.shape[0]
    places = np.array(list(itertools.product(range(1, size[0] + 1), range(1, size[1] + 1))))
    offset = np.repeat(places[None], count, 0) - points[:, [1, 0]].numpy()[:, None]
    offset = abs(offset)
    peaks = np.exp(-np.sqrt(offset[:, :, 0] + offset[:, :, 1]) / (2 * 0.75**2))
    peaks = peaks / peaks.max(axis=1)[:, None]
    peaks = peaks * (peaks >= peaks.mean(axis=1)[:, None])
    total = np.zeros(size)
    for one in peaks.reshape(count, *size):
        total += one
    return torch.tensor(total / total.max())[None]


def detect(detector: KPDetector, image: Tensor, points: Tensor) -> Points:
    size = (image.shape[2], image.shape[3])
    small = smaller(detector.down, image)
    maps = torch.zeros(len(points), 1, *small.shape[2:])
    for index in range(len(points)):
        maps[index] = prior_map(points[index], size, (small.shape[2], small.shape[3]))
    features = hourglass(detector.predictor, torch.cat((small, maps), 1))
    head = plain(detector.kp, features)
    heat = F.softmax(head.view(*head.shape[:2], -1) / detector.temperature, dim=2)
    heat = heat.view(*head.shape).unsqueeze(2)
    found = plain(detector.jacobian, features)
    found = found.reshape(len(points), -1, 4, *head.shape[2:])
    jacobian = (heat * found).view(len(points), -1, 4, head.shape[2] * head.shape[3]).sum(dim=-1)
    return {"value": points * 2 / size[1] - 1, "jacobian": jacobian.view(*jacobian.shape[:2], 2, 2)}


def relative(template: Points, driving: Points, initial: Points) -> Points:
    change = torch.matmul(driving["jacobian"], torch.inverse(initial["jacobian"]))
    return {
        "value": driving["value"] - initial["value"] + template["value"],
        "jacobian": torch.matmul(change, template["jacobian"]),
    }


def bumps(points: Tensor, size: tuple[int, int], variance: float) -> Tensor:
    grid = grid_of(size)[None, None].repeat(*points.shape[:2], 1, 1, 1)
    return torch.exp(-0.5 * ((grid - points[:, :, None, None]) ** 2).sum(-1) / variance)


def dense_motion(
    network: DenseMotionNetwork, template: Tensor, driving: Points, still: Points
) -> dict[str, Tensor]:
    small = smaller(network.down, template)
    batch, _, height, width = small.shape
    size, count = (height, width), network.num_kp
    heat = bumps(driving["value"], size, network.kp_variance)
    heat = heat - bumps(still["value"], size, network.kp_variance)
    heat = torch.cat([torch.zeros(batch, 1, *size), heat], dim=1).unsqueeze(2)
    identity = grid_of(size)[None, None]
    offset = identity - driving["value"].view(batch, count, 1, 1, 2)
    affine = torch.matmul(still["jacobian"], torch.inverse(driving["jacobian"]))
    affine = affine.unsqueeze(-3).unsqueeze(-3).repeat(1, 1, height, width, 1, 1)
    offset = torch.matmul(affine, offset.unsqueeze(-1)).squeeze(-1)
    moved = offset + still["value"].view(batch, count, 1, 1, 2)
    motions = torch.cat([identity.repeat(batch, 1, 1, 1, 1), moved], dim=1)
    copies = small[:, None, None].repeat(1, count + 1, 1, 1, 1, 1)
    copies = copies.view(batch * (count + 1), -1, height, width)
    deformed = F.grid_sample(
        copies, motions.view(batch * (count + 1), height, width, 2), align_corners=False
    )
    deformed = deformed.view(batch, count + 1, -1, height, width)
    features = hourglass(
        network.hourglass, torch.cat([heat, deformed], dim=2).view(batch, -1, height, width)
    )
    mask = F.softmax(plain(network.mask, features), dim=1)
    field = (motions.permute(0, 1, 4, 2, 3) * mask.unsqueeze(2)).sum(dim=1)
    occlusion = torch.sigmoid(plain(network.occlusion, features))
    return {
        "sparse_deformed": deformed,
        "mask": mask,
        "deformation": field.permute(0, 2, 3, 1),
        "occlusion_map": occlusion,
    }


def bent(image: Tensor, field: Tensor) -> Tensor:
    if field.shape[1:3] != image.shape[2:]:
        field = F.interpolate(field.permute(0, 3, 1, 2), size=image.shape[2:], mode="bilinear")
        field = field.permute(0, 2, 3, 1)
    return F.grid_sample(image, field, align_corners=False)


def generate(
    generator: OcclusionAwareGenerator, template: Tensor, driving: Points, still: Points
) -> dict[str, Tensor]:
    out = layer(generator.first, template)
    for block in generator.down_blocks:
        out = down(block, out)
    made: dict[str, Any] = dense_motion(generator.dense_motion_network, template, driving, still)
    out = bent(out, made["deformation"])
    occlusion = made["occlusion_map"]
    if occlusion.shape[2:] != out.shape[2:]:
        occlusion = F.interpolate(occlusion, size=out.shape[2:], mode="bilinear")
    out = out * occlusion
    made["deformed"] = bent(template, made["deformation"])
    for block in generator.bottleneck:
        out = residual(block, out)
    for block in generator.up_blocks:
        out = up(block, out)
    made["prediction"] = torch.sigmoid(plain(generator.final, out))
    return made


@torch.no_grad()
def animate(
    detector: KPDetector,
    generator: OcclusionAwareGenerator,
    template: Tensor,
    driving: Tensor,
    points: Tensor,
) -> np.ndarray:
    """The template (1, 3, H, W) driven by frames (T, 3, H, W) with one set of points (1, K, 2)."""
    still = detect(detector, template, points)
    initial = detect(detector, driving[:1], points)
    pictures = []
    for frame in driving:
        moved = relative(still, detect(detector, frame[None], points), initial)
        pictures.append(generate(generator, template, moved, still)["prediction"].numpy())
    return np.concatenate(pictures)


def slopes(transform: Transform, points: Tensor) -> Tensor:
    """The transform's Jacobian by two passes of autograd."""
    points = points.detach().requires_grad_(True)
    moved = transform.warp(points)
    rows = [
        torch.autograd.grad(moved[..., axis].sum(), points, create_graph=True)[0].unsqueeze(-2)
        for axis in (0, 1)
    ]
    return torch.cat(rows, dim=-2)


def vgg_features(vgg: Vgg19, image: Tensor) -> list[Tensor]:
    out = (image - vgg.mean) / vgg.std
    kept = []
    for index, part in enumerate(vgg.features, start=1):
        if isinstance(part, nn.Conv2d):
            out = plain(part, out)
        else:
            out = F.relu_(out) if isinstance(part, nn.ReLU) else part(out)
        if index in CUTS:
            kept.append(out)
    return kept


def judge(critic: MultiScaleDiscriminator, image: Tensor) -> list[Tensor]:
    """The features of every block, then the score, of a critic of one scale."""
    (network,) = critic.discs.values()
    kept = [image]
    for block in network.down_blocks:
        out = block.conv(kept[-1])
        if block.norm is not None:
            out = block.norm(out)
        out = F.leaky_relu(out, 0.2)
        kept.append(F.avg_pool2d(out, (2, 2)) if block.pool else out)
    return [*kept[1:], network.conv(kept[-1])]
