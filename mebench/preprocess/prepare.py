"""Prepares clips: landmarks of frame 0, one aligned crop for all frames, kept in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np

from mebench.datasets.base import FrameFiles, OnMissing
from mebench.errors import DatasetError, UsageError
from mebench.preprocess.cache import Entry, entry_folder, entry_key, open_entry, write_entry
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


@dataclass(frozen=True)
class Failure:
    """A clip that could not be prepared, and why."""

    key: str
    reason: str


class PreparedSet(Sequence[FaceClip]):
    """Prepared clips in the order asked for; frames stay on disk until they are read.

    Attributes:
        failures: clips left out, with the reason.
        notes: remarks made while preparing.
        made: how many were prepared now; the others were in the cache.
    """

    def __init__(
        self,
        items: Sequence[tuple[Clip, Entry]],
        *,
        colour: Colour = "rgb",
        failures: Sequence[Failure] = (),
        made: int = 0,
    ) -> None:
        self._items = tuple(items)
        self._colour = colour
        self.failures = tuple(failures)
        self.notes = tuple(note for _, entry in self._items for note in entry.notes)
        self.made = made

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> FaceClip: ...
    @overload
    def __getitem__(self, index: slice) -> PreparedSet: ...
    def __getitem__(self, index: int | slice) -> FaceClip | PreparedSet:
        if isinstance(index, slice):
            return PreparedSet(self._items[index], colour=self._colour)
        clip, entry = self._items[index]
        return FaceClip(
            key=clip.key,
            subject=f"{clip.dataset}.{clip.subject}",
            frames=entry.frames(),
            landmarks=entry.landmarks,
            fps=clip.fps,
            apex_index=clip.apex_index,
            action_units=clip.annotation.action_units,
            colour="gray" if "gray" in (self._colour, clip.colour) else "rgb",
            to_source=entry.to_source,
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the clips, in order."""
        return tuple(clip.key for clip, _ in self._items)

    def find(self, key: str) -> FaceClip:
        """Return the clip of a key.

        Raises:
            DatasetError: when it is not there; says so when preparing it failed.
        """
        if key in self.keys:
            return self[self.keys.index(key)]
        reasons = [failure.reason for failure in self.failures if failure.key == key]
        raise DatasetError(reasons[0] if reasons else f"{key}: not among the prepared clips")


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
) -> PreparedSet:
    """Return the clips cropped and aligned, from the cache where they are there already.

    The same clips give the same bytes whatever `jobs`; an interrupted run goes on where it stopped.

    Raises:
        DatasetError: for the first clip that cannot be prepared, unless `on_missing` is "skip", and
            when none is left.
        UsageError: for a bad size or backend, or a cache that cannot be written.
    """
    if not 16 <= size <= 2048:
        raise UsageError(f"size must be 16 to 2048 pixels, got {size}")
    work = partial(_prepare_one, size=size, landmarker=landmarker, colour=colour, cache=cache)
    items: list[tuple[Clip, Entry]] = []
    failures: list[Failure] = []
    made = 0
    with (progress or SilentProgress()).task("prepare", total=len(clips)) as task:
        for clip, done in zip(clips, each(work, clips, jobs, backend), strict=True):
            if isinstance(done, Failure):
                if on_missing == "fail":
                    raise DatasetError(done.reason)
                failures.append(done)
            else:
                entry, fresh = done
                items.append((clip, entry))
                made += fresh
            task.advance(1, clip.key)
    if clips and not items:
        raise DatasetError(
            f"none of {len(clips)} clips can be prepared; first: {failures[0].reason}"
        )
    return PreparedSet(items, colour=colour, failures=failures, made=made)


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


def _prepare_one(
    clip: Clip, *, size: int, landmarker: Landmarker, colour: Colour, cache: Path
) -> tuple[Entry, bool] | Failure:
    try:
        name = entry_key(clip, landmarks=landmarker.digest(clip.key), size=size, colour=colour)
        folder = entry_folder(cache, name)
        entry = open_entry(folder)
        if entry is not None:
            return entry, False
        try:
            with _one_cv2_thread():
                _make(clip, folder, size, landmarker, colour)
        except (OSError, UsageError):
            # Another process may have put the same entry there in the meantime.
            if open_entry(folder) is None:
                raise
        entry = open_entry(folder)
    except DatasetError as error:
        return Failure(clip.key, str(error))
    if entry is None:
        return Failure(clip.key, f"{folder}: the prepared clip cannot be read back; check the disk")
    return entry, True


def _make(clip: Clip, folder: Path, size: int, landmarker: Landmarker, colour: Colour) -> None:
    """Decode, crop and store one frame after the other, so that memory stays flat."""
    source = clip.reader.stream() if isinstance(clip.reader, FrameFiles) else iter(clip.frames())
    first = next(source)
    notes: list[str] = []
    points = landmarker.points(clip.key, first, notes)
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
        }

    write_entry(folder, crops(), count, size, describe)


def _chain(first: Image, rest: Iterator[Image]) -> Iterator[Image]:
    yield first
    yield from rest


class _one_cv2_thread:  # noqa: N801
    """One OpenCV thread while a clip is prepared: the job count decides how many cores are used."""

    def __enter__(self) -> None:
        import cv2

        self._before = cv2.getNumThreads()
        cv2.setNumThreads(1)

    def __exit__(self, *exc: object) -> None:
        import cv2

        cv2.setNumThreads(self._before)
