"""What SynthME writes is read by the loaders of the real data sets, labels and all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mebench.datasets.base import load_dataset
from mebench.facs.codes import format_units
from mebench.preprocess.landmarks import choose_landmarker
from mebench.preprocess.prepare import prepare
from mebench.synthme import export as export_module
from mebench.synthme.plan import Plan, make_plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Return the tiny plan with one clip a data set, all of one person (who is drawn once)."""
    whole = make_plan("tiny", 0)
    clips = [whole.of(name)[0] for name in ("casme2", "samm", "smic")]
    same = tuple(replace(clip, identity_seed=clips[0].identity_seed) for clip in clips)
    return replace(whole, clips=same, templates=())


@pytest.fixture(scope="module")
def root(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("synthme") / "export"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(export_module, "make_plan", lambda *_, **__: plan)
        return export_module.export(place, preset="tiny")


@pytest.mark.parametrize("name", ["casme2", "samm", "smic"])
def test_an_export_is_a_copy_without_faults(root: Path, plan: Plan, name: str) -> None:
    dataset = load_dataset(name, root / name)
    report = dataset.check()
    assert report.usable
    assert report.synthetic
    assert dataset.redistribute
    assert (report.missing_clips, report.refused_rows, report.damaged_frames) == ((), (), ())
    (clip,) = dataset.clips()
    (planned,) = plan.of(name)
    assert clip.key == planned.key
    assert clip.annotation.onset == planned.onset
    if name == "smic":
        assert clip.apex_index is None
    else:
        assert clip.annotation.apex_source == "annotated"
        units = [replace(unit, intensity=None) for unit in clip.annotation.action_units]
        assert format_units(units) == planned.expression.text
    frames = clip.frames()
    assert frames.shape[0] == len(clip.frame_numbers) > 10
    assert np.ptp(frames, axis=-1).max() > 0 or clip.colour == "gray"


def test_true_landmarks_are_used_and_put_the_eyes_in_place(root: Path, tmp_path: Path) -> None:
    (clip,) = load_dataset("casme2", root / "casme2").clips()
    landmarker = choose_landmarker("casme2", root / "casme2")
    assert landmarker.name == "given"
    (face,) = prepare([clip], size=100, landmarker=landmarker, cache=tmp_path)
    assert face.landmarks[36:42].mean(axis=0) == pytest.approx((35, 40), abs=0.01)
    pupil = face.frames[0][36:45, 31:40].mean(axis=-1).min()
    cheek = face.frames[0][56:62, 28:40].mean()
    assert pupil < cheek - 50
