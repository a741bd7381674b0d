"""Entries as teams keep them: driving clips, comparisons and leftovers beside the results."""

from __future__ import annotations

import csv
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import mebench.protocol.opening
import mebench.scoring
import mebench.submission.placing
from mebench.cli.main import main
from mebench.errors import SubmissionError
from mebench.io.video import write_mp4
from mebench.submission.convert import convert, plan, read_mapping
from mebench.submission.manifest import Manifest, Method, id_from
from mebench.submission.mapping import write_mapping
from mebench.submission.roles import COMPARISON, DRIVING, OTHER, STILL, VIDEO
from mebench.submission.validate import Requirement
from mebench.types import Pair
from tests.makers import lie_anywhere

CLIPS = (
    "samm.007.007_7_1", "samm.022.022_3_3", "samm.018.018_3_1", "casme2.17.EP01_13",
    "casme2.19.EP01_01f", "casme2.01.EP19_06f", "smic.s20.s20_sur_01", "smic.s3.s3_po_05",
    "smic.s11.s11_ne_02",
)  # fmt: skip
FACES = ("normalized_westernMale", "normalized_asianFemale")
PAIRS = [Pair(face, clip) for clip in CLIPS for face in FACES]
ONE = PAIRS[0]
WANTED = Requirement("megc2021", dict.fromkeys(PAIRS, 3), 64)
JUST_ONE = Requirement("megc2021", {ONE: 3, PAIRS[1]: 3}, 64)
MINE = Manifest(protocol="megc2021", method=Method(id="mine", title="Mine"))
RESULT, SHOWN = np.full((3, 64, 64, 3), 200, np.uint8), np.full((3, 64, 64, 3), 50, np.uint8)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    base = tmp_path_factory.mktemp("films")
    write_mp4(base / "result.mp4", RESULT, 25)
    write_mp4(base / "shown.mp4", SHOWN, 25)
    return base


def put(root, films, *names):
    """Make clips at `names`: a folder of images, or a file; those of driving clips are dark."""
    for name in names:
        place = root / name
        dark = any(word in name for word in ("source", "driving", "drv", "input"))
        if place.suffix == ".mp4":
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(films / ("shown.mp4" if dark else "result.mp4"), place)
            continue
        place.mkdir(parents=True)
        for number, frame in enumerate(SHOWN if dark else RESULT):
            Image.fromarray(frame).save(place / f"{number}.png")


def real_entry(root, films):
    """Make what a real entry looked like: three sources an output, 54 for 18."""
    for pair in PAIRS:
        folder = f"{pair.driving.rpartition('.')[2]}_{pair.template}"
        put(root, films, *(f"{folder}/{n}" for n in ("frames", "source.mp4", "target.mp4")))
    return root


def test_the_frames_of_a_real_entry_are_taken_and_the_rest_is_told(films, tmp_path):
    done = convert(real_entry(tmp_path / "results", films), tmp_path / "out", WANTED, MINE)
    assert len(done.taken) == 54
    assert {one.output for one in done.taken if one.output} == {pair.key for pair in PAIRS}
    assert all(one.source.endswith("/frames") for one in done.taken if one.output)
    assert {one.how for one in done.taken if one.source.endswith("source.mp4")} == {DRIVING}
    assert {one.how for one in done.taken if one.source.endswith("target.mp4")} == {VIDEO}
    assert not done.lossy
    for pair in PAIRS:
        image = Image.open(tmp_path / "out" / "frames" / pair.key / "00002.png")
        assert image.getpixel((5, 5)) == (200, 200, 200)


def planned(root):
    done = plan(root, JUST_ONE, {})
    return {one.source: one.output or one.how for one in done.taken}, done


A = "007_7_1_westernMale"
B = "007_7_1_asianFemale.mp4"


@pytest.mark.parametrize(
    ("names", "result", "why"),
    [
        (("source.mp4", "target.mp4"), "target.mp4", DRIVING),
        (("driving.mp4", "clip.mp4"), "clip.mp4", DRIVING),
        (("fake.mp4", "other.mp4"), "fake.mp4", OTHER),
        (("input/frames", "prediction/frames"), "prediction/frames", DRIVING),
        (("frames", "outputVideo.mp4"), "frames", VIDEO),
        (("gen1.mp4", "side_by_side.mp4"), "gen1.mp4", COMPARISON),
        (("x.mp4", "concat-result.mp4"), "x.mp4", COMPARISON),
        (("pred", "frames"), "pred", OTHER),
        (("src/target_template_face.mp4", "made/target_template_face.mp4"),
         "made/target_template_face.mp4", DRIVING),
    ],
)  # fmt: skip
@pytest.mark.parametrize("outer", ["", "results/", "driving_results/", "vis/"])
def test_words_tell_the_result_from_what_lies_beside_it(films, tmp_path, names, result, why, outer):
    put(tmp_path, films, *(f"{outer}{A}/{name}" for name in names), f"{outer}{B}")
    found, done = planned(tmp_path)
    assert found.pop(f"{outer}{A}/{result}") == ONE.key
    assert found.pop(f"{outer}{B}") == PAIRS[1].key
    assert list(found.values()) == [why]
    assert not done.missing


