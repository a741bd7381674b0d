"""What a stranger might send: each case takes a good submission folder and returns the bad one."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from mebench.submission.pack import pack
from tests.makers import PAIRS, SIZE

Case = Callable[[Path], Path]
FIRST = f"frames/{PAIRS[0].key}/00000.png"
CASES: dict[str, tuple[Case, str, str]] = {}
"""By name: the case, what its line must name, and what it must say."""


def case(name: str, where: str, says: str) -> Callable[[Case], Case]:
    def keep(make: Case) -> Case:
        CASES[name] = (make, where, says)
        return make

    return keep


def png(mode: str = "RGB", size: tuple[int, int] = (SIZE, SIZE), **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, format="PNG", **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def zipped(folder: Path) -> Path:
    target = folder.parent / "bad.zip"
    pack(folder, target)
    return target


def with_member(folder: Path, name: str | zipfile.ZipInfo, data: bytes = b"x") -> Path:
    target = zipped(folder)
    with warnings.catch_warnings(), zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        archive.writestr(name, data)
    return target


def with_raw_name(folder: Path, name: bytes) -> Path:
    # ZipInfo cleans names that it is given; the raw name is patched in after that.
    marker = b"m" * len(name)
    target = with_member(folder, marker.decode())
    target.write_bytes(target.read_bytes().replace(marker, name))
    return target


def raw(name: str, member: bytes, says: str = "each part of a name") -> None:
    case(name, "bad.zip", says)(lambda folder: with_raw_name(folder, member))


raw("dotdot", b"../escaped.png")
raw("dotdot inside", b"frames/a/../../../escaped.png", "each part|deeper")
raw("absolute", b"/escaped.png")
raw("backslash", b"..\\escaped.png")
raw("drive", b"C:/escaped.png")
raw("nul", b"esc\0aped.png")
raw("control characters", b"esc\x1b[31m.png")
raw("hidden", b".bashrc")


@case("symlink entry", "bad.zip/'link'", "link or device")
def _(folder: Path) -> Path:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    return with_member(folder, link, b"/etc/passwd")


@case("device entry", "bad.zip/'tty'", "link or device")
def _(folder: Path) -> Path:
    device = zipfile.ZipInfo("tty")
    device.external_attr = 0o020666 << 16
    return with_member(folder, device, b"")


@case("symlink in folder", "mine/frames/" + PAIRS[0].key, "link")
def _(folder: Path) -> Path:
    (folder / FIRST).unlink()
    (folder / FIRST).symlink_to("/etc/hostname")
    return folder


@case("folder link in folder", "mine/frames/" + PAIRS[0].template, "link")
def _(folder: Path) -> Path:
    (folder / "frames" / PAIRS[0].template).rename(folder.parent / "moved")
    (folder / "frames" / PAIRS[0].template).symlink_to(folder.parent / "moved")
    return folder


@case("pipe in folder", "mine/pipe.png", "not a regular file")
def _(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.png")
    return folder


@case("duplicate name", "bad.zip/'manifest.json'", "stands twice")
def _(folder: Path) -> Path:
    return with_member(folder, "manifest.json")


@case("case duplicate", "bad.zip/'MANIFEST.json'", "but for letter case")
def _(folder: Path) -> Path:
    return with_member(folder, "MANIFEST.json")


@case("nfc duplicate", "bad.zip", "each part of a name")
def _(folder: Path) -> Path:
    with_member(folder, "caf\u00e9.png")
    with zipfile.ZipFile(folder.parent / "bad.zip", "a") as archive:
        archive.writestr("cafe\u0301.png", b"x")
    return folder.parent / "bad.zip"


@case("encrypted", "bad.zip/'manifest.json'|bad.zip/'frames", "encrypted")
def _(folder: Path) -> Path:
    target = zipped(folder)
    data = bytearray(target.read_bytes())
    place = 0
    while (place := data.find(b"PK\x01\x02", place)) >= 0:
        data[place + 8] |= 1
        place += 4
    target.write_bytes(data)
    return target


@case("nested zip", "bad.zip/inner.zip", "not expected")
def _(folder: Path) -> Path:
    inner = zipped(folder).read_bytes()
    return with_member(folder, "inner.zip", inner)


@case("unknown compression", "bad.zip/'x.png'", "unusual method")
def _(folder: Path) -> Path:
    info = zipfile.ZipInfo("x.png")
    info.compress_type = zipfile.ZIP_LZMA
    return with_member(folder, info)


def forged(folder: Path, size: int) -> Path:
    target = folder.parent / "bad.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "manifest.json", "manifest.json")
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder).as_posix())
    data = bytearray(target.read_bytes())
    listed = data.find(b"PK\x01\x02", data.find(b"PK\x01\x02"))
    held = struct.unpack_from("<L", data, listed + 24)[0]
    for place in (listed + 24, data.find(b"PK\x03\x04") + 22):
        struct.pack_into("<L", data, place, held + size)
    target.write_bytes(data)
    return target


@case("forged size, smaller", "bad.zip/manifest.json", "damaged member")
def _(folder: Path) -> Path:
    return forged(folder, -20)


@case("forged size, larger", "bad.zip/manifest.json", "states .* holds|damaged member")
def _(folder: Path) -> Path:
    return forged(folder, 2000)


@case("forged size, huge", "bad.zip", "unpacks to more than|overlap")
def _(folder: Path) -> Path:
    target = zipped(folder)
    data = bytearray(target.read_bytes())
    struct.pack_into("<L", data, data.find(b"PK\x01\x02") + 24, 0xFFFFFFFE)
    struct.pack_into("<L", data, data.rfind(b"PK\x01\x02") + 24, 0xFFFFFFFE)
    target.write_bytes(data)
    return target


@case("overlapping entries", "bad.zip", "overlap")
def _(folder: Path) -> Path:
    target = zipped(folder)
    data = bytearray(target.read_bytes())
    places = [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]
    data[places[1] + 42 : places[1] + 46] = data[places[0] + 42 : places[0] + 46]
    target.write_bytes(data)
    return target


@case("ratio bomb", "bad.zip/manifest.json", "larger than")
def _(folder: Path) -> Path:
    target = folder.parent / "bad.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(1 << 26))
    return target


@case("ratio bomb in a frame", f"bad.zip/{FIRST}", "larger than")
def _(folder: Path) -> Path:
    (folder / FIRST).unlink()
    return with_member(folder, FIRST, bytes(1 << 26))


@case("bytes before", "bad.zip", "damaged archive")
def _(folder: Path) -> Path:
    target = zipped(folder)
    target.write_bytes(b"#!/bin/sh\n" + target.read_bytes())
    return target


@case("bytes after", "bad.zip", "bytes after|neither")
def _(folder: Path) -> Path:
    target = zipped(folder)
    target.write_bytes(target.read_bytes() + b"tail")
    return target


def many(count: int, folder: Path) -> Path:
    target = folder.parent / "bad.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(count):
            archive.writestr(zipfile.ZipInfo(f"{number}.png"), b"")
    return target


@case("20 001 entries", "bad.zip", "20001 entries, at most 20000")
def _(folder: Path) -> Path:
    return many(20_001, folder)


@case("more entries than it counts", "bad.zip", "damaged archive")
def _(folder: Path) -> Path:
    target = many(400, folder)
    data = bytearray(target.read_bytes())
    struct.pack_into("<2H", data, data.rfind(b"PK\x05\x06") + 8, 3, 3)
    target.write_bytes(data)
    return target


@case("two wrapping folders", "mine/outer/inner", "deeper than")
def _(folder: Path) -> Path:
    inner = folder.parent / "mine2" / "outer" / "inner"
    inner.parent.mkdir(parents=True)
    shutil.move(folder, inner)
    (folder.parent / "mine2").rename(folder)
    return folder


@case("two wrapping folders, zip", "bad.zip/'outer/inner", "deeper than")
def _(folder: Path) -> Path:
    target = folder.parent / "bad.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            if file.is_file():
                archive.write(file, f"outer/inner/{file.relative_to(folder).as_posix()}")
    return target


def frame(name: str, data: bytes, says: str) -> None:
    def make(folder: Path) -> Path:
        (folder / FIRST).write_bytes(data)
        return folder

    case(name, f"mine/{FIRST}", says)(make)


GIF = io.BytesIO()
Image.new("P", (SIZE, SIZE)).save(GIF, format="GIF")
HEAD = 33
EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
frame("png 9000x9000", png(size=(9000, 9000)), "9000x9000, expected sides of 64 to 1024")
frame("png 16 bit", png("I;16"), "16 bits")
frame("png palette", png("P"), "palette")
frame("png alpha", png("RGBA"), "alpha")
frame("png grey alpha", png("LA"), "alpha")
frame("png 1 bit", png("1"), "1 bits")
frame("png exif", png(exif=EXIF), "eXIf")
frame(
    "png exif as text",
    png()[:HEAD] + chunk(b"tEXt", b"Raw profile type exif\0\nexif\n" + EXIF) + png()[HEAD:],
    "EXIF",
)
frame("apng", png()[:HEAD] + chunk(b"acTL", struct.pack(">II", 2, 0)) + png()[HEAD:], "acTL")
frame("png colour profile", png(icc_profile=bytes(128)), "iCCP")
frame(
    "interlaced",
    png()[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 1)) + png()[HEAD:],
    "interlaced",
)
frame(
    "too few pixels",
    png()[:HEAD] + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b""),
    "damaged",
)
frame("no pixels", png()[:HEAD] + chunk(b"IEND", b""), "damaged")
frame("two headers", png()[:HEAD] + png()[8:], "twice")
frame("gif named png", GIF.getvalue(), "not a PNG")
frame("truncated png", png()[:-20], "truncated|damaged")
frame("crc", png()[:45] + b"\xff" + png()[46:], "checksum|truncated")
frame("8192 px wide", png(size=(8192, SIZE)), "8192x64, expected sides")
frame("3 x 3 px", png(size=(3, 3)), "3x3, expected sides")
frame("empty", b"", "not a PNG")


@case("two sizes", f"mine/{FIRST}".replace("00000", "00001"), "64x65, the output's first frame is")
def _(folder: Path) -> Path:
    (folder / FIRST).with_name("00001.png").write_bytes(png(size=(SIZE, SIZE + 1)))
    return folder


@case("missing frame", f"mine/frames/{PAIRS[0].key}", "first missing 00001.png")
def _(folder: Path) -> Path:
    (folder / FIRST).with_name("00001.png").unlink()
    return folder


@case("extra frame", f"mine/frames/{PAIRS[0].key}", "4 frames, expected 3")
def _(folder: Path) -> Path:
    (folder / FIRST).with_name("00003.png").write_bytes(png())
    return folder


@case("extra clip", f"mine/frames/{PAIRS[0].template}/{PAIRS[1].driving}", "not an output")
def _(folder: Path) -> Path:
    name = folder / "frames" / PAIRS[0].template / PAIRS[1].driving
    name.mkdir()
    (name / "00000.png").write_bytes(png())
    return folder


@case("unknown clip", "mine/frames/nobody/nothing", "not an output")
def _(folder: Path) -> Path:
    name = folder / "frames" / "nobody" / "nothing"
    name.mkdir(parents=True)
    (name / "00000.png").write_bytes(png())
    return folder


def manifest(name: str, text: str | bytes, says: str) -> None:
    def make(folder: Path) -> Path:
        data = text if isinstance(text, bytes) else text.encode()
        (folder / "manifest.json").write_bytes(data)
        return folder

    case(name, "mine/manifest.json", says)(make)


def method(**values: object) -> str:
    return json.dumps(
        {
            "schema": "mebench-submission/1",
            "protocol": "synthme",
            "method": {"id": "mine", "title": "Mine", **values},
        }
    )


class _Calls:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, ("escaped.png",))


ALIASES = "\n".join(["a0: &a0 [x]"] + [f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]" for n in range(1, 9)])
manifest("manifest NaN", '{"schema": NaN}', "NaN is not a JSON number")
manifest("manifest Infinity", '{"schema": -Infinity}', "Infinity is not a JSON number")
manifest("manifest duplicate key", '{"a": 1, "a": 2}', "stands twice")
manifest("manifest deep", "[" * 200_000, "deep")
manifest("manifest deep object", '{"a":' * 20 + "1" + "}" * 20, "nested deeper than 8")
manifest("manifest 2 MB", " " * (2 << 20), "larger than 1048576")
manifest("manifest long number", "1" * 100_000, "JSON")
manifest("manifest unknown key", method()[:-1] + ', "\x1b[31mred": 1}', "JSON")
manifest("manifest hidden key", method()[:-1] + ', "a\\u202eb\\nc": 1}', r"a\\u202eb\\nc")
manifest("manifest surrogate", method(title="\ud800"), "method.title")
manifest("manifest utf-16", method().encode("utf-16"), "JSON")
manifest("manifest claims scores", method()[:-1] + ', "au_consistency": 1.0}', "unknown key")
manifest("manifest http link", method(url="http://example.org"), "https://")
manifest("manifest script link", method(url="javascript:alert(1)"), "https://")
manifest("team bidi", method(title="a\u202eb"), "U\\+202E")
manifest("team zero width", method(title="a\u200bb"), "U\\+200B")
manifest("team not nfc", method(title="cafe\u0301"), "NFC")
manifest("team pipe and newline", method(title="a | b\n| c"), "U\\+000A")
manifest("team id with path", method(id="../mine"), "method.id")
manifest("yaml alias", ALIASES, "JSON")
manifest("pickle named json", pickle.dumps(_Calls()), "JSON")


@case("pickle frame", f"mine/{FIRST}", "not a PNG")
def _(folder: Path) -> Path:
    (folder / FIRST).write_bytes(pickle.dumps(np.zeros(3)))
    return folder


@case("code beside the frames", "mine/numpy.py", "not expected")
def _(folder: Path) -> Path:
    (folder / "numpy.py").write_text("raise SystemExit")
    return folder
