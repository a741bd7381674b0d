"""Every training and inference step on tensors that hold no numbers.

A tensor made on another device cannot meet them, and a number fetched from them does not exist:
what passes here neither mixes devices nor waits for one within a step.
"""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import torch
from toy import toy_clip

from mebench import spec
from mebench.methods.catalogue import baseline_spec
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.engine import random_transform
from mebench.methods.fomm.inference import FaceAnimator, driving_tracks
from mebench.methods.fomm.networks import build
from mebench.methods.fomm.objective import Objective
from mebench.methods.fomm.painter import MAPS
from mebench.methods.fomm.points import pick
from mebench.methods.fomm.sampling import Batch
from mebench.types import Face

MEMBERS = ("fomm-prior", "painter", "fomm-awp", "fomm", "mraa")
PRESETS = {"fomm-prior": ("fomm-prior", "scratch"), "painter": ("fomm-prior", "default")}
SIZE, PAIRS = 64, 2


@pytest.fixture(autouse=True)
def _no_autocast(monkeypatch):
    """PyTorch has no autocast for this device, not even to switch it off."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())


def config_of(member):
    name, preset = PRESETS.get(member, (member, "quick"))
    settings = dict(baseline_spec(name).presets[preset])
    small = {"size": SIZE, "motion_width": 4, "motion_max": 8, "motion_blocks": 2,
             "detector_blocks": 2, "generator_width": 4, "generator_max": 8,
             "generator_residual": 1}  # fmt: skip
    settings["model"] = {**settings.get("model", {}), **small}
    return spec.parse(FommConfig, settings, member)


def networks_on_meta(config, *, with_critic=False):
    networks = build(config, 0, with_critic=with_critic)
    for module in networks.modules().values():
        module.to("meta")
    return networks


def batch_on_meta(config):
    count = len(pick(toy_clip(1, n=2)[0].landmarks, config.points.point_set))
    shapes = {
        "template": (3, SIZE, SIZE),
        "driving": (3, SIZE, SIZE),
        "template_points": (count, 2),
        "driving_points": (count, 2),
        "driving_jacobians": (count, 2, 2),
        "flow": (SIZE, SIZE, 2),
    }
    if config.model.blend == "painter":
        shapes |= {"maps": (MAPS, SIZE, SIZE), "unit": (), "change": (3, SIZE, SIZE)}
    made = {name: torch.zeros(PAIRS, *shape, device="meta") for name, shape in shapes.items()}
    known = torch.zeros(PAIRS, dtype=torch.bool, device="meta")
    clip = torch.zeros(PAIRS, dtype=torch.int64)
    return Batch(**made, flow_known=known, clip=clip, flow_shown=known)


@pytest.mark.parametrize("motion_only", [True, False], ids=["motion", "whole"])
@pytest.mark.parametrize("member", MEMBERS)
def test_a_training_step_stays_on_its_device(member, motion_only):
    config = config_of(member)
    networks = networks_on_meta(config)
    objective = Objective(config, networks)
    losses = config.train.losses
    transform = None
    if not motion_only and (losses.equivariance_value or losses.equivariance_jacobian):
        transform = random_transform(PAIRS, 0, 0, torch.device("meta"))
    outcome = objective(batch_on_meta(config), transform, None, motion_only)
    assert outcome.losses
    assert {loss.device.type for loss in outcome.losses.values()} == {"meta"}
    torch.stack(list(outcome.losses.values())).sum().backward()
    learning = [p for p in objective.parameters() if p.grad is not None]
    assert learning
    torch.optim.Adam(learning, 1e-4).step()


@pytest.mark.parametrize("view", ["aligned", "picture"])
@pytest.mark.parametrize("member", MEMBERS)
def test_inference_stays_on_its_device(member, view, monkeypatch):
    config = config_of(member)
    # Two things are computed by the processor from fetched numbers: once a clip what corrects the
    # tracks, and the hulls that tell how large a face is.
    monkeypatch.setattr("mebench.methods.fomm.inference.GivenPoints", type(None))
    inference = config.inference.model_copy(update={"adapt_scale": False})
    config = config.model_copy(update={"inference": inference})
    clip = toy_clip(1, n=4)[0]
    networks = networks_on_meta(config)
    animator = FaceAnimator(networks, config)
    image = clip.frames[0]
    if view == "picture":
        image = np.pad(image, ((8, 8), (20, 4), (0, 0)))
    marks = clip.landmarks + np.float32([20, 8]) * np.float32(view == "picture")
    seen = []
    monkeypatch.setattr(
        "mebench.methods.fomm.inference.to_frames",
        lambda pictures: seen.append(pictures) or np.zeros((len(pictures), 1, 1, 3), np.uint8),
    )
    animator.generate(Face(image, marks), clip, driving_tracks(clip, config))
    assert {pictures.device.type for pictures in seen} == {"meta"}
    assert sum(len(pictures) for pictures in seen) == 4
