from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from mebench.errors import SubmissionError, UsageError
from mebench.io.video import write_mp4
from mebench.submission.convert import convert, find_clips, plan, read_mapping
from mebench.submission.manifest import Manifest, Method, read_manifest
from mebench.submission.names import Matcher, words
from mebench.submission.validate import Requirement, check_submission, open_submission
from mebench.types import Pair

CLIPS = (
    "samm.007.007_7_1", "samm.022.022_3_3", "samm.018.018_3_1", "casme2.17.EP01_13",
    "casme2.19.EP01_01f", "casme2.01.EP19_06f", "smic.s20.s20_sur_01", "smic.s3.s3_po_05",
    "smic.s11.s11_ne_02",
)  # fmt: skip
OF_2021 = ("normalized_westernMale", "normalized_asianFemale")
OF_2022 = (
    "Template_Female_Asian", "Template_Female_Europe", "Template_Male_Asian",
    "Template_Male_Europe",
)  # fmt: skip
MEGC = Matcher(Pair(template, clip) for clip in CLIPS for template in OF_2021)
MEGC22 = Matcher(Pair(template, clip) for clip in CLIPS for template in OF_2022)
A = Pair("normalized_westernMale", "samm.007.007_7_1")
B = Pair("normalized_asianFemale", "samm.007.007_7_1")
SIDE = 64
WANTED = Requirement("megc2021", {A: 4, B: 4}, SIDE)
MINE = Manifest(protocol="megc2021", method=Method(id="mine", title="Mine"))
CLIP = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "template", "driving"),
    [
        ("Surprise_007_7_1-normalized_westernMale", 0, 0),
        ("SAMM_Surprise_westMale_result", 0, 0),
        ("007_7_1_westernMale", 0, 0),
        ("normalized_asianFemale/Positive_022_3_3", 1, 1),
        ("asianfemale/negative_018_3_1", 1, 2),
        ("westernMale_sub17_EP01_13", 0, 3),
        ("casme2_happiness-AsianFemale", 1, 4),
        ("out/Negative_EP19_06f_normalized_asianFemale/frames", 1, 5),
        ("SMIC/s20_sur_01__west_male", 0, 6),
        ("normalized_westernMale/smic.s3.s3_po_05", 0, 7),
        ("s11_ne_02_asianFemale_256", 1, 8),
    ],
)
def test_names_of_teams_are_recognised(name, template, driving):
    assert MEGC.match(name).pair == Pair(OF_2021[template], CLIPS[driving])


def test_the_four_templates_of_2022_are_told_apart():
    names = ("AsianFemale", "Female_Europe", "male-asian", "Template_Male_Europe")
    found = [MEGC22.match(f"EP01_13_{name}").pair for name in names]
    assert found == [Pair(template, "casme2.17.EP01_13") for template in OF_2022]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("007_7_1", "no template"),
        ("007_7_1_EP01_13_westernMale", "several driving clips"),
        ("007_7_1_westernMale_vs_asianFemale", "several templates"),
        ("SAMM_westernMale", "names no driving clip"),
        ("SAMM_Surprise_Positive_westernMale", "names no driving clip"),
        ("SAMM_CASME2_Surprise_westernMale", "several driving clips"),
        ("Positive_007_7_1_westernMale", "says 'positive'"),
        ("007_7_10_westernMale", "names no driving clip"),
        ("1007_7_1_westernMale", "names no driving clip"),
        ("007_7_1_male", "no template"),
        ("teaser", "names no driving clip"),
    ],
)
def test_unclear_names_are_never_guessed(name, why):
    found = MEGC.match(name)
    assert found.pair is None
    assert why in found.why


def test_ids_inside_other_ids_are_read_whole():
    pairs = [
        Pair("casme2.01", "samm.006.006_1_2"),
        Pair("casme2.02", "casme2.01.EP02_01f"),
        Pair("casme2.01", "casme2.02.EP02_01f"),
    ]
    matcher = Matcher(pairs)
    assert matcher.match("casme2.02__casme2.01.EP02_01f").pair == pairs[1]
    assert matcher.match("casme2.01/casme2.02.EP02_01f").pair == pairs[2]
    assert matcher.match("006_1_2").pair == pairs[0]
    assert set(matcher.match("EP02_01f").candidates) == {pairs[1].key, pairs[2].key}
    assert "not driven onto" in matcher.match("casme2.02_006_1_2").why


def test_words():
    assert words("SAMM_Surprise_westMale") == ["samm", "surprise", "western", "male"]


def images(folder, clip, suffix="png", first=7030):
    folder.mkdir(parents=True)
    for number, frame in enumerate(clip, start=first):
        Image.fromarray(frame).save(folder / f"007_{number}.{suffix}")


@pytest.fixture
def given(tmp_path):
    images(tmp_path / "given" / "Surprise_007_7_1_westernMale", CLIP)
    images(tmp_path / "given" / "007_7_1_asianFemale", CLIP[::-1], "bmp")
    return tmp_path / "given"


def run(given, **options):
    out = given.parent / "out"
    return convert(given, out, WANTED, MINE, **options), out


