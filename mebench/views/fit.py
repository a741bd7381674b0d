"""Finds the view of an output: its frame 0 on the picture of its template.

Candidates in order: as mebench aligns, the template file's own pixels, then a search. Each is
refined on intensities; the best correlation wins, and the earlier where they are about equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.preprocess.canonical import Matrix, apply, compose, invert
from mebench.types import Image
from mebench.views.correlation import (
    Worked,
    brought,
    correlation,
    distance,
    face_points,
    handedness,
    luma,
    to_output,
    worked,
)
from mebench.views.search import candidates, similarity
from mebench.views.target import Target

_IODS = (32.0, 64.0)
"""Eye distances of the working frames, coarse to fine."""
SURE = 0.90
"""A view with this correlation is not searched for further."""
SAME = 0.02
"""A refined view nearer to a plain one than this part of the eye distance is the plain one."""
_WORTH = 0.01
"""What a less plain view must gain in correlation."""
_HOPEFUL = 0.3
_STEPS, _PRECISION = 60, 1e-6


@dataclass(frozen=True)
class Fit:
    """The best place found for an output's frame 0, however bad.

    Attributes:
        found: ``aligned``, ``template``, ``features`` or ``landmarks``; ``+`` when refined from it.
        to_picture: (2, 3), pixels of the output to pixels of the template's picture.
        correlation: over the face, -1..1.
        seen: share of the face in both pictures, 0..1.
        mirrored: whether the mirrored frame fits as a face of this handedness, and the frame not.
        contrast: standard deviation of the frame's luma, grey levels.
    """

    found: str
    to_picture: Matrix
    correlation: float
    seen: float
    mirrored: bool
    contrast: float


def fit_from(plain: Mapping[str, Any]) -> Fit:
    """Return the fit that another process, or a cache, wrote as plain values.

    Raises:
        ValueError: for another shape, a number that is not finite, or an unknown name.
        KeyError: for a missing value.
        TypeError: for another kind of value.
    """
    matrix = np.array(plain["to_picture"], np.float64)
    numbers = [float(plain[name]) for name in ("correlation", "seen", "contrast")]
    found = str(plain["found"])
    if matrix.shape != (2, 3) or not np.isfinite(matrix).all() or not np.isfinite(numbers).all():
        raise ValueError("no finite (2, 3) transform")
    if found.removesuffix("+") not in ("aligned", "template", "features", "landmarks"):
        raise ValueError(f"unknown kind of view '{found}'")
    if abs(np.linalg.det(matrix[:, :2])) < 1e-9:
        raise ValueError("the transform has no inverse")
    return Fit(found, matrix, numbers[0], numbers[1], bool(plain["mirrored"]), numbers[2])


@dataclass(frozen=True)
class _Place:
    """A candidate: `view` takes pixels of the output to canonical ones."""

    found: str
    view: Matrix
    correlation: float
    seen: float


def fit(frame: Image, target: Target, *, only: str | None = None) -> Fit:
    """Return the best place of a frame; with `only`, that of one plain candidate, as it is.

    Shapes: frame (H, W, 3) uint8, the output's frame 0.
    """
    gray = luma(frame)
    contrast = float(gray.std())
    works = [worked(target, iod) for iod in _IODS]
    if only is not None:
        best = _plain(gray, only, _plain_view(only, gray.shape, target), works[-1])
        return _fit(best, target, mirrored=False, contrast=contrast)
    best = _best(frame, gray, target, works)
    own = handedness(gray, best.view, works[-1])
    mirrored = own < _HOPEFUL and _mirror_fits(frame, own, target, works)
    return _fit(best, target, mirrored=mirrored, contrast=contrast)


def _fit(best: _Place, target: Target, *, mirrored: bool, contrast: float) -> Fit:
    matrix = compose(target.to_picture, best.view)
    if best.found == "aligned":
        matrix = target.aligned  # to the last digit
    return Fit(best.found, matrix, best.correlation, best.seen, mirrored, contrast)


def _best(frame: Image, gray: NDArray[np.uint8], target: Target, works: list[Worked]) -> _Place:
    best: _Place | None = None
    for found, start in _starts(frame, target):
        place = _settled(gray, found, start, works)
        if best is None or place.correlation > best.correlation + _WORTH:
            best = place
        if best.correlation > SURE:
            break
    assert best is not None  # noqa: S101 - the template's own pixels are always tried
    return best


def _starts(frame: Image, target: Target) -> Iterator[tuple[str, Matrix]]:
    if frame.shape[:2] == (target.size, target.size):
        yield "aligned", _plain_view("aligned", frame.shape, target)
    yield "template", _plain_view("template", frame.shape, target)
    yield from candidates(frame, target)


def _plain_view(found: str, shape: tuple[int, ...], target: Target) -> Matrix:
    """Return where a frame lies that is drawn as mebench aligns, or on the template's pixels."""
    back = invert(target.to_picture)
    if found == "aligned":
        factor = target.size / shape[1]
        scale = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]])
        return compose(back, compose(target.aligned, scale))
    tall, wide = (side / own for side, own in zip(target.shape, shape[:2], strict=True))
    return compose(back, np.array([[wide, 0, (wide - 1) / 2], [0, tall, (tall - 1) / 2]]))


def _plain(gray: NDArray[np.uint8], found: str, view: Matrix, work: Worked) -> _Place:
    return _Place(found, view, *correlation(gray, view, work))


def _settled(gray: NDArray[np.uint8], found: str, start: Matrix, works: list[Worked]) -> _Place:
    """Return a candidate refined; as it was where that makes no difference."""
    fine = works[-1]
    plain = _plain(gray, found, start, fine)
    exact = found in ("aligned", "template")
    if exact and plain.correlation < _HOPEFUL:
        return plain
    view = start
    for work in works:
        view = _refined(gray, view, work)
    refined = _plain(gray, f"{found}+", view, fine)
    simple = _plain(gray, f"{found}+", _similar(view, fine), fine)
    if simple.correlation > refined.correlation - _WORTH:
        refined = simple
    if refined.correlation < plain.correlation:
        return plain
    same = distance(start, refined.view, fine) < SAME
    if exact and (same or refined.correlation < plain.correlation + _WORTH):
        return plain
    return refined


def _refined(gray: NDArray[np.uint8], view: Matrix, work: Worked) -> Matrix:
    """Return a view after gradient steps on intensities, or as it was where they lead nowhere.

    Source: Evangelidis and Psarakis, IEEE TPAMI 2008 (enhanced correlation coefficient).
    """
    band, mask = brought(gray, view, work)
    if mask.sum() < 0.4 * work.face.sum():
        return view
    limits = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, _PRECISION)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        _, step = cv2.findTransformECC(
            work.band, band, start, cv2.MOTION_AFFINE, limits, mask.astype(np.uint8), 1
        )
    except cv2.error:  # not converged
        return view
    moved = np.asarray(step, np.float64)
    if not np.isfinite(moved).all() or np.linalg.det(moved[:, :2]) < 0.25:
        return view
    return compose(work.to_canonical, invert(compose(to_output(view, work), moved)))


def _similar(view: Matrix, work: Worked) -> Matrix:
    """Return the similarity nearest to an affine view over the face."""
    points = face_points(work)
    return similarity(apply(to_output(view, work), points), apply(work.to_canonical, points))


def _mirror_fits(frame: Image, own: float, target: Target, works: list[Worked]) -> bool:
    flipped = np.ascontiguousarray(frame[:, ::-1])
    gray = luma(flipped)
    other = _best(flipped, gray, target, works)
    return handedness(gray, other.view, works[-1]) > max(_HOPEFUL, own + 0.2)
