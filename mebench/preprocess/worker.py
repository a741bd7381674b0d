"""Prepares one clip in a worker process: crops, apex, frames over time, each kept in the cache."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mebench.datasets.media import FrameFiles
from mebench.errors import DatasetError, UsageError
from mebench.preprocess.apex import ApexMethod, Spot, middle_index, spot_apex
from mebench.preprocess.cache import (
    Entry,
    entry_folder,
    entry_key,
    open_entry,
    read_spot,
    timed_key,
    write_entry,
    write_spot,
)
from mebench.preprocess.crop import (
    HEAD,
    Crop,
    align_image,
    align_points,
    alignment,
    tell_outside,
    to_gray,
)
from mebench.preprocess.landmarks import Landmarker
from mebench.preprocess.prepared import Failure
from mebench.preprocess.tim import interpolate
from mebench.types import Clip, Colour, Image


@dataclass(frozen=True)
class Recipe:
    """How clips are prepared; travels to the workers."""

    size: int
    landmarker: Landmarker
    colour: Colour
    cache: Path
    apex: ApexMethod
    tim: int | None
    crop: Crop = HEAD


@dataclass(frozen=True)
class Done:
    """A prepared clip as a worker reports it: no pixels, so that memory stays flat."""

    entry: Entry
    fresh: bool
    spot: Spot | None
    notes: tuple[str, ...]


def prepare_one(clip: Clip, *, recipe: Recipe) -> Done | Failure:
    """Return where a clip lies in the cache, made now if need be, or why it cannot be prepared."""
    try:
        with _one_cv2_thread():
            entry, fresh = _cropped(clip, recipe)
            spot, notes = _spotted(clip, entry, recipe.apex)
            if recipe.tim is not None:
                entry, fresh = _timed(clip, entry, recipe.tim, recipe.cache)
    except DatasetError as error:
        return Failure(clip.key, str(error))
    except MemoryError:
        return Failure(
            clip.key, f"{clip.key}: too little memory for this clip; run again with fewer --jobs"
        )
    return Done(entry, fresh, spot, (*entry.notes, *notes))


def _cropped(clip: Clip, recipe: Recipe) -> tuple[Entry, bool]:
    name = entry_key(
        clip,
        landmarks=recipe.landmarker.digest(clip.key),
        size=recipe.size,
        colour=recipe.colour,
        crop=recipe.crop,
    )
    folder = entry_folder(recipe.cache, name)
    return _found_or_made(folder, lambda: _make(clip, folder, recipe))


def _found_or_made(folder: Path, make: Callable[[], None]) -> tuple[Entry, bool]:
    entry = open_entry(folder)
    if entry is not None:
        return entry, False
    try:
        make()
    except (OSError, UsageError):
        # Another process may have put the same entry there in the meantime.
        if open_entry(folder) is None:
            raise
    entry = open_entry(folder)
    if entry is None:
        raise DatasetError(f"{folder}: the prepared clip cannot be read back; check the disk")
    return entry, True


def _spotted(clip: Clip, entry: Entry, method: ApexMethod) -> tuple[Spot | None, tuple[str, ...]]:
    """Return the apex of a clip that has none, and remarks; what was spotted before is kept."""
    if method == "none" or clip.annotation.apex is not None:
        return None, ()
    spot = read_spot(entry, method)
    if spot is None:
        centre = middle_index(clip)
        try:
            spot = spot_apex(entry.frames(), entry.landmarks, clip.fps, method, middle=centre)
        except DatasetError as error:
            # A clip is of use without an apex too.
            return None, (f"{clip.key}: no apex spotted ({error})",)
        write_spot(entry, method, spot)
    return spot, (f"{clip.key}: {spot.note}",) if spot.note else ()


def _timed(clip: Clip, entry: Entry, count: int, cache: Path) -> tuple[Entry, bool]:
    folder = entry_folder(cache, timed_key(entry, count))

    def make() -> None:
        frames = interpolate(entry.frames(), count)
        stated = {
            "clip": clip.key,
            "landmarks": entry.landmarks.astype(float).tolist(),
            "to_source": entry.to_source.tolist(),
            "notes": list(entry.notes),
            "confidence": entry.confidence,
        }
        write_entry(folder, frames, count, entry.shape[1], lambda: stated)

    return _found_or_made(folder, make)


def _make(clip: Clip, folder: Path, recipe: Recipe) -> None:
    """Decode, crop and store one frame after the other, so that memory stays flat."""
    source = clip.reader.stream() if isinstance(clip.reader, FrameFiles) else iter(clip.frames())
    first = next(source)
    size = recipe.size
    notes: list[str] = []
    found = recipe.landmarker.find(clip.key, first, notes)
    points = found.points
    try:
        to_source = alignment(points, size, recipe.crop)
    except DatasetError as error:
        raise DatasetError(f"{clip.key}: {error}") from error
    tell_outside(clip.key, to_source, size, first.shape, notes)
    count = len(clip.frame_numbers)

    def crops() -> Iterator[Image]:
        for frame in _chain(first, source):
            crop = align_image(frame, to_source, size)
            yield to_gray(crop) if recipe.colour == "gray" else crop

    def describe() -> dict[str, Any]:
        return {
            "clip": clip.key,
            "landmarks": align_points(points, to_source).astype(float).tolist(),
            "to_source": to_source.tolist(),
            "notes": notes,
            "confidence": float(found.confidence),
        }

    write_entry(folder, crops(), count, size, describe)


def _chain(first: Image, rest: Iterator[Image]) -> Iterator[Image]:
    yield first
    yield from rest


class _one_cv2_thread:  # noqa: N801
    """One OpenCV thread while clips are prepared: the job count decides how many cores are used.

    Counts how many threads of this process are inside, as the setting belongs to all of them.
    """

    _lock = threading.Lock()
    _inside = 0
    _before = 1

    def __enter__(self) -> None:
        import cv2

        kind = type(self)
        with kind._lock:
            if kind._inside == 0:
                kind._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            kind._inside += 1

    def __exit__(self, *exc: object) -> None:
        import cv2

        kind = type(self)
        with kind._lock:
            kind._inside -= 1
            if kind._inside == 0:
                cv2.setNumThreads(kind._before)
