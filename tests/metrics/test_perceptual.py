from __future__ import annotations

import warnings

import lpips
import numpy as np
import pytest
import torch
from appearance_cases import case, drifting, picture

from mebench import weights
from mebench.errors import WeightsError
from mebench.metrics.base import Missing
from mebench.metrics.perceptual import LpipsNetwork, Perceptual, PerceptualSqueeze, lpips_distances


@pytest.fixture(autouse=True)
def _empty_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MEBENCH_WEIGHTS", str(tmp_path / "weights"))


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network():
    return LpipsNetwork("squeeze", 0, "cpu")


def score(one):
    metric = PerceptualSqueeze(allow_seeded=True)
    return metric.clip_values(metric.describe(one))["lpips_squeeze~seeded"]


def test_equal_frames_are_at_zero_and_worse_ones_farther(network):
    image = picture(1)
    noise = np.random.default_rng(0).normal(0, 1, image.shape)
    noisy = [np.clip(image + s * noise, 0, 255).astype(np.uint8) for s in (0, 10, 60)]
    found = lpips_distances(np.stack(noisy), image[None], network)
    assert found[0] == 0.0
    assert 0.0 < found[1] < found[2]


def test_batches_do_not_change_values(network):
    frames = drifting(picture(1), 3)
    together = lpips_distances(frames, frames[:1], network)
    alone = [lpips_distances(f[None], frames[:1], network)[0] for f in frames]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    ("net", "builder"), [("alex", "alexnet"), ("vgg", "vgg16"), ("squeeze", "squeezenet1_1")]
)
def test_a_published_trunk_gives_what_the_package_computes_with_it(monkeypatch, net, builder):
    from torchvision import models

    # The classifier is never read, and without it no large file is drawn.
    with torch.device("meta"):
        trunk = getattr(models, builder)(weights=None)
    trunk.classifier = torch.nn.Identity()
    state = weights.seeded_state(trunk, 7)
    trunk.load_state_dict(state, assign=True)
    monkeypatch.setattr(f"lpips.pretrained_networks.tv.{builder}", lambda pretrained: trunk)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lpips.LPIPS(net=net, verbose=False).eval()
    a, b = picture(1), picture(2)
    tensors = [torch.from_numpy(i.transpose(2, 0, 1).copy())[None] / 127.5 - 1 for i in (a, b)]
    with torch.inference_mode():
        expected = float(theirs(*tensors))
    monkeypatch.undo()
    monkeypatch.setattr(weights, "verify", lambda name: "0" * 64)
    read = weights.load_state
    monkeypatch.setattr(
        weights, "load_state", lambda name: state if name == f"lpips-{net}" else read(name)
    )
    found = lpips_distances(a[None], b[None], LpipsNetwork(net, None, "cpu"))
    assert expected > 0.01
    assert found[0] == pytest.approx(expected, rel=1e-6)


def test_the_reference_is_the_target_where_there_is_one():
    template = picture(1)
    right = drifting(template, 6, step=3)
    assert score(case(right, template, reference=right)) == 0.0
    assert score(case(right, template)) > 0.0
    assert score(case(np.repeat(template[None], 6, 0), template)) == 0.0
    assert score(case(right[::-1].copy(), template, reference=right)) > 0.0


def test_building_the_network_leaves_the_global_rng_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    LpipsNetwork("squeeze", 1, "cpu")
    assert torch.equal(torch.rand(3), expected)


def test_same_seed_same_weights_and_the_seed_is_named():
    first, again, other = (LpipsNetwork("squeeze", s, "cpu").trunk_weights for s in (1, 1, 2))
    assert first == again != other
    assert first.startswith("seeded:1:")
    named = PerceptualSqueeze(allow_seeded=True, seed=1).weights
    assert named["lpips-squeeze"] == first
    assert len(named["lpips-squeeze-linear"]) == 64


def test_without_published_weights_the_command_is_named():
    with pytest.raises(WeightsError, match="mebench weights fetch lpips-alex"):
        Perceptual()


def test_the_apex_has_a_value_of_its_own_and_the_target_is_looked_at_once(monkeypatch):
    template = picture(1)
    right = drifting(template, 5)
    spoilt = right.copy()
    spoilt[2] = 255 - spoilt[2]  # the apex of the toy case
    metric = PerceptualSqueeze(allow_seeded=True)
    values = metric.clip_values(metric.describe(case(spoilt, template, reference=right)))
    assert values["lpips_squeeze_apex~seeded"] == pytest.approx(5 * values["lpips_squeeze~seeded"])
    alone = metric.clip_values(metric.describe(case(spoilt, template)))
    assert isinstance(alone["lpips_squeeze_apex~seeded"], Missing)
    seen = []
    features = LpipsNetwork.features
    monkeypatch.setattr(
        LpipsNetwork, "features", lambda self, image: seen.append(1) or features(self, image)
    )
    again = metric.clip_values(metric.describe(case(spoilt, template, reference=right)))
    assert again == values
    assert len(seen) == 5, "the generated frames only"
