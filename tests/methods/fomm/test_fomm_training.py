"""Training, its checkpoints, and the baseline as its users see it."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import toy_clip

from mebench.errors import MebenchError, UsageError, WeightsError
from mebench.methods.catalogue import baseline_spec, load_baseline
from mebench.methods.fomm.baseline import FommPrior
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.engine import Engine
from mebench.types import Face, SilentProgress


class CrashError(Exception):
    """Stands for a killed process."""


class CrashAt(SilentProgress):
    """Stops the training after so many steps of this run."""

    def __init__(self, step):
        self.step = step

    @contextmanager
    def task(self, name, total=None, done=0):
        yield self
        self.name = name

    def advance(self, n=1, note=""):
        if "left" in note:
            self.step -= 1
            if self.step == 0:
                raise CrashError


def _fit(config, clips, workdir, progress=None, seed=1):
    model = FommPrior(config)
    model.fit(
        clips, workdir=workdir, device="cpu", seed=seed, progress=progress or SilentProgress()
    )
    return model


def _numbers(model):
    return torch.cat([p.flatten() for p in model._networks.generator.state_dict().values()])


@pytest.fixture(scope="module")
def trained(tiny, clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return _fit(tiny, clips, folder), folder


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_a_killed_run_continues_to_the_same_last_bit(trained, tiny, clips, tmp_path, steps):
    whole, folder = trained
    with pytest.raises(CrashError):
        _fit(tiny, clips, tmp_path, CrashAt(steps))
    model = _fit(tiny, clips, tmp_path)
    assert torch.equal(_numbers(model), _numbers(whole))
    assert (tmp_path / "losses.csv").read_bytes() == (folder / "losses.csv").read_bytes()
    assert len((tmp_path / "losses.csv").read_text().splitlines()) == 1 + tiny.train.steps


def test_training_changes_the_networks_and_repeats_with_a_seed(trained, tiny, clips, tmp_path):
    fresh = FommPrior(tiny)
    fresh.initialise(device="cpu", seed=1)
    assert not torch.equal(_numbers(fresh), _numbers(trained[0]))
    assert not torch.equal(_numbers(_fit(tiny, clips, tmp_path, seed=2)), _numbers(trained[0]))


def test_a_finished_run_is_not_trained_again(trained, tiny, clips):
    model, folder = trained
    before = (folder / "checkpoint.pt").stat().st_mtime_ns
    again = _fit(tiny, clips, folder)
    assert torch.equal(_numbers(again), _numbers(model))
    assert (folder / "checkpoint.pt").stat().st_mtime_ns == before


def test_a_folder_of_another_run_is_refused(trained, tiny, clips):
    folder = trained[1]
    data = tiny.model_dump()
    data["train"]["learning_rate"] = 0.5
    with pytest.raises(UsageError, match="another config"):
        _fit(FommConfig.model_validate(data), clips, folder)
    with pytest.raises(UsageError, match="another seed"):
        _fit(tiny, clips, folder, seed=3)
    with pytest.raises(UsageError, match="another clips"):
        _fit(tiny, clips[:2], folder)
    with pytest.raises(UsageError, match="at least one clip"):
        _fit(tiny, [], folder)


def test_a_loss_that_is_not_finite_stops_the_run(tiny, clips, tmp_path):
    data = tiny.model_dump()
    data["train"]["motion_first"] = 0.0
    data["train"]["losses"]["pixel"] = 1e300
    with pytest.raises(MebenchError, match=r"training step \d: loss .*learning_rate") as caught:
        _fit(FommConfig.model_validate(data), clips, tmp_path)
    named = [clip.key for clip in clips if clip.key in str(caught.value)]
    assert 1 <= len(named) <= data["train"]["batch"]


@pytest.mark.parametrize("crash", [None, 2])
def test_an_error_of_drawing_costs_no_training_and_hides_no_error(
    trained, tiny, clips, tmp_path, monkeypatch, caplog, crash
):
    def broken(*_):
        raise RuntimeError("no canvas")

    monkeypatch.setattr("mebench.methods.fomm.training.draw_losses", broken)
    if crash is None:
        assert torch.equal(_numbers(_fit(tiny, clips, tmp_path)), _numbers(trained[0]))
    else:
        with pytest.raises(CrashError):
            _fit(tiny, clips, tmp_path, CrashAt(crash))
    assert "losses.png: was not drawn (no canvas)" in caplog.text


@pytest.mark.parametrize("words", ["CUDA out of memory", "can't allocate memory: you tried"])
def test_out_of_memory_names_the_batch_to_try(tiny, clips, tmp_path, monkeypatch, words):
    def step(*arguments):
        raise RuntimeError(words)

    monkeypatch.setattr(Engine, "_step", step)
    with pytest.raises(MebenchError, match=r"batches of 2; try -s train.batch=1"):
        _fit(tiny, clips, tmp_path)


def test_saved_networks_make_the_same_frames(trained, tiny, clips, tmp_path):
    model, folder = trained
    face = Face(clips[1].frames[0], clips[1].landmarks)
    wanted = model.generate(face, clips[0])
    model.save(tmp_path / "model.pt")
    for path in (tmp_path / "model.pt", folder / "checkpoint.pt"):
        other = FommPrior()
        other.load(path, device="cpu")
        assert other.config.model == tiny.model
        assert np.array_equal(other.generate(face, clips[0]), wanted)


def test_damaged_and_foreign_checkpoints_are_refused_in_one_line(trained, tmp_path):
    model, _ = trained
    path = tmp_path / "model.pt"
    model.save(path)
    content = torch.load(path, weights_only=True)
    bad = {"truncated": path.read_bytes()[:2000], "empty": b"", "text": b"no checkpoint"}
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    lacking = dict(content["generator"])
    lacking.pop("first.conv.weight")
    torch.save({**content, "generator": lacking}, tmp_path / "lacking")
    torch.save({**content, "kind": "other/1"}, tmp_path / "foreign")
    torch.save([1, 2], tmp_path / "list")
    torch.save({**content, "configuration": {"model": {"sise": 3}}}, tmp_path / "settings")
    for name in (*bad, "lacking", "foreign", "list", "settings", "absent"):
        with pytest.raises(WeightsError) as caught:
            FommPrior().load(tmp_path / name, device="cpu")
        message = str(caught.value)
        assert name in message, message
        assert "\n" not in message, message


def test_a_still_driving_clip_leaves_an_untrained_model_at_the_template(tiny, clips):
    model = FommPrior(tiny)
    still = replace(clips[0], frames=np.repeat(clips[0].frames[:1], 3, 0))
    face = Face(clips[1].frames[0], clips[1].landmarks)
    out = model.generate(face, still)
    assert np.array_equal(out, np.repeat(face.image[None], 3, 0))


def test_output_has_the_templates_size_and_the_driving_clips_length(tiny, clips):
    clip = toy_clip(7, size=96, n=2)[0]
    out = FommPrior(tiny).generate(Face(clip.frames[0], clip.landmarks), clips[0])
    assert out.shape == (len(clips[0].frames), 96, 96, 3)
    assert out.dtype == np.uint8
    assert np.abs(out[4].astype(int) - out[0]).max() > 3


def test_a_larger_amplitude_moves_further(tiny, clips):
    face = Face(clips[1].frames[0], clips[1].landmarks)
    changes = []
    for amplitude in ("0", "1", "3"):
        data = tiny.model_dump()
        data["inference"]["amplitude"] = float(amplitude)
        out = FommPrior(FommConfig.model_validate(data)).generate(face, clips[0])
        changes.append(np.abs(out[4].astype(float) - out[0]).mean())
    assert changes[0] == 0
    assert changes[2] > 1.5 * changes[1] > 0


@pytest.mark.parametrize("blend", ["none", "gate"])
def test_published_parts_train_too(tiny, clips, tmp_path, blend):
    data = tiny.model_dump()
    data["model"].update(jacobians="learned", blend=blend, detector_width=4, detector_max=8)
    data["model"].update(discriminator_width=4, discriminator_max=8, discriminator_blocks=2)
    data["points"].update(point_set="published-18", tracking="none")
    data["train"].update(steps=2, motion_first=0.0)
    data["train"]["losses"].update(gan=1.0, feature_matching=10.0, equivariance_jacobian=10.0)
    model = _fit(FommConfig.model_validate(data), clips, tmp_path)
    header = (tmp_path / "losses.csv").read_text().splitlines()[0].split(",")
    assert {"gen_gan", "feature_matching", "equivariance_jacobian", "critic"} <= set(header)
    out = model.generate(Face(clips[1].frames[0], clips[1].landmarks), clips[0])
    assert out.shape == clips[0].frames.shape


def test_the_presets_of_the_shipped_baseline():
    spec = baseline_spec("fomm-prior")
    assert set(spec.presets) == {"shipped", "quick", "scratch", "default", "further", "paper"}
    quick = load_baseline("fomm-prior", overrides={"train.steps": "7"})
    assert quick.config.train.steps == 7
    paper = load_baseline("fomm-prior", preset="paper").config
    assert (paper.model.size, paper.train.batch, paper.point_count) == (256, 9, 18)
    assert paper.points.tracking == "none"
    with pytest.raises(UsageError, match="Did you mean 'default'"):
        load_baseline("fomm-prior", preset="defautl")
    with pytest.raises(UsageError, match="Did you mean 'steps'"):
        load_baseline("fomm-prior", overrides={"train.stepz": "7"})
    with pytest.raises(UsageError, match="Did you mean 'fomm-prior'"):
        load_baseline("fom-prior")
