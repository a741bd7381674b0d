"""The other side of a distance of distributions, kept on disk with its statistics."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mebench.io.files import atomic_path
from mebench.metrics.frechet import Gaussian, gaussian_of


@dataclass(frozen=True)
class FrameSet:
    """Features of the pictures that others are compared with, and the Gaussian fitted to them.

    Attributes:
        features: (N, 2048) float32, one row a picture.
        gaussian: fitted to them, or None with fewer than 2 rows or values that are not finite.
        lacking: why they cannot be used, or an empty string.
    """

    features: NDArray[np.float32]
    gaussian: Gaussian | None
    lacking: str = ""


def frame_set(features: NDArray[np.float32]) -> FrameSet:
    """Return features with the Gaussian fitted to them, where one can be."""
    usable = len(features) > 1 and bool(np.isfinite(features).all())
    return FrameSet(features, gaussian_of(features) if usable else None)


def read_set(place: Path) -> FrameSet | None:
    """Return the set kept in a file, None when it is absent or damaged."""
    try:
        with np.load(place, allow_pickle=False) as data:
            features, mean = data["features"], data["mean"]
            return FrameSet(features, Gaussian(mean, data["factor"], len(features)))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def write_set(place: Path, found: FrameSet) -> None:
    """Keep a set in a file; one that cannot be used is not kept."""
    if found.gaussian is None:
        return
    with atomic_path(place) as temporary, temporary.open("wb") as handle:
        mean, factor = found.gaussian.mean, found.gaussian.factor
        np.savez(handle, features=found.features, mean=mean, factor=factor)
