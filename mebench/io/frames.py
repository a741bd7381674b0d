"""Still images in and out: decoding within limits, frame folders, and a digest of pixels."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil
from PIL import ImageOps, UnidentifiedImageError

from mebench.errors import DatasetError
from mebench.io.files import atomic_path
from mebench.io.kinds import HEAD, kind_of
from mebench.io.samples import eight_bits, sample_bits
from mebench.types import Frames, Image

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
MAX_PIXELS = 64_000_000
"""Largest image that is decoded."""
MAX_CLIP_BYTES = 4 << 30
"""Largest clip that is decoded into memory at once."""
DAMAGE_ERRORS = (
    OSError, ValueError, SyntaxError, LookupError, EOFError, MemoryError, ArithmeticError,
    TypeError, AttributeError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip
"""What decoders raise on damaged files, found by feeding them such files."""
_BLANK = 2
"""Samples of a blank clip differ by no more than this."""
_ORIENTATION = 0x0112
_LOG = logging.getLogger("mebench")
_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND"}
"""How JPEG and PNG files begin, and end."""
_TAIL = 64
_KNOWN = (b"II*\x00", b"MM\x00*", b"RIFF", b"P5", b"P6", b"GIF8")
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM", "GIF")


def read_image(path: Path | str) -> Image:
    """Return an image file as RGB, grey repeated in three channels, turned upright by its EXIF tag.

    Samples of 16 bits have 65535 for white; float samples have 1. Pictures whose samples can't be
    meant so, such as 12 bits in 16, are refused with the range that was found. Wholly transparent
    pixels are black.

    Shapes: (H, W, 3) uint8.

    Raises:
        DatasetError: for a file that is missing, empty, cut short, too large, no image, or several
            images in one, and for samples of unknown range.
    """
    path = Path(path)
    if path.is_dir():
        raise DatasetError(f"{path}: is a folder; give one image file of it")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; give an image file") from error
    except PermissionError as error:
        raise DatasetError(f"{path}: permission denied; allow reading it: chmod u+r") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); copy the file again") from (
            error
        )
    if not data:
        raise DatasetError(f"{path}: the file is empty (0 bytes); copy it again from the original")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pil.open(io.BytesIO(data), formats=_FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise DatasetError(
                        f"{path}: {width}x{height} pixels; at most {MAX_PIXELS} are read, shrink it"
                    )
                _require_single(path, image)
                bits = sample_bits(image, data)
                if image.getexif().get(_ORIENTATION, 1) != 1:
                    return eight_bits(path, ImageOps.exif_transpose(image), bits, data)
                return eight_bits(path, image, bits, data)
    except UnidentifiedImageError as error:
        what = kind_of(data[:HEAD])
        raise DatasetError(
            f"{path}: {what}"
            if what
            else f"{path}: not an image (jpg, png, bmp, tif), or its head is damaged; copy it again"
        ) from error
    except Pil.DecompressionBombError as error:
        raise DatasetError(f"{path}: more than {MAX_PIXELS} pixels; shrink it") from error
    except DAMAGE_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{path}: damaged or cut short ({reason}); copy it again") from error


def iter_frames(paths: Sequence[Path]) -> Iterator[Image]:
    """Yield the images of a clip one by one.

    Raises:
        DatasetError: as `read_image`, and when a frame has another size than the first.
    """
    first: tuple[int, ...] | None = None
    for path in paths:
        image = read_image(path)
        first = first or image.shape
        if image.shape != first:
            raise DatasetError(
                f"{path}: {image.shape[1]}x{image.shape[0]} pixels, but the clip's first frame has "
                f"{first[1]}x{first[0]}; all frames of a clip must have one size"
            )
        yield image


def read_frames(paths: Sequence[Path], notes: list[str] | None = None) -> Frames:
    """Return the images of a clip as one array; what is odd about them is told, or logged.

    Shapes: (T, H, W, 3) uint8.

    Raises:
        DatasetError: as `iter_frames`, for no paths, and for a clip too large for memory.
    """
    if not paths:
        raise DatasetError("a clip without frames cannot be read; check its folder")
    frames: Frames | None = None
    for index, image in enumerate(iter_frames(paths)):
        if frames is None:
            if image.nbytes * len(paths) > MAX_CLIP_BYTES:
                raise DatasetError(
                    f"{paths[0].parent}: {len(paths)} frames of {image.shape[1]}x{image.shape[0]} "
                    f"need more than {MAX_CLIP_BYTES >> 30} GiB; shorten or shrink the clip"
                )
            frames = np.empty((len(paths), *image.shape), np.uint8)
        frames[index] = image
    if frames is None:
        raise DatasetError("a clip without frames cannot be read; check its folder")
    tell_blank(paths[0].parent, frames, notes)
    return frames


def tell(notes: list[str] | None, message: str) -> None:
    """Append a remark to `notes`, or log it when nobody collects notes."""
    if notes is None:
        _LOG.warning(message)
    else:
        notes.append(message)


def tell_blank(path: Path, frames: Frames, notes: list[str] | None) -> None:
    """Tell that a clip shows nothing: all of it black, or of one colour."""
    least, most = int(frames.min()), int(frames.max())
    if most - least <= _BLANK:
        what = "black" if most <= _BLANK else "of one colour"
        tell(notes, f"{path}: all {len(frames)} frames are {what}")


def write_png(path: Path | str, image: NDArray[np.uint8]) -> None:
    """Write an (H, W, 3) RGB or (H, W) grey image as PNG, whole or not at all."""
    with atomic_path(Path(path)) as temporary:
        Pil.fromarray(np.ascontiguousarray(image)).save(temporary, format="PNG", compress_level=3)


def pixel_digest(frames: Iterable[NDArray[np.uint8]]) -> str:
    """Return the sha256 over the shape and raw bytes of frames, given as array or one by one.

    >>> frames = np.zeros((2, 4, 4, 3), np.uint8)
    >>> pixel_digest(frames) == pixel_digest(iter(frames))
    True
    """
    digest = hashlib.sha256()
    count = 0
    for frame in frames:
        if frame.dtype != np.uint8:
            raise TypeError(f"a frame must be uint8, got {frame.dtype}")
        digest.update(("x".join(map(str, frame.shape)) + ";").encode())
        digest.update(np.ascontiguousarray(frame).data)
        count += 1
    digest.update(f"{count} frames".encode())
    return digest.hexdigest()


def frame_number(name: str) -> int | None:
    """Return the last run of digits of a file name without its extension, or None.

    >>> frame_number("reg_img0046.jpg"), frame_number("006_05562.jpg")
    (46, 5562)
    """
    runs = re.findall(r"[0-9]+", os.path.splitext(name)[0])
    return int(runs[-1]) if runs else None


def index_folder(folder: Path) -> dict[int, Path]:
    """Return ``{frame number: path}`` of the images in a folder, ascending; see `frame_numbers`.

    Raises:
        DatasetError: when the folder cannot be listed or two files have one number.
    """
    try:
        listed = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror})") from error
    names = [name for name in listed if is_image_name(name) and frame_number(name) is not None]
    found: dict[int, Path] = {}
    for name, number in zip(names, frame_numbers(names), strict=True):
        if number in found:
            raise DatasetError(
                f"{folder}: '{found[number].name}' and '{name}' both are frame {number}; a folder "
                "holds one picture a frame: move the others, such as a second face's, elsewhere"
            )
        found[number] = folder / name
    return dict(sorted(found.items()))


def is_image_name(name: str) -> bool:
    """Return whether a file's name is an image's, and no hidden file's."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS


