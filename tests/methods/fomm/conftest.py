"""Clips, and settings small enough that a training run takes seconds."""

import pytest
from toy import toy_clip

from mebench import spec
from mebench.methods.fomm.config import FommConfig

TINY = {
    "model": {
        "size": 64,
        "motion_width": 4,
        "motion_max": 8,
        "motion_blocks": 2,
        "detector_blocks": 2,
        "generator_width": 4,
        "generator_max": 8,
        "generator_residual": 1,
    },
    "train": {"steps": 6, "batch": 2, "checkpoint_every": 2, "motion_first": 0.5},
}


@pytest.fixture(scope="session")
def tiny():
    return spec.parse(FommConfig, TINY, "tiny")


@pytest.fixture(scope="session")
def clips():
    return [toy_clip(seed, n=8)[0] for seed in range(3)]
