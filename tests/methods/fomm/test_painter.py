"""The painter: it sees the motion, adds nothing without one, and learns from exact pairs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from test_fomm_training import CrashAt, CrashError
from toy import toy_clip

from mebench import spec
from mebench.errors import UsageError
from mebench.methods.fomm.baseline import FommPrior
from mebench.methods.fomm.blocks import coordinate_grid
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.exact import make_pairs
from mebench.methods.fomm.lessons import Lessons, backward_flow, draw_lessons, examine
from mebench.methods.fomm.networks import build
from mebench.methods.fomm.objective import Objective
from mebench.methods.fomm.painter import MAPS, Painter, Prior, face_prior, mirrored
from mebench.methods.fomm.points import MIRROR_68
from mebench.methods.fomm.rehearsal import features, from_pairs, unpacked
from mebench.preprocess.known_flow import grid, sources
from mebench.types import Face, SilentProgress

SIZE = 64
SMALL = {
    "model": {
        "size": SIZE,
        "blend": "painter",
        "painter_widths": [8, 8],
        "mask_kernel": 3,
        "motion_width": 4,
        "motion_max": 8,
        "motion_blocks": 2,
    },
    "train": {
        "people": 1,
        "steps": 6,
        "batch": 2,
        "motion_first": 0.34,
        "checkpoint_every": 2,
        "sample_every": 0,
        "ema": 0.9,
        "losses": {"flow": 20.0},
    },
}


def config_of(**train):
    return spec.parse(FommConfig, {**SMALL, "train": {**SMALL["train"], **train}}, "small")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return make_pairs(tmp_path_factory.mktemp("pairs") / "exact", people=1, size=SIZE)


def told(pairs, config):
    """Lessons whose tracker makes no errors."""
    true = from_pairs(pairs, config.points).true
    return Lessons(pairs, true, true, np.zeros((true.shape[1],) * 2, np.float32))


def loud(config, seed=0):
    """Networks whose painter says something, as training leaves them."""
    networks = build(config, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.nn.init.normal_(networks.generator.painter.out.weight, std=0.3)
    return networks


def shown(shift):
    """Return a painter's arguments: a field of `shift` (SIZE, SIZE, 2) pixels."""
    clip = toy_clip(0, n=2)[0]
    face = torch.from_numpy(clip.frames[:1].copy()).permute(0, 3, 1, 2).float() / 255
    still = coordinate_grid((SIZE, SIZE), face)
    field = (still + shift * (2 / (SIZE - 1)))[None]
    return field, face, face_prior(clip.landmarks, SIZE)


def random_painter(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        painter = Painter((8, 8)).eval()
        torch.nn.init.normal_(painter.out.weight, std=0.5)
        torch.nn.init.normal_(painter.out.bias, std=0.5)
    return painter


def bump(at, peak=0.5):
    """A motion of a few pixels' width around a place."""
    y, x = np.mgrid[:SIZE, :SIZE]
    near = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 3.0**2))
    return torch.from_numpy(np.stack([near * peak, near * 0], -1).astype(np.float32))


def test_no_motion_changes_nothing_to_the_bit():
    field, warped, prior = shown(torch.zeros(SIZE, SIZE, 2))
    with torch.inference_mode():
        painting = random_painter()(field, warped, prior)
    assert torch.equal(painting.field, field)
    assert not painting.correction.any()


def test_it_paints_where_something_moves_and_only_on_the_face():
    marks = toy_clip(0, n=2)[0].landmarks
    mouth = marks[48:60].mean(0)
    field, warped, prior = shown(bump(mouth))
    with torch.inference_mode():
        painting = random_painter()(field, warped, prior)
    size = painting.correction[0].abs().sum(0)
    near = size[int(mouth[1]) - 4 : int(mouth[1]) + 5, int(mouth[0]) - 4 : int(mouth[0]) + 5]
    assert near.mean() > 1e-3
    window = prior.maps[0, -1]
    assert not size[window == 0].any()
    assert (window == 0).sum() > SIZE
    brow = marks[19]
    far = size[int(brow[1]) - 2 : int(brow[1]) + 3, int(brow[0]) - 2 : int(brow[0]) + 3]
    assert far.mean() < 0.02 * near.mean()


def test_twice_the_motion_is_twice_the_change_once_it_can_be_seen():
    marks = toy_clip(0, n=2)[0].landmarks
    painter = random_painter()
    sizes = []
    for factor in (0.5, 1.0, 2.0, 3.0):
        field, warped, prior = shown(factor * bump(marks[51]))
        with torch.inference_mode():
            painting = painter(field, warped, prior)
        sizes.append(float(painting.correction.abs().mean()))
    assert all(later > 1.2 * former for former, later in pairwise(sizes))


