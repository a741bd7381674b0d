"""Several processes learn as one does, and a killed process loses nothing."""

import csv
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch
from toy import toy_clip

from mebench.errors import MebenchError, UsageError
from mebench.methods.fomm.baseline import FommPrior
from mebench.methods.fomm.config import FommConfig

STEPS = 20


def _published(tiny):
    """Every published loss, on networks whose batch norms see the pairs."""
    data = tiny.model_dump()
    data["model"].update(jacobians="learned", blend="none", detector_width=4, detector_max=8)
    data["model"].update(discriminator_width=4, discriminator_max=8, discriminator_blocks=2)
    data["points"].update(point_set="published-18", tracking="none")
    # Adam divides by what it finds: where a gradient is 0, rounding decides. Small steps keep
    # that from growing into another run.
    data["train"].update(steps=STEPS, batch=4, motion_first=0.0, learning_rate=1e-5)
    data["train"]["losses"].update(gan=1.0, feature_matching=10.0, equivariance_jacobian=10.0)
    return FommConfig.model_validate(data)


def _ours(tiny):
    data = tiny.model_dump()
    data["train"].update(steps=STEPS, batch=4, motion_first=0.5, learning_rate=2e-4)
    return FommConfig.model_validate(data)


def _curve(config, clips, workdir, devices):
    model = FommPrior(config)
    model.devices = devices
    model.fit(clips, workdir=workdir, device="cpu", seed=1)
    with (workdir / "losses.csv").open(newline="") as handle:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(handle)]
    return rows, model


@pytest.mark.long
@pytest.mark.parametrize("recipe", [_published, pytest.param(_ours, marks=pytest.mark.long)])
def test_two_processes_have_the_loss_curve_of_one(tiny, clips, tmp_path, recipe):
    config = recipe(tiny)
    one, alone = _curve(config, clips, tmp_path / "one", 1)
    two, together = _curve(config, clips, tmp_path / "two", 2)
    assert len(one) == len(two) == STEPS
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        gap = max(abs(a[key] - b[key]) / max(1.0, abs(a[key])) for key in a)
        assert gap <= 1e-4, (a, b)
    states = zip(
        alone._networks.generator.state_dict().values(),
        together._networks.generator.state_dict().values(),
        strict=True,
    )
    assert max((a.float() - b.float()).abs().max().item() for a, b in states) < 1e-2


@pytest.mark.long
def test_what_stops_a_process_is_one_line(tiny, clips, tmp_path):
    config = _published(tiny)
    data = config.model_dump()
    data["train"]["losses"]["pixel"] = 1e300
    with pytest.raises(MebenchError, match=r"^training step 1: loss '\w+' is \w+ \(clips"):
        _curve(FommConfig.model_validate(data), clips, tmp_path, 2)
    with pytest.raises(UsageError, match="cannot share evenly; use a multiple of 3"):
        _curve(config, clips, tmp_path / "three", 3)


def _train(config, clips, workdir):
    torch.set_num_threads(1)
    FommPrior(config).fit(clips, workdir=workdir, device="cpu", seed=1)


def _changed(path, times, process):
    """Wait until a file was written so often, or the process ended."""
    seen = None if not path.exists() else path.stat().st_mtime_ns
    while times and process.is_alive():
        time.sleep(0.002)
        now = None if not path.exists() else path.stat().st_mtime_ns
        if now != seen:
            seen, times = now, times - 1


@pytest.mark.long
def test_ten_kills_at_random_moments_change_nothing(tiny, tmp_path):
    """SIGKILL, ten times; the run that goes on ends in the same bytes."""
    data = tiny.model_dump()
    data["train"].update(
        steps=60, checkpoint_every=1, motion_first=0.3, validation=1, validate_every=5, ema=0.9,
        sample_every=10,
    )  # fmt: skip
    config = FommConfig.model_validate(data)
    clips = [toy_clip(seed, n=6)[0] for seed in range(3)]
    workers = multiprocessing.get_context("forkserver")
    workers.set_forkserver_preload(["mebench.methods.fomm.baseline"])
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    _run(workers, config, clips, whole)
    random = np.random.default_rng(0)
    for written, wait in zip(random.integers(0, 4, 10), random.uniform(0, 0.1, 10), strict=True):
        process = workers.Process(target=_train, args=(config, clips, cut))
        process.start()
        _changed(cut / "checkpoint.pt", int(written), process)
        time.sleep(float(wait))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
    _run(workers, config, clips, cut)
    for name in ("losses.csv", "validation.csv"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    for name in ("checkpoint.pt", "best.pt"):
        a, b = (torch.load(place / name, weights_only=True) for place in (whole, cut))
        assert _flat(a) == _flat(b), name


def _run(workers, config, clips, workdir):
    process = workers.Process(target=_train, args=(config, clips, workdir))
    process.start()
    process.join()
    assert process.exitcode == 0


def _flat(value):
    """Everything in a checkpoint as comparable bytes."""
    if isinstance(value, torch.Tensor):
        return value.numpy(force=True).tobytes()
    if isinstance(value, dict):
        return {key: _flat(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_flat(item) for item in value]
    return value
