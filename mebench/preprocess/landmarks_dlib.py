"""dlib's frontal face detector and 68-point predictor."""

from __future__ import annotations

import importlib.util
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError
from mebench.io.files import sha256_file
from mebench.preprocess.landmarks_base import BoxFinder, Landmarks68
from mebench.preprocess.landmarks_boxes import (
    SAME_FACE,
    Box,
    choose_box,
    consensus,
    jittered,
    overlap,
)
from mebench.types import Image

SPREAD_SCALE = 0.05
"""Votes that lie this part of the eye distance apart give a confidence of 1/e."""
_DETECT_SIDE = 1024
_LARGE = 1600
"""Enlarged pictures whose longer side is more are searched only where no face was found yet."""
_PREDICT_WIDTH = 800
_MAX_TIMES = 16
_MARGIN = 0.6


class DlibLandmarks(BoxFinder):
    """dlib's detector and predictor, the median over nine boxes in the enlarged face.

    The confidence is ``exp(-spread / 0.05)``: 1 when the nine agree, 0.37 when they lie 5 % of the
    eye distance apart.

    Args:
        face: which face to take, 0 the leftmost; None takes the surest of the large ones.
    """

    name = "dlib"

    def __init__(self, face: int | None = None) -> None:
        self.face = face
        self._model = _dlib_model()

    def box(self, key: str, image: Image, notes: list[str] | None = None) -> Box:
        """Return the box of the face.

        Raises:
            DatasetError: when no face is found, or not the one asked for.
        """
        return choose_box(key, detect_dlib(image), self.face, notes)

    def at(self, key: str, image: Image, box: Box) -> Landmarks68:
        """Return the points of the face in a box."""
        import dlib

        _, predictor = _tools(self._model)
        large, corner, times = _enlarged(image, box)
        votes = []
        for near in jittered(box):
            sides = zip(near, (*corner, *corner), strict=True)
            inside = [round((side - start + 0.5) * times - 0.5) for side, start in sides]
            shape = predictor(large, dlib.rectangle(*inside))
            votes.append([(point.x, point.y) for point in shape.parts()])
        found = (np.asarray(votes, np.float64) + 0.5) / times - 0.5 + corner
        points, spread = consensus(found)
        return Landmarks68(points, math.exp(-spread / SPREAD_SCALE))

    def digest(self, key: str) -> str:
        """Return version, predictor and choice of face."""
        import dlib

        return f"dlib:{dlib.__version__}:{_model_digest(self._model)}:4:{self.face}"


def detect_dlib(image: Image) -> list[tuple[float, Box]]:
    """Return (score, box) of the faces dlib's detector finds in an image.

    Raises:
        UsageError: when dlib is not installed.
    """
    detector, _ = _tools(_dlib_model())
    return _detect(detector, np.ascontiguousarray(image))


def _detect(detector: Any, image: Image) -> list[tuple[float, Box]]:
    """Look at an image of at most 1024 px, then for smaller faces in enlarged ones.

    In a large picture that shows a face, smaller ones are bystanders; enlarging it costs memory.
    """
    import cv2

    scale = min(1.0, _DETECT_SIDE / max(image.shape[:2]))
    small: NDArray[Any] = image
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    found: list[tuple[float, Box]] = []
    for enlarge in (0, 1, 2):
        side = max(small.shape[:2]) * 2**enlarge
        too_large = enlarge and side > (_LARGE if found else 2 * _DETECT_SIDE)
        if too_large or (enlarge == 2 and found):
            break
        rectangles, scores, _ = detector.run(small, enlarge, 0.0)
        for r, score in zip(rectangles, scores, strict=True):
            box = (r.left() / scale, r.top() / scale, r.right() / scale, r.bottom() / scale)
            if all(overlap(box, other) < SAME_FACE for _, other in found):
                found.append((float(score), box))
    return found


def _enlarged(image: Image, box: Box) -> tuple[Image, tuple[int, int], int]:
    """Return a part of the image enlarged, its upper left pixel, and how many times.

    The predictor rounds to whole pixels; in a face of 800 pixels that is little.
    """
    import cv2

    left, top, right, bottom = box
    width = max(1.0, right - left)
    times = min(_MAX_TIMES, max(1, math.ceil(_PREDICT_WIDTH / width)))
    margin = _MARGIN * width
    x, y = (max(0, math.floor(side - margin)) for side in (left, top))
    part: NDArray[Any] = image[y : math.ceil(bottom + margin), x : math.ceil(right + margin)]
    if times > 1:
        part = cv2.resize(part, None, fx=times, fy=times, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(part, np.uint8), (x, y), times


def _dlib_model() -> Path:
    models = importlib.util.find_spec("face_recognition_models")
    if importlib.util.find_spec("dlib") is None or models is None:
        raise UsageError(
            "landmarks by dlib need an extra: pip install 'mebench[dlib]' "
            "(or give landmarks yourself with --landmarks given)"
        )
    # The package's own __init__ needs setuptools, so its file is found without importing it.
    for folder in models.submodule_search_locations or ():
        path = Path(folder) / "models" / "shape_predictor_68_face_landmarks.dat"
        if path.is_file():
            return path
    raise UsageError(
        "face_recognition_models has no 68-point predictor; install mebench[dlib] again"
    )


@cache
def _tools(model: Path) -> tuple[Any, Any]:
    """Load detector and predictor once a process: the predictor's file is 100 MB."""
    import dlib

    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model))


@cache
def _model_digest(model: Path) -> str:
    return sha256_file(model)[:16]
