"""Pictures whose samples are not 8 bits of grey or RGB: read by a stated rule, or refused."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image as Pil

from mebench.errors import DatasetError
from mebench.io.frames import read_image
from mebench.io.kinds import kind_of

RAMP = np.linspace(0, 1, 64 * 48).reshape(48, 64)
EIGHT = np.round(RAMP * 255).astype(np.uint8)


def saved(tmp_path, name, mode, samples, **options):
    Pil.fromarray(samples, mode=mode).save(tmp_path / name, **options)
    return tmp_path / name


def png(tmp_path, samples):
    """A PNG of 16 bits, grey or RGB."""
    assert cv2.imwrite(str(tmp_path / "deep.png"), samples)
    return tmp_path / "deep.png"


def near(image, wanted=EIGHT, most=1):
    assert image.dtype == np.uint8
    assert image.shape == (48, 64, 3)
    wanted = wanted if wanted.ndim == 3 else wanted[..., None]
    return np.abs(image.astype(int) - wanted).max() <= most


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    deep = np.round(RAMP * 65535).astype(np.uint16)
    assert near(read_image(png(tmp_path, deep)))
    assert near(read_image(png(tmp_path, np.dstack([deep] * 3))))
    assert cv2.imwrite(str(tmp_path / "deep.tif"), np.dstack([deep] * 3))
    assert near(read_image(tmp_path / "deep.tif"))
    assert cv2.imwrite(str(tmp_path / "grey.tif"), deep)
    assert near(read_image(tmp_path / "grey.tif"))


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_fewer_bits_in_sixteen_are_refused_with_their_range(tmp_path, bits, channels, ending):
    most = 2**bits - 1
    samples = np.round(RAMP * most).astype(np.uint16)
    samples = samples if channels == 1 else np.dstack([samples] * 3)
    path = tmp_path / f"g.{ending}"
    assert cv2.imwrite(str(path), samples)
    with pytest.raises(DatasetError, match=rf"16-bit samples, found 0\.\.{most}; scale them"):
        read_image(path)


def test_a_black_picture_of_sixteen_bits_is_black(tmp_path):
    assert not read_image(png(tmp_path, np.zeros((48, 64), np.uint16))).any()


@pytest.mark.parametrize(
    ("samples", "found"),
    [
        (RAMP * 255, r"0\.\.255"),
        (RAMP - 0.5, r"-0\.5\.\.0\.5"),
        (np.where(RAMP > 0.9, np.nan, RAMP), r"0\.\.0\.\d+ and NaN"),
        (np.full_like(RAMP, np.inf), "no finite ones and NaN"),
    ],
)
def test_float_samples_beyond_one_are_refused_with_their_range(tmp_path, samples, found):
    path = saved(tmp_path, "f.tif", "F", samples.astype(np.float32))
    with pytest.raises(
        DatasetError, match=rf"float samples, found {found}.*; scale them to 0\.\.1"
    ):
        read_image(path)


def test_float_samples_have_one_for_white(tmp_path):
    assert near(read_image(saved(tmp_path, "f.tif", "F", RAMP.astype(np.float32))))


def test_integers_of_32_bits_are_refused_with_their_range(tmp_path):
    path = saved(tmp_path, "i.tif", "I", (RAMP * 70000).astype(np.int32))
    with pytest.raises(DatasetError, match=r"32-bit integer samples, found 0\.\.70000; save 8-"):
        read_image(path)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_black_and_not_what_hides_there(tmp_path, mode):
    picture = Pil.fromarray(EIGHT, "L")
    hidden = Pil.fromarray(
        np.where(np.arange(64) < 32, 0, 255).astype(np.uint8)[None].repeat(48, 0)
    )
    if mode == "P":
        picture = picture.convert("P")
        picture.save(tmp_path / "a.png", transparency=bytes([0] * 128 + [255] * 128))
        wanted = np.where(EIGHT < 128, 0, EIGHT)
    else:
        picture = picture.convert(mode)
        picture.putalpha(hidden)
        picture.save(tmp_path / "a.png")
        wanted = np.where(np.arange(64) < 32, 0, EIGHT)
    assert near(read_image(tmp_path / "a.png"), wanted)


def test_other_ways_to_write_colours(tmp_path):
    colours = np.dstack([EIGHT, 255 - EIGHT, np.full_like(EIGHT, 90)])
    picture = Pil.fromarray(colours)
    picture.convert("CMYK").save(tmp_path / "cmyk.tif")
    assert near(read_image(tmp_path / "cmyk.tif"), colours, 2)
    picture.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=98)
    assert near(read_image(tmp_path / "cmyk.jpg"), colours, 12)
    picture.convert("YCbCr").save(tmp_path / "ycc.tif")
    assert near(read_image(tmp_path / "ycc.tif"), colours, 4)
    Pil.fromarray(EIGHT).convert("1", dither=Pil.Dither.NONE).save(tmp_path / "bits.png")
    assert near(read_image(tmp_path / "bits.png"), np.where(EIGHT < 128, 0, 255))
    Pil.new("LAB", (64, 48)).save(tmp_path / "lab.tif")
    with pytest.raises(DatasetError, match="a picture in LAB colours; save it as RGB"):
        read_image(tmp_path / "lab.tif")


def test_several_pictures_in_one_file_are_refused(tmp_path):
    frames = [Pil.fromarray(np.roll(EIGHT, k, 1)) for k in range(3)]
    frames[0].save(tmp_path / "stack.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(DatasetError, match="a TIFF with 3 pictures in one file; save each"):
        read_image(tmp_path / "stack.tif")
    frames[0].save(tmp_path / "moves.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(DatasetError, match="an animated WebP with 3 pictures in one file"):
        read_image(tmp_path / "moves.webp")
    small = Pil.fromarray(EIGHT[::4, ::4])
    frames[0].save(tmp_path / "thumb.tif", save_all=True, append_images=[small])
    assert near(read_image(tmp_path / "thumb.tif"))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "a HEIC picture.*JPEG or PNG"),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1", "an AVIF picture"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
            "Git LFS pointer.*lfs pull",
        ),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "a web page saved under this name"),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", r"what a Mac leaves beside a file"),
        (b"%PDF-1.7", "a PDF document"),
    ],
)
def test_what_is_no_picture_is_named_as_what_it_is(tmp_path, head, words):
    path = tmp_path / "a.jpg"
    path.write_bytes(head + bytes(200))
    with pytest.raises(DatasetError, match=words) as caught:
        read_image(path)
    assert "copy" not in str(caught.value)
    assert str(caught.value).count("\n") == 0
    assert kind_of(head) is not None


def test_a_png_with_sixteen_bits_and_alpha(tmp_path):
    deep = np.round(RAMP * 65535).astype(np.uint16)
    rows = np.dstack([deep, deep, deep, np.full_like(deep, 65535)])
    raw = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in rows)

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 64, 48, 16, 6, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )
    assert near(read_image(path))
