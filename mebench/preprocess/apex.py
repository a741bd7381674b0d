"""Spots the apex of a clip whose annotation has none; an annotated apex is never looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError, did_you_mean
from mebench.types import ApexSource, Clip, Frames

if TYPE_CHECKING:
    from mebench.preprocess.region_motion import RegionMotion

ApexMethod = Literal["motion", "middle", "lbp", "none"]
METHODS: tuple[ApexMethod, ...] = ("motion", "middle", "lbp", "none")
VERSION = 1
"""Change it when a method may give another frame for the same clip."""

_SMOOTH_SECONDS = 0.012
_TREND = 0.25
"""Share of the last frame's displacement that counts as drift: the face is seldom wholly back at
the offset, so taking all of it would pull the apex forward."""
_TOP = 0.95
_STILL = 0.0015
"""IOD: noise alone moves the regions of a still face by about two thirds of this."""

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Spot:
    """An apex that was spotted.

    Attributes:
        index: of the frame in the clip, 0 being the onset.
        source: how it was found in the end.
        note: what the user should know about it, or an empty text.
    """

    index: int
    source: ApexSource
    note: str = ""


def check_method(method: str) -> None:
    """Refuse an unknown method.

    Raises:
        UsageError: with the nearest known one.
    """
    if method not in METHODS:
        raise UsageError(f"unknown apex method '{method}'.{did_you_mean(method, METHODS)}")


def spot_apex(
    frames: Frames,
    landmarks: NDArray[np.floating],
    fps: float,
    method: ApexMethod = "motion",
    *,
    middle: int | None = None,
) -> Spot:
    """Return the apex of a clip that begins at its onset and ends at its offset.

    `middle` is the index to take where nothing moves; None is halfway between the ends.

    Shapes: frames (T, H, W, 3) uint8 aligned, landmarks (68, 2) pixels of frame 0.

    Raises:
        UsageError: for an unknown method, and for "none".
        DatasetError: for landmarks that are no face.

    Source: "motion": peak of the region motion of docs/metrics-motion.md. "lbp": divide and conquer
        on differences of LBP histograms, Yan et al. 2014 and Liong et al. 2015.
    """
    check_method(method)
    centre = (len(frames) - 1) // 2 if middle is None else middle
    if method == "none":
        raise UsageError("apex method 'none' finds no apex; choose motion, lbp or middle")
    if method == "middle" or len(frames) < 3:
        return Spot(centre, "middle")
    if method == "lbp":
        from mebench.preprocess.lbp import divide_and_conquer, lbp_difference

        return Spot(divide_and_conquer(lbp_difference(frames, landmarks)), "lbp")
    from mebench.preprocess.region_motion import region_motion

    index = motion_apex(region_motion(frames, landmarks, fps))
    if index is None:
        return Spot(centre, "middle", "no motion found, the middle frame is taken as its apex")
    return Spot(index, "motion")


def middle_index(clip: Clip) -> int:
    """Return the index of the frame nearest to onset + (offset - onset) // 2."""
    row = clip.annotation
    wanted = row.onset + (row.offset - row.onset) // 2
    gaps = [abs(number - wanted) for number in clip.frame_numbers]
    return gaps.index(min(gaps))


def motion_apex(motion: RegionMotion) -> int | None:
    """Return the frame of strongest region motion, or None when nothing moves.

    The eyes count only where nothing else moves, so that a blink is not taken for the apex.
    """
    curve = motion_curve(motion)
    return None if curve is None else top_of(curve)


def motion_curve(motion: RegionMotion) -> Curve | None:
    """Return the total region motion over time, less a share of its drift; None for a still face.

    Shapes: (T,).
    Units: IOD, root of the sum of squares over the regions.
    """
    from scipy.ndimage import gaussian_filter1d

    from mebench.facs.regions import EYE_SITES

    sigma = max(_SMOOTH_SECONDS * motion.fps, 0.5)
    vectors = gaussian_filter1d(motion.raw, sigma, axis=0, mode="nearest")
    vectors -= _TREND * np.linspace(0, 1, len(vectors))[:, None, None] * vectors[-1]
    for sites in (vectors[:, ~EYE_SITES], vectors[:, EYE_SITES]):
        squares = (sites**2).sum(axis=2)
        if np.sqrt(squares.max()) > _STILL:
            curve: Curve = np.sqrt(squares.sum(axis=1))
            return curve
    return None


def top_of(curve: Curve) -> int:
    """Return the weighted centre of the highest part of a curve, first and last frame left out.

    A held apex is a plateau on which noise alone would choose the frame.
    """
    inner = curve[1:-1]
    peak = int(np.argmax(inner))
    floor = _TOP * inner[peak]
    low = inner < floor
    below, above = np.flatnonzero(low[:peak]), np.flatnonzero(low[peak:])
    first = int(below[-1]) + 1 if len(below) else 0
    last = peak + int(above[0]) if len(above) else len(inner)
    weights = inner[first:last] - floor + 1e-12
    return 1 + round(float((np.arange(first, last) * weights).sum() / weights.sum()))


def with_apex(clip: Clip, spot: Spot | None) -> Clip:
    """Return a clip whose annotation states a spotted apex; an apex it has already stays."""
    if spot is None or clip.annotation.apex is not None:
        return clip
    row = replace(clip.annotation, apex=clip.frame_numbers[spot.index], apex_source=spot.source)
    return replace(clip, annotation=row)


def with_apexes(clips: Iterable[Clip], prepared: Sequence[Clip] | Mapping[str, Clip]) -> list[Clip]:
    """Return the clips with the apexes spotted while they were prepared, ready for an index.

    `prepared` is the `clips` of a `PreparedSet`. Annotated apexes never change, and a clip that
    could not be prepared keeps what it had.
    """
    known = prepared if isinstance(prepared, Mapping) else {clip.key: clip for clip in prepared}
    found = []
    for clip in clips:
        other = known.get(clip.key)
        if other is not None and clip.annotation.apex is None:
            row = replace(
                clip.annotation,
                apex=other.annotation.apex,
                apex_source=other.annotation.apex_source,
            )
            clip = replace(clip, annotation=row)
        found.append(clip)
    return found
