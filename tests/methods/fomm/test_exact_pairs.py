"""Cross-identity pairs whose right answer is known."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest

from mebench.errors import UsageError
from mebench.methods.fomm import exact
from mebench.methods.fomm.config import PointsConfig
from mebench.methods.fomm.exact import CLIPS, FIRST_PERSON, FRAMES, ExactPairs, make_pairs
from mebench.methods.fomm.rehearsal import fit_correction, from_pairs
from mebench.synthme.plan import PRESETS, make_plan

SIZE = 64


def digests(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("exact") / "pairs"


@pytest.fixture(scope="module")
def pairs(root):
    return make_pairs(root, people=1, size=SIZE)


def test_people_are_in_no_export_of_any_seed():
    for preset in PRESETS:
        for seed in (0, 1, 2**31):
            plan = make_plan(preset, seed)
            people = {clip.identity_seed for clip in plan.clips}
            people |= {person for _, person, _ in plan.templates}
            assert max(people) < FIRST_PERSON


def test_the_answer_is_the_template_moved_and_the_tracker_found_part_of_it(pairs):
    assert len(pairs) == CLIPS * FRAMES
    found, true = [], []
    for k in range(len(pairs)):
        pair = pairs[k]
        assert pair.template.shape == pair.clean.shape == pair.answer.shape == (SIZE, SIZE, 3)
        assert pair.flow.shape == (SIZE, SIZE, 2)
        if k % FRAMES == 0:
            assert 0.1 < np.abs(pair.flow.astype(np.float32)).max() < 4
            assert not np.array_equal(pair.clean, pair.answer)
        # The background stands still.
        assert np.array_equal(pair.clean[:2], pair.answer[:2])
        # A template is a recording's frame: the clean one and grain.
        grain = pair.template.astype(float) - pair.clean
        assert 0.2 < grain.std() < 4
        found.append(pair.motion.ravel())
        true.append(pair.true_motion.ravel())
    alike = np.corrcoef(np.concatenate(found), np.concatenate(true))[0, 1]
    assert alike > 0.4


def test_what_was_found_stands_beside_what_was_true(pairs):
    known = from_pairs(pairs, PointsConfig())
    count = 2 * len(pairs[0].motion)
    assert known.found.shape == known.true.shape == (len(pairs), 3 * count)
    for k in range(len(pairs)):
        assert np.allclose(known.found[k, :count], pairs[k].motion.ravel())
        assert np.allclose(known.true[k, :count], pairs[k].true_motion.ravel())
    learned = known.found + known.found @ fit_correction([known], PointsConfig())
    before, after = (np.square(rows - known.true).mean() for rows in (known.found, learned))
    assert after < 0.5 * before


def test_nobody_is_driver_and_template(monkeypatch):
    drawn = []

    class SeenError(Exception):
        pass

    def stop(seed):
        drawn.append(seed)
        if len(drawn) % 2 == 0:
            raise SeenError

    monkeypatch.setattr(exact.Identity, "from_seed", staticmethod(stop))
    for person in range(5):
        for clip in range(CLIPS):
            with pytest.raises(SeenError):
                exact._clip(person, clip, SIZE, PointsConfig())
    drivers, faces = set(drawn[::2]), drawn[1::2]
    assert len(drivers) == 5
    assert len(set(faces)) == 5 * CLIPS
    assert not drivers & set(faces)
    assert min(drawn) >= FIRST_PERSON


def stop_in_the_second_clip(clip):
    def stopped(person, number, *more):
        if number == 1:
            raise KeyboardInterrupt
        return clip(person, number, *more)

    return stopped


@pytest.mark.long
def test_two_processes_and_an_interrupted_run_give_the_same_bytes(pairs, root, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_clip", stop_in_the_second_clip(exact._clip))
        with pytest.raises(KeyboardInterrupt):
            make_pairs(tmp_path / "again", people=1, size=SIZE)
    with pytest.raises(UsageError, match="person 0 is missing"):
        ExactPairs(tmp_path / "again", 1)
    make_pairs(tmp_path / "again", people=2, size=SIZE, jobs=2)
    again = digests(tmp_path / "again")
    assert {name: again[name] for name in again if "/00001/" not in name} == digests(root)


def test_other_settings_and_other_folders_are_refused(pairs, root, tmp_path):
    with pytest.raises(UsageError, match="pairs of other settings"):
        make_pairs(root, people=1, size=96)
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="holds no exact pairs"):
        make_pairs(tmp_path, people=1)


def test_pairs_go_to_other_processes_without_their_pixels(pairs):
    first = pairs[0]
    sent = pickle.dumps(pairs)
    assert len(sent) < 2000
    assert np.array_equal(pickle.loads(sent)[0].answer, first.answer)
    with pytest.raises(IndexError):
        pairs[len(pairs)]
