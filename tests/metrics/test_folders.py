from __future__ import annotations

import numpy as np
import pytest
from appearance_cases import picture
from PIL import Image

from mebench.errors import UsageError, WeightsError
from mebench.metrics import folders, inception
from mebench.metrics.folders import folder_distance
from mebench.metrics.frechet import frechet_distance


class Counting:
    """Features that are the picture's mean and noise of its own; counts its work."""

    weights_id = "seeded:0:tiny"

    def __init__(self):
        self.seen = 0

    def features(self, image):
        self.seen += 1
        rng = np.random.default_rng(int(image.astype(np.int64).sum()))
        return (image.mean() / 255 + rng.normal(0, 0.05, inception.DIMENSIONS)).astype(np.float32)


@pytest.fixture
def network(monkeypatch):
    made = Counting()
    monkeypatch.setattr(folders, "published_network", lambda seed, device: made)
    return made


def fill(place, seeds, name="{:03d}.png"):
    place.mkdir()
    for number, seed in enumerate(seeds):
        Image.fromarray(picture(seed)).save(place / name.format(number))
    return place


def test_the_other_folder_is_looked_at_once_whatever_its_names(network, tmp_path):
    ours, theirs = fill(tmp_path / "a", range(5)), fill(tmp_path / "b", range(50, 57))
    cache = tmp_path / "cache"
    first = folder_distance(ours, theirs, cache=cache)
    assert (first.pictures, first.others) == (5, 7)
    assert first.fid > 0
    assert network.seen == 12
    renamed = fill(tmp_path / "c", range(50, 57), name="x{:02d}.png")
    for kept in (cache / "inception").rglob("*.npy"):
        kept.unlink()
    again = folder_distance(ours, renamed, cache=cache)
    assert again == first
    assert network.seen == 17, "the pictures only"
    assert folder_distance(ours, theirs) == first


def test_equal_pictures_count_as_often_as_they_are_there(network, tmp_path):
    ours, theirs = fill(tmp_path / "a", [1, 1, 2]), fill(tmp_path / "b", [3, 4, 4, 5])
    sides = [
        np.stack([network.features(picture(s)) for s in seeds])
        for seeds in ([1, 1, 2], [3, 4, 4, 5])
    ]
    assert folder_distance(ours, theirs).fid == pytest.approx(frechet_distance(*sides))


def test_grey_is_another_distance(network, tmp_path):
    ours, theirs = fill(tmp_path / "a", range(3)), fill(tmp_path / "b", range(5, 9))
    cache = tmp_path / "cache"
    colour = folder_distance(ours, theirs, cache=cache)
    assert folder_distance(ours, theirs, gray=True, cache=cache) != colour
    assert folder_distance(ours, theirs, cache=cache) == colour


def test_what_holds_no_pictures_is_refused_in_one_line(network, tmp_path):
    one, two = fill(tmp_path / "a", [1]), fill(tmp_path / "b", [1, 2])
    (two / "notes.txt").write_text("no picture")
    with pytest.raises(UsageError, match="expected at least 2 pictures, got 1"):
        folder_distance(one, two)
    with pytest.raises(UsageError, match="no such folder"):
        folder_distance(two, tmp_path / "nowhere")


def test_without_weights_the_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MEBENCH_WEIGHTS", str(tmp_path / "weights"))
    two = fill(tmp_path / "b", [1, 2])
    with pytest.raises(WeightsError, match="mebench weights fetch fid-inception"):
        folder_distance(two, two)
