"""Where landmarks come from: a folder of given ones, or dlib's 68-point predictor."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mebench import settings
from mebench.datasets.folders import truth_landmarks
from mebench.errors import DatasetError, UsageError, did_you_mean
from mebench.io.files import sha256_file
from mebench.io.video import tell
from mebench.types import Image, Points

METHODS = ("given", "dlib")


class Landmarker(Protocol):
    """Finds the 68 iBUG points of the face in an image.

    Attributes:
        name: what reports call it.
    """

    name: str

    def points(self, key: str, image: Image, notes: list[str] | None = None) -> Points:
        """Return the points (68, 2) float32 of the clip `key` whose frame 0 is `image`.

        Raises:
            DatasetError: when there are none; the clip is named.
        """

    def digest(self, key: str) -> str:
        """Return a text that changes whenever the points of `key` could change."""


def choose_landmarker(
    dataset: str,
    root: Path,
    *,
    how: str | None = None,
    folder: Path | None = None,
    face: int | None = None,
) -> Landmarker:
    """Return who finds the landmarks of a copy of a data set.

    Given ones come from `folder`, the user's setting ``landmarks.<dataset>``, or the truth that a
    SynthME export carries, in this order; where there are none, dlib finds them.

    Raises:
        UsageError: for an unknown `how`, and when given landmarks are asked for but are nowhere.
    """
    if how not in (None, *METHODS):
        raise UsageError(f"unknown landmarks '{how}'.{did_you_mean(str(how), METHODS)}")
    if how == "dlib":
        if folder is not None:
            raise UsageError("a folder of landmarks was given, but so was 'dlib'; choose one")
        return DlibLandmarks(face)
    stated = settings.get(f"landmarks.{dataset}")
    given = folder or (Path(stated).expanduser() if stated else None) or truth_landmarks(root)
    if given is not None:
        return GivenLandmarks(given)
    if how == "given":
        raise UsageError(f"no folder of landmarks for {dataset}; give --landmarks-root DIR")
    return DlibLandmarks(face)


class GivenLandmarks:
    """Points of ``<folder>/<key>.npy``, (68, 2) or (T, 68, 2), or of ``<key>.csv``, rows x,y."""

    name = "given"

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise DatasetError(f"{self.folder}: no such folder of landmarks; see --landmarks-root")

    def points(self, key: str, image: Image, notes: list[str] | None = None) -> Points:
        """Return the given points of frame 0.

        Raises:
            DatasetError: when the file is missing, unreadable or of another shape.
        """
        path = self._file(key)
        try:
            if path.suffix == ".npy":
                found = np.load(path, allow_pickle=False)
            else:
                found = np.loadtxt(path, delimiter=",", dtype=np.float64, ndmin=2)
            found = np.asarray(found, np.float64)
        except (OSError, ValueError, EOFError) as error:
            raise DatasetError(f"{path}: cannot be read as landmarks; write it again") from error
        first = found[0] if found.ndim == 3 and len(found) else found
        if first.shape != (68, 2) or not np.isfinite(first).all():
            raise DatasetError(
                f"{path}: expected 68 finite points, (68, 2) or (T, 68, 2), got {found.shape}"
            )
        return first.astype(np.float32)

    def digest(self, key: str) -> str:
        """Return the digest of the file's bytes."""
        return f"given:{sha256_file(self._file(key))}"

    def _file(self, key: str) -> Path:
        for suffix in (".npy", ".csv"):
            path = self.folder / f"{key}{suffix}"
            if path.is_file():
                return path
        raise DatasetError(
            f"{self.folder}: no landmarks for {key}; add {key}.npy or {key}.csv, "
            "or use --landmarks dlib"
        )


