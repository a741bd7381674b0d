"""The frames of one output on their way into a submission: pixels are copied as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mebench.errors import SubmissionError
from mebench.io.files import atomic_folder
from mebench.io.frames import read_image, write_png
from mebench.submission.pack import pair_folder
from mebench.submission.png import MAX_SIDE, MIN_SIDE, plain_shape
from mebench.types import Frames, Pair

_LOSSLESS = frozenset({".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"})


def is_lossy(images: Sequence[Path]) -> bool:
    """Return whether any image was kept in a form that loses something."""
    return any(image.suffix.lower() not in _LOSSLESS for image in images)


def copy_images(root: Path, pair: Pair, images: Sequence[Path], name: str) -> None:
    """Write the images of one output as PNG, those that already are plain PNG byte for byte.

    Raises:
        SubmissionError: for frames of two sizes, or a size that is not taken; names `name`.
        DatasetError: for an image that is damaged.
    """
    shape: tuple[int, int] | None = None
    with atomic_folder(pair_folder(root, pair)) as folder:
        for number, path in enumerate(images):
            target = folder / f"{number:05d}.png"
            data = path.read_bytes() if path.suffix.lower() == ".png" else b""
            own = plain_shape(data)
            if own is not None:
                target.write_bytes(data)
            else:
                image = read_image(path)
                own = image.shape[0], image.shape[1]
                if shape in (None, own):
                    write_png(target, image)
            shape = shape or own
            if own != shape:
                raise SubmissionError(
                    f"{name}: '{pair.key}' has frames of two sizes, {shape[1]}x{shape[0]} and "
                    f"{own[1]}x{own[0]} ({path.name}); make all of one size"
                )
            check_side(name, pair, own[1], own[0])


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
