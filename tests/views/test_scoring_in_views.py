"""Scores of outputs that are drawn in views of their own."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import mebench.submission.placing as placing
from mebench.errors import SubmissionError
from mebench.metrics.base import Case
from mebench.metrics.catalogue import build_metrics
from mebench.preprocess.crop import resample, to_gray
from mebench.scorer import score_many
from mebench.scoring import ScoringOptions, build, requirement_of, score_submission
from mebench.submission.validate import open_submission

FAMILIES = ("action_units", "motion", "pixel")
MOTION = ("au_consistency", "au_concordance", "au_amplitude")


@pytest.fixture
def score(few, written, tmp_path_factory):
    options = ScoringOptions(FAMILIES, tmp_path_factory.getbasetemp() / "views-cache")

    def run(name, outputs, **about):
        folder = written(name, outputs, **about)
        submission = open_submission(folder, requirement_of(few), guarded=False)
        return score_submission(submission, few, options)

    return run


@pytest.mark.long
def test_an_aligned_output_scores_as_if_there_were_no_views(few, aligned, score):
    row = score("mine", aligned)
    assert {view["found"] for view in row.views.values()} == {"aligned"}
    assert row.flags == []
    families = build_metrics(FAMILIES)
    for pair, frames in aligned.items():
        driving = few.driving[pair.driving]
        case = Case(pair, frames, few.templates[pair.template], driving, few.reference(pair),
                    driving.action_units)  # fmt: skip
        plain = {}
        for family in families:
            plain.update(family.clip_values(family.describe(case)))
        seen = {key: value for key, value in row.per_clip[pair.key].items() if value is not None}
        assert len(seen) > 10
        assert seen == {key: plain[key] for key in seen}


@pytest.mark.long
@pytest.mark.parametrize(
    "way",
    [(160, 160, 0.46), (224, 176, 0.42, 6.0, (0.03, 0.0)), (256, 256, 0.25, -8.0)],
    ids=["tight", "turned", "wide"],
)
def test_motion_is_that_of_the_aligned_view(way, aligned, in_view, score):
    base, row = score("aligned", aligned), score("mine", in_view(*way))
    for pair, values in base.per_clip.items():
        for key in MOTION:
            if values[key] is not None:
                assert row.per_clip[pair][key] == pytest.approx(values[key], abs=0.08), key
        assert row.per_clip[pair]["flow_epe_iod"] == pytest.approx(values["flow_epe_iod"], abs=0.1)
        assert row.per_clip[pair]["flow_epe_px"] == pytest.approx(values["flow_epe_px"], abs=0.04)
        assert row.per_clip[pair]["onset_fidelity"] > 0.97
    assert {view["size"][0] for view in row.views.values()} == {way[0]}
    assert "drawn in views of their own" in row.flags[0]


@pytest.mark.long
def test_a_face_of_few_pixels_is_told(few, in_view, score):
    assert any(
        "eyes are 26 px apart" in flag for flag in score("small", in_view(72, 72, 0.36)).flags
    )
    assert not any("px apart" in flag for flag in score("large", in_view(96, 96, 0.40)).flags)


def test_grey_outputs_and_outputs_of_several_sizes_make_one_record(few, in_view, score):
    first, second = few.pairs
    outputs = {
        first: to_gray(in_view(160, 160, 0.46)[first]),
        second: in_view(200, 180, 0.42)[second],
    }
    row = score("mine", outputs)
    assert "160x160 (1), 200x180 (1)" in row.flags[0]
    coloured = few.templates[first.template].image != to_gray(few.templates[first.template].image)
    assert any("is grey" in flag for flag in row.flags) == bool(coloured.any())
    # A grey output is compared with the template in grey.
    assert row.per_clip[first.key]["onset_fidelity"] > 0.97


def test_a_crop_that_shakes_costs_the_pictures(few, raw, place_on, in_view, score):
    shaken = {}
    rng = np.random.default_rng(0)
    for pair, frames in raw.items():
        picture = few.picture(pair.template)
        moved = []
        for number, frame in enumerate(frames):
            shift = (0.0, 0.0) if number == 0 else tuple(rng.normal(0, 0.01, 2))
            moved.append(resample(frame, place_on(picture, 160, 160, 0.46, 0, shift), (160, 160)))
        shaken[pair] = np.stack(moved)
    steady, row = score("steady", in_view(160, 160, 0.46)), score("shaken", shaken)
    for pair in row.per_clip:
        assert row.per_clip[pair]["psnr_db"] < steady.per_clip[pair]["psnr_db"] - 2
        assert row.per_clip[pair]["ssim"] < steady.per_clip[pair]["ssim"] - 0.01


def test_frame_0_that_already_moves_is_told(few, in_view, score):
    still = in_view(160, 160, 0.46)
    peak = {pair: few.driving[pair.driving].apex_index for pair in still}
    late = {p: np.concatenate([f[peak[p] :], f[: peak[p]][::-1]]) for p, f in still.items()}
    flags = score("late", late).flags
    assert [flag for flag in flags if "moved already" in flag]
    assert not [flag for flag in score("still", still).flags if "moved already" in flag]


def test_a_mirrored_output_is_refused_by_name_and_the_others_are_scored(
    few, aligned, in_view, written, tmp_path
):
    wrong = in_view(160, 160, 0.46)
    wrong[few.pairs[1]] = np.ascontiguousarray(wrong[few.pairs[1]][:, :, ::-1])
    folders = [written("wrong", wrong), written("right", aligned)]
    out = tmp_path / "scores"
    records, refused = score_many(
        folders, few, families=("pixel",), cache=tmp_path / "cache", out=out
    )
    assert [record.result.id for record in records] == ["right"]
    assert f"wrong/frames/{few.pairs[1].key}: " in refused["wrong"]
    assert "mirrored" in refused["wrong"]
    assert json.loads((out / "right.json").read_text())["result"]["views"]


def test_a_second_score_fits_nothing(few, in_view, written, tmp_path, monkeypatch):
    folder = written("mine", in_view(160, 160, 0.46))
    options = ScoringOptions(("pixel",), tmp_path / "cache")
    submission = open_submission(folder, requirement_of(few), guarded=False)
    first = score_submission(submission, few, options)

    def never(_):
        raise AssertionError("fitted again")

    monkeypatch.setattr(placing.FitOrder, "run", never)
    assert score_submission(submission, few, options) == first
    fresh = replace(options, cache=tmp_path / "another")
    with pytest.raises(AssertionError, match="fitted again"):
        score_submission(submission, few, fresh)


def test_a_declared_view_is_taken_at_its_word(few, aligned, in_view, score, written):
    declared = score("mine", aligned, view="aligned")
    assert declared.per_clip == score("found", aligned).per_clip
    folder = written("own", in_view(160, 160, 0.46), view="aligned")
    submission = open_submission(folder, requirement_of(few), guarded=False)
    with pytest.raises(SubmissionError, match="160x160; leave 'view' out"):
        score_submission(submission, few, ScoringOptions(("pixel",), folder.parent / "cache"))
    assert build(ScoringOptions(("pixel",), folder.parent / "cache"))
