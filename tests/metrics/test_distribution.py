from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from appearance_cases import case, drifting, picture
from reference.appearance import (
    frechet_by_eigenvalues,
    frechet_textbook,
    kernel_distance_loops,
)

from mebench import weights
from mebench.errors import WeightsError
from mebench.metrics import inception
from mebench.metrics.base import Missing
from mebench.metrics.distribution import (
    ColourDistribution,
    Distribution,
    frechet_distance,
    kernel_distance,
)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _empty_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MEBENCH_WEIGHTS", str(tmp_path / "weights"))


class TinyNetwork:
    """Stands in for the network where a test is about what surrounds it; counts its work."""

    weights_id = "seeded:0:tiny"

    def __init__(self):
        self.seen = 0

    def features(self, image):
        self.seen += 1
        rng = np.random.default_rng(int(image.astype(np.int64).sum()))
        mean = np.repeat(image.reshape(-1, 3).mean(axis=0) / 255, inception.DIMENSIONS // 3 + 1)
        noise = rng.normal(0, 0.05, inception.DIMENSIONS)
        return (mean[: inception.DIMENSIONS] + noise).astype(np.float32)


@pytest.fixture
def tiny(monkeypatch):
    network = TinyNetwork()
    monkeypatch.setattr(Distribution, "_network", lambda self: network)
    return network


def gaussian(seed, rows, columns, shift=0.0):
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, (rows, columns)) @ rng.normal(0, 1, (columns, columns))


@pytest.mark.parametrize(("rows", "columns"), [(60, 8), (200, 24), (25, 24)])
def test_frechet_agrees_with_the_textbook(rows, columns):
    x, y = gaussian(1, rows, columns), gaussian(2, rows + 7, columns, 0.5)
    assert frechet_distance(x, y) == pytest.approx(frechet_textbook(x, y), rel=1e-9)


@pytest.mark.parametrize(("n1", "n2", "columns"), [(12, 30, 24), (12, 9, 40), (12, 90, 40)])
def test_frechet_with_fewer_rows_than_columns(n1, n2, columns):
    x, y = gaussian(1, n1, columns), gaussian(2, n2, columns, 0.5)
    assert frechet_distance(x, y) == pytest.approx(frechet_by_eigenvalues(x, y), rel=1e-9)


@pytest.mark.parametrize(("n1", "n2", "columns"), [(60, 60, 24), (400, 30, 24), (25, 400, 24)])
def test_frechet_with_more_rows_than_columns(n1, n2, columns):
    x, y = gaussian(1, n1, columns), gaussian(2, n2, columns, 0.5)
    assert frechet_distance(x, y) == pytest.approx(frechet_by_eigenvalues(x, y), rel=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(200, 24), (40, 64)])
def test_frechet_agrees_with_pytorch_fid(rows, columns, monkeypatch):
    from pytorch_fid import fid_score

    # SciPy 1.18 takes the argument `disp` away that pytorch-fid 0.3.0 calls its matrix root with.
    sqrtm = fid_score.linalg.sqrtm
    monkeypatch.setattr(
        fid_score.linalg, "sqrtm", lambda a, disp=True: sqrtm(a) if disp else (sqrtm(a), 0.0)
    )
    x, y = gaussian(1, rows, columns), gaussian(2, rows, columns, 0.5)
    moments = [(a.mean(axis=0), np.cov(a, rowvar=False)) for a in (x, y)]
    theirs = fid_score.calculate_frechet_distance(*moments[0], *moments[1])
    assert frechet_distance(x, y) == pytest.approx(theirs, rel=1e-3)


def test_both_forms_of_frechet_meet():
    x, y = gaussian(1, 30, 24), gaussian(2, 40, 24, 0.5)
    wide_x, wide_y = (np.hstack([a, np.zeros((len(a), 30))]) for a in (x, y))
    assert frechet_distance(wide_x, wide_y) == pytest.approx(frechet_distance(x, y), rel=1e-9)


def test_frechet_of_shifted_features_is_the_squared_shift():
    x = gaussian(1, 50, 10)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(x, x + 3.0) == pytest.approx(10 * 9.0, rel=1e-9)
    few = gaussian(1, 6, 10)
    assert frechet_distance(few, few + 3.0) == pytest.approx(10 * 9.0, rel=1e-9)


def test_frechet_is_symmetric_and_blind_to_row_order():
    x, y = gaussian(1, 15, 40), gaussian(2, 20, 40)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-9)
    assert frechet_distance(x[::-1], y) == pytest.approx(frechet_distance(x, y), rel=1e-9)


