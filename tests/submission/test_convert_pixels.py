"""What happens to the pixels and sizes of an entry: nothing, unless it is no plain PNG."""

from __future__ import annotations

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mebench.errors import SubmissionError
from mebench.io.video import write_mp4
from mebench.submission.convert import convert
from mebench.submission.manifest import Manifest, Method
from mebench.submission.png import MAX_SIDE, MIN_SIDE, plain_shape
from mebench.submission.validate import Requirement
from mebench.types import Pair

ONE = Pair("casme2.01", "samm.006.006_1_2")
MINE = Manifest(protocol="synthme", method=Method(id="mine", title="Mine"))
COUNT = 3


def drawn(height=96, width=80, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (COUNT, height, width, 3), dtype=np.uint8)


def run(given):
    out = given.parent / "out"
    wanted = Requirement("synthme", {ONE: COUNT}, 128)
    convert(given, out, wanted, MINE)
    folder = out / "frames" / ONE.key
    lossy = json.loads((out / "manifest.json").read_text())["lossy"]
    return sorted(folder.iterdir()), lossy


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "given" / "006_1_2"
    folder.mkdir(parents=True)
    return folder


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_plain_png_of_any_shape_are_copied_byte_for_byte(place, mode):
    for number, frame in enumerate(drawn()):
        Image.fromarray(frame).convert(mode).save(place / f"out{number + 7}.png", optimize=True)
    files, lossy = run(place.parent)
    assert [file.name for file in files] == [f"{number:05d}.png" for number in range(COUNT)]
    given = [path.read_bytes() for path in sorted(place.iterdir())]
    assert [file.read_bytes() for file in files] == given
    assert not lossy


@pytest.mark.parametrize("kind", ["palette", "alpha", "exif", "profile", "tif", "bmp"])
def test_other_lossless_images_become_plain_png_with_the_same_pixels(place, kind):
    shown = []
    for number, frame in enumerate(drawn() // 64 * 64):
        image = Image.fromarray(frame)
        path = place / f"{number}.{kind if kind in ('tif', 'bmp') else 'png'}"
        more = {}
        if kind == "palette":
            image = image.quantize(256)
        elif kind == "alpha":
            image.putalpha(200)
        elif kind == "exif":
            more["exif"] = Image.Exif()
            more["exif"][0x010E] = "a camera"
        elif kind == "profile":
            more["icc_profile"] = b"\0" * 200
        image.save(path, **more)
        shown.append(np.asarray(image.convert("RGB")))
    files, lossy = run(place.parent)
    for file, wanted in zip(files, shown, strict=True):
        assert plain_shape(file.read_bytes()) == (96, 80)
        assert np.array_equal(pixels(file), wanted)
    assert not lossy


def test_interlaced_and_16_bit_png_are_not_plain():
    buffer = io.BytesIO()
    Image.fromarray(drawn()[0]).save(buffer, "PNG")
    data = buffer.getvalue()
    assert plain_shape(data) == (96, 80)
    for place, value in ((28, 1), (24, 16)):
        head = bytearray(data[12:29])
        head[place - 12] = value
        check = struct.pack(">I", zlib.crc32(bytes(head)))
        assert plain_shape(data[:12] + bytes(head) + check + data[33:]) is None
    assert plain_shape(data + b"x") is None


def test_a_turned_photo_is_set_upright_and_told_as_lossy(place):
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = np.zeros((64, 96, 3), np.uint8)
    wide[:, :48] = 250
    for number in range(COUNT):
        Image.fromarray(wide).save(place / f"{number}.jpg", exif=exif)
    files, lossy = run(place.parent)
    made = pixels(files[0])
    assert made.shape == (96, 64, 3)
    assert made[5].min() > 240 > 10 > made[-5].max()
    assert lossy


def test_a_clip_file_is_decoded_in_its_own_size(place):
    write_mp4(place.parent / "006_1_2.mp4", np.full((COUNT, 70, 128, 3), 99, np.uint8), 25)
    place.rmdir()
    files, lossy = run(place.parent)
    assert [Image.open(file).size for file in files] == [(128, 70)] * COUNT
    assert lossy


def test_two_sizes_in_one_output_are_refused_by_its_name(place):
    for number, frame in enumerate(drawn()):
        Image.fromarray(frame[: 96 - 2 * (number == 2)]).save(place / f"{number}.png")
    with pytest.raises(SubmissionError) as told:
        run(place.parent)
    text = str(told.value)
    assert text.startswith(f"006_1_2: '{ONE.key}' has frames of two sizes, 80x96 and 80x94 (2.png)")
    assert "\n" not in text
    assert not (place.parent.parent / "out").exists()


@pytest.mark.parametrize(
    ("height", "width"), [(MIN_SIDE - 1, 128), (128, MIN_SIDE - 1), (64, MAX_SIDE + 1)]
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_sides_that_are_too_short_or_long_are_refused(place, height, width, suffix):
    for number, frame in enumerate(drawn(height, width)):
        Image.fromarray(frame).save(place / f"{number}.{suffix}")
    with pytest.raises(SubmissionError, match=f"'{ONE.key}' .* {width}x{height} pixels; .* 64 to"):
        run(place.parent)


def test_a_clip_file_with_a_short_side_is_refused(place):
    write_mp4(place.parent / "006_1_2.mp4", np.full((COUNT, 48, 128, 3), 99, np.uint8), 25)
    place.rmdir()
    with pytest.raises(SubmissionError, match=f"^006_1_2.mp4: '{ONE.key}' .* 128x48 pixels"):
        run(place.parent)


@pytest.mark.parametrize(("height", "width"), [(MIN_SIDE, MAX_SIDE), (MAX_SIDE, MIN_SIDE)])
def test_the_shortest_and_longest_sides_are_taken(place, height, width):
    for number, frame in enumerate(drawn(height, width)):
        Image.fromarray(frame).save(place / f"{number}.png")
    assert len(run(place.parent)[0]) == COUNT


def test_a_png_cut_short_is_never_copied(place):
    for number, frame in enumerate(drawn()):
        Image.fromarray(frame).save(place / f"{number}.png")
    cut = place / "1.png"
    cut.write_bytes(cut.read_bytes()[:-600])
    with pytest.raises(SubmissionError, match=r"^006_1_2/1\.png"):
        run(place.parent)
