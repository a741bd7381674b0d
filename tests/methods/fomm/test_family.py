"""The members of the family are one code base with other settings: each trains and generates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mebench.methods.catalogue import baseline_spec, load_baseline
from mebench.types import Face, FaceClip, SilentProgress

SMALL = {
    "model.size": "64", "model.detector_width": "4", "model.detector_max": "8",
    "model.detector_blocks": "2", "model.motion_width": "4", "model.motion_max": "8",
    "model.motion_blocks": "2", "model.generator_width": "4", "model.generator_max": "8",
    "model.generator_residual": "1", "train.steps": "2", "train.batch": "2",
}  # fmt: skip


@pytest.mark.parametrize("name", ["fomm", "fomm-awp"])
def test_the_cpu_preset_trains_and_its_checkpoint_generates(
    name: str, clips: list[FaceClip], tmp_path: Path
) -> None:
    method = load_baseline(name, preset="quick", overrides=SMALL)
    method.fit(clips, workdir=tmp_path / "a", device="cpu", seed=3, progress=SilentProgress())
    method.save(tmp_path / "model.pt")
    face = Face(clips[1].frames[0], clips[1].landmarks)
    frames = method.generate(face, clips[0])
    assert frames.shape == clips[0].frames.shape
    again = load_baseline(name, preset="quick", overrides=SMALL)
    again.load(tmp_path / "model.pt", device="cpu")
    assert np.array_equal(again.generate(face, clips[0]), frames)
    untrained = load_baseline(name, preset="quick", overrides=SMALL)
    untrained.initialise(device="cpu", seed=3)
    learnt = method._networks.generator.state_dict()
    fresh = untrained._networks.generator.state_dict()
    assert any(not np.array_equal(learnt[key], fresh[key]) for key in learnt)


def test_fomm_needs_no_landmarks_and_finds_its_own_points(clips: list[FaceClip]) -> None:
    method = load_baseline("fomm", preset="quick", overrides=SMALL)
    method.initialise(device="cpu", seed=0)
    assert baseline_spec("fomm").needs == ()
    nowhere = np.zeros((68, 2), np.float32)
    bare = FaceClip("a", "a", clips[0].frames, nowhere, clips[0].fps)
    with_marks = method.generate(Face(clips[1].frames[0], clips[1].landmarks), clips[0])
    without = method.generate(Face(clips[1].frames[0], nowhere), bare)
    assert np.array_equal(with_marks, without)


@pytest.mark.parametrize(("name", "points"), [("fomm", 10), ("fomm-prior", 18), ("fomm-awp", 18)])
def test_the_paper_presets_have_the_published_points(name: str, points: int) -> None:
    config = load_baseline(name, preset="paper").config
    assert (config.model.size, config.point_count) == (256, points)
    assert config.model.jacobians == "learned"
    assert config.points.tracking == "none"
