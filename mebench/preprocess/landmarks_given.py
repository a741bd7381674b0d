"""Landmarks somebody else found: one file a clip."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mebench.errors import DatasetError
from mebench.io.files import sha256_file
from mebench.preprocess.landmarks_base import Finder, Landmarks68, stack
from mebench.preprocess.landmarks_boxes import file_of, read_numbers
from mebench.types import Image


class GivenLandmarks(Finder):
    """Points of ``<folder>/<key>.npy``, (68, 2) or (T, 68, 2), or of ``<key>.csv``, rows x,y.

    A third column (68, 3) is a confidence of 0 to 1 a point, whose mean is the face's; without it
    the confidence is 1.
    """

    name = "given"

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise DatasetError(f"{self.folder}: no such folder of landmarks; see --landmarks-root")

    def holds(self, key: str) -> bool:
        """Return whether there is a file of that name."""
        return any((self.folder / f"{key}{suffix}").is_file() for suffix in (".npy", ".csv"))

    def find(self, key: str, image: Image, notes: list[str] | None = None) -> Landmarks68:
        """Return the given points of frame 0.

        Raises:
            DatasetError: when the file is missing, unreadable or of another shape.
        """
        return _checked(*self._read(key), frame=0)

    def track(
        self, key: str, frames: Iterable[Image], notes: list[str] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the given points of every frame.

        Raises:
            DatasetError: as `find`, and when the file has another number of frames.
        """
        path, given = self._read(key)
        count = sum(1 for _ in frames)
        if given.ndim != 3 or len(given) != count:
            got = f"{len(given)} frames" if given.ndim == 3 else "frame 0 alone"
            raise DatasetError(f"{path}: expected landmarks of {count} frames of {key}, got {got}")
        return stack([_checked(path, given, frame) for frame in range(count)])

    def digest(self, key: str) -> str:
        """Return the digest of the file's bytes."""
        return f"given:{sha256_file(self._file(key))}"

    def _read(self, key: str) -> tuple[Path, NDArray[np.float64]]:
        path = self._file(key)
        return path, read_numbers(path, "landmarks")

    def _file(self, key: str) -> Path:
        return file_of(self.folder, key, "landmarks")


def _checked(path: Path, given: NDArray[np.float64], frame: int) -> Landmarks68:
    one = given[frame] if given.ndim == 3 and len(given) else given
    if one.shape not in ((68, 2), (68, 3)) or not np.isfinite(one).all():
        raise DatasetError(
            f"{path}: frame {frame}: expected 68 finite points, (68, 2) or (T, 68, 2), "
            f"with or without a third column of confidence, got {given.shape}"
        )
    confidence = 1.0
    if one.shape[1] == 3:
        sure = one[:, 2]
        if sure.min() < 0 or sure.max() > 1:
            raise DatasetError(
                f"{path}: frame {frame}: the third column is a confidence, expected 0 to 1, got "
                f"{sure.min():g} to {sure.max():g}; leave out a z coordinate"
            )
        confidence = float(sure.mean())
    return Landmarks68(one[:, :2].astype(np.float32), confidence)
