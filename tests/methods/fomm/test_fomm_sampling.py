"""Training pairs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import toy_clip

from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.fields import carried, laid_on, random_field, warp
from mebench.methods.fomm.material import prepare
from mebench.methods.fomm.points import mirror
from mebench.methods.fomm.sampling import Batch, draw, flip


def _with(config, **sampling):
    data = config.model_dump()
    data["train"]["sampling"].update(sampling)
    return FommConfig.model_validate(data)


@pytest.fixture(scope="module")
def materials(clips, tiny):
    return [prepare(clip, tiny) for clip in clips]


def test_a_batch_is_a_function_of_seed_and_step(materials, tiny):
    first, again = (draw(materials, tiny, 5, 3, 10) for _ in range(2))
    other = draw(materials, tiny, 5, 4, 10)
    for name in first._fields:
        assert torch.equal(getattr(first, name), getattr(again, name)), name
    assert not torch.equal(first.driving, other.driving)


def test_two_different_frames_make_a_real_pair(tiny):
    clip = toy_clip(0, n=2, noise=1.0)[0]
    config = _with(tiny, synthetic=0.0, jitter=0.0, to_gray=0.0, flip=0.0)
    materials = [prepare(clip, config)]
    for step in range(12):
        batch = draw(materials, config, 0, step, 12)
        assert (batch.template - batch.driving).abs().amax(dim=(1, 2, 3)).min() > 0
        assert not batch.flow_known.any()


def test_carried_points_mark_the_same_skin():
    size = 64
    y, x = np.mgrid[:size, :size].astype(np.float32)
    spot = np.array([[30.3, 24.6]], np.float32)
    blob = np.exp(-((x - spot[0, 0]) ** 2 + (y - spot[0, 1]) ** 2) / 8)
    image = torch.from_numpy(np.repeat(blob[None, None], 3, 1).astype(np.float32))
    field = np.stack([1.5 + 0.02 * (x - 30), -0.8 + 0.01 * (y - 24)], -1).astype(np.float32)
    moved = warp(image, torch.from_numpy(field)[None])[0, 0].numpy()
    centre = np.array([(moved * x).sum(), (moved * y).sum()]) / moved.sum()
    at, jacobian = carried(spot, field)
    np.testing.assert_allclose(at[0], centre, atol=0.1)
    np.testing.assert_allclose(jacobian[0], np.diag([1 / 1.02, 1 / 1.01]), atol=1e-3)


def test_the_known_flow_leads_from_the_driving_frame_to_the_template(materials, tiny):
    config = _with(tiny, synthetic=1.0, jitter=0.0, to_gray=0.0, flip=0.5, track_noise=0.0)
    batch = draw(materials, config, 1, 0, 4)
    assert batch.flow_known.all()
    assert batch.flow.norm(dim=-1).amax() > 0.1
    gap = (warp(batch.template, batch.flow).clamp(0, 1) - batch.driving).abs().mean()
    still = (batch.template - batch.driving).abs().mean()
    assert gap < 0.2 * still


def test_a_flipped_pair_has_its_points_on_the_same_skin(materials, tiny):
    config = _with(tiny, synthetic=1.0, flip=0.0, track_noise=0.0)
    batch = draw(materials, config, 2, 0, 4)
    row = Batch(*(column[0] for column in batch))
    partner = mirror("face-44")
    there = flip(row, partner)
    back = flip(there, partner)
    for name in row._fields:
        assert torch.allclose(getattr(back, name), getattr(row, name), atol=1e-5), name
    # The flow at a point must lead to its place in the template, also in the mirror.
    x, y = there.driving_points.round().long().clamp(0, 63).unbind(-1)
    gap = there.driving_points + there.flow[y, x] - there.template_points
    moves = (there.driving_points - there.template_points).norm(dim=-1)
    assert gap.norm(dim=-1).mean() < 0.2 * moves.mean()


def test_a_grey_clip_stays_grey(tiny):
    clip = toy_clip(0, n=4)[0]
    gray = np.repeat(clip.frames.mean(-1, keepdims=True).astype(np.uint8), 3, -1)
    material = prepare(replace(clip, frames=gray, colour="gray"), tiny)
    batch = draw([material], tiny, 0, 0, 4)
    assert torch.equal(batch.driving[:, 0], batch.driving[:, 2])


def test_fields_are_soft_and_borrowed_motion_lies_on_the_other_face(materials):
    rng = np.random.default_rng(0)
    field = random_field(materials[0].landmarks, 64, rng)
    assert field.shape == (64, 64, 2)
    assert np.abs(np.diff(field, axis=0)).max() < 0.4 * np.abs(field).max()
    one, other = materials[:2]
    measured = other.fields[0].astype(np.float32)
    lent = laid_on(measured, other.landmarks, one.landmarks, one.frames.shape[1])
    assert np.isfinite(lent).all()
    assert np.hypot(lent[..., 0], lent[..., 1]).max() > 0.1


def test_prepared_tracks_are_read_back_and_a_damaged_file_is_made_again(clips, tiny, tmp_path):
    fresh = prepare(clips[0], tiny, tmp_path)
    (stored,) = tmp_path.iterdir()
    read = prepare(clips[0], tiny, tmp_path)
    stored.write_bytes(stored.read_bytes()[:100])
    mended = prepare(clips[0], tiny, tmp_path)
    for other in (read, mended):
        assert np.array_equal(fresh.tracks.motion, other.tracks.motion)
        assert np.array_equal(fresh.fields, other.fields)
