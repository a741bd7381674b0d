"""Where landmarks come from: a folder of given ones, dlib's predictor, or FAN."""

from __future__ import annotations

from pathlib import Path

from mebench import settings
from mebench.datasets.folders import truth_landmarks
from mebench.errors import UsageError, did_you_mean
from mebench.preprocess.landmarks_base import Landmarker, Landmarks68
from mebench.preprocess.landmarks_boxes import GivenBoxes
from mebench.preprocess.landmarks_dlib import DlibLandmarks
from mebench.preprocess.landmarks_fan import FanLandmarks
from mebench.preprocess.landmarks_given import GivenLandmarks

__all__ = [
    "METHODS",
    "DlibLandmarks",
    "FanLandmarks",
    "GivenBoxes",
    "GivenLandmarks",
    "Landmarker",
    "Landmarks68",
    "choose_landmarker",
    "finder",
]

METHODS = ("given", "dlib", "fan", "fan-dlib")
"""Ways to find landmarks; ``fan-dlib`` is FAN in the boxes of dlib instead of those of S3FD."""


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
    SynthME export carries, in this order; where there are none, dlib finds them. For "fan" the
    `folder` holds boxes of faces, see `GivenBoxes`.

    Raises:
        UsageError: for an unknown `how`, and when given landmarks are asked for but are nowhere.
        WeightsError: when FAN is asked for and its weights are missing.
    """
    if how not in (None, *METHODS):
        raise UsageError(f"unknown landmarks '{how}'.{did_you_mean(str(how), METHODS)}")
    if how == "fan" and folder is not None:
        return FanLandmarks(face, boxes=GivenBoxes(folder))
    if how not in (None, "given"):
        if folder is not None:
            raise UsageError(f"a folder of landmarks was given, but so was '{how}'; choose one")
        return finder(how, face)
    stated = settings.get(f"landmarks.{dataset}")
    given = folder or (Path(stated).expanduser() if stated else None)
    if dataset != "clips":  # the truth of an export is kept under the keys of its data sets
        given = given or truth_landmarks(root)
    if given is not None:
        return GivenLandmarks(given)
    if how == "given":
        raise UsageError(f"no folder of landmarks for {dataset}; give --landmarks-root DIR")
    return DlibLandmarks(face)


def finder(how: str, face: int | None = None) -> Landmarker:
    """Return who finds the points of any image: "dlib", "fan" or "fan-dlib".

    Args:
        how: which of them.
        face: which face to take, 0 the leftmost; None takes the surest of the large ones.

    Raises:
        UsageError: for another `how`, or when a package is missing.
        WeightsError: when FAN's weights are missing.
    """
    if how == "dlib":
        return DlibLandmarks(face)
    if how in ("fan", "fan-dlib"):
        return FanLandmarks(face, boxes="s3fd" if how == "fan" else "dlib")
    raise UsageError(f"unknown landmarks '{how}'.{did_you_mean(how, METHODS[1:])}")
