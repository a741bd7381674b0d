"""Checkpoints in the published code's layout become ours, or are refused in one line."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from mebench.cli.main import _run
from mebench.errors import UsageError, WeightsError
from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm.networks import build
from mebench.types import Face, FaceClip
from mebench.weights import seeded_state

SMALL = {
    "model.size": "64", "model.detector_width": "4", "model.detector_max": "8",
    "model.detector_blocks": "2", "model.motion_width": "4", "model.motion_max": "8",
    "model.motion_blocks": "2", "model.generator_width": "4", "model.generator_max": "8",
    "model.generator_residual": "1",
}  # fmt: skip


def small(**more: str) -> object:
    return load_baseline("fomm-prior", preset="paper", overrides={**SMALL, **more})


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Return a file as the published code writes it, with seeded numbers."""
    networks = build(small().config, 3, with_critic=True)
    states = {name: seeded_state(module, 7) for name, module in networks.modules().items()}
    states["kp_detector"]["conv1.weight"] = torch.zeros(9, 18, 3, 3)
    states["kp_detector"]["conv2.bias"] = torch.zeros(1)
    for state in states.values():
        for key in [key for key in state if key.endswith("num_batches_tracked")]:
            del state[key]
    optimiser = torch.optim.Adam(networks.generator.parameters(), lr=2e-4).state_dict()
    path = tmp_path / "00000099-checkpoint.pth.tar"
    torch.save({**states, "optimizer_generator": optimiser, "epoch": 99}, path)
    return path


def changed(path: Path, change: object) -> Path:
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    return path


def face_and_clip() -> tuple[Face, FaceClip]:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    marks = rng.uniform(10, 54, (68, 2)).astype(np.float32)
    marks[36:42], marks[42:48] = (20, 24), (44, 24)
    return Face(frames[0], marks), FaceClip("casme2.01.a", "casme2.01", frames, marks, 200.0)


def test_an_imported_checkpoint_generates_what_its_numbers_say(
    published: Path, tmp_path: Path
) -> None:
    method = small()
    lines = method.import_published(published)
    assert any("conv1.weight, kp_detector.conv2.bias" in line for line in lines)
    assert any("optimizer_generator" in line for line in lines)
    state = torch.load(published, weights_only=True)["generator"]
    weight = method._networks.generator.state_dict()["final.weight"]
    assert torch.equal(weight, state["final.weight"])
    method.save(tmp_path / "ours.pt")
    again = load_baseline("fomm-prior", preset="paper")
    again.load(tmp_path / "ours.pt")
    face, clip = face_and_clip()
    assert (again.generate(face, clip) == method.generate(face, clip)).all()


def test_the_prefix_of_a_parallel_wrapper_is_taken_off(published: Path) -> None:
    def wrap(content: dict) -> None:
        content["generator"] = {f"module.{k}": v for k, v in content["generator"].items()}

    plain = small()
    plain.import_published(published)
    wrapped = small()
    wrapped.import_published(changed(published, wrap))
    ours, theirs = (m._networks.generator.state_dict() for m in (plain, wrapped))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("kp_detector"), "no 'kp_detector' in it .holds discriminator, epoch"),
        (lambda c: c["generator"].pop("final.bias"), r"generator.final.bias: expected \(3,\), got"),
        (
            lambda c: c["kp_detector"].update({"kp.bias": torch.zeros(10)}),
            r"kp_detector.kp.bias: expected \(18,\), got \(10,\); it is of another method",
        ),
    ],
)
def test_files_that_do_not_fit_name_the_first_tensor(
    published: Path, change: object, message: str
) -> None:
    method = small()
    with pytest.raises(WeightsError, match=message) as caught:
        method.import_published(changed(published, change))
    assert "\n" not in str(caught.value)


def test_cut_foreign_and_harmful_files_are_refused(published: Path, tmp_path: Path) -> None:
    method = small()
    cut = tmp_path / "cut.pth"
    cut.write_bytes(published.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        method.import_published(cut)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="expected a checkpoint with generator"):
        method.import_published(tmp_path / "list.pth")
    (tmp_path / "code.pth").write_bytes(pickle.dumps(_Code(tmp_path / "touched")))
    with pytest.raises(WeightsError, match="could run code"):
        method.import_published(tmp_path / "code.pth")
    assert not (tmp_path / "touched").exists()
    with pytest.raises(UsageError, match="no published checkpoints"):
        load_baseline("copy-template").import_published(published)


class _Code:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


def test_the_command_writes_a_checkpoint_and_says_what_it_left(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = " ".join(f"-s {key}={value}" for key, value in SMALL.items())
    out = tmp_path / "imported.pt"
    command = f"weights import --as fomm-prior {published} {options} --out {out}"
    assert _run(command.split(), debug=False) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(out)
    assert "dropped, no network has them: kp_detector.conv1.weight" in told.err
    assert _run(f"weights import --as fomm-prior {published}".split(), debug=False) == 5
    assert "expected (" in capsys.readouterr().err
    assert _run(f"weights import {published}".split(), debug=False) == 2
