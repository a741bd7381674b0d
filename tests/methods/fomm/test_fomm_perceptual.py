"""The published recipe's VGG19 loss takes its weights from the store, or names the command."""

import pytest
import torch

from mebench import spec, weights
from mebench.errors import WeightsError
from mebench.methods.fomm.baseline import FommPrior
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.perceptual import Vgg19
from mebench.types import SilentProgress


@pytest.fixture
def with_vgg(tiny):
    data = tiny.model_dump(mode="json")
    data["train"].update(steps=1, batch=1, motion_first=0.0)
    data["train"]["losses"]["perceptual"] = 10.0
    return spec.parse(FommConfig, data, "with VGG19")


def fit(config, clips, place):
    FommPrior(config).fit(clips, workdir=place, device="cpu", seed=0, progress=SilentProgress())


def test_missing_weights_name_the_command(with_vgg, clips, tmp_path):
    with pytest.raises(WeightsError, match="mebench weights fetch vgg19"):
        fit(with_vgg, clips, tmp_path)


def test_the_loss_is_computed_with_weights_of_the_published_form(
    with_vgg, clips, tmp_path, monkeypatch
):
    state = weights.seeded_state(Vgg19(), 0)
    monkeypatch.setattr(weights, "load_state", lambda name: state if name == "vgg19" else None)
    fit(with_vgg, clips, tmp_path)
    log = next(tmp_path.rglob("*.csv")).read_text().splitlines()
    column = log[0].split(",").index("perceptual")
    assert float(log[1].split(",")[column]) > 0
    assert all(torch.isfinite(value).all() for value in state.values())
