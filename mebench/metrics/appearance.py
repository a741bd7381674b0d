"""What a face shows besides moving: furrows, folds, lids and lips that open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.metrics.base import Case, Metric, MetricInfo, Missing, Value
from mebench.metrics.frames import sample_indices
from mebench.metrics.regional import match_lengths
from mebench.preprocess.canonical import eye_distance, prepare_canvas
from mebench.preprocess.known_flow import Spline, grid, sources
from mebench.types import Flow, Image, Points

Mask = NDArray[np.bool_]

_EYES = (slice(36, 42), slice(42, 48))
_MARGIN = 0.1
"""Eye distances by which the eyes' outlines are widened."""
_BLUR = 0.02
"""Standard deviation of the smoothing in eye distances: narrower than a furrow."""
_FRAMES = 16
_LEAST = 1e-6
_NOTHING = "the true flow of this pair is not known"


@dataclass(frozen=True)
class AppearanceError:
    """Squared errors of one case, summed over pixels, colours and frames; None without truth.

    Attributes:
        made: (2,) of the output: on the face, and on the face without the eyes.
        warped: (2,) of the answer's frame 0 moved by the true flow.
        still: (2,) of a still face: all that changes.
    """

    made: NDArray[np.float64] | None
    warped: NDArray[np.float64] | None
    still: NDArray[np.float64] | None


def _info(key: str, title: str, where: str) -> MetricInfo:
    first = key == "change_explained"
    if key.startswith("change"):
        formula = f"1 - Σ |Δg - Δr|² / Σ |Δr|², over {where}"
        reading = "1 is the right answer, 0 a still copy; motion that is wrong is below 0"
    else:
        formula = f"1 - Σ |Δg - Δr|² / Σ |Δw - Δr|², over {where}"
        reading = "1 is the right answer, 0 the best warp; a still copy is far below 0"
    needs = ("reference", "truth")
    return MetricInfo(key, title, "", -math.inf, 1.0, True, "clip", needs, first, formula, reading)


class Appearance(Metric):
    """How much of the change of the pixels is there, and how much of what no warp can make of it.

    Formula: Δ is a frame less its clip's frame 0; g the output, r the right answer, w the template
    moved by the true flow (cubic splines). Differences are smoothed by a Gaussian of 2 % of the IOD
    and summed over the eroded face hull, colours and 16 frames with the apex. A right answer is
    drawn without sensor noise; the template's own noise cancels where nothing moves.
    Reading: 0 is all that moving the template can give, with motion that is known exactly. Noise of
    the template that moves with the skin is in both sums, so that no painting quite reaches 1.
    Blind to: where the error is, in motion or in shading: motion that is off by a little costs more
    than furrows give.
    Source: mebench; the true flow as in Baker et al., A database and evaluation methodology for
    optical flow, IJCV 2011.
    """

    infos: ClassVar[tuple[MetricInfo, ...]] = (
        _info("change_explained", "change explained", "the face"),
        _info("change_explained_skin", "change explained, skin", "the face without the eyes"),
        _info("appearance_gain", "appearance gain", "the face"),
        _info("appearance_gain_skin", "appearance gain, skin", "the face without the eyes"),
    )

    def describe(self, case: Case) -> AppearanceError:
        """Return the errors of one case.

        Raises:
            SubmissionError: when generated and reference differ in length by more than 2 frames.
        """
        maps = error_maps(case)
        if maps is None:
            return AppearanceError(None, None, None)
        skin = maps.face & ~_eyes(case.template.landmarks, maps.face.shape)
        sums = (
            np.array([one[maps.face].sum(), one[skin].sum()])
            for one in (maps.made, maps.warped, maps.still)
        )
        return AppearanceError(*sums)

    def clip_values(self, described: AppearanceError) -> Mapping[str, Value]:
        """Return the shares of one case; `Missing` where nothing changes, or no warp is wrong."""
        values: dict[str, Value] = {}
        kinds = (
            (described.still, "the right answer stands still"),
            (described.warped, "the right answer is a warp of its frame 0"),
        )
        for index, info in enumerate(self.infos):
            (whole, reason), k = kinds[index // 2], index % 2
            if described.made is None or whole is None:
                values[info.key] = Missing(_NOTHING)
            elif whole[k] < _LEAST:
                values[info.key] = Missing(reason)
            else:
                values[info.key] = float(1.0 - described.made[k] / whole[k])
        return values


@dataclass(frozen=True)
class ErrorMaps:
    """Squared errors of one case, summed over colours and frames, (H, W); 0 off the face.

    Attributes:
        face: where the face is.
        made: of the output.
        warped: of the answer's frame 0 moved by the true flow.
        still: of a still face.
    """

    face: Mask
    made: NDArray[np.float64]
    warped: NDArray[np.float64]
    still: NDArray[np.float64]


def error_maps(case: Case) -> ErrorMaps | None:
    """Return where an output and the true warp are wrong; None without truth.

    Raises:
        SubmissionError: when generated and reference differ in length by more than 2 frames.
    """
    if case.reference is None or case.reference.flow is None:
        return None
    flow = case.reference.flow
    length = match_lengths(len(case.generated), len(case.reference.frames), case.pair.key)
    height, width = case.generated.shape[1:3]
    pixels = grid(height, width)
    canvas = prepare_canvas(case.template.image, case.template.landmarks)
    face, _ = canvas.sample(pixels.astype(np.int64))
    face = face.reshape(height, width)
    if case.seen is not None:
        face &= case.seen
    shown = sample_indices(length, _FRAMES, case.driving.apex_index)
    change = _changes(np.asarray(case.reference.frames)[shown], face)
    made = _changes(case.generated[shown], face) - change
    warped = _warped(case.template.image, np.asarray(flow)[shown], face) - change
    sigma = _BLUR * eye_distance(case.template.landmarks)
    return ErrorMaps(face, *(_squares(error, face, sigma) for error in (made, warped, change)))


def _changes(frames: NDArray[np.uint8], face: Mask) -> NDArray[np.float64]:
    """Return frames less frame 0 (T, N, 3) on the face."""
    first = np.asarray(frames[0])[face].astype(np.float64)
    return np.stack([np.asarray(frame)[face] - first for frame in frames])


def _warped(image: Image, flow: Flow, face: Mask) -> NDArray[np.float64]:
    """Return an image moved by a flow less itself (T, N, 3) on the face."""
    still = np.asarray(image)
    spline, pixels = Spline(still), grid(*still.shape[:2])[face.ravel()]
    first = still[face].astype(np.float64)
    return np.stack([spline.at(sources(np.asarray(one), pixels)) - first for one in flow])


def _squares(error: NDArray[np.float64], face: Mask, sigma: float) -> NDArray[np.float64]:
    """Return the squares (H, W) of errors (T, N, 3) on a face, after smoothing."""
    squares = np.zeros(face.shape)
    image = np.zeros((*face.shape, 3))
    for frame in error:
        image[face] = frame
        smooth = cv2.GaussianBlur(image, (0, 0), sigma)[face]
        squares[face] += np.einsum("nc,nc->n", smooth, smooth)
    return squares


def _eyes(landmarks: Points, shape: tuple[int, int]) -> Mask:
    """Return which pixels (H, W) belong to the eyes and their lids."""
    mask = np.zeros(shape, np.uint8)
    for eye in _EYES:
        outline = cv2.convexHull(landmarks[eye].astype(np.float32)).round().astype(np.int32)
        cv2.fillConvexPoly(mask, outline, 1)
    reach = max(1, round(_MARGIN * eye_distance(landmarks)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(mask, disc), np.bool_)