@pytest.mark.parametrize(
    "names",
    [
        ("a.mp4", "b.mp4"),
        ("result.mp4", "target.mp4"),
        ("source.mp4", "driving.mp4"),
        ("one/frames", "two/frames"),
        ("source_to_target.mp4", "b.mp4"),
        ("target_template_face.mp4", "b.mp4"),
    ],
)
def test_what_words_do_not_tell_is_not_guessed(films, tmp_path, names):
    put(tmp_path, films, *(f"results/{A}/{name}" for name in names), f"results/{B}")
    found, done = planned(tmp_path)
    assert [one.source for one in done.ambiguous] == sorted(f"results/{A}/{n}" for n in names)
    assert all(one.candidates == (ONE.key,) for one in done.ambiguous)
    assert found[f"results/{B}"] == PAIRS[1].key


def test_a_lone_driving_clip_never_becomes_a_result(films, tmp_path):
    put(tmp_path, films, f"{A}/source.mp4", "007_7_1_asianFemale/target.mp4")
    _, done = planned(tmp_path)
    assert [one.source for one in done.ambiguous] == [f"{A}/source.mp4"]
    assert "called a driving clip" in done.ambiguous[0].how


def test_driving_clips_and_comparisons_that_name_no_template_are_left_out(films, tmp_path):
    put(tmp_path, films, A, B, "source_samples/007_7_1", "007_7_1_westernMale_asianFemale_grid.mp4")
    found, done = planned(tmp_path)
    assert not done.ambiguous
    assert found["source_samples/007_7_1"] == DRIVING
    assert found["007_7_1_westernMale_asianFemale_grid.mp4"] == COMPARISON


def test_what_systems_leave_behind_and_single_pictures_are_no_clips(films, tmp_path):
    put(tmp_path, films, f"{A}/frames", B, f"__MACOSX/{A}.mp4", f".trash/{A}.mp4")
    for name in ("Thumbs.db", ".DS_Store", f"{A}/.DS_Store", f"{A}/frames/Thumbs.db"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / A / "frames" / "._0.png").write_bytes(b"x")
    Image.fromarray(RESULT[0]).save(tmp_path / A / "template.JPG", "JPEG")
    found, _ = planned(tmp_path)
    assert found == {f"{A}/frames": ONE.key, A: STILL, B: PAIRS[1].key}


def unclear_entry(root, films):
    """Make 18 outputs of three clips each that no name tells apart, and one that is clear."""
    for pair in PAIRS[1:]:
        folder = f"{pair.driving.rpartition('.')[2]}_{pair.template}"
        put(root, films, f"{folder}/a.mp4", f"{folder}/b.mp4", f"{folder}/c.mp4")
    put(root, films, A, "teaser.mp4")
    return root


def test_a_refusal_is_short_and_leaves_a_mapping_to_fill_in(films, tmp_path):
    root = unclear_entry(tmp_path / "results", films)
    table = tmp_path / "out-mapping.csv"
    with pytest.raises(SubmissionError, match=r"^51 sources are ambiguous.*and 48 more$") as told:
        convert(root, tmp_path / "out", WANTED, MINE, report=tmp_path / "report.json")
    assert len(str(told.value)) < 800
    assert str(table) in str(told.value)
    with table.open() as handle:
        rows = {row["source"]: row for row in csv.DictReader(handle)}
    assert len(rows) == 53
    assert (rows[A]["template"], rows[A]["driving"]) == (ONE.template, ONE.driving)
    open_row = rows["007_7_1_normalized_asianFemale/b.mp4"]
    assert (open_row["template"], open_row["driving"]) == ("", "")
    assert open_row["candidates"] == PAIRS[1].key
    lines = table.read_text().splitlines()
    for number, line in enumerate(lines):
        name, _, _, candidates = line.split(",")
        if name.endswith("/b.mp4"):
            lines[number] = f"{name},{candidates.replace('/', ',')},{candidates}"
    table.write_text("\n".join(lines))
    done = convert(root, tmp_path / "out", WANTED, MINE, mapping=read_mapping(table))
    assert {one.output for one in done.taken if one.output} == {pair.key for pair in PAIRS}


def test_an_edited_mapping_is_never_written_over(tmp_path):
    rows = [("a.mp4", "", ("x/y", "x/z"))]
    first = write_mapping(tmp_path / "m.csv", rows)
    assert write_mapping(tmp_path / "m.csv", rows) == first
    first.write_text("mine")
    second = write_mapping(tmp_path / "m.csv", rows)
    assert (first.read_text(), second.name) == ("mine", "m-2.csv")
    assert read_mapping(second) == {"a.mp4": None}


