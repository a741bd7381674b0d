"""Prepares clips: landmarks of frame 0, one aligned crop for all frames, kept in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mebench.datasets.base import OnMissing
from mebench.errors import DatasetError, UsageError
from mebench.preprocess.apex import ApexMethod, check_method, with_apex
from mebench.preprocess.cache import Entry, sweep
from mebench.preprocess.crop import (
    HEAD,
    Crop,
    align_frames,
    align_image,
    align_points,
    alignment,
    tell_outside,
)
from mebench.preprocess.framing import Framing, crop_for
from mebench.preprocess.landmarks import Landmarker
from mebench.preprocess.parallel import Backend, each
from mebench.preprocess.prepared import Failure, PreparedSet
from mebench.preprocess.tim import check_count
from mebench.preprocess.worker import Done, Recipe, prepare_one
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
    crop: Crop = HEAD,
) -> PreparedSet:
    """Return the clips cropped and aligned, from the cache where they are there already.

    `apex` says how it is spotted in clips that have none; `tim` brings every clip to that many
    frames; `crop` is the same for all clips of a copy (see `framing.copy_crop`). The same clips
    give the same bytes whatever `jobs`; an interrupted run goes on where it stopped.

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
    work = partial(prepare_one, recipe=Recipe(size, landmarker, colour, cache, apex, tim, crop))
    items: list[tuple[Clip, Entry]] = []
    failures: list[Failure] = []
    notes: list[str] = []
    made = 0
    with (progress or SilentProgress()).task("prepare", total=len(clips)) as task:
        for clip, done in zip(clips, _all(work, clips, jobs, backend), strict=True):
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


def _all(
    work: Callable[[Clip], Done | Failure], clips: Sequence[Clip], jobs: int, backend: Backend
) -> Iterator[Done | Failure]:
    """Yield what becomes of each clip; workers are started at the first that is not there yet."""
    for number, clip in enumerate(clips, 1):
        done = work(clip)
        yield done
        if isinstance(done, Failure) or done.fresh:
            yield from each(work, clips[number:], jobs, backend)
            return


def prepare_image(
    image: Image,
    landmarks: Points | Landmarker,
    size: int,
    *,
    key: str = "template",
    notes: list[str] | None = None,
    crop: Crop | Framing = HEAD,
) -> Face:
    """Return one photo cropped and aligned, with its landmarks in aligned pixels.

    Shapes: image (H, W, 3) uint8; landmarks (68, 2) in pixels of the photo, or who finds them;
    crop: one, or a word that says how it is chosen.

    Raises:
        DatasetError: when no face is found or the eyes are too close.
    """
    points = _points(landmarks, key, image, notes)
    to_source = alignment(points, size, crop_for(crop, points, image.shape))
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
    crop: Crop | Framing = HEAD,
) -> FaceClip:
    """Return a clip that belongs to no data set cropped and aligned by its frame 0.

    Shapes: frames (T, H, W, 3) uint8; landmarks (68, 2) of frame 0, or who finds them; crop: as
    for `prepare_image`.

    Raises:
        DatasetError: when no face is found or the eyes are too close.
    """
    points = _points(landmarks, key, frames[0], notes)
    to_source = alignment(points, size, crop_for(crop, points, frames.shape[1:]))
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
