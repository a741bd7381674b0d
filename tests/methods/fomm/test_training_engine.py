"""The engine: parts of a batch, clipping, moving average, held-back subjects, pictures."""

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from toy import toy_clip

from mebench.errors import MebenchError, UsageError, WeightsError
from mebench.methods.fomm.baseline import FommPrior
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.engine import Engine, Job
from mebench.methods.fomm.material import prepare
from mebench.methods.fomm.networks import build
from mebench.methods.fomm.objective import Objective
from mebench.methods.fomm.processes import fabric_for, share
from mebench.methods.fomm.sampling import draw
from mebench.methods.fomm.validation import split


def _with(config, **train):
    data = config.model_dump()
    data["train"].update(train)
    return FommConfig.model_validate(data)


def _engine(config, clips, workdir, device="cpu"):
    job = Job(
        config=config,
        networks=build(config, 1),
        materials=[prepare(clip, config) for clip in clips],
        held_back=[],
        keys=[clip.key for clip in clips],
        workdir=workdir,
        seed=1,
        identity={},
        resumed=None,
        start=0,
        total=config.train.steps,
    )
    fabric = fabric_for(device, 1, config.train.precision)
    fabric.launch()
    return Engine(job, fabric, lambda note: None)


def _fit(config, clips, workdir, seed=1):
    model = FommPrior(config)
    model.fit(clips, workdir=workdir, device="cpu", seed=seed)
    return model


def _rows(path):
    with path.open(newline="") as handle:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(handle)]


def test_a_batch_is_shared_evenly_or_refused():
    taken = [share(12, 2, rank, 3) for rank in range(3)]
    assert [list(range(12))[part] for parts in taken for part in parts] == [
        [0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]
    ]  # fmt: skip
    with pytest.raises(UsageError, match=r"train.batch is 9.*4 processes.*multiple of 4"):
        share(9, 1, 0, 4)


def test_parts_of_a_batch_give_the_mean_of_their_losses_and_gradients(tiny, clips, tmp_path):
    config = _with(tiny, batch=4, accumulate=2, motion_first=0.0)
    engine = _engine(config, clips, tmp_path)
    networks = build(config, 1)
    batch = draw(engine.job.materials, config, 1, 0, config.train.steps)
    objective = Objective(config, networks)
    wanted = {}
    for part in (slice(0, 2), slice(2, 4)):
        losses = objective(batch.rows(part), None, None, False).losses
        (sum(losses.values()) / 2).backward()
        for name, value in losses.items():
            wanted[name] = wanted.get(name, 0.0) + value.item() / 2
    found = engine._step(0, batch)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(wanted, rel=1e-6)
    pairs = zip(engine.objective.parameters(), objective.parameters(), strict=True)
    gradients = [(a.grad, b.grad) for a, b in pairs if b.grad is not None]
    assert gradients
    assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-8) for a, b in gradients)


def test_gradients_are_clipped_to_the_norm(tiny, clips, tmp_path):
    norms = {}
    for limit in (0.0, 1e-3):
        config = _with(tiny, clip_norm=limit, motion_first=0.0)
        engine = _engine(config, clips, tmp_path)
        engine._step(0, engine._draw(0))
        squares = [
            p.grad.square().sum() for p in engine.objective.parameters() if p.grad is not None
        ]
        norms[limit] = torch.stack(squares).sum().sqrt().item()
    assert norms[0.0] > 0.01
    assert norms[1e-3] == pytest.approx(1e-3, rel=1e-3)


def test_the_moving_average_generates_and_survives_a_cut(tiny, clips, tmp_path):
    config = _with(tiny, ema=0.7, checkpoint_every=1)
    engine = _engine(config, clips, tmp_path / "slow")
    name = next(n for n, p in engine.networks.generator.named_parameters() if "mask" in n)
    slow = None
    for step in range(config.train.steps):
        engine._step(step, engine._draw(step))
        now = engine.networks.generator.state_dict()[name].double()
        slow = now.clone() if slow is None else 0.7 * slow + 0.3 * now
    model = _fit(config, clips, tmp_path / "whole")
    found = model._networks.generator.state_dict()[name].double()
    assert torch.allclose(found, slow, atol=1e-6)
    content = torch.load(tmp_path / "whole" / "checkpoint.pt", weights_only=True)
    assert not torch.equal(content["generator"][name], content["average"]["generator"][name])
    loaded = FommPrior()
    loaded.load(tmp_path / "whole" / "checkpoint.pt", device="cpu")
    assert torch.equal(loaded._networks.generator.state_dict()[name].double(), found)


