"""What a rater gets: everything to rate with, and nothing of who made it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import zipfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mebench.errors import UsageError
from mebench.rating.bundle import raters_of, spread
from mebench.rating.model import Key
from mebench.rating.reals import RealClips
from mebench.types import Pair
from tests.rating.conftest import KEPT, TEAM


@pytest.fixture(scope="module")
def panel(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("made") / "panel"


@pytest.fixture
def made(panel: Path, make) -> Path:
    if not panel.exists():
        make(panel, "--raters", "R1,R2", "--zip")
    return panel


def told(folder: Path) -> dict:
    page = (folder / "index.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'id="bundle">(.*?)</script>', page, re.DOTALL)[1])


def sheet(folder: Path, what: dict) -> np.ndarray:
    with Image.open(folder / what["file"]) as image:
        assert image.width == what["columns"] * what["side"]
        return np.asarray(image.convert("RGB"))


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_each_rater_gets_a_whole_folder_and_the_key_stays_outside(made):
    assert sorted(path.name for path in made.iterdir()) == [
        "R1", "R1.zip", "R2", "R2.zip", "key.json",
    ]  # fmt: skip
    assert stat.S_IMODE((made / "key.json").stat().st_mode) == 0o600
    key = Key.load(made / "key.json")
    for rater, items in key.raters.items():
        folder = made / rater
        shown = told(folder)
        assert [one["id"] for one in shown["items"]] == [item.id for item in items]
        assert (shown["bundle"], shown["rater"]) == (key.bundle, rater)
        named = {s["file"] for one in shown["items"] for s in one["sheets"].values()}
        assert named == {f"media/{path.name}" for path in (folder / "media").iterdir()}
        assert len(named) == 3 * len(items)
        assert {path.name for path in folder.iterdir()} == {
            "index.html", "instructions.html", "media", "ratings.xlsx",
        }  # fmt: skip
        with zipfile.ZipFile(made / f"{rater}.zip") as archive:
            packed = {name: archive.read(name) for name in archive.namelist()}
        assert digests(folder) == {
            name.removeprefix(f"{rater}/"): hashlib.sha256(content).hexdigest()
            for name, content in packed.items()
        }


def every_byte(path: Path) -> list[tuple[str, bytes]]:
    """Return a file's bytes, and those of all that is packed inside it."""
    found = [(path.name, path.read_bytes())]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                inside = archive.read(info)
                found += [(f"{path.name}/{info.filename}", inside)]
                found += [(f"{path.name}/header", repr(info).encode() + info.comment + info.extra)]
                if zipfile.is_zipfile(io.BytesIO(inside)):
                    with zipfile.ZipFile(io.BytesIO(inside)) as inner:
                        found += [(f"{path.name}/{n}", inner.read(n)) for n in inner.namelist()]
    return found


def test_nothing_in_a_bundle_says_who_made_a_clip(made, data, base, submissions):
    secrets = {TEAM, "zebra", "secret", str(base), submissions.name + "/", "tiny", "synthme"}
    secrets |= {*KEPT, *(name.title() for name in KEPT)}
    for pair in data.pairs:
        secrets |= {pair.key, pair.driving, pair.template, data.group(pair), data.part(pair)}
    secrets |= {method.pixel_digest for method in Key.load(made / "key.json").methods.values()}
    for path in [p for p in made.rglob("*") if p.is_file() and p.name != "key.json"]:
        for name, content in every_byte(path):
            text = content.lower()
            # A megabyte of compressed bytes holds every word of three or four letters by chance.
            packed = content.startswith((b"PK\x03\x04", b"RIFF"))
            leaks = [
                s for s in secrets
                if s.lower().encode() in text and not (packed and len(s) < 5)
            ]  # fmt: skip
            assert not leaks, (name, leaks)
            wide = content.decode("utf-16-le", "ignore").lower()
            assert not [s for s in secrets if s.lower() in wide], name
    for path in made.rglob("*.webp"):
        with Image.open(path) as image:
            assert not image.getexif()
            assert not {"exif", "xmp", "icc_profile", "comment"} & set(image.info)


def test_times_and_names_of_files_tell_nothing(made):
    times = {path.stat().st_mtime for path in (made / "R1").rglob("*")}
    assert len(times) == 1
    names = [{path.name for path in (made / rater / "media").iterdir()} for rater in ("R1", "R2")]
    assert not names[0] & names[1]


def test_what_is_shown_is_what_was_sent_to_the_last_bit(make, data, submissions, tmp_path):
    make(tmp_path / "p", "--raters", 1, "--clips", 1, "--side", 64)
    key = Key.load(tmp_path / "p" / "key.json")
    shown = {one["id"]: one for one in told(tmp_path / "p" / "R1")["items"]}
    for item in key.raters["R1"]:
        what = shown[item.id]["sheets"]["generated"]
        picture = sheet(tmp_path / "p" / "R1", what)
        pair = next(pair for pair in data.pairs if pair.key == item.pair)
        frames = data.reference(pair).frames
        if item.method is not None:
            files = sorted((submissions / item.method / "frames" / pair.key).iterdir())
            frames = np.stack([np.asarray(Image.open(file)) for file in files])
        for number, frame in enumerate(frames):
            y, x = (64 * place for place in divmod(number, what["columns"]))
            assert np.array_equal(picture[y : y + 64, x : x + 64], frame)


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others(make, tmp_path):
    common = ("--raters", 1, "--clips", 1)
    make(tmp_path / "a", *common)
    make(tmp_path / "b", *common)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    make(tmp_path / "c", *common, "--seed", 12)
    assert Key.load(tmp_path / "c" / "key.json").bundle != Key.load(tmp_path / "a/key.json").bundle


