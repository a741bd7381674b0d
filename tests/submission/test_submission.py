from __future__ import annotations

import io
import json
import os
import re
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from mebench.errors import SubmissionError
from mebench.submission.pack import pack
from mebench.submission.validate import check_submission, open_submission
from tests.makers import PAIRS, SIZE, requirement, write_submission

FIRST = f"frames/{PAIRS[0].key}/00000.png"


@pytest.fixture
def folder(tmp_path):
    return write_submission(tmp_path / "mine")


def png(mode="RGB", size=(SIZE, SIZE), **options):
    out = io.BytesIO()
    Image.new(mode, size).save(out, format="PNG", **options)
    return out.getvalue()


def problems_of(path):
    return check_submission(path, requirement(), guarded=False)[1]


def test_folder_zip_and_recompressed_pngs_have_one_digest(folder, tmp_path):
    pack(folder, tmp_path / "a.zip")
    pack(folder, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    from_zip = open_submission(tmp_path / "a.zip", requirement())
    expected = open_submission(folder, requirement()).pixel_digest()
    assert from_zip.pixel_digest() == expected
    for file in folder.rglob("*.png"):
        with Image.open(file) as image:
            image.load()
            image.save(file, compress_level=0)
    assert open_submission(folder, requirement()).pixel_digest() == expected
    assert np.array_equal(
        from_zip.frames(PAIRS[0]), open_submission(folder, requirement()).frames(PAIRS[0])
    )


def test_one_changed_pixel_changes_the_digest(folder):
    before = open_submission(folder, requirement()).pixel_digest()
    pixels = np.array(Image.open(folder / FIRST))
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(folder / FIRST)
    assert open_submission(folder, requirement()).pixel_digest() != before


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png(size=(9000, 9000)), "9000x9000, expected sides of 64 to 1024"),
        (png(size=(3, 3)), "3x3, expected sides of 64 to 1024"),
        (png(size=(SIZE, 8192)), "64x8192, expected sides"),
        (png("RGBA"), "RGB with alpha"),
        (png("P"), "palette"),
        (png("I;16"), "16 bits"),
        (b"GIF89a" + bytes(40), "not a PNG"),
        (png()[:-20], "truncated|damaged"),
        (png()[:40] + b"\xff" + png()[41:], "damaged|truncated"),
        (png() + b"tail", "bytes after"),
        (png(exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"), "eXIf"),
        (b"", "not a PNG"),
    ],
)
def test_frames_of_another_kind_are_refused_by_name(folder, data, message):
    (folder / FIRST).write_bytes(data)
    found = problems_of(folder)
    assert len(found) == 1
    assert f"mine/{FIRST}" in found[0]
    assert re.search(message, found[0])


def test_animated_png_is_refused(folder):
    chunk = b"acTL" + struct.pack(">II", 2, 0)
    extra = struct.pack(">I", 8) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = png()
    (folder / FIRST).write_bytes(data[:33] + extra + data[33:])
    assert "acTL" in problems_of(folder)[0]


def test_every_problem_is_listed_at_once(folder):
    (folder / FIRST).unlink()
    (folder / "notes.txt").write_text("hello")
    extra = folder / "frames" / "casme2.01" / "unknown"
    extra.mkdir()
    (extra / "00000.png").write_bytes(png())
    found = " | ".join(problems_of(folder))
    assert "notes.txt: not expected" in found
    assert "casme2.01/unknown: not an output" in found
    assert "2 frames, expected 3 numbered from 00000, first missing 00000.png" in found


