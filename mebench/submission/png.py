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
"""Longest side of a frame, pixels."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB = 0, 2
_ALLOWED = {
    b"IHDR", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"tEXt", b"sBIT",
    b"bKGD",
}  # fmt: skip


def decode_png(data: bytes, where: str, *, size: int, allow_gray: bool) -> Image:
    """Return the frame (size, size, 3) in an 8-bit RGB PNG; grey is replicated where allowed.

    Raises:
        SubmissionError: for any other kind, size, or damage; names `where`.
    """
    if not data.startswith(_SIGNATURE):
        raise SubmissionError(f"{where}: not a PNG; convert it with: mebench submission convert")
    gray = _check_chunks(data, where, size=size, allow_gray=allow_gray)
    from PIL import Image as Pillow

    try:
        with Pillow.open(io.BytesIO(data), formats=("PNG",)) as image:
            pixels = np.asarray(image.convert("L" if gray else "RGB"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, zlib.error, struct.error) as error:
        raise SubmissionError(f"{where}: damaged PNG ({error}); write the frame again") from error
    return np.repeat(pixels[..., None], 3, axis=2) if gray else pixels


def _check_chunks(data: bytes, where: str, *, size: int, allow_gray: bool) -> bool:
    place, gray = len(_SIGNATURE), False
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
            raise SubmissionError(f"{where}: PNG chunk {name} is not allowed (plain RGB only)")
        if kind == b"tEXt" and body.startswith(b"Raw profile"):
            raise SubmissionError(f"{where}: EXIF in a text chunk; write the frame without it")
        if not kinds:
            gray = _check_header(kind, body, where, size=size, allow_gray=allow_gray)
        elif kind == b"IHDR" or (kind == b"IDAT" and kind in kinds and kinds[-1] != kind):
            raise SubmissionError(f"{where}: damaged PNG (a part stands twice); write it again")
        kinds.append(kind)
        place += 12 + length
        if kind == b"IEND":
            break
    if not kinds or kinds[-1] != b"IEND" or place != len(data):
        raise SubmissionError(f"{where}: truncated PNG or bytes after its end")
    return gray


def _check_header(kind: bytes, body: bytes, where: str, *, size: int, allow_gray: bool) -> bool:
    if kind != b"IHDR" or len(body) != 13:
        raise SubmissionError(f"{where}: PNG without a header")
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
    if (width, height) != (size, size):
        raise SubmissionError(f"{where}: {width}x{height}, expected {size}x{size}; resize it")
    names = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
    if depth != 8 or not (colour == _RGB or (colour == _GRAY and allow_gray)):
        raise SubmissionError(
            f"{where}: {depth} bits, {names.get(colour, colour)}; expected 8 bits, RGB"
        )
    if interlace:
        raise SubmissionError(f"{where}: interlaced; save it without interlacing")
    return bool(colour == _GRAY)