def test_lossless_folders_keep_every_pixel(given):
    done, out = run(given)
    assert check_submission(out, WANTED, guarded=False)[1] == []
    made = open_submission(out, WANTED, guarded=False)
    assert np.array_equal(made.frames(A), CLIP)
    assert np.array_equal(made.frames(B), CLIP[::-1])
    assert not made.manifest.lossy
    assert not done.missing


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mov", "gif", "jpg"])
def test_lossy_forms_are_taken_and_said(given, suffix):
    smooth = (
        np.full((4, SIDE, SIDE, 3), 90, np.uint8)
        + np.arange(4, dtype=np.uint8)[:, None, None, None]
    )
    name = given / "007_7_1_westernMale"
    for file in (given / "Surprise_007_7_1_westernMale").iterdir():
        file.unlink()
    (given / "Surprise_007_7_1_westernMale").rmdir()
    if suffix == "jpg":
        images(name, smooth, "jpg")
    elif suffix == "gif":
        first, *rest = [Image.fromarray(frame) for frame in smooth]
        first.save(f"{name}.gif", save_all=True, append_images=rest, duration=50)
    else:
        write_mp4(name.with_suffix(".mp4"), smooth, 25)
        if suffix != "mp4":
            name.with_suffix(".mp4").rename(name.with_suffix(f".{suffix}"))
    _, out = run(given)
    made = open_submission(out, WANTED, guarded=False)
    assert made.manifest.lossy
    assert abs(float(made.frames(A)[2].mean()) - 92) < 3


def test_another_number_of_frames_is_told_and_resampled_only_when_asked(given):
    for number in (7034, 7035):
        source = given / "Surprise_007_7_1_westernMale" / "007_7030.png"
        (source.with_name(f"007_{number}.png")).write_bytes(source.read_bytes())
    with pytest.raises(SubmissionError, match=r"Surprise_007_7_1_westernMale: 6 frames, .* has 4"):
        run(given)
    assert not (given.parent / "out").exists()
    done, out = run(given, resample=True)
    told = [note for one in done.taken for note in one.notes]
    assert told == ["2 frames more than the driving clip: nearest 4 of 6 frames taken"]
    assert len(open_submission(out, WANTED, guarded=False).frames(A)) == 4
    assert done.lossy


def test_two_sources_of_one_output_are_refused_with_the_report_written(given):
    images(given / "007_7_1-westMale", CLIP[::-1])
    report = given.parent / "report.json"
    with pytest.raises(SubmissionError, match=r"2 sources are ambiguous.*007_7_1-westMale \("):
        run(given, report=report)
    rows = {row["source"]: row for row in json.loads(report.read_text())["sources"]}
    assert rows["007_7_1-westMale"]["output"] == ""
    assert rows["007_7_1_asianFemale"]["output"] == B.key
    assert not (given.parent / "out").exists()
    done, out = run(given, mapping={"007_7_1-westMale": None})
    assert not done.ambiguous
    assert np.array_equal(open_submission(out, WANTED, guarded=False).frames(A), CLIP)


@pytest.mark.parametrize("suffix", ["csv", "yaml"])
def test_a_mapping_names_what_cannot_be_guessed(given, suffix):
    (given / "007_7_1_asianFemale").rename(given / "final")
    with pytest.raises(SubmissionError, match=f"no source for 1 outputs .*{B.key}"):
        run(given)
    assert run(given, partial=True)[0].missing == [B.key]
    file = given.parent / f"map.{suffix}"
    file.write_text(
        f"source,template,driving\nfinal,{B.template},{B.driving}\n"
        if suffix == "csv"
        else f"- {{source: final, template: {B.template}, driving: {B.driving}}}\n"
    )
    done, out = run(given, mapping=read_mapping(file))
    assert done.missing == []
    assert np.array_equal(open_submission(out, WANTED, guarded=False).frames(B), CLIP[::-1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source,template\nx,y\n", "columns"),
        ("source,template,driving\nx,y,\n", "incomplete"),
        ("source,template,driving\n,face,clip\n", "incomplete"),
        ("source,template,driving\nx,,\nx,,\n", "twice"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(tmp_path, text, message):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_mapping(tmp_path / "m.csv")


def test_a_mapping_of_other_clips_or_outputs_is_refused(given):
    with pytest.raises(UsageError, match=r"no clip '\.\./x'"):
        plan(given, WANTED, {"../x": A})
    with pytest.raises(UsageError, match="'a/b' is no output"):
        plan(given, WANTED, {"007_7_1_asianFemale": Pair("a", "b")})


def test_empty_places_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        find_clips(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no mp4"):
        find_clips(tmp_path / "empty")


def test_a_damaged_file_is_named_without_its_place(given):
    (given / "007_7_1_asianFemale" / "007_7031.bmp").write_bytes(b"BM")
    with pytest.raises(SubmissionError, match=r"^007_7_1_asianFemale/007_7031\.bmp"):
        run(given)


def test_the_manifest_that_is_written_can_be_read(given):
    _, out = run(given)
    assert read_manifest((out / "manifest.json").read_bytes(), "m").protocol == "megc2021"
