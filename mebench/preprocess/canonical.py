"""The canonical frame: an upright face with its eyes at fixed places, IOD 96 pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.errors import DatasetError
from mebench.types import Image

FloatArray = NDArray[np.float32]
Matrix = NDArray[np.float64]

WIDTH, HEIGHT = 320, 352
EYES = ((112.0, 128.0), (208.0, 128.0))
IOD = 96.0
"""Inter-ocular distance in the canonical frame, pixels."""

_ERODE = 0.08
_EYE_MARGIN = 0.08
_CROP_MARGIN = 0.20
_CROP_STEP = 8
_TEXTURE_HALF = 0.25


@dataclass(frozen=True)
class Canvas:
    """The part of the canonical frame in which a clip is analysed.

    Attributes:
        to_canonical: (2, 3), pixels of the clip's frames to canonical pixels.
        origin: canonical (x, y) of the canvas's first pixel.
        landmarks: (68, 2) float64, canonical pixels.
        confidence: (h, w) texture confidence of frame 0, 0..1; 0 outside the clip's frames.
        weight: (h, w) confidence inside the eroded face hull and outside the eyes.
        hull: (h, w) bool, eroded face hull inside the clip's frames.
    """

    to_canonical: Matrix
    origin: tuple[int, int]
    landmarks: Matrix
    confidence: FloatArray
    weight: FloatArray
    hull: NDArray[np.bool_]

    def sample(self, pixels: NDArray[np.number]) -> tuple[NDArray[np.bool_], Matrix]:
        """Return hull membership and weight at `pixels` (N, 2) of the clip's frames."""
        places = apply(self.to_canonical, pixels) - np.array(self.origin)
        columns, rows = np.rint(places).astype(np.int64).T
        height, width = self.weight.shape
        within = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        rows, columns = np.where(within, rows, 0), np.where(within, columns, 0)
        return within & self.hull[rows, columns], within * self.weight[rows, columns].astype(float)


def eye_distance(landmarks: NDArray[np.floating]) -> float:
    """Return the distance between the two eye centres of 68 landmarks, pixels."""
    return float(np.linalg.norm(landmarks[42:48].mean(0) - landmarks[36:42].mean(0)))


def canonical_transform(landmarks: NDArray[np.floating]) -> Matrix:
    """Return the (2, 3) similarity that takes the eye centres to their canonical places.

    Shapes: landmarks (68, 2), pixels, iBUG order.

    Raises:
        DatasetError: when the eyes coincide or a landmark is not finite.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise DatasetError(
            f"landmarks: expected 68 finite points (68, 2), got shape {points.shape}; "
            "prepare the clip again"
        )
    left, right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    span = complex(*(right - left))
    if abs(span) < 1.0:
        raise DatasetError("landmarks: the eye centres coincide; prepare the clip again")
    turn = complex(EYES[1][0] - EYES[0][0], EYES[1][1] - EYES[0][1]) / span
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, np.array(EYES[0]) - linear @ left])


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """Return the (2, 3) affine map ``x -> outer(inner(x))``."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.column_stack([linear, outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def invert(matrix: Matrix) -> Matrix:
    """Return the inverse of a (2, 3) affine map."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def apply(matrix: Matrix, points: NDArray[np.number]) -> Matrix:
    """Return `points` (..., 2) mapped by a (2, 3) affine map."""
    mapped: Matrix = np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return mapped


def prepare_canvas(first: Image, landmarks: NDArray[np.floating]) -> Canvas:
    """Return the canvas of a clip from its frame 0 and that frame's landmarks (68, 2), pixels."""
    to_canonical = canonical_transform(landmarks)
    points = apply(to_canonical, landmarks)
    margin = _CROP_MARGIN * IOD
    low = np.clip(np.floor((points.min(axis=0) - margin) / _CROP_STEP), 0, None) * _CROP_STEP
    high = np.ceil((points.max(axis=0) + margin) / _CROP_STEP) * _CROP_STEP
    high = np.minimum(high, [WIDTH, HEIGHT])
    x0, y0 = int(low[0]), int(low[1])
    width, height = int(high[0]) - x0, int(high[1]) - y0
    if width < 2 * _CROP_STEP or height < 2 * _CROP_STEP:
        raise DatasetError("landmarks: the face lies outside the canonical frame; prepare it again")

    ones = np.full(first.shape[:2], 255, np.uint8)
    shift = np.array([x0, y0])
    inside = (
        warp_canonical(ones, to_canonical, shift, (width, height), border=cv2.BORDER_CONSTANT) > 254
    )
    grey = warp_canonical(grey_of(first, to_canonical), to_canonical, shift, (width, height))
    confidence = texture_confidence(grey) * inside
    local = points - shift
    hull = _polygon(local, (height, width), -_ERODE) & inside
    eyes = np.zeros_like(hull)
    for part in (slice(36, 42), slice(42, 48)):
        eyes |= _polygon(local[part], (height, width), _EYE_MARGIN)
    weight = confidence * (hull & ~eyes)
    return Canvas(to_canonical, (x0, y0), points, confidence, weight.astype(np.float32), hull)


def texture_confidence(grey: FloatArray) -> FloatArray:
    """Return c = λ/(λ + .25) of a grey image, λ the smaller eigenvalue of its structure tensor.

    The image is blurred (σ 1.5); derivatives are Sobel/8; the tensor is averaged over 21 × 21.

    Range: 0 (smooth or one-directional) to 1.
    """
    blurred = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.5)
    dx = cv2.Sobel(blurred, cv2.CV_32F, 1, 0) / 8.0
    dy = cv2.Sobel(blurred, cv2.CV_32F, 0, 1) / 8.0
    xx, yy, xy = (
        cv2.blur(np.asarray(p, np.float32), (21, 21)) for p in (dx * dx, dy * dy, dx * dy)
    )
    smaller = np.maximum((xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2), 0.0)
    confidence: FloatArray = (smaller / (smaller + _TEXTURE_HALF)).astype(np.float32)
    return confidence


def grey_of(frame: Image, to_canonical: Matrix) -> FloatArray:
    """Return a frame (H, W, 3) as grey (H, W), low-passed when the canonical frame is smaller."""
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY).astype(np.float32)
    scale = float(np.sqrt(abs(np.linalg.det(to_canonical[:, :2]))))
    if scale < 1.0:
        # Shrinking without a low pass would alias pores into false motion.
        sigma = 0.5 * np.sqrt(1.0 / scale**2 - 1.0) + 1e-3
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.float32)
    return grey


def warp_canonical(
    image: NDArray[np.generic],
    matrix: Matrix,
    shift: NDArray[np.integer],
    size: tuple[int, int],
    border: int = cv2.BORDER_REPLICATE,
) -> FloatArray:
    """Return (h, w): `image` mapped by a (2, 3) `matrix`, cut out at `shift` (x, y), bicubic."""
    back = invert(matrix)
    back = np.column_stack([back[:, :2], back[:, :2] @ shift + back[:, 2]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image.astype(np.float32), back, size, flags=flags, borderMode=border)
    return warped.astype(np.float32, copy=False)


def _polygon(points: Matrix, shape: tuple[int, int], grow: float) -> NDArray[np.bool_]:
    mask = np.zeros(shape, np.uint8)
    outline = cv2.convexHull(np.rint(points).astype(np.int32))
    cv2.fillConvexPoly(mask, outline, 1)
    size = 2 * round(abs(grow) * IOD) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    changed = cv2.dilate(mask, disc) if grow > 0 else cv2.erode(mask, disc)
    return np.asarray(changed > 0)
