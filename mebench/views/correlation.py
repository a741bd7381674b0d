"""How well an output's frame 0 and its template agree over the face.

Both are brought to one working frame, an upright face with a given eye distance, so that cost and
meaning of a correlation do not hang on anybody's pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.preprocess.canonical import EYES, IOD, Matrix, apply, compose, invert
from mebench.preprocess.crop import resample
from mebench.types import Image
from mebench.views.target import Target, inside_of

Gray = NDArray[np.float32]
Mask = NDArray[np.bool_]

LEAST_SEEN = 0.5
"""An output that shows less of the face has no correlation."""
_BROWS = slice(17, 27)
_FOREHEAD, _MARGIN = 0.35, 0.15
_FINE, _COARSE = 0.03, 0.15
"""The band that is compared, standard deviations in eye distances: what is finer is compression and
sensor, what is coarser is light, and alike in all faces."""


@dataclass(frozen=True)
class Worked:
    """A template in a working frame.

    Attributes:
        to_canonical: (2, 3), working pixels to canonical pixels of the target.
        band: (h, w) float32 luma, band-passed.
        face: (h, w) brows to chin and some forehead, inside the picture.
        iod: eye distance, working pixels.
        middle: x of the line between the eyes, working pixels.
    """

    to_canonical: Matrix
    band: Gray
    face: Mask
    iod: float
    middle: float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.band.shape[0], self.band.shape[1]


def worked(target: Target, iod: float) -> Worked:
    """Return a template in the working frame of an eye distance in pixels."""
    factor = iod / IOD
    brows = target.landmarks[_BROWS] - (0.0, _FOREHEAD * IOD)
    outline = np.concatenate([target.landmarks, brows])
    limit = np.array(target.image.shape[1::-1], np.float64)
    low = np.maximum(outline.min(axis=0) - _MARGIN * IOD, 0.0)
    high = np.minimum(outline.max(axis=0) + _MARGIN * IOD, limit)
    to_canonical = np.column_stack([np.eye(2) / factor, low])
    width, height = np.ceil((high - low) * factor).astype(int)
    shape = (int(height), int(width))
    face = np.zeros(shape, np.uint8)
    hull = cv2.convexHull(np.rint((outline - low) * factor).astype(np.int32))
    cv2.fillConvexPoly(face, hull, 1)
    inside = resample(target.inside.astype(np.uint8) * 255, to_canonical, shape) > 254
    band = band_of(resample(luma(target.image), to_canonical, shape), iod)
    middle = ((EYES[0][0] + EYES[1][0]) / 2 - low[0]) * factor
    return Worked(to_canonical, band, (face > 0) & inside, iod, float(middle))


def luma(image: Image) -> NDArray[np.uint8]:
    """Return the grey image (H, W) of an RGB one."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY))


def band_of(image: NDArray[np.number], iod: float) -> Gray:
    """Return what lies between the finest and the coarsest structures of a working image."""
    values = image.astype(np.float32)
    fine = cv2.GaussianBlur(values, (0, 0), max(_FINE * iod, 0.6))
    return np.asarray(fine - cv2.GaussianBlur(values, (0, 0), _COARSE * iod), np.float32)


def to_output(view: Matrix, work: Worked) -> Matrix:
    """Return the map from working pixels to those of an output, of its map to canonical ones."""
    return compose(invert(view), work.to_canonical)


def brought(gray: NDArray[np.uint8], view: Matrix, work: Worked) -> tuple[Gray, Mask]:
    """Return an output's frame in the working frame, band-passed, and where face is in both.

    Shapes: gray (H, W); view (2, 3), pixels of the output to canonical pixels.
    """
    matrix = to_output(view, work)
    band = band_of(resample(gray, matrix, work.shape), work.iod)
    inside = inside_of((gray.shape[0], gray.shape[1]), matrix, work.shape)
    return band, work.face & inside


def correlation(gray: NDArray[np.uint8], view: Matrix, work: Worked) -> tuple[float, float]:
    """Return the masked normalised cross-correlation over the face, and the share that is seen.

    0 when less than half of the face is seen. Range: -1..1, and 0..1.
    """
    band, mask = brought(gray, view, work)
    seen = float(mask.sum()) / max(1.0, float(work.face.sum()))
    if seen < LEAST_SEEN:
        return 0.0, seen
    return _agreement(band[mask], work.band[mask]), seen


def handedness(gray: NDArray[np.uint8], view: Matrix, work: Worked) -> float:
    """Return how well the differences between the two sides of the face agree, -1..1.

    Faces are nearly symmetric, so a mirrored one correlates well; these differences change sign.
    """
    band, mask = brought(gray, view, work)
    columns = np.arange(work.shape[1])
    other = np.rint(2 * work.middle - columns).astype(int)
    valid = (other >= 0) & (other < len(columns))
    other = np.where(valid, other, 0)
    both = mask & mask[:, other] & valid
    if not both.any():
        return 0.0
    ours = (band - band[:, other])[both]
    return _agreement(ours, (work.band - work.band[:, other])[both])


def distance(a: Matrix, b: Matrix, work: Worked) -> float:
    """Return the largest distance over the face between two views, in eye distances."""
    points = face_points(work)
    moved = apply(compose(a, to_output(b, work)), points)
    gap = np.linalg.norm(moved - apply(work.to_canonical, points), axis=1)
    return float(gap.max()) / IOD


def face_points(work: Worked) -> NDArray[np.float64]:
    """Return places (N, 2) spread over the face, working pixels."""
    rows, columns = np.nonzero(work.face[::4, ::4])
    return np.stack([columns, rows], axis=1).astype(np.float64) * 4.0


def _agreement(ours: Gray, theirs: Gray) -> float:
    ours, theirs = ours - ours.mean(), theirs - theirs.mean()
    size = float(np.sqrt(float(ours @ ours) * float(theirs @ theirs)))
    return float(ours @ theirs) / size if size > 1e-6 else 0.0
