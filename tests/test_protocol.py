from __future__ import annotations

import numpy as np
import pytest

from mebench.errors import UsageError
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.protocol.splits import make_pairs, split_subjects
from mebench.types import FaceClip


def clip(key):
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    subject = ".".join(key.split(".")[:2])
    return FaceClip(key, subject, frames, np.zeros((68, 2), np.float32), 200.0)


def test_split_keeps_every_data_set_on_both_sides():
    train, test = split_subjects(
        {"casme2": ["01", "02", "03", "04", "05"], "smic": ["s10", "s2", "s1"]}, 0.3
    )
    assert test == {"casme2.04", "casme2.05", "smic.s10"}
    assert train == {"casme2.01", "casme2.02", "casme2.03", "smic.s1", "smic.s2"}


def test_a_single_subject_is_never_split():
    assert split_subjects({"samm": ["006"]}, 0.3) == ({"samm.006"}, set())


def test_no_pair_drives_a_subject_by_itself():
    clips = [clip(f"samm.{s}.{n}") for s in ("006", "007", "011") for n in ("a", "b", "c")]
    pairs = make_pairs(clips, 2)
    assert len(pairs) == 18
    assert len({pair.key for pair in pairs}) == 18
    assert not [pair for pair in pairs if pair.driving.startswith(pair.template + ".")]
    assert {pair.template for pair in pairs} == {"samm.006", "samm.007", "samm.011"}


def test_fewer_pairs_are_spread_over_the_subjects():
    clips = [clip(f"samm.{s}.{n}") for s in ("006", "007", "011") for n in ("a", "b", "c")]
    pairs = make_pairs(clips, 1, most=5)
    counts = [sum(s in pair.driving for pair in pairs) for s in (".006.", ".007.", ".011.")]
    assert sorted(counts) == [1, 2, 2]
    assert set(pairs) <= set(make_pairs(clips, 1))


def test_pairs_do_not_depend_on_the_order_of_clips():
    clips = [clip(f"samm.{s}.{n}") for s in ("006", "007") for n in ("2", "10")]
    assert make_pairs(clips, 1) == make_pairs(clips[::-1], 1)


def test_missing_root_says_how_to_make_one(tmp_path):
    with pytest.raises(UsageError, match=r"needs --data synthme=ROOT.*mebench data synth"):
        open_protocol(load_protocol("synthme"), {}, cache=tmp_path)


def test_unknown_protocol_names_the_nearest():
    with pytest.raises(UsageError, match=r"unknown protocol 'synthm'. Did you mean 'synthme'"):
        load_protocol("synthm")


def test_a_spec_of_ones_own_is_checked(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "id: mine\ntitle: t\ndataset: synthme\nmetrics: [pixel]\nrank_by: x\nsise: 64\n"
    )
    with pytest.raises(UsageError, match=r"mine\.yaml: unknown key 'sise'. Did you mean 'size'"):
        load_protocol(str(path))
    path.write_text(path.read_text().replace("sise", "size"))
    assert load_protocol(str(path)).size == 64
    assert load_protocol(str(path)).digest != load_protocol("synthme").digest