def test_a_panel_that_is_there_is_not_written_over(make, made):
    before = digests(made)
    with pytest.raises(UsageError, match=r"is there already, and ratings by its key\.json may be"):
        make(made)
    assert digests(made) == before


def test_only_a_panel_is_replaced(make, tmp_path):
    panel, common = tmp_path / "p", ("--raters", "R1", "--clips", 1)
    make(panel, *common)
    made = digests(panel)
    make(panel, *common, "--replace", "--seed", 12)
    assert not digests(panel).items() & made.items()
    for name in ("thesis.txt", "R1/ratings-R1.json"):
        (panel / name).write_text("kept")
        with pytest.raises(UsageError, match=rf"{name}: is not of the panel and would go"):
            make(panel, *common, "--replace")
        assert (panel / name).read_text() == "kept"
        (panel / name).unlink()
    (panel / "key.json").unlink()
    with pytest.raises(UsageError, match=r"p: holds no key\.json, so --replace leaves it alone"):
        make(panel, *common, "--replace")
    assert (panel / "R1" / "index.html").exists()


def test_frames_are_never_made_larger(make, data, tmp_path):
    make(tmp_path / "p", "--raters", 1, "--clips", 1, "--side", 2 * data.protocol.size)
    shown = [s for one in told(tmp_path / "p" / "R1")["items"] for s in one["sheets"].values()]
    assert {one["side"] for one in shown} == {data.protocol.size}


def test_gated_frames_stay_at_home_unless_told_then_everything_is_stamped(
    make, data, tmp_path, monkeypatch
):
    gated = data.__class__(**{**vars(data), "gated": ("casme2",)})
    monkeypatch.setattr("mebench.protocol.opening.open_protocol", lambda *_, **__: gated)
    with pytest.raises(UsageError, match=r"casme2 may not be passed on.*--private"):
        make(tmp_path / "open", "--clips", 1)
    assert not (tmp_path / "open").exists()
    make(tmp_path / "own", "--clips", 1, "--raters", 1, "--private")
    folder = tmp_path / "own" / "R1"
    assert told(folder)["stamp"].startswith("PRIVATE: contains frames of casme2.")
    assert "PRIVATE: contains frames of casme2." in (folder / "instructions.html").read_text()
    parts = dict(every_byte(folder / "ratings.xlsx"))
    assert any(b"PRIVATE: contains frames of casme2." in part for part in parts.values())
    assert Key.load(tmp_path / "own" / "key.json").private


def test_without_a_right_answer_a_real_clip_is_somebody_elses(data):
    bare = data.__class__(**{**vars(data), "protocol": data.protocol.model_copy(
        update={"reference": "none"})})  # fmt: skip
    reals = RealClips(bare)
    for pair in data.pairs:
        name = reals.name(pair)
        clip = next(c for c in data.driving.values() if c.key == name)
        assert clip.subject != data.group(pair)
        template, frames = reals.clip(pair, name)
        assert np.array_equal(template.image, frames[0])


def test_a_real_clip_stands_for_as_few_pairs_as_can_be():
    frames = np.zeros((9, 2, 2, 3), np.uint8)
    driving = {
        f"s{n}": SimpleNamespace(
            key=f"s{n}", subject=f"s{n}", fps=100.0, frames=frames, action_units=()
        )
        for n in range(4)
    }
    pairs = [Pair(face, name) for face in "ab" for name in driving]
    reals = RealClips(SimpleNamespace(protocol=SimpleNamespace(reference="none"), driving=driving))
    names = [reals.name(pair) for pair in pairs]
    assert names == [reals.name(pair) for pair in pairs]
    assert set(Counter(names).values()) == {2}
    assert all(name != pair.driving for name, pair in zip(names, pairs, strict=True))


def test_fewer_clips_come_from_all_data_sets_and_faces():
    pairs = [Pair(f"face{t}", f"{d}.{s}.clip") for t in "ab" for d in ("one", "two") for s in "12"]
    data = SimpleNamespace(
        pairs=tuple(pairs),
        part=lambda pair: pair.driving.partition(".")[0],
        group=lambda pair: pair.driving.rpartition(".")[0],
    )
    chosen = spread(data, 4)
    assert len({pair.driving for pair in chosen}) == 4
    assert sorted(pair.template for pair in chosen) == ["facea", "facea", "faceb", "faceb"]
    assert {data.part(pair) for pair in spread(data, 2)} == {"one", "two"}
    assert spread(data, None) == spread(data, 9) == data.pairs


@pytest.mark.parametrize(
    ("text", "found"), [("2", ("R1", "R2")), ("anna, b-7", ("anna", "b-7")), ("1", ("R1",))]
)
def test_raters_are_a_number_or_pseudonyms(text, found):
    assert raters_of(text) == found


@pytest.mark.parametrize("text", ["0", "5000", "", "a,A", "a b", "../x", "a,", "-x", "Анна"])
def test_other_names_are_refused(text):
    with pytest.raises(UsageError, match="rater"):
        raters_of(text)
