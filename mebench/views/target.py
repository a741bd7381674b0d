"""A template's picture as the fit sees it: the face at a fixed place and size, small to send."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mebench.preprocess.canonical import (
    HEIGHT,
    WIDTH,
    Matrix,
    apply,
    canonical_transform,
    invert,
)
from mebench.preprocess.crop import resample
from mebench.types import Image, Picture


@dataclass(frozen=True)
class Target:
    """The face of a template's picture in the canonical frame (eye distance 96 px).

    Attributes:
        image: (352, 320, 3) uint8; outside the picture its border is repeated.
        inside: (352, 320) bool, where the picture has pixels.
        landmarks: (68, 2) float64, canonical pixels.
        to_picture: (2, 3), canonical pixels to pixels of the picture.
        shape: height and width of the picture.
        aligned: (2, 3), aligned pixels to pixels of the picture.
        size: side of an aligned frame.
    """

    image: Image
    inside: NDArray[np.bool_]
    landmarks: NDArray[np.float64]
    to_picture: Matrix
    shape: tuple[int, int]
    aligned: Matrix
    size: int

    @property
    def digest(self) -> str:
        """Sha256 of all of it."""
        found = hashlib.sha256(f"{self.shape} {self.size}".encode())
        for part in (self.image, self.inside, self.landmarks, self.to_picture, self.aligned):
            found.update(np.ascontiguousarray(part).tobytes())
        return found.hexdigest()


def target_of(picture: Picture, size: int) -> Target:
    """Return what an output is fitted to; `size` is the side of an aligned frame.

    Raises:
        DatasetError: when the landmarks are no face.
    """
    to_canonical = canonical_transform(picture.landmarks)
    to_picture = invert(to_canonical)
    shape = (picture.image.shape[0], picture.image.shape[1])
    return Target(
        image=resample(picture.image, to_picture, (HEIGHT, WIDTH)),
        inside=inside_of(shape, to_picture, (HEIGHT, WIDTH)),
        landmarks=apply(to_canonical, picture.landmarks),
        to_picture=to_picture,
        shape=shape,
        aligned=np.asarray(picture.to_source, np.float64),
        size=size,
    )


def inside_of(image: tuple[int, int], matrix: Matrix, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels of a (h, w) grid fall into an image of (H, W) under a (2, 3) map."""
    xs, ys = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    places = apply(matrix, np.stack([xs, ys], axis=-1))
    limit = np.array([image[1], image[0]]) - 0.5
    return np.asarray(((places >= -0.5) & (places <= limit)).all(axis=-1))
