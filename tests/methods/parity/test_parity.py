"""Our networks compute what the published ones compute."""

from __future__ import annotations

import json

import pytest
import torch
from parity_cases import GROUPS
from parity_stored import DATA, ROOM, detector, discriminator, double_precision, generator


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def compare(group: str, room: float) -> None:
    compared = 0
    for part, gaps in GROUPS[group]():
        assert gaps, part
        for name, (gap, tolerance) in gaps.items():
            assert gap <= room * tolerance, f"{part}: {name} differs by {gap:.3g}"
            compared += 1
    assert compared


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_numbers_of_the_published_modules(group: str) -> None:
    with double_precision():
        compare(group, 1)


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_single_precision_stays_near_them_on_every_processor(group: str) -> None:
    compare(group, ROOM)


def test_state_dicts_have_the_published_keys_and_shapes() -> None:
    published = json.loads((DATA / "state_dict_shapes.json").read_text())
    ours = {
        "kp_detector": detector(),
        "awp_kp_detector": detector("awp"),
        "fomm_kp_detector": detector("none", num_kp=10),
        "generator": generator(False),
        "discriminator": discriminator(),
    }
    assert set(ours) == set(published)
    for name, network in ours.items():
        shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
        assert shapes == published[name], name