def frame_numbers(names: Sequence[str]) -> list[int]:
    """Return the frame's number in each name of a folder; each name holds digits.

    The run of digits that counts is one that no two names share. Where several are so, it is the
    last that sorts the names as the most even one does: a score or a size is none.

    >>> frame_numbers(["f_0001_0.93_128.png", "f_0002_0.91_128.png", "f_0003_0.97_128.png"])
    [1, 2, 3]
    >>> frame_numbers(["006_05562.jpg", "006_05563.jpg"])
    [5562, 5563]
    """
    last = [number for number in map(frame_number, names) if number is not None]
    if len(names) < 2:
        return last
    columns = [column for column in _columns(names) if len(set(column)) == len(column)]
    if not columns:
        return last
    most = max(columns, key=_evenness)
    order = np.argsort(most)
    return [column for column in columns if (np.diff(np.array(column)[order]) > 0).all()][-1]


def _columns(names: Sequence[str]) -> list[list[int]]:
    """Return the runs of digits that stand behind, or before, the same text in every name."""
    parts = [re.split(r"([0-9]+)", os.path.splitext(name)[0]) for name in names]
    fewest = min(map(len, parts)) // 2
    found = []
    for k in range(fewest):
        if len({tuple(part[: 2 * k + 1 : 2]) for part in parts}) == 1:
            found.append([int(part[2 * k + 1]) for part in parts])
    for k in range(fewest, 0, -1):
        if len({tuple(part[-2 * k + 1 :: 2]) for part in parts}) == 1:
            column = [int(part[-2 * k]) for part in parts]
            found += [column] if column not in found else []
    if not found:
        found = [[int(part[-2]) for part in parts]]
    return found


def _evenness(column: Sequence[int]) -> float:
    """Return the share of the steps of a column that are of its commonest size."""
    steps = Counter(np.diff(np.sort(column)).tolist())
    return max(steps.values()) / (len(column) - 1)


def damage(path: Path) -> str | None:
    """Return why a file is surely damaged, or None.

    Cheap: size, head and tail are looked at, so pixels damaged inside a file are not noticed. Only
    a JPEG or PNG that does not end as it should is decoded: programs write behind the end.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as handle:
            head = handle.read(HEAD)
            handle.seek(max(0, size - _TAIL))
            tail = handle.read()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if size == 0:
        return "empty (0 bytes)"
    ends = next((end for start, end in _ENDS.items() if head.startswith(start)), None)
    if ends is not None:
        return None if ends in tail or _decodes(path) else "cut short (no end marker)"
    if head.startswith(b"BM"):
        stated = int.from_bytes(head[2:6], "little")
        return f"cut short ({size} of {stated} bytes)" if size < stated else None
    return None if head.startswith(_KNOWN) else kind_of(head) or "not an image"


def _decodes(path: Path) -> bool:
    try:
        read_image(path)
    except DatasetError:
        return False
    return True


def _require_single(path: Path, image: Pil.Image) -> None:
    """Refuse a file of several pictures, of which only the first would be read."""
    count = getattr(image, "n_frames", 1)
    if count > 1 and image.format in ("WEBP", "TIFF"):
        size = image.size
        image.seek(1)
        alike = image.size == size
        image.seek(0)
        if alike:
            kind = "an animated WebP" if image.format == "WEBP" else "a TIFF"
            raise DatasetError(
                f"{path}: {kind} with {count} pictures in one file; save each as a file of its own"
            )
