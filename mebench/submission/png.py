"""PNG frames of strangers: the header is read by hand before any decoder sees the file."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np

from mebench.errors import SubmissionError
from mebench.types import Image

MIN_SIDE = 64
"""Shortest side of a frame, pixels: a face on less shows no micro-expression."""
MAX_SIDE = 1024
"""Longest side of a frame, pixels; a protocol may allow less."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB = 0, 2
_ALLOWED = {
    b"IHDR", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"tEXt", b"sBIT",
    b"bKGD",
}  # fmt: skip


def decode_png(
    data: bytes,
    where: str,
    *,
    shape: tuple[int, int] | None = None,
    max_side: int = MAX_SIDE,
) -> Image:
    """Return the frame (H, W, 3) in a PNG of 8 bits, RGB or grey.

    With `shape`, the height and width of the output's first frame, no other size is taken.

    Raises:
        SubmissionError: for any other kind, size, or damage; names `where`.
    """
    if not data.startswith(_SIGNATURE):
        raise SubmissionError(f"{where}: not a PNG; convert it with: mebench submission convert")
    gray, found = _check_chunks(data, where)
    _check_size(found, shape, max_side, where)
    from PIL import Image as Pillow

    try:
        with Pillow.open(io.BytesIO(data), formats=("PNG",)) as image:
            pixels = np.asarray(image.convert("L" if gray else "RGB"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, zlib.error, struct.error) as error:
        raise SubmissionError(f"{where}: damaged PNG ({error}); write the frame again") from error
    return np.repeat(pixels[..., None], 3, axis=2) if gray else pixels


def plain_shape(data: bytes) -> tuple[int, int] | None:
    """Return height and width of a PNG that `decode_png` takes but for its size, else None."""
    if not data.startswith(_SIGNATURE):
        return None
    try:
        return _check_chunks(data, "")[1]
    except SubmissionError:
        return None


def _check_size(
    found: tuple[int, int], shape: tuple[int, int] | None, max_side: int, where: str
) -> None:
    height, width = found
    if shape is not None and found != shape:
        raise SubmissionError(
            f"{where}: {width}x{height}, the output's first frame is {shape[1]}x{shape[0]}; "
            "draw all frames of an output at one size"
        )
    if min(found) < MIN_SIDE or max(found) > max_side:
        raise SubmissionError(
            f"{where}: {width}x{height}, expected sides of {MIN_SIDE} to {max_side} pixels; "
            "draw it at another size"
        )


def _check_chunks(data: bytes, where: str) -> tuple[bool, tuple[int, int]]:
    place, gray, shape = len(_SIGNATURE), False, (0, 0)
    kinds: list[bytes] = []
    while place < len(data):
        if place + 12 > len(data):
            raise SubmissionError(f"{where}: truncated PNG; write the frame again")
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        check = data[place + 8 + length : place + 12 + length]
        if len(body) != length or len(check) != 4:
            raise SubmissionError(f"{where}: truncated PNG; write the frame again")
        if zlib.crc32(kind + body) != struct.unpack(">I", check)[0]:
            raise SubmissionError(f"{where}: damaged PNG (checksum); write the frame again")
        if kind not in _ALLOWED:
            name = ascii(kind.decode("latin-1"))
            raise SubmissionError(
                f"{where}: PNG chunk {name} is not allowed (plain RGB or grey only)"
            )
        if kind == b"tEXt" and body.startswith(b"Raw profile"):
            raise SubmissionError(f"{where}: EXIF in a text chunk; write the frame without it")
        if not kinds:
            gray, shape = _check_header(kind, body, where)
        elif kind == b"IHDR" or (kind == b"IDAT" and kind in kinds and kinds[-1] != kind):
            raise SubmissionError(f"{where}: damaged PNG (a part stands twice); write it again")
        kinds.append(kind)
        place += 12 + length
        if kind == b"IEND":
            break
    if not kinds or kinds[-1] != b"IEND" or place != len(data):
        raise SubmissionError(f"{where}: truncated PNG or bytes after its end")
    return gray, shape


def _check_header(kind: bytes, body: bytes, where: str) -> tuple[bool, tuple[int, int]]:
    if kind != b"IHDR" or len(body) != 13:
        raise SubmissionError(f"{where}: PNG without a header")
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
    names = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
    if depth != 8 or colour not in (_RGB, _GRAY):
        raise SubmissionError(
            f"{where}: {depth} bits, {names.get(colour, colour)}; expected 8 bits, RGB or grey"
        )
    if interlace:
        raise SubmissionError(f"{where}: interlaced; save it without interlacing")
    return bool(colour == _GRAY), (height, width)