def test_frechet_refuses_one_row():
    with pytest.raises(ValueError, match="at least 2 rows a side, got 1 and 5"):
        frechet_distance(np.zeros((1, 4)), np.zeros((5, 4)))


def test_kernel_distance_agrees_with_loops():
    x, y = gaussian(1, 6, 5), gaussian(2, 8, 5, 0.3)
    assert kernel_distance(x, y) == pytest.approx(kernel_distance_loops(x, y), rel=1e-9)


def test_kernel_distance_is_unbiased():
    rng = np.random.default_rng(0)
    same = [kernel_distance(rng.normal(size=(8, 4)), rng.normal(size=(8, 4))) for _ in range(400)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(len(same))
    assert min(same) < 0


def test_network_is_the_one_of_pytorch_fid(monkeypatch):
    from pytorch_fid import inception as theirs

    state = weights.seeded_state(inception._structure(), 3)
    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *a, **k: state)
    published = theirs.InceptionV3().eval()
    image = picture(5, 80)
    tensor = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float() / 255
    with torch.inference_mode():
        expected = published(tensor)[0].reshape(-1).numpy()
    found = inception.FidInception(3, "cpu").features(image)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_values_carry_another_name_without_published_weights(tiny):
    metric = Distribution(allow_seeded=True)
    clips = [drifting(picture(s), 4) for s in range(4)]
    values = metric.set_values([metric.describe(case(c, c[0], driving=c)) for c in clips])
    assert set(values) == {"fid~seeded", "kid~seeded", "fid_frames", "fid_reference_frames"}
    assert values["fid_frames"] == values["fid_reference_frames"] == 12.0
    assert values["fid~seeded"] == pytest.approx(0.0, abs=1e-6)


def test_without_published_weights_the_command_is_named():
    with pytest.raises(WeightsError, match="mebench weights fetch fid-inception"):
        Distribution()


