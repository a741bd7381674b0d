"""Where landmarks come from: a folder of given ones, dlib's predictor, or FAN."""

from __future__ import annotations

from pathlib import Path

from mebench import settings
from mebench.datasets.folders import truth_landmarks
from mebench.errors import UsageError, did_you_mean
from mebench.preprocess.landmarks_base import Landmarker, Landmarks68
from mebench.preprocess.landmarks_dlib import DlibLandmarks
from mebench.preprocess.landmarks_given import GivenLandmarks

__all__ = [
    "METHODS",
    "DlibLandmarks",
    "GivenLandmarks",
    "Landmarker",
    "Landmarks68",
    "choose_landmarker",
]

METHODS = ("given", "dlib")


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