def test_the_best_networks_on_held_back_subjects_are_kept(tiny, tmp_path):
    clips = [toy_clip(seed, n=8)[0] for seed in range(4)]
    config = _with(
        tiny,
        steps=8,
        validation=1,
        validate_every=2,
        learning_rate=0.02,
        cosine=False,
        motion_first=0.0,
    )
    model = _fit(config, clips, tmp_path)
    rows = _rows(tmp_path / "validation.csv")
    assert [row["step"] for row in rows] == [2, 4, 6, 8]
    best = torch.load(tmp_path / "best.pt", weights_only=True)
    lowest = min(rows, key=lambda row: row["sum"])
    assert best["step"] == lowest["step"]
    assert best["validation"] == pytest.approx(lowest["sum"], rel=1e-5)
    for name, value in model._networks.generator.state_dict().items():
        assert torch.equal(value, best["generator"][name]), name
    last = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert last["step"] == 8


def test_subjects_are_held_back_whole(clips):
    several = [*clips, replace(clips[0], key="toy.00.other")]
    learn, held = split(several, 1, seed=3)
    assert len({clip.subject for clip in held}) == 1
    assert {clip.subject for clip in learn}.isdisjoint(clip.subject for clip in held)
    assert len(learn) + len(held) == 4
    assert split(several, 0, seed=3) == (several, [])
    with pytest.raises(UsageError, match="holds back 3 of 3 training subjects"):
        split(several, 3, seed=3)


def test_numbers_that_are_not_finite_never_reach_a_checkpoint(tiny, clips, tmp_path):
    engine = _engine(tiny, clips, tmp_path)
    engine._save(1)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with torch.no_grad():
        next(engine.networks.generator.parameters()).fill_(float("nan"))
    with pytest.raises(MebenchError, match=r"training step 2: generator\..* is not finite"):
        engine._save(2)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_pictures_of_the_training_are_drawn(tiny, clips, tmp_path):
    _fit(_with(tiny, sample_every=3), clips, tmp_path)
    strips = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert strips == ["step-000003.png", "step-000006.png"]
    strip = cv2.imread(str(tmp_path / "samples" / strips[-1]))
    assert strip.shape == (2 * 64, 4 * 64, 3)
    template, generated, gap = strip[:64, :64], strip[:64, 128:192], strip[:64, 192:]
    assert np.corrcoef(template.ravel(), generated.ravel())[0, 1] > 0.9
    assert abs(gap.mean() - 128) < 30
    plot = cv2.imread(str(tmp_path / "losses.png"))
    assert (plot < 250).any(-1).mean() > 0.005


def test_half_precision_trains(tiny, clips, tmp_path):
    full = _fit(tiny, clips, tmp_path / "full")
    half = _fit(_with(tiny, precision="bf16-mixed"), clips, tmp_path / "half")
    assert full.config != half.config
    a, b = (_rows(tmp_path / name / "losses.csv")[0]["flow"] for name in ("full", "half"))
    assert a != b
    assert a == pytest.approx(b, rel=0.05)


def test_without_vgg_weights_paper_says_what_can_be_had(tiny, clips, tmp_path, monkeypatch):
    monkeypatch.setenv("MEBENCH_WEIGHTS", str(tmp_path / "none"))
    losses = tiny.model_dump()["train"]["losses"]
    wanted = _with(tiny, steps=1, motion_first=0.0, losses={**losses, "perceptual": 10.0})
    with pytest.raises(WeightsError, match=r"vgg19.*-s train.losses.perceptual_network=seeded"):
        _fit(wanted, clips, tmp_path / "published")
    seeded = {**losses, "perceptual": 10.0, "perceptual_network": "seeded"}
    _fit(_with(tiny, steps=1, motion_first=0.0, losses=seeded), clips, tmp_path / "seeded")
    assert _rows(tmp_path / "seeded" / "losses.csv")[0]["perceptual"] > 0
