"""The weights in the package: what they are, what they are worth, and what is refused."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
import yaml
from test_fomm_training import CrashAt, CrashError

from mebench.content import content_folder
from mebench.errors import UsageError, WeightsError
from mebench.io.files import sha256_file
from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm import shipped
from mebench.methods.fomm.exact import make_pairs
from mebench.methods.fomm.lessons import examine
from mebench.methods.fomm.shipped import read_weights, shipped_file, write_weights
from mebench.types import Face, SilentProgress

FOLDER = content_folder("baselines") / "fomm-prior" / "weights"
STATED = yaml.safe_load((FOLDER / "weights.yaml").read_text(encoding="utf-8"))


def of_package():
    method = load_baseline("fomm-prior", preset="shipped")
    method.load(method.shipped())
    return method


def numbers(method):
    states = [module.state_dict().values() for module in method.networks.modules().values()]
    return torch.cat([value.flatten().double() for state in states for value in state])


def test_the_files_are_those_that_are_stated_and_small():
    files = sorted(FOLDER.glob("*.safetensors"))
    assert [file.name for file in files] == sorted(about["file"] for about in STATED.values())
    for about in STATED.values():
        file = FOLDER / about["file"]
        assert sha256_file(file) == about["sha256"]
        assert file.stat().st_size == about["bytes"]
        assert about["commands"]
    assert sum(file.stat().st_size for file in files) <= 6_000_000


def test_they_load_and_the_file_says_how_they_were_trained():
    method = of_package()
    about = STATED[str(method.config.model.size)]
    assert method.config == load_baseline("fomm-prior", preset="further").config
    states = [module.state_dict() for module in method.networks.modules().values()]
    assert sum(v.numel() for state in states for v in state.values()) == about["numbers"]


def test_they_reach_the_stated_values_on_a_person_they_never_saw(tmp_path):
    method = of_package()
    about = STATED["128"]["first_examined"]
    first, last = about["people"]
    assert first == last == method.config.train.people
    pairs = make_pairs(tmp_path / "pairs", people=1, first=first)
    found = examine(method.networks, method.config, pairs)
    for key, value in found.items():
        assert value == pytest.approx(about[key], abs=0.02)
    assert found["flow_left"] < found["warp_left"] < 1
    assert found["appearance_gain"] > 0


def test_the_preset_that_does_not_train_is_the_file(clips, tmp_path):
    method = load_baseline("fomm-prior", preset="shipped")
    assert not method.needs_clips
    method.fit([], workdir=tmp_path, device="cpu", seed=5, progress=SilentProgress())
    assert torch.equal(numbers(method), numbers(of_package()))
    assert not any(tmp_path.iterdir())
    method.save(tmp_path / "model.pt")
    clip = clips[0]
    face = Face(clip.frames[0], clip.landmarks)
    made = of_package().generate(face, clip)
    again = load_baseline("fomm-prior")
    again.load(tmp_path / "model.pt")
    assert np.array_equal(again.generate(face, clip), made)
    assert not np.array_equal(made[len(made) // 2], face.image)


@pytest.mark.long
def test_adaptation_starts_there_stays_near_and_goes_on_where_it_was_cut(clips, tmp_path):
    few = {"train.steps": "4", "train.checkpoint_every": "1", "train.batch": "2"}

    def fit(folder, progress=None):
        method = load_baseline("fomm-prior", overrides=few)
        method.fit(
            clips, workdir=folder, device="cpu", seed=5, progress=progress or SilentProgress()
        )
        return method

    whole, start = fit(tmp_path / "whole"), of_package()
    assert not torch.equal(numbers(whole), numbers(start))
    motion, before = (one.networks.generator.dense_motion_network for one in (whole, start))
    pairs = zip(motion.parameters(), before.parameters(), strict=True)
    assert all(torch.equal(now, then) for now, then in pairs)
    painters = (one.networks.generator.painter.parameters() for one in (whole, start))
    assert max(float((a - b).detach().abs().max()) for a, b in zip(*painters, strict=True)) < 0.01
    correction = whole.networks.detector.correction
    assert torch.equal(correction, start.networks.detector.correction)
    with pytest.raises(CrashError):
        fit(tmp_path / "cut", CrashAt(2))
    assert torch.equal(numbers(fit(tmp_path / "cut")), numbers(whole))


def test_another_size_is_refused_before_anything_is_done(clips, tmp_path):
    method = load_baseline("fomm-prior", overrides={"model.size": "64"})
    with pytest.raises(WeightsError, match=r"made for model\.size 128, got 64; leave model\.size"):
        method.fit(clips, workdir=tmp_path / "x", device="cpu", seed=0, progress=SilentProgress())
    assert not (tmp_path / "x").exists()
    with pytest.raises(WeightsError, match="no weights of 'mraa' come with mebench"):
        shipped_file("mraa", 128)


def test_damaged_and_foreign_files_are_one_line(tmp_path):
    file = shipped_file("fomm-prior", 128)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: not a readable safetensors file"):
        read_weights(cut)
    with pytest.raises(WeightsError, match=r"absent\.safetensors: no such weights"):
        read_weights(tmp_path / "absent.safetensors")
    noise = tmp_path / "noise.safetensors"
    noise.write_bytes(b"\x00" * 50)
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        read_weights(noise)
    other = tmp_path / "other.safetensors"
    from safetensors.torch import save_file

    for about in (None, {"mebench": "[1]"}):
        save_file({"a": torch.zeros(2)}, other, metadata=about)
        with pytest.raises(WeightsError, match="holds kind 'none'"):
            read_weights(other)
    with pytest.raises(WeightsError, match="holds kind 'none', expected 'mebench-fomm/1'"):
        read_weights(other)
    method = load_baseline("fomm-prior", preset="shipped")
    old = tmp_path / "old.safetensors"
    write_weights(old, {**method.config.model_dump(mode="json"), "older": 1}, {})
    with pytest.raises(WeightsError, match="from another version"):
        method.load(old)
    half = tmp_path / "half.safetensors"
    write_weights(half, method.config.model_dump(mode="json"), {"generator": {"a": torch.ones(1)}})
    with pytest.raises(WeightsError, match="'kp_detector'"):
        method.load(half)


def test_writing_twice_gives_the_same_bytes(tmp_path):
    method = of_package()
    states = {name: module.state_dict() for name, module in method.networks.modules().items()}
    write_weights(tmp_path / "a.safetensors", method.config.model_dump(mode="json"), states)
    assert (tmp_path / "a.safetensors").read_bytes() == method.shipped().read_bytes()


def test_a_package_without_weights_says_what_to_do(monkeypatch, tmp_path):
    shutil.copytree(content_folder("baselines"), tmp_path / "baselines")
    shutil.rmtree(tmp_path / "baselines" / "fomm-prior" / "weights")
    monkeypatch.setattr(shipped, "content_folder", lambda kind: tmp_path / kind)
    with pytest.raises(WeightsError, match="train it first"):
        load_baseline("fomm-prior", preset="shipped").shipped()


@pytest.mark.long
def test_amplitude_makes_folds_stronger_step_by_step():
    from mebench.synthme.expression import Expression
    from mebench.synthme.identity import Identity
    from mebench.synthme.nuisance import Nuisance
    from mebench.synthme.render import render
    from mebench.synthme.stage import Camera
    from mebench.types import FaceClip

    act = Expression.sample(np.random.default_rng(3), "happiness", 100.0)
    camera = Camera(128, 128, 38.4, 63.5, 50.7)
    made = render(Identity.from_seed(2**40), act, Nuisance.none(), seed=1, camera=camera)
    clip = FaceClip(
        key="c", subject="c", frames=made.frames, landmarks=made.landmarks[0], fps=100.0
    )
    other = render(Identity.from_seed(2**40 + 1), act, Nuisance.none(), seed=1, camera=camera)
    face = Face(other.frames[0], other.landmarks[0])
    sizes = []
    for amplitude in (0.0, 1.0, 2.0, 3.0):
        method = load_baseline(
            "fomm-prior", preset="shipped", overrides={"inference.amplitude": str(amplitude)}
        )
        method.load(method.shipped())
        frames = method.generate(face, clip).astype(float)
        sizes.append(float(np.abs(frames - frames[0]).mean(axis=(1, 2, 3)).max()))
    assert sizes[0] == 0
    assert sizes == sorted(sizes)
    assert sizes[1] > 0.05
    assert sizes[3] > 2 * sizes[1]


def test_settings_of_the_shipped_preset_cannot_be_mixed_with_another_shape(clips, tmp_path):
    method = load_baseline("fomm-prior", overrides={"model.painter_widths": "[8, 8]"})
    with pytest.raises((WeightsError, UsageError), match="expected"):
        method.fit(clips, workdir=tmp_path, device="cpu", seed=0, progress=SilentProgress())
