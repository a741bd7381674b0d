import hashlib
import shutil

import cv2
import numpy as np
import openpyxl
import pytest

from mebench.errors import DatasetError, UsageError
from mebench.synthme import export as export_module
from mebench.synthme.export import export
from mebench.synthme.plan import PRESETS, make_plan
from mebench.synthme.truth import Truth


def tree(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_presets_have_the_promised_size():
    for name, people, clips in (("tiny", 6, 12), ("default", 12, 48), ("full", 32, 240)):
        own = [clip for clip in make_plan(name, 0).clips if clip.dataset != "megc2021"]
        assert len(own) == clips
        assert len({clip.identity_seed for clip in own}) == people
    face = make_plan("full", 0).clips[0].camera.iod * 3.1  # hairline to chin
    assert face >= 250
    assert PRESETS["default"].size == (240, 320)


def test_real_layouts(tiny):
    for path in (
        "casme2/CASME2-coding-20140508.xlsx",
        "casme2/CASME2_RAW_selected/sub01/EP02_01f/img46.jpg",
        "samm/SAMM_Micro_FACS_Codes_v2.xlsx",
        "smic/SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image559740.bmp",
        "MEGC2021_generation/source_samples/SAMM_challenge/Surprise_007_7_1/007_7030.jpg",
        "MEGC2021_generation/source_samples/casme2_challenge/Negative_EP19_06f/crop_img036.jpg",
        "MEGC2021_generation/source_samples/Smic_challenge/Positive_s3_po_05/reg_image304659.bmp",
        "MEGC2021_generation/target_template_face/normalized_asianFemale.jpg",
        "truth/landmarks/casme2.01.EP02_01f.npy",
        "truth/landmarks/samm.006.006_1_2.npy",
        "truth/landmarks/smic.s1.s1_ne_01.npy",
    ):
        assert (tiny / path).is_file(), path
    assert list((tiny / "smic/SMIC_all_raw/HS/s1/non_micro").rglob("*.bmp"))
    assert {len(p.stem) for p in (tiny / "samm/006/006_1_2").iterdir()} == {len("006_05562")}
    assert {len(p.stem) for p in (tiny / "samm/009").rglob("009_5*.jpg")} <= {len("009_0562")}
    missing = "MEGC2021_generation/source_samples/Smic_challenge/Positive_s3_po_05"
    assert len(list((tiny / missing).iterdir())) == 30
    gray = next((tiny / "samm/006/006_1_2").iterdir())
    assert cv2.imread(str(gray), cv2.IMREAD_UNCHANGED).ndim == 2


def test_tables_keep_the_quirks(tiny):
    sheet = openpyxl.load_workbook(tiny / "casme2/CASME2-coding-20140508.xlsx")["Sheet1"]
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0] == (
        "Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None,
        "Action Units", "Estimated Emotion",
    )  # fmt: skip
    assert rows[1][:2] == ("01", "EP02_01f")
    assert all(row[8] == row[8].lower() for row in rows[1:])
    sheet = openpyxl.load_workbook(tiny / "samm/SAMM_Micro_FACS_Codes_v2.xlsx")["MICRO_ONLY"]
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[13][0] == "Subject"
    for row in rows[14:]:
        assert row[6] == row[5] - row[3] + 1
        assert row[9][0].isupper()
    default = [c for c in make_plan("default", 0).clips if c.dataset == "casme2"]
    assert any(len(c.expression.components) == 1 for c in default)


def test_interrupted_export_ends_in_the_same_bytes(tiny, tmp_path, monkeypatch):
    copy = tmp_path / "again"
    shutil.copytree(tiny, copy)
    for gone in ("samm/006/006_1_2", "casme2/CASME2_RAW_selected/sub01/EP02_01f", "smic"):
        shutil.rmtree(copy / gone)
    for gone in ("synthme.json", "truth/landmarks/samm.006.006_1_2.npy"):
        (copy / gone).unlink()
    (copy / "samm/SAMM_Micro_FACS_Codes_v2.xlsx").unlink()
    with pytest.raises(DatasetError, match=r"synthme.json is missing.*mebench data synth --out"):
        Truth(copy)
    export(copy, preset="tiny", seed=0)
    assert tree(copy) == tree(tiny)

    def fail(*args):
        raise AssertionError("a finished export draws nothing")

    monkeypatch.setattr(export_module, "render", fail)
    export(copy, preset="tiny", seed=0)


def test_other_content_is_not_touched(tiny, tmp_path):
    with pytest.raises(UsageError, match="holds another SynthME export"):
        export(tiny, preset="tiny", seed=1)
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="holds no SynthME export"):
        export(tmp_path, preset="tiny", seed=0)
    with pytest.raises(UsageError, match="unknown preset 'tyni'"):
        export(tmp_path / "new", preset="tyni", seed=0)


def test_truth_has_the_right_answer_of_any_pair(tiny):
    truth = Truth(tiny)
    template, driving = "casme2.01.EP02_01f", "smic.s2.s2_po_01"
    answer = truth.reference(template, driving)
    own = truth.clip(driving).expression
    assert answer.frames.shape == (own.n_frames, 160, 192, 3)
    assert answer.flow is not None
    assert answer.landmarks is not None
    assert answer.flow.shape == (own.n_frames, 160, 192, 2)
    assert np.array_equal(answer.au_curves, truth.au_curves(driving))
    assert answer.landmarks[0] == pytest.approx(truth.landmarks(template)[0], abs=1e-3)
    first = cv2.imread(str(tiny / truth.clip(template).folder / "img46.jpg"))[..., ::-1]
    assert np.abs(first.astype(float) - answer.frames[0]).mean() < 4
    twice = truth.reference(template, driving, amplitude=2.0)
    skin = np.r_[0:36, 48:68]  # lids blink as in the recording, whatever the amplitude
    moved, twice_moved = (
        np.linalg.norm(one.landmarks[own.apex, skin] - one.landmarks[0, skin])
        for one in (answer, twice)
    )
    assert twice_moved / moved == pytest.approx(2, abs=0.2)
    gray = truth.reference("samm.006.006_1_2", driving).frames
    assert np.array_equal(gray[..., 0], gray[..., 1])
    with pytest.raises(DatasetError, match=r"Did you mean 'casme2\.01\.EP02_01f'"):
        truth.reference("casme2.01.EP02_01", driving)


def test_real_loaders_read_it(tiny):
    from mebench.datasets.base import load_dataset

    truth = Truth(tiny)
    for dataset in ("casme2", "samm", "smic"):
        clips = load_dataset(dataset, tiny / dataset).clips()
        assert len(clips) == 4
        for clip in clips:
            plan = truth.clip(clip.key)
            assert clip.frame_numbers == tuple(range(plan.onset, plan.offset + 1))
            assert truth.landmarks(clip.key).shape == (plan.expression.n_frames, 68, 2)
            if dataset != "smic":
                assert clip.annotation.apex == plan.apex
                coded = {unit.au for unit in clip.annotation.action_units}
                assert coded == {part.au for part in plan.expression.components}
