from __future__ import annotations

import hashlib
import json
import pickle

import pytest
import torch

from mebench import weights
from mebench.cli.weights import weights as group
from mebench.errors import WeightsError
from tests.commands import runner


@pytest.fixture
def store(tmp_path, monkeypatch):
    folder = tmp_path / "store"
    monkeypatch.setenv("MEBENCH_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A file of weights at a URL that needs no network, known as ``toy``."""
    source = tmp_path / "site" / "toy-net.pth"
    source.parent.mkdir()
    torch.save({"layer.weight": torch.arange(6.0).reshape(2, 3)}, source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    entry = weights.Entry("toy", "a toy", "tests", source.name, "CC0", source.as_uri(), digest[:8])
    monkeypatch.setattr(weights, "TABLE", {**weights.TABLE, "toy": entry})
    return source


class Recorder:
    def __init__(self):
        self.bytes = 0

    def task(self, name, total=None, done=0):
        self.total = total
        return self

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def advance(self, n=1, note=""):
        self.bytes += n


def test_the_digits_of_a_file_name_are_those_of_the_hash():
    # torch.hub's convention: name-<leading digits of the sha256>.pth
    named = [e for e in weights.TABLE.values() if e.url]
    assert len(named) == 7
    for entry in named:
        digits = entry.file.split("-")[-1].split(".")[0]
        assert entry.sha256.startswith(digits)
        assert len(digits) >= 8
        assert entry.url.startswith("https://")
        assert entry.url.endswith("/" + entry.file)


def test_files_shipped_in_packages_are_the_ones_of_the_table():
    shipped = [e for e in weights.TABLE.values() if e.package == "lpips"]
    assert len(shipped) == 3
    for entry in shipped:
        assert weights.verify(entry.name) == entry.sha256
    assert weights.verify("dlib-face-recognition").startswith("55533b28")


def test_fetch_verifies_and_reports_progress(store, published):
    seen = Recorder()
    place = weights.fetch("toy", seen)
    assert place == store / "toy-net.pth"
    assert place.read_bytes() == published.read_bytes()
    assert seen.bytes == seen.total == published.stat().st_size
    published.unlink()
    assert weights.fetch("toy") == place
    assert weights.load_state("toy")["layer.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_fetch_offline_names_file_url_and_the_way_around(store, published):
    published.unlink()
    with pytest.raises(WeightsError) as caught:
        weights.fetch("toy")
    message = str(caught.value)
    assert "\n" not in message
    assert "toy-net.pth" in message
    assert published.as_uri() in message
    assert "mebench weights import toy FILE" in message
    assert not any(store.glob("*"))


def test_a_download_with_another_hash_is_not_kept(store, published):
    published.write_bytes(published.read_bytes() + b"x")
    with pytest.raises(WeightsError, match="expected sha256"):
        weights.fetch("toy")
    assert not any(store.glob("*"))


def test_import_takes_only_the_published_file(store, published, tmp_path):
    wrong = tmp_path / "wrong.pth"
    wrong.write_bytes(b"something else")
    with pytest.raises(WeightsError, match=r"wrong\.pth: not the published weights 'toy'"):
        weights.import_file("toy", wrong)
    assert not weights.is_present("toy")
    renamed = published.rename(tmp_path / "downloaded")
    assert weights.import_file("toy", renamed).name == "toy-net.pth"
    with pytest.raises(WeightsError, match="no such file"):
        weights.import_file("toy", tmp_path / "nothing")
    with pytest.raises(WeightsError, match="come with a package"):
        weights.import_file("lpips-alex-linear", renamed)


def test_a_damaged_file_is_found(store, published):
    weights.fetch("toy").write_bytes(b"damaged")
    for look in (weights.verify, weights.load_state, weights.fetch):
        with pytest.raises(WeightsError, match=r"toy-net\.pth: not the published weights"):
            look("toy")


def test_code_in_a_file_of_weights_is_not_executed(store, published, tmp_path, monkeypatch):
    trap = tmp_path / "trap"

    class Payload:
        def __reduce__(self):
            return (open, (str(trap), "w"))

    published.write_bytes(pickle.dumps({"a": Payload()}, protocol=2))
    monkeypatch.setitem(
        weights.TABLE,
        "toy",
        weights.Entry("toy", "a toy", "tests", published.name, "CC0", published.as_uri(), None),
    )
    weights.fetch("toy")
    with pytest.raises(WeightsError, match="not a file of weights"):
        weights.load_state("toy")
    assert not trap.exists()


def test_missing_and_unknown_names_say_what_to_do(store):
    with pytest.raises(WeightsError, match="mebench weights fetch vgg19"):
        weights.require("vgg19")
    with pytest.raises(WeightsError, match="Did you mean 'vgg19'"):
        weights.path("vgg91")


def test_the_store_is_named_by_environment_then_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("MEBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("MEBENCH_CONFIG", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("MEBENCH_CACHE", str(tmp_path / "cache"))
    assert weights.path("vgg19") == tmp_path / "cache" / "weights" / "vgg19-dcbb9e9d.pth"
    monkeypatch.setenv("MEBENCH_WEIGHTS", str(tmp_path / "w"))
    assert weights.path("vgg19").parent == tmp_path / "w"


def module():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, 3), torch.nn.BatchNorm2d(64), torch.nn.Linear(64, 5)
    )


def test_stand_ins_have_the_modules_shapes_and_follow_the_seed():
    state = weights.seeded_state(module(), 1)
    module().load_state_dict(state)
    again, other = weights.seeded_state(module(), 1), weights.seeded_state(module(), 2)
    assert weights.state_sha256(state) == weights.state_sha256(again)
    assert weights.state_sha256(state) != weights.state_sha256(other)
    assert state["0.weight"].std().item() == pytest.approx((2 / 27) ** 0.5, rel=0.05)
    assert state["1.running_var"].eq(1).all()
    assert state["1.running_mean"].eq(0).all()


def test_stand_ins_of_a_part_are_those_of_the_whole():
    whole = weights.seeded_state(module(), 1)
    part = weights.seeded_state(module()[:1], 1)
    assert torch.equal(part["0.weight"], whole["0.weight"])


def test_stand_ins_keep_their_values():
    # Records with seeded weights stay comparable only while these numbers hold.
    drawn = weights.seeded_state(torch.nn.Linear(3, 2), 0)["weight"].flatten().tolist()
    expected = [0.4004, -0.0725, -0.6235, -0.1759, -0.8023, -1.4469]
    assert drawn == pytest.approx(expected, abs=1e-4)


def test_list_prints_one_document(store, published):
    result = runner().invoke(group, ["list", "--json"])
    rows = {row["name"]: row for row in json.loads(result.stdout)["weights"]}
    assert rows["toy"]["present"] is False
    assert rows["toy"]["hash"] == "prefix"
    assert rows["fid-inception"]["hash"] == "full"
    assert rows["lpips-alex-linear"]["present"] is True
    assert "ImageNet" in rows["vgg19"]["licence"]


def test_fetch_verify_and_import_on_the_command_line(store, published, tmp_path):
    run = runner().invoke
    fetched = run(group, ["fetch", "toy"])
    assert str(store / "toy-net.pth") in fetched.stdout
    assert "licence: CC0" in fetched.stderr
    assert "toy: ok (leading digits)" in run(group, ["verify", "toy"]).stdout
    assert "present" in run(group, ["list"]).stdout
    (store / "toy-net.pth").write_bytes(b"damaged")
    assert isinstance(run(group, ["verify"]).exception, WeightsError)
    assert run(group, ["import", "toy", str(published)]).exit_code == 0
    assert run(group, ["verify", "toy"]).exit_code == 0
    assert run(group, ["fetch"]).exit_code == 2
