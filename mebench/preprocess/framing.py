"""Which crop suits a copy or a photo: as much of the head as the pictures show, and no more.

A wide recording shows the whole head and gets the usual crop (`HEAD`). A tight picture of a face,
as in a cropped release, would fill much of that crop with its repeated border; it gets the smallest
larger eye distance with which at least 97 % of the crop lies inside the picture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from mebench.errors import DatasetError, UsageError, did_you_mean
from mebench.io.files import write_json
from mebench.preprocess.cache import source_of
from mebench.preprocess.crop import (
    HEAD,
    OUTSIDE_TOLD,
    Crop,
    alignment,
    eye_centres,
    outside_fraction,
)
from mebench.preprocess.landmarks import Landmarker
from mebench.spec import digest
from mebench.types import Clip, Face, Image, Points

Framing = Literal["auto", "head", "face"]
FRAMINGS: tuple[Framing, ...] = ("auto", "head", "face")

_SUITING = {0.30: 0.40, 0.35: 0.32, 0.40: 0.24, 0.45: 0.24, 0.50: 0.26}
"""Height of the eyes by share: up to .40 brows (.45 IOD above the eyes) and chin (1.9 below) are
both inside; a tighter crop keeps the brows and loses the tip of the chin."""
_SHARES: dict[Framing, tuple[float, ...]] = {
    "auto": tuple(_SUITING),
    "head": (0.30,),
    "face": (0.50,),
}
_BROWS = 0.46
"""From eyes to the top of the brows, IOD."""
_STEP, _HIGHEST = 0.02, 0.40
_ENOUGH = 0.9
"""Of the pictures looked at, the part that the crop has to suit."""
_LOOKED_AT = 12
FEWEST_PX, MOST_PX = 64, 1024
"""Shortest and longest side of a picture that is drawn on in its own pixels."""
_SIDE = 64

Shown = tuple[Points, tuple[int, ...]]
"""Landmarks of a picture, and its shape (H, W, ...)."""


def choose_crop(pictures: Sequence[Shown], framing: Framing = "auto") -> Crop:
    """Return the crop with the smallest eye distance that lies inside nine of ten pictures.

    Where none does, the one with the smallest part outside is taken.

    Raises:
        UsageError: for an unknown word.
        DatasetError: for landmarks that are no face.
    """
    _check(framing)
    best, least = HEAD, math.inf
    for crop in _candidates(framing):
        outside = [
            outside_fraction(alignment(points, _SIDE, crop), _SIDE, shape)
            for points, shape in pictures
        ]
        inside = sum(part <= OUTSIDE_TOLD for part in outside)
        if inside >= _ENOUGH * len(outside):
            return crop
        if (mean := float(np.mean(outside))) < least:
            best, least = crop, mean
    return best


def crop_for(crop: Crop | Framing, points: Points, shape: tuple[int, ...]) -> Crop:
    """Return a crop as it is, or the one chosen for a picture's own landmarks and shape."""
    return crop if isinstance(crop, Crop) else choose_crop([(points, shape)], crop)


def copy_crop(
    clips: Sequence[Clip], landmarker: Landmarker, cache: Path, framing: Framing = "auto"
) -> Crop:
    """Return the one crop of all clips of a copy, from the first clip of up to twelve subjects.

    It is kept in the cache, by what was looked at.

    Raises:
        UsageError: for an unknown word, and when the cache cannot be written.
    """
    _check(framing)
    looked_at = _first_of_each_subject(clips)
    if framing == "head":
        return HEAD
    named = []
    for clip in looked_at:
        try:
            named.append([clip.key, source_of(clip), landmarker.digest(clip.key)])
        except DatasetError:
            # Preparing this clip will say what is wrong with it.
            named.append([clip.key])
    choice = {"crop": 1, "framing": framing, "clips": named}
    place = cache / "crops" / f"{digest(choice)}.json"
    found = _read(place)
    if found is None:
        found = choose_crop(list(_shown(looked_at, landmarker)), framing)
        write_json(place, {"share": found.share, "height": found.height})
    return found


def described(crop: Crop) -> str:
    """Return a crop in words for reports."""
    return f"eye distance {crop.share:.2f} of the side"


def whole_picture(image: Image, landmarks: Points) -> Face:
    """Return a picture as a face to draw on, scaled down to at most `MOST_PX` a side.

    Shapes: image (H, W, 3); landmarks (68, 2) in its pixels.
    """
    height, width = image.shape[:2]
    scale = MOST_PX / max(height, width)
    if scale >= 1:
        return Face(image, np.asarray(landmarks, np.float32))
    import cv2

    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    factor = np.array(size) / (width, height)
    moved = (np.asarray(landmarks, np.float64) + 0.5) * factor - 0.5
    return Face(np.asarray(small, np.uint8), moved.astype(np.float32))


def require_large_enough(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse a picture that no output can have the size of.

    Raises:
        DatasetError: when a side is shorter than `FEWEST_PX`.
    """
    height, width = shape[:2]
    # A long and narrow picture gets narrower still when it is scaled down.
    if min(height, width) * min(1.0, MOST_PX / max(height, width)) < FEWEST_PX:
        raise DatasetError(
            f"{path}: the picture has {width} x {height} px, expected at least {FEWEST_PX} a side "
            "and no long strip; give a larger picture"
        )


def crop_in(points: Points, side: int) -> Crop:
    """Return where the eyes lie in a square of `side` pixels, to a hundredth."""
    left, right = eye_centres(np.asarray(points, np.float64))
    height = (left + right).imag / 2 / side
    return Crop(round(abs(right - left) / side, 2), round(height, 2))


def _check(framing: str) -> None:
    if framing not in FRAMINGS:
        raise UsageError(f"unknown crop '{framing}'.{did_you_mean(framing, FRAMINGS)}")


def _candidates(framing: Framing) -> Iterator[Crop]:
    """Yield crops by rising share; of each the height that suits first, then others near it."""
    for share in _SHARES[framing]:
        suiting = _SUITING[share]
        yield Crop(share, suiting)
        lowest = math.ceil(_BROWS * share / _STEP) * _STEP
        steps = round((_HIGHEST - lowest) / _STEP) if share > HEAD.share else -1
        others = [round(lowest + _STEP * step, 2) for step in range(steps + 1)]
        for height in sorted(others, key=lambda height: abs(height - suiting)):
            if height != suiting:
                yield Crop(share, height)


def _first_of_each_subject(clips: Sequence[Clip]) -> list[Clip]:
    first: dict[tuple[str, str], Clip] = {}
    for clip in clips:
        first.setdefault((clip.dataset, clip.subject), clip)
    return list(first.values())[:_LOOKED_AT]


def _shown(clips: Sequence[Clip], landmarker: Landmarker) -> Iterator[Shown]:
    for clip in clips:
        try:
            frame = clip.first_frame()
            points = landmarker.points(clip.key, frame)
            alignment(points, _SIDE)
        except DatasetError:
            # Such a clip is told when it is prepared; the others show how tight the copy is.
            continue
        yield points, frame.shape


def _read(place: Path) -> Crop | None:
    try:
        stated = json.loads(place.read_text(encoding="utf-8"))
        return Crop(float(stated["share"]), float(stated["height"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
