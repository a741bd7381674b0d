"""Aligned square crops: one similarity a clip puts the eyes of frame 0 at fixed places.

The eye centres (means of points 36-41 and 42-47) come to (0.35, 0.40) and (0.65, 0.40) of the
side, so the inter-ocular distance (IOD) is 0.30 of the side. Tight pictures get a tighter `Crop`
(see `framing`). Every frame of a clip is resampled with the same map, so no motion is added or
taken away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.errors import DatasetError
from mebench.io.video import tell
from mebench.types import Flow, Frames, Image, Points

OUTSIDE_TOLD = 0.03
"""A crop with a larger part outside the image is told."""
_MIN_IOD_PX = 8.0
_MAX_SUPERSAMPLING = 8

Matrix = NDArray[np.float64]
Shape = tuple[int, int]
"""Height and width, pixels."""


@dataclass(frozen=True)
class Crop:
    """Where the eyes lie in an aligned square, as parts of its side.

    Attributes:
        share: distance between the eyes.
        height: from the upper edge down to the eyes.
    """

    share: float = 0.30
    height: float = 0.40

    @property
    def eyes(self) -> tuple[complex, complex]:
        """Places of the eye on the image's left and right."""
        half = self.share / 2
        return complex(0.5 - half, self.height), complex(0.5 + half, self.height)


HEAD = Crop()
"""The usual crop: the whole head."""


def alignment(landmarks: Points, size: int, crop: Crop = HEAD) -> Matrix:
    """Return the similarity that maps aligned pixels to pixels of the image of `landmarks`.

    Shapes: landmarks (68, 2); result (2, 3) float64.

    Raises:
        DatasetError: when the landmarks are not 68 finite points, or the eyes are too close.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise DatasetError(f"landmarks must be 68 finite (x, y) points, got {points.shape}")
    left, right = eye_centres(points)
    if abs(right - left) < _MIN_IOD_PX:
        raise DatasetError(
            f"the eyes are {abs(right - left):.1f} px apart, at least {_MIN_IOD_PX:g} are needed; "
            "use a larger image of the face"
        )
    # A similarity is z -> turn * z + shift on complex numbers.
    goal_left, goal_right = (size * eye for eye in crop.eyes)
    turn = (right - left) / (goal_right - goal_left)
    shift = left - turn * goal_left
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def eye_centres(points: NDArray[np.floating]) -> tuple[complex, complex]:
    """Return x + iy of the eye on the image's left and right, of 68 points."""
    left, right = (points[first : first + 6].mean(axis=0) for first in (36, 42))
    return complex(*left), complex(*right)


def align_image(image: Image, to_source: Matrix, size: int | Shape) -> Image:
    """Return the aligned crop of one image, averaged when shrinking, its border repeated.

    Shapes: image (H, W, 3) uint8; result (h, w, 3) uint8, square where `size` is a number.
    """
    return resample(image, to_source, _shape(size)).astype(np.uint8, copy=False)


def align_frames(frames: Frames | Iterable[Image], to_source: Matrix, size: int | Shape) -> Frames:
    """Return the aligned crops of the frames of a clip, all with the same map.

    Shapes: frames (T, H, W, 3) uint8; result (T, h, w, 3) uint8, square where `size` is a number.
    """
    return np.stack([align_image(np.asarray(frame), to_source, size) for frame in frames])


def align_points(points: NDArray[np.floating], to_source: Matrix) -> NDArray[np.float32]:
    """Return points of the recording in aligned pixels.

    Shapes: (..., 2).
    """
    inverse = np.linalg.inv(to_source[:, :2])
    moved: NDArray[np.float32] = ((points - to_source[:, 2]) @ inverse.T).astype(np.float32)
    return moved


