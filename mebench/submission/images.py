"""The frames of one output on their way into a submission: pixels are copied as they are."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from mebench.errors import SubmissionError
from mebench.io.files import atomic_folder
from mebench.io.frames import read_image, write_png
from mebench.submission.pack import pair_folder
from mebench.submission.png import MAX_SIDE, MIN_SIDE
from mebench.types import Frames, Pair

_LOSSLESS = frozenset({".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"})
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PLAIN = {
    b"IHDR", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"tEXt", b"sBIT",
    b"bKGD",
}  # fmt: skip


def is_lossy(images: Sequence[Path]) -> bool:
    """Return whether any image was kept in a form that loses something."""
    return any(image.suffix.lower() not in _LOSSLESS for image in images)


def copy_images(
    root: Path, pair: Pair, images: Sequence[Path], name: str, *, allow_gray: bool
) -> None:
    """Write the images of one output as PNG, those that already are plain PNG byte for byte.

    Raises:
        SubmissionError: for frames of two sizes, or a size that is not taken; names `name`.
        DatasetError: for an image that is damaged.
    """
    size: tuple[int, int] | None = None
    with atomic_folder(pair_folder(root, pair)) as folder:
        for number, path in enumerate(images):
            target = folder / f"{number:05d}.png"
            data = path.read_bytes() if path.suffix.lower() == ".png" else b""
            own = plain_size(data, allow_gray=allow_gray)
            if own is not None:
                target.write_bytes(data)
            else:
                image = read_image(path)
                own = image.shape[1], image.shape[0]
                if size in (None, own):
                    write_png(target, image)
            size = size or own
            if own != size:
                raise SubmissionError(
                    f"{name}: '{pair.key}' has frames of two sizes, {size[0]}x{size[1]} and "
                    f"{own[0]}x{own[1]} ({path.name}); make all of one size"
                )
            check_side(name, pair, *own)


def check_side(name: str, pair: Pair, width: int, height: int) -> None:
    """Refuse frames that are too small or too large.

    Raises:
        SubmissionError: in one line.
    """
    if not MIN_SIDE <= min(width, height) <= max(width, height) <= MAX_SIDE:
        raise SubmissionError(
            f"{name}: '{pair.key}' has frames of {width}x{height} pixels; a side has {MIN_SIDE} to "
            f"{MAX_SIDE}, make it again in such a size"
        )


def check_frames(name: str, pair: Pair, frames: Frames) -> None:
    """Refuse decoded frames as `check_side` does."""
    check_side(name, pair, frames.shape[2], frames.shape[1])


def plain_size(data: bytes, *, allow_gray: bool) -> tuple[int, int] | None:
    """Return width and height of a PNG that a submission may hold as it is, else None.

    8 bits, RGB (or grey where allowed), not interlaced, whole, and nothing but pixels and remarks.
    """
    if not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR":
        return None
    place, kinds = len(_SIGNATURE), list[bytes]()
    while place + 12 <= len(data) and kinds[-1:] != [b"IEND"]:
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        end = place + 8 + length
        body = data[place + 8 : end]
        if data[end : end + 4] != struct.pack(">I", zlib.crc32(kind + body)) or kind not in _PLAIN:
            return None
        if kind == b"tEXt" and body.startswith(b"Raw profile"):
            return None
        if kind == b"IDAT" and kind in kinds and kinds[-1] != kind:
            return None
        kinds.append(kind)
        place = end + 4
    if place != len(data) or kinds[-1] != b"IEND" or kinds.count(b"IHDR") != 1:
        return None
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", data[16:29])
    if depth != 8 or interlace or not (colour == 2 or (colour == 0 and allow_gray)):
        return None
    return width, height
