"""Where a frame may lie on a template: from image features, or from landmarks on both."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.errors import MebenchError
from mebench.preprocess.canonical import Matrix
from mebench.types import Image
from mebench.views.target import Target

_SIDE = 320
"""Frames are brought to this size before features are looked for."""
_RATIO, _LEAST, _MISS_PX = 0.8, 6, 5.0
"""Lowe's ratio, least number of matches, and by how many canonical pixels one may miss."""


def candidates(frame: Image, target: Target) -> Iterator[tuple[str, Matrix]]:
    """Yield transforms (2, 3), pixels of the frame to canonical pixels, the cheapest first."""
    found = _by_features(frame, target)
    if found is not None:
        yield "features", found
    found = _by_landmarks(frame, target)
    if found is not None:
        yield "landmarks", found


def similarity(start: NDArray[np.floating], end: NDArray[np.floating]) -> Matrix:
    """Return the least-squares similarity (2, 3), without reflection, from points to points."""
    a, b = (np.asarray(points, np.float64) @ (1, 1j) for points in (start, end))
    a0, b0 = a.mean(), b.mean()
    turn = np.vdot(a - a0, b - b0) / max(float(np.vdot(a - a0, a - a0).real), 1e-12)
    shift = b0 - turn * a0
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _by_landmarks(frame: Image, target: Target) -> Matrix | None:
    if importlib.util.find_spec("dlib") is None:
        return None
    from mebench.preprocess.landmarks_dlib import DlibLandmarks

    factor = min(1.0, _SIDE / max(frame.shape[:2]))
    small = cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    try:
        # What the finder thinks of its points is judged by the correlation that they lead to.
        found = DlibLandmarks().points("frame 0", np.ascontiguousarray(small, np.uint8), [])
    except (MebenchError, MemoryError):
        return None
    return similarity((found + 0.5) / factor - 0.5, target.landmarks)


def _by_features(frame: Image, target: Target) -> Matrix | None:
    ours, theirs = _features(frame), _features(target.image)
    if ours is None or theirs is None:
        return None
    near = cv2.BFMatcher(cv2.NORM_L2).knnMatch(ours[1], theirs[1], k=2)
    good = [two[0] for two in near if len(two) == 2 and two[0].distance < _RATIO * two[1].distance]
    if len(good) < _LEAST:
        return None
    start = ours[0][[match.queryIdx for match in good]]
    end = theirs[0][[match.trainIdx for match in good]]
    cv2.setRNGSeed(0)
    matrix, used = cv2.estimateAffine2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=_MISS_PX
    )
    # A reflection is a mirrored face, which is refused elsewhere.
    if matrix is None or int(used.sum()) < _LEAST or np.linalg.det(matrix[:, :2]) <= 0:
        return None
    return np.asarray(matrix, np.float64)


def _features(image: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return places (N, 2) in pixels of the image, and descriptors; None when there are few."""
    factor = _SIDE / max(image.shape[:2])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    gray = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    gray = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=how)
    sift: Any = cv2.SIFT_create(  # type: ignore[attr-defined]
        nfeatures=500, contrastThreshold=0.01
    )
    points, descriptors = sift.detectAndCompute(gray, None)
    if descriptors is None or len(points) < _LEAST:
        return None
    places = (np.array([point.pt for point in points]) + 0.5) / factor - 0.5
    return places.astype(np.float32), descriptors