def test_distance_grows_with_the_damage_and_equal_reference_frames_count_once(tiny):
    metric = Distribution(allow_seeded=True)
    driving = drifting(picture(9), 5)

    def score(change):
        cases = [case(change(drifting(picture(s), 5)), picture(s), driving=driving) for s in (1, 2)]
        return metric.set_values([metric.describe(c) for c in cases])

    light = score(lambda f: f)
    dark = score(lambda f: f // 4)
    assert dark["fid~seeded"] > light["fid~seeded"] > 0
    assert dark["kid~seeded"] > light["kid~seeded"]
    assert light["fid_reference_frames"] == 3.0
    assert light["fid_frames"] == 6.0


def test_reference_frames_take_the_place_of_driving_frames(tiny):
    metric = Distribution(allow_seeded=True)
    right = drifting(picture(1), 5)
    found = metric.describe(case(right, right[0], driving=right // 3, reference=right))
    np.testing.assert_array_equal(found.generated, found.reference)


def test_too_few_frames_give_a_reason(tiny):
    metric = Distribution(allow_seeded=True)
    one = picture(1)[None]
    values = metric.set_values([metric.describe(case(one, one[0], driving=one))])
    assert values["fid~seeded"] == Missing("needs 2 frames a side, got 1 and 1")
    assert isinstance(metric.set_values([])["kid~seeded"], Missing)


def test_grey_by_default_colour_only_where_both_sides_have_it(tiny):
    clip = drifting(picture(1), 4)
    grey = np.stack([inception.as_gray(frame) for frame in clip])
    gray_metric, colour = Distribution(allow_seeded=True), ColourDistribution(allow_seeded=True)
    found = gray_metric.describe(case(clip, clip[0], driving=grey))
    np.testing.assert_array_equal(found.generated, found.reference)
    mixed = colour.set_values([colour.describe(case(clip, clip[0], driving=grey))])
    assert mixed["fid_rgb~seeded"] == Missing("1 clips: not in colour on both sides")
    both = colour.set_values([colour.describe(case(clip, clip[0], driving=clip))])
    assert both["fid_rgb~seeded"] == pytest.approx(0.0, abs=1e-6)


def test_features_are_computed_once_a_picture(tiny, tmp_path):
    images = [picture(s) for s in (1, 2, 1)]
    first = inception.cached_features(images, tiny, tmp_path)
    assert tiny.seen == 2
    np.testing.assert_array_equal(inception.cached_features(images, tiny, tmp_path), first)
    assert tiny.seen == 2
    next(tmp_path.rglob("*.npy")).write_bytes(b"broken")
    np.testing.assert_array_equal(inception.cached_features(images, tiny, tmp_path), first)
    assert tiny.seen == 3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_a_reason_and_are_not_kept(
    tiny, tmp_path, monkeypatch, value
):
    broken = tiny.features

    def features(image):
        found = broken(image)
        found[7] = value
        return found

    monkeypatch.setattr(tiny, "features", features)
    metric = Distribution(allow_seeded=True, cache=tmp_path)
    clips = [drifting(picture(s), 4) for s in range(3)]
    values = metric.set_values([metric.describe(case(c, c[0], driving=c)) for c in clips])
    reason = "features of 9 generated and 9 other frames are not finite"
    assert values["fid~seeded"] == values["kid~seeded"] == Missing(reason)
    monkeypatch.setattr(tiny, "features", broken)
    again = metric.set_values([metric.describe(case(c, c[0], driving=c)) for c in clips])
    assert again["fid~seeded"] == pytest.approx(0.0, abs=1e-6)


def clip_of(seed, frames=4):
    image = picture(seed)
    return case(drifting(image, frames), image).driving


def test_a_set_of_clips_takes_the_place_of_the_driving_frames(tiny, tmp_path):
    metric = Distribution(allow_seeded=True, cache=tmp_path)
    shown = [case(drifting(picture(s), 4), picture(s)) for s in range(4)]
    described = [metric.describe(one) for one in shown]
    same = metric.with_reference_set([clip_of(s) for s in range(4)])
    assert same.set_values(described) == metric.set_values(described)
    other = metric.with_reference_set([clip_of(s) for s in (10, 11, 11)])
    values = other.set_values(described)
    assert values["fid_reference_frames"] == 6.0, "a clip given twice counts once"
    assert values["fid~seeded"] > 10 * metric.set_values(described)["fid~seeded"] + 0.01


def test_a_set_of_clips_is_looked_at_once_and_a_damaged_entry_is_mended(tiny, tmp_path):
    metric = Distribution(allow_seeded=True, cache=tmp_path)
    described = [metric.describe(case(drifting(picture(s), 4), picture(s))) for s in range(2)]
    clips = [clip_of(s) for s in (10, 11)]
    first = metric.with_reference_set(clips).set_values(described)
    for entry in (tmp_path / "inception").rglob("*.npy"):
        entry.unlink()
    seen = tiny.seen
    assert metric.with_reference_set(clips).set_values(described) == first
    assert tiny.seen == seen
    (kept,) = (tmp_path / "reference-sets").rglob("*.npz")
    kept.write_bytes(b"damaged")
    assert metric.with_reference_set(clips).set_values(described) == first
    assert tiny.seen == seen + 6


@pytest.mark.parametrize("count", [0, 1])
def test_a_set_too_small_gives_a_reason(tiny, count):
    metric = Distribution(allow_seeded=True)
    described = [metric.describe(case(drifting(picture(s), 4), picture(s))) for s in range(2)]
    small = metric.with_reference_set([clip_of(5, frames=1)][:count])
    assert small.set_values(described)["fid~seeded"] == Missing(
        f"needs 2 frames a side, got 6 and {count}"
    )


def test_a_grey_set_has_no_colour_distance(tiny):
    metric = ColourDistribution(allow_seeded=True)
    described = [metric.describe(case(drifting(picture(s), 4), picture(s))) for s in range(2)]
    grey = np.stack([inception.as_gray(frame) for frame in drifting(picture(5), 4)])
    found = metric.with_reference_set([case(grey, grey[0]).driving]).set_values(described)
    assert found["fid_rgb~seeded"] == Missing("1 reference clips: not in colour on both sides")


def test_a_file_that_is_not_the_published_one_is_refused_at_once(tmp_path):
    place = weights.path("fid-inception")
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else")
    with pytest.raises(WeightsError, match="expected sha256 6726825d0af5, got"):
        Distribution(allow_seeded=True)


def test_a_large_picture_is_shrunk_with_antialiasing():
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    small = inception._at_most(stripes, 512)
    assert small.shape == (512, 512, 3)
    assert abs(float(small[:, 8:-8].mean()) - 127.5) < 2
    assert float(small[:, 8:-8].std()) < 2


def test_the_metric_travels_to_a_worker_and_names_its_weights():
    metric = pickle.loads(pickle.dumps(Distribution(allow_seeded=True, seed=4)))
    assert metric.seed == 4
    assert metric.weights["fid-inception"].startswith("seeded:4:")