def test_a_mapping_saved_by_a_spreadsheet_is_read(tmp_path):
    (tmp_path / "m.csv").write_text("\ufeffsource;template;driving\r\na;x;y\r\n", encoding="utf-8")
    assert read_mapping(tmp_path / "m.csv") == {"a": Pair("x", "y")}


def test_sources_without_a_name_may_be_any_output_that_is_missing(films, tmp_path):
    put(tmp_path / "in", films, A, "final.mp4")
    with pytest.raises(SubmissionError, match=r"no source for 1 outputs .*out-mapping\.csv"):
        convert(tmp_path / "in", tmp_path / "out", JUST_ONE, MINE, report=tmp_path / "r.json")
    assert f"final.mp4,,,{PAIRS[1].key}" in (tmp_path / "out-mapping.csv").read_text()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("My Results (v2)", "my-results-v2"),
        ("_x_", "x"),
        ("结果", "submission"),
        ("a" * 90, "a" * 64),
    ],
)
def test_a_folder_gives_a_legal_id(tmp_path, name, wanted):
    assert id_from(tmp_path / name) == wanted
    assert Method(id=wanted, title="t").id == wanted


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    opened = SimpleNamespace(pairs=PAIRS)
    monkeypatch.setattr(mebench.protocol.opening, "open_protocol", lambda *_, **__: opened)
    monkeypatch.setattr(mebench.scoring, "requirement_of", lambda _: WANTED)
    monkeypatch.setattr(mebench.submission.placing, "lie_of", lie_anywhere)
    (tmp_path / "root").mkdir()

    def run(*words):
        data = ["--protocol", "megc2021", "--data", f"megc2021={tmp_path / 'root'}"]
        with pytest.raises(SystemExit) as stopped:
            main(["submission", *map(str, words), *data])
        return stopped.value.code, capsys.readouterr()

    return run


def test_the_command_tells_18_outputs_on_one_screen(call, films, tmp_path):
    root = real_entry(tmp_path / "My GAN", films)
    put(root, films, "teaser.mp4")
    code, told = call("convert", root, "-o", tmp_path / "out", "--dry-run")
    assert code == 0
    assert "teaser.mp4 -> nothing (names no driving clip of the protocol)" in told.out
    assert not (tmp_path / "out").exists()
    code, told = call("convert", root, "-o", tmp_path / "out")
    assert code == 0, told.err
    lines = told.out.splitlines()
    assert len(lines) <= 24
    assert lines[0].startswith("18 sources -> 18 outputs (driving clip and template named)")
    assert f"18 sources -> nothing ({DRIVING}), such as " in told.out
    assert "id: my-gan, after the folder" in told.out
    report = json.loads((tmp_path / "out-conversion.json").read_text())
    assert len(report["sources"]) == 55
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["method"]["id"] == "my-gan"
    assert call("validate", tmp_path / "out")[0] == 0
    assert call("convert", root, "-o", tmp_path / "out")[0] == 2


def test_the_command_refuses_in_ten_lines_and_names_the_mapping(call, films, tmp_path):
    root = unclear_entry(tmp_path / "results", films)
    code, told = call("convert", root, "-o", tmp_path / "out", "--id", "mine")
    assert code == 3
    text = told.out + told.err
    assert len(text.splitlines()) <= 10
    assert len(text) < 1200
    assert "out-mapping.csv" in text
    assert len(read_mapping(tmp_path / "out-mapping.csv")) == 53


def test_links_are_followed_once_and_never_round(tmp_path, films):
    put(tmp_path / "elsewhere", films, f"{ONE.template}_{ONE.driving}.mp4")
    entry = tmp_path / "entry"
    entry.mkdir()
    (entry / "results").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (entry / "again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "up").symlink_to(entry, target_is_directory=True)
    found = [one.source for one in plan(entry, JUST_ONE, {}).taken]
    assert found == [f"again/{ONE.template}_{ONE.driving}.mp4"]


@pytest.mark.parametrize("name", ["maß \u00e9\\clip.mp4", "maß e\u0301/clip.mp4"])
def test_a_mapping_of_another_system_names_the_same_files(tmp_path, films, name):
    put(tmp_path, films, "maß \u00e9/clip.mp4")
    (tmp_path / "map.csv").write_text(
        f"source;template;driving;;\n{name};{ONE.template};{ONE.driving};;\n;;;;\n",
        encoding="utf-16",
    )
    mapping = read_mapping(tmp_path / "map.csv")
    (taken,) = plan(tmp_path, JUST_ONE, mapping).taken
    assert taken.output == ONE.key
