"""Prepares clips: landmarks of frame 0, one aligned crop for all frames, kept in the cache."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mebench.datasets.base import FrameFiles, OnMissing
from mebench.errors import DatasetError, UsageError
from mebench.preprocess.apex import (
    ApexMethod,
    Spot,
    check_method,
    middle_index,
    spot_apex,
    with_apex,
)
from mebench.preprocess.cache import (
    Entry,
    entry_folder,
    entry_key,
    open_entry,
    read_spot,
    sweep,
    timed_key,
    write_entry,
    write_spot,
)
from mebench.preprocess.crop import (
    align_frames,
    align_image,
    align_points,
    alignment,
    tell_outside,
    to_gray,
)
from mebench.preprocess.landmarks import Landmarker
from mebench.preprocess.parallel import Backend, each
from mebench.preprocess.prepared import Failure, PreparedSet
from mebench.preprocess.tim import check_count, interpolate
from mebench.types import (
    Clip,
    Colour,
    Face,
    FaceClip,
    Frames,
    Image,
    Points,
    Progress,
    SilentProgress,
)

__all__ = ["Failure", "PreparedSet", "prepare", "prepare_frames", "prepare_image"]


@dataclass(frozen=True)
class _Recipe:
    """How clips are prepared; travels to the workers."""

    size: int
    landmarker: Landmarker
    colour: Colour
    cache: Path
    apex: ApexMethod
    tim: int | None


@dataclass(frozen=True)
class _Done:
    """A prepared clip as a worker reports it: no pixels, so that memory stays flat."""

    entry: Entry
    fresh: bool
    spot: Spot | None
    notes: tuple[str, ...]


def prepare(
    clips: Sequence[Clip],
    *,
    size: int,
    landmarker: Landmarker,
    colour: Colour = "rgb",
    cache: Path,
    jobs: int = 1,
    backend: Backend = "loky",
    progress: Progress | None = None,
    on_missing: OnMissing = "fail",
    apex: ApexMethod = "none",
    tim: int | None = None,
) -> PreparedSet:
    """Return the clips cropped and aligned, from the cache where they are there already.

    `apex` says how it is spotted in clips that have none; `tim` brings every clip to that many
    frames. The same clips give the same bytes whatever `jobs`; an interrupted run goes on where it
    stopped.

    Raises:
        DatasetError: for the first clip that cannot be prepared, unless `on_missing` is "skip", and
            when none is left.
        UsageError: for a bad option, or a cache that cannot be written.
    """
    if not 16 <= size <= 2048:
        raise UsageError(f"size must be 16 to 2048 pixels, got {size}")
    check_method(apex)
    if tim is not None:
        check_count(tim)
    sweep(cache)
    work = partial(_prepare_one, recipe=_Recipe(size, landmarker, colour, cache, apex, tim))
    items: list[tuple[Clip, Entry]] = []
    failures: list[Failure] = []
    notes: list[str] = []
    made = 0
    with (progress or SilentProgress()).task("prepare", total=len(clips)) as task:
        for clip, done in zip(clips, each(work, clips, jobs, backend), strict=True):
            if isinstance(done, Failure):
                if on_missing == "fail":
                    raise DatasetError(done.reason)
                failures.append(done)
            else:
                items.append((with_apex(clip, done.spot), done.entry))
                notes += done.notes
                made += done.fresh
            task.advance(1, clip.key)
    if clips and not items:
        raise DatasetError(
            f"none of {len(clips)} clips can be prepared; first: {failures[0].reason}"
        )
    return PreparedSet(items, colour=colour, failures=failures, notes=notes, made=made)


def prepare_image(
    image: Image,
    landmarks: Points | Landmarker,
    size: int,
    *,
    key: str = "template",
    notes: list[str] | None = None,
) -> Face:
    """Return one photo cropped and aligned, with its landmarks in aligned pixels.

    Shapes: image (H, W, 3) uint8; landmarks (68, 2) in pixels of the photo, or who finds them.

    Raises:
        DatasetError: when no face is found or the eyes are too close.
    """
    points = _points(landmarks, key, image, notes)
    to_source = alignment(points, size)
    tell_outside(key, to_source, size, image.shape, notes)
    return Face(align_image(image, to_source, size), align_points(points, to_source))


def prepare_frames(
    frames: Frames,
    landmarks: Points | Landmarker,
    size: int,
    key: str,
    fps: float,
    *,
    notes: list[str] | None = None,
) -> FaceClip:
    """Return a clip that belongs to no data set cropped and aligned by its frame 0.

    Shapes: frames (T, H, W, 3) uint8; landmarks (68, 2) of frame 0, or who finds them.

    Raises:
        DatasetError: when no face is found or the eyes are too close.
    """
    points = _points(landmarks, key, frames[0], notes)
    to_source = alignment(points, size)
    tell_outside(key, to_source, size, frames.shape[1:], notes)
    return FaceClip(
        key=key,
        subject=key,
        frames=align_frames(frames, to_source, size),
        landmarks=align_points(points, to_source),
        fps=float(fps),
        to_source=to_source,
    )


def _points(
    landmarks: Points | Landmarker, key: str, image: Image, notes: list[str] | None
) -> Points:
    if isinstance(landmarks, np.ndarray):
        return landmarks
    return landmarks.points(key, image, notes)


def _prepare_one(clip: Clip, *, recipe: _Recipe) -> _Done | Failure:
    try:
        with _one_cv2_thread():
            entry, fresh = _cropped(clip, recipe)
            spot, notes = _spotted(clip, entry, recipe.apex)
            if recipe.tim is not None:
                entry, fresh = _timed(clip, entry, recipe.tim, recipe.cache)
    except DatasetError as error:
        return Failure(clip.key, str(error))
    return _Done(entry, fresh, spot, (*entry.notes, *notes))


def _cropped(clip: Clip, recipe: _Recipe) -> tuple[Entry, bool]:
    name = entry_key(
        clip,
        landmarks=recipe.landmarker.digest(clip.key),
        size=recipe.size,
        colour=recipe.colour,
    )
    folder = entry_folder(recipe.cache, name)
    return _found_or_made(
        folder, lambda: _make(clip, folder, recipe.size, recipe.landmarker, recipe.colour)
    )


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


def _make(clip: Clip, folder: Path, size: int, landmarker: Landmarker, colour: Colour) -> None:
    """Decode, crop and store one frame after the other, so that memory stays flat."""
    source = clip.reader.stream() if isinstance(clip.reader, FrameFiles) else iter(clip.frames())
    first = next(source)
    notes: list[str] = []
    found = landmarker.find(clip.key, first, notes)
    points = found.points
    try:
        to_source = alignment(points, size)
    except DatasetError as error:
        raise DatasetError(f"{clip.key}: {error}") from error
    tell_outside(clip.key, to_source, size, first.shape, notes)
    count = len(clip.frame_numbers)

    def crops() -> Iterator[Image]:
        for frame in _chain(first, source):
            crop = align_image(frame, to_source, size)
            yield to_gray(crop) if colour == "gray" else crop

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
