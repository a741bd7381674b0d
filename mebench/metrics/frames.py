"""Which frames of a clip a costly metric looks at."""

from __future__ import annotations

import hashlib

import numpy as np

from mebench.types import Image


def sample_indices(length: int, count: int, apex: int | None) -> list[int]:
    """Return up to `count` frame indices, ascending: evenly spaced, the nearest moved to the apex.

    The first index is always 0, the onset; without an apex the middle stands for it.

    >>> sample_indices(21, 3, apex=14)
    [0, 14, 20]
    """
    if length <= count:
        return list(range(length))
    chosen = [round(float(x)) for x in np.linspace(0, length - 1, count)]
    peak = length // 2 if apex is None else min(max(apex, 0), length - 1)
    if count > 1 and peak not in chosen:
        inner = range(1, count - 1) if count > 2 else range(1, 2)
        nearest = min(inner, key=lambda k: abs(chosen[k] - peak))
        chosen[nearest] = peak
    return sorted(set(chosen))


def pixel_digest(image: Image) -> str:
    """Return the sha256 of an image's shape and pixels."""
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()