def align_flow(flow: Flow, to_source: Matrix, size: int | Shape) -> Flow:
    """Return a displacement field of the recording on the aligned grid, in aligned pixels.

    Shapes: flow (T, H, W, 2) or (H, W, 2); result (T, h, w, 2) or (h, w, 2) float32, square where
    `size` is a number.
    """
    if flow.ndim == 4:
        return np.stack([align_flow(one, to_source, size) for one in flow])
    inverse = np.linalg.inv(to_source[:, :2])
    sampled = resample(np.asarray(flow, np.float32), to_source, _shape(size))
    return np.ascontiguousarray(sampled @ inverse.T.astype(np.float32))


def outside_fraction(to_source: Matrix, size: int, shape: tuple[int, ...]) -> float:
    """Return the part of the crop that lies outside an image of `shape` (H, W, ...).

    Range: 0 to 1.
    """
    axis = (np.arange(64) + 0.5) / 64 * size - 0.5
    x, y = np.meshgrid(axis, axis)
    places = np.stack([x, y, np.ones_like(x)], axis=-1) @ to_source.T
    height, width = shape[:2]
    inside = (places >= -0.5).all(axis=-1) & (places[..., 0] <= width - 0.5)
    inside &= places[..., 1] <= height - 0.5
    return float(1.0 - inside.mean())


def tell_outside(
    name: str, to_source: Matrix, size: int, shape: tuple[int, ...], notes: list[str] | None
) -> None:
    """Tell when a good part of the crop lies outside the image and shows its repeated border."""
    outside = outside_fraction(to_source, size, shape)
    if outside > OUTSIDE_TOLD:
        tell(notes, f"{name}: {outside:.0%} of the crop lies outside the image (border repeated)")


def to_gray(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luma of RGB images (ITU-R BT.601), repeated in three channels.

    Shapes: (..., 3) uint8.
    """
    weights = np.array([299, 587, 114], np.uint32)
    luma = ((frames.astype(np.uint32) @ weights + 500) // 1000).astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=-1)


def _shape(size: int | Shape) -> Shape:
    return (size, size) if isinstance(size, int) else size


def resample(
    image: NDArray[Any], to_source: Matrix, shape: tuple[int, int], *, border: int | None = None
) -> NDArray[Any]:
    """Return an image under an affine map, averaged when shrinking, bicubic when enlarging.

    Shapes: image (H, W, ...); to_source (2, 3), result pixels to image pixels; shape (h, w).
    Outside the image its border is repeated, or everything is `border`.
    """
    import cv2

    scale = math.sqrt(abs(float(np.linalg.det(to_source[:, :2]))))
    matrix = to_source
    if scale > _MAX_SUPERSAMPLING:
        image, matrix = _shrink(image, matrix, factor=int(scale // (_MAX_SUPERSAMPLING / 2)))
        scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    fine = max(1, math.ceil(scale - 0.05))
    centre = 0.5 / fine - 0.5
    steps = np.array([[1 / fine, 0, centre], [0, 1 / fine, centre], [0, 0, 1]])
    enlarging = scale < 1 and image.dtype == np.uint8
    height, width = shape
    warped = cv2.warpAffine(
        np.ascontiguousarray(image),
        matrix @ steps,
        (width * fine, height * fine),
        flags=(cv2.INTER_CUBIC if enlarging else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT,
        borderValue=border or 0,
    )
    if fine > 1:
        warped = cv2.resize(warped, (width, height), interpolation=cv2.INTER_AREA)
    result: NDArray[Any] = warped
    return result


def _shrink(image: NDArray[Any], matrix: Matrix, factor: int) -> tuple[NDArray[Any], Matrix]:
    """Average blocks of a very large image first; pixel centres move by half a block."""
    import cv2

    height, width = (side // factor * factor for side in image.shape[:2])
    small = cv2.resize(
        np.ascontiguousarray(image[:height, :width]),
        (width // factor, height // factor),
        interpolation=cv2.INTER_AREA,
    )
    shift = np.full((2, 1), 0.5 / factor - 0.5)
    return small, np.hstack([matrix[:, :2] / factor, matrix[:, 2:] / factor + shift])