class DlibLandmarks:
    """dlib's frontal detector and 68-point predictor, the median over shifted and scaled boxes.

    Args:
        face: which face to take, 0 the leftmost; None takes the surest of the large ones.
    """

    name = "dlib"

    def __init__(self, face: int | None = None) -> None:
        self.face = face
        self._model = _dlib_model()

    def points(self, key: str, image: Image, notes: list[str] | None = None) -> Points:
        """Return the points of the face.

        Raises:
            DatasetError: when no face is found, or not the one asked for.
        """
        import dlib

        detector, predictor = _tools(self._model)
        image = np.ascontiguousarray(image)
        boxes = _detect(detector, image)
        if not boxes:
            raise DatasetError(
                f"{key}: no face found in the first frame; give landmarks yourself "
                "(--landmarks given --landmarks-root DIR)"
            )
        chosen = self._choose(key, boxes, notes)
        votes = []
        for box in _jittered(chosen):
            shape = predictor(image, dlib.rectangle(*(round(float(side)) for side in box)))
            votes.append([(point.x, point.y) for point in shape.parts()])
        return np.median(np.asarray(votes, np.float64), axis=0).astype(np.float32)

    def digest(self, key: str) -> str:
        """Return version, predictor and choice of face."""
        import dlib

        predictor = _model_digest(self._model)
        return f"dlib:{dlib.__version__}:{predictor}:2:{self.face}"

    def _choose(
        self, key: str, boxes: list[tuple[float, Any]], notes: list[str] | None
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        ordered = sorted(boxes, key=lambda item: (item[1][0], item[1][1]))
        if self.face is not None:
            if not 0 <= self.face < len(ordered):
                raise DatasetError(
                    f"{key}: face {self.face} asked for, found {len(ordered)} (0 is the leftmost)"
                )
            return np.asarray(ordered[self.face][1], np.float64)
        areas = [_area(box) for _, box in ordered]
        large = [item for item, area in zip(ordered, areas, strict=True) if area >= max(areas) / 4]
        best = max(large, key=lambda item: item[0])
        if len(ordered) > 1:
            tell(
                notes,
                f"{key}: {len(ordered)} faces, number {ordered.index(best)} from the left taken; "
                "choose another with --face",
            )
        return np.asarray(best[1], np.float64)


_DETECT_SIDE = 1024
_SAME_FACE = 0.3
_JITTER = (
    (0.0, 0.0, 1.0), (-0.03, 0.0, 1.0), (0.03, 0.0, 1.0), (0.0, -0.03, 1.0), (0.0, 0.03, 1.0),
    (0.015, 0.015, 0.95), (-0.015, -0.015, 0.95), (0.015, -0.015, 1.05), (-0.015, 0.015, 1.05),
)  # fmt: skip
"""Shifts (parts of the box) and scales of the boxes that vote."""


def _detect(detector: Any, image: Image) -> list[tuple[float, Any]]:
    """Return (score, (left, top, right, bottom)) of faces; small ones by enlarging the image."""
    import cv2

    scale = min(1.0, _DETECT_SIDE / max(image.shape[:2]))
    small: NDArray[Any] = image
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    found: list[tuple[float, Any]] = []
    for enlarge in (0, 1, 2):
        too_large = enlarge and max(small.shape[:2]) * 2**enlarge > 2 * _DETECT_SIDE
        if too_large or (enlarge == 2 and found):
            break
        rectangles, scores, _ = detector.run(small, enlarge, 0.0)
        for r, score in zip(rectangles, scores, strict=True):
            box = tuple(side / scale for side in (r.left(), r.top(), r.right(), r.bottom()))
            if all(_overlap(box, other) < _SAME_FACE for _, other in found):
                found.append((score, box))
    return found


def _overlap(a: Any, b: Any) -> float:
    """Return the intersection of two boxes as a share of the smaller one."""
    width = float(min(a[2], b[2]) - max(a[0], b[0]))
    height = float(min(a[3], b[3]) - max(a[1], b[1]))
    return max(0.0, width) * max(0.0, height) / max(1.0, min(_area(a), _area(b)))


def _jittered(box: np.ndarray[Any, np.dtype[np.float64]]) -> list[Any]:
    """Return nine boxes around one; the predictor's rounding and its jumps average out."""
    left, top, right, bottom = box
    x, y, width, height = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    boxes = []
    for dx, dy, scale in _JITTER:
        half_w, half_h = scale * width / 2, scale * height / 2
        cx, cy = x + dx * width, y + dy * height
        boxes.append((cx - half_w, cy - half_h, cx + half_w, cy + half_h))
    return boxes


def _area(box: Any) -> float:
    left, top, right, bottom = box
    return float((right - left) * (bottom - top))


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