def test_a_missing_output_is_named(folder):
    for file in (folder / "frames" / PAIRS[1].template / PAIRS[1].driving).iterdir():
        file.unlink()
    with pytest.raises(SubmissionError, match=rf"output {PAIRS[1].key} is missing"):
        open_submission(folder, requirement())
    partial = open_submission(folder, requirement(), allow_missing=True)
    assert partial.missing == (PAIRS[1],)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "unknown key 'extra'"),
        ({"protocol": "megc2021"}, "made for protocol 'megc2021', expected 'synthme'"),
        ({"method": {"id": "Mine!", "title": "x"}}, "method.id"),
        ({"method": {"id": "mine", "title": "a\u202eb"}}, "U\\+202E"),
        ({"method": {"id": "mine", "title": "x", "url": "http://x.org"}}, "https"),
        ({"schema": "mebench-submission/2"}, "schema"),
    ],
)
def test_manifest_rules(folder, change, message):
    file = folder / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    found = problems_of(folder)
    assert len(found) == 1
    assert re.search(message, found[0])
    assert "manifest.json" in found[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "stands twice"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "deep|valid JSON"),
        ("[1]", "expected an object"),
        (" " * (1 << 20) + " ", "larger than|at most"),
    ],
)
def test_manifest_text_rules(folder, text, message):
    (folder / "manifest.json").write_text(text)
    assert re.search(message, problems_of(folder)[0])


def test_links_in_a_folder_are_refused(folder):
    os.symlink("manifest.json", folder / "link.json")
    assert "link.json: a link" in problems_of(folder)[0]


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "/abs.png",
        "a\\b.png",
        "C:/x.png",
        "frames/a/../b.png",
        "a\u0000b.png",
        "frames/a/b/c/d.png",
        ".hidden",
    ],
)
def test_odd_names_in_a_zip_are_refused(folder, tmp_path, name):
    target = tmp_path / "odd.zip"
    pack(folder, target)
    # ZipInfo cleans names that it is given; the raw name is patched in after that.
    marker = "m" * len(name.encode())
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(marker, b"x")
    target.write_bytes(target.read_bytes().replace(marker.encode(), name.encode()))
    found = problems_of(target)
    assert len(found) == 1
    assert found[0].startswith("odd.zip")
    assert {p.name for p in tmp_path.iterdir()} == {"mine", "odd.zip"}


def test_symlink_duplicate_case_and_bomb_in_a_zip(folder, tmp_path):
    def with_member(info, data=b"x"):
        target = tmp_path / "odd.zip"
        pack(folder, target)
        with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(info, data)
        return problems_of(target)[0]

    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    assert "link or device" in with_member(link, b"/etc/passwd")
    assert "but for letter case" in with_member("MANIFEST.json")
    with pytest.warns(UserWarning, match="Duplicate"):
        assert "stands twice" in with_member("manifest.json")
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(1 << 26))
    assert "larger than 1048576 bytes" in problems_of(bomb)[0]


def test_other_files_are_not_submissions(tmp_path):
    file = tmp_path / "x.zip"
    file.write_bytes(b"PK\x03\x04 nonsense")
    assert "neither a folder nor a zip" in problems_of(file)[0]
    assert "no such folder" in problems_of(tmp_path / "none")[0]


CLUTTER = (".DS_Store", "._00000.png", "Thumbs.db", "desktop.ini", "__MACOSX/frames/._00000.png")


def test_what_systems_leave_is_left_out_by_pack_and_named_by_validate(folder, tmp_path):
    pack(folder, tmp_path / "clean.zip")
    for place in (folder, next((folder / "frames").rglob("00000.png")).parent):
        for name in CLUTTER:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(b"Bud1")
    problem = problems_of(folder)[0]
    assert ".DS_Store" in problem
    assert "left by Windows and macOS" in problem or "left by macOS" in problem
    assert "mebench submission pack" in problem
    pack(folder, tmp_path / "packed.zip")
    assert (tmp_path / "packed.zip").read_bytes() == (tmp_path / "clean.zip").read_bytes()


def test_names_are_listed_up_to_ten_and_then_counted(folder, tmp_path):
    pack(folder, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("__MACOSX/", b"")
        for number in range(14):
            archive.writestr(f"__MACOSX/frames/._{number:05d}.png", b"x")
    (problem,) = problems_of(tmp_path / "a.zip")
    assert problem.count("__MACOSX") == 10
    assert "and 5 more: left by macOS" in problem


def test_back_slashes_in_a_zip_are_named(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        info = zipfile.ZipInfo("a")
        info.filename = info.orig_filename = "frames\\face\\clip\\00000.png"
        archive.writestr(info, b"x")
    assert "has back-slashes between its parts" in problems_of(tmp_path / "w.zip")[0]