def test_a_mirrored_face_has_the_mirrored_prior():
    marks = toy_clip(1, n=2)[0].landmarks
    width = SIZE - 1
    flipped = marks[MIRROR_68] * [-1, 1] + [width, 0]
    there = face_prior(flipped.astype(np.float32), SIZE)
    here = face_prior(marks, SIZE)
    assert here.maps.shape == (1, MAPS, SIZE, SIZE)
    gap = (mirrored(here.maps) - there.maps).abs()
    assert gap[:, :-1].max() < 1e-4
    assert gap[:, -1].mean() < 0.01  # The window's outline is drawn in whole pixels.
    assert torch.allclose(here.unit, there.unit)


def test_a_generator_with_a_painter_wants_to_know_where_the_face_is():
    config = config_of()
    networks = build(config, 0)
    picture, points = torch.rand(1, 3, SIZE, SIZE), torch.rand(1, 44, 2) * SIZE
    at = networks.detector(picture, points)
    with pytest.raises(UsageError, match="where the face is"):
        networks.generator(picture, at, at)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": {"blend": "painter", "prior": "none", "jacobians": "learned"}}, "needs a prior"),
        ({"model": {"blend": "painter", "align_corners": False}}, "align_corners"),
        ({"train": {"people": 4}}, r"train\.people needs"),
        (
            {"model": {"blend": "painter"}, "train": {"people": 4, "validation": 1}},
            "holds nobody back",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        spec.parse(FommConfig, settings, "these")


def test_a_flow_is_turned_around_as_the_reference_does(pairs):
    flow = np.asarray(pairs[0].flow, np.float32)
    at = grid(SIZE, SIZE)
    wanted = (sources(flow, at) - at).reshape(SIZE, SIZE, 2)
    found = backward_flow(torch.from_numpy(flow)).numpy()
    # At the very edge the one reads what the other mirrors; nothing moves there.
    assert np.abs(found - wanted).max() < 2e-3
    assert np.abs(wanted).max() > 0.1


def test_rows_of_tracks_come_apart_as_they_were_put_together():
    rng = np.random.default_rng(0)
    motion = rng.normal(0, 0.01, (5, 44, 2)).astype(np.float32)
    jacobians = (np.eye(2) + rng.normal(0, 0.1, (5, 44, 2, 2))).astype(np.float32)
    apart = unpacked(features(motion, jacobians))
    assert np.allclose(apart[0], motion)
    assert np.allclose(apart[1], jacobians, atol=1e-6)


def test_a_lesson_is_the_template_moved_and_changed_as_the_answer_is(pairs):
    plain = config_of(sampling={"jitter": 0.0, "to_gray": 0.0, "flip": 0.0, "track_noise": 0.0})
    lessons = told(pairs, plain)
    batch = draw_lessons(lessons, plain, 0, 3)
    assert torch.equal(batch.template, draw_lessons(lessons, plain, 0, 3).template)
    assert not torch.equal(batch.template, draw_lessons(lessons, plain, 0, 4).template)
    for row, index in enumerate(batch.clip.tolist()):
        pair = pairs[index]
        answer = torch.from_numpy(pair.answer.transpose(2, 0, 1).copy()).float() / 255
        clean = torch.from_numpy(pair.clean.transpose(2, 0, 1).copy()).float() / 255
        grain = batch.template[row] - clean
        # Apart from the template's grain the driving frame is the answer.
        assert (batch.driving[row] - answer).square().mean() < 2 * grain.square().mean()
        moved = batch.driving_points[row] - batch.template_points[row]
        iod = float(batch.unit[row])
        assert np.allclose(moved.numpy() / iod, pair.true_motion, atol=1e-5)


@pytest.mark.parametrize("to_gray", [0.0, 1.0])
def test_light_falls_on_the_change_as_on_the_template(pairs, to_gray):
    made = []
    for jitter in (0.0, 0.4):
        sampling = {"jitter": jitter, "to_gray": to_gray, "flip": 0.0, "track_noise": 0.0}
        config = config_of(sampling=sampling)
        lessons = told(pairs, config)
        made.append(draw_lessons(lessons, config, 0, 0))
    plain, lit = made
    gains, light = [], []
    for row in range(len(plain.clip)):
        for c in range(3):
            change, picture = plain.change[row, c], plain.template[row, c]
            seen = change.abs() > 0.3 * change.abs().max()
            gains.append(float((lit.change[row, c] / change)[seen].median()))
            dark = (picture > 0.2) & (picture < 0.5)
            light.append(float((lit.template[row, c] / picture)[dark].median()))
    assert np.allclose(gains, light, rtol=0.03)
    assert np.ptp(gains) > 0.02
    if to_gray:
        assert torch.equal(lit.change[:, 0], lit.change[:, 1])
        assert torch.equal(lit.change[:, 0], lit.change[:, 2])


@pytest.mark.long
def test_the_painter_learns_and_the_motion_stays(pairs):
    config = config_of(batch=4)
    networks = build(config, 0)
    lessons = told(pairs, config)
    objective = Objective(config, networks)
    painter = networks.generator.painter
    optimiser = torch.optim.Adam(painter.parameters(), 3e-3)
    before = {k: v.clone() for k, v in networks.generator.dense_motion_network.state_dict().items()}
    start = examine(networks, config, pairs)
    assert start["appearance_gain"] == 0.0
    assert start["flow_left"] == start["warp_left"]
    networks.generator.train()
    for step in range(60):
        outcome = objective(draw_lessons(lessons, config, 0, step), None, None, False)
        optimiser.zero_grad()
        sum(outcome.losses.values()).backward()
        optimiser.step()
    assert networks.generator.dense_motion_network.training
    after = examine(networks, config, pairs)
    assert after["appearance_gain"] > 0.05
    assert after["flow_left"] < 0.97 * after["warp_left"]
    grads = [p.grad for p in networks.generator.dense_motion_network.parameters()]
    assert all(grad is None or not grad.any() for grad in grads)
    frozen = networks.generator.dense_motion_network.state_dict()
    assert all(torch.equal(frozen[k], v) for k, v in before.items())


def test_true_motion_is_shown_as_often_as_asked(pairs):
    plain = {"jitter": 0.0, "to_gray": 0.0, "flip": 0.0, "track_noise": 0.0}
    drawn = {}
    for share in (0.0, 0.5, 1.0):
        config = config_of(batch=8, sampling={**plain, "true_motion": share})
        lessons = told(pairs, config)
        lost = replace(lessons, tracks=np.zeros_like(lessons.tracks))
        batch = draw_lessons(lost, config, 0, 1)
        moved = (batch.driving_points - batch.template_points).abs().amax((1, 2)) > 0
        assert not (batch.flow_shown & ~moved).any()
        drawn[share] = (int(moved.sum()), int(batch.flow_shown.sum()))
    assert drawn[0.0] == (0, 0)
    assert 0 < drawn[0.5][0] < 8
    assert drawn[1.0][0] == 8
    assert 0 < drawn[1.0][1] < 8


def test_the_painter_sees_the_true_flow_where_it_is_shown(pairs):
    config = config_of(batch=2)
    networks = build(config, 0)
    lessons = told(pairs, config)
    batch = draw_lessons(lessons, config, 0, 0)
    batch = batch._replace(flow_shown=torch.tensor([True, False]))
    seen = []
    networks.generator.painter.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    Objective(config, networks)(batch, None, None, False)
    still = coordinate_grid((SIZE, SIZE), batch.flow)
    true = still + batch.flow * (2 / (SIZE - 1))
    assert torch.equal(seen[0][0], true[0])
    assert not torch.allclose(seen[0][1], true[1], atol=1e-4)


def fitted(config, clips, workdir, cache, progress=None):
    method = FommPrior(config)
    method.cache = cache
    method.fit(clips, workdir=workdir, device="cpu", seed=3, progress=progress or SilentProgress())
    return method


def numbers(method):
    states = [module.state_dict().values() for module in method.networks.modules().values()]
    return torch.cat([value.flatten().double() for state in states for value in state])


@pytest.mark.long
def test_learning_from_exact_pairs_can_be_killed_and_goes_on(clips, cache, tmp_path):
    config = config_of()
    whole = fitted(config, clips, tmp_path / "whole", cache)
    assert whole.networks.detector.correction.any()
    for steps in (1, 3):
        with pytest.raises(CrashError):
            fitted(config, clips, tmp_path / f"cut{steps}", cache, CrashAt(steps))
        again = fitted(config, clips, tmp_path / f"cut{steps}", cache)
        assert torch.equal(numbers(again), numbers(whole))
    whole.save(tmp_path / "model.pt")
    loaded = FommPrior()
    loaded.load(tmp_path / "model.pt")
    clip = clips[0]
    face = Face(clip.frames[0], clip.landmarks)
    assert np.array_equal(loaded.generate(face, clip), whole.generate(face, clip))


def test_a_still_clip_returns_the_template_and_a_grey_one_stays_grey():
    config = config_of()
    method = FommPrior(config)
    method._use(loud(config))
    clip = toy_clip(0, n=6)[0]
    still = replace(clip, frames=np.repeat(clip.frames[:1], 6, axis=0))
    face = Face(clip.frames[0], clip.landmarks)
    assert all(np.array_equal(frame, face.image) for frame in method.generate(face, still))
    gray = np.repeat(face.image.mean(-1, keepdims=True).astype(np.uint8), 3, axis=-1)
    made = method.generate(Face(gray, clip.landmarks), clip)
    assert (made == made[..., :1]).all()
    assert not np.array_equal(made[3], gray)


def test_a_prior_goes_with_its_batch():
    prior = face_prior(toy_clip(0, n=2)[0].landmarks, SIZE)
    many = prior.expand(3)
    assert many.maps.shape == (3, MAPS, SIZE, SIZE)
    assert many.unit.shape == (3,)
    assert isinstance(many.to(torch.device("cpu")), Prior)
