"""Clips made ready for training: resized, tracked, their strongest motion kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench import spec
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.dense_flow import face_window
from mebench.methods.fomm.kept import Arrays, kept
from mebench.methods.fomm.points import pick
from mebench.methods.fomm.tracks import Motion, Tracks, clip_digest, follow, measure, track
from mebench.types import FaceClip, Points

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Material:
    """One clip made ready for drawing, at the network's size.

    Attributes:
        frames: (T, S, S, 3) uint8.
        landmarks: (68, 2) float32, pixels.
        tracks: the clip's points.
        strength: (T,) float32, 0..1, motion of a frame against the clip's strongest.
        fields: (M, S/2, S/2, 2) float16, measured motion of the strongest frames, pixels of S.
        gray: the recording has no colour.
    """

    frames: NDArray[np.uint8]
    landmarks: Points
    tracks: Tracks
    strength: Array
    fields: NDArray[np.float16]
    gray: bool


def prepare(clip: FaceClip, config: FommConfig, cache: Path | None = None) -> Material:
    """Return a clip ready for drawing: resized, tracked, its strongest motion kept.

    Tracks are read from the folder `cache` where they lie there already, else written to it.

    Shapes: clip.frames (T, H, W, 3) of any size; see `Material`.
    """
    clip = thinned(resized(clip, config.model.size), config.train.sampling.frames_per_clip)
    if config.points.tracking == "none" or config.model.prior == "none":
        fixed = track(clip, config.points.model_copy(update={"tracking": "none"}))
        nothing = np.zeros((0, 1, 1, 2), np.float16)
        known = _Followed(fixed, _image_change(clip), nothing)
    else:
        known = _followed(clip, config, cache)
    strength = (known.strength / max(1e-6, float(known.strength.max()))).astype(np.float32)
    frames = np.ascontiguousarray(clip.frames)
    gray = clip.colour == "gray"
    return Material(frames, clip.landmarks, known.tracks, strength, known.fields, gray)


def thinned(clip: FaceClip, most: int) -> FaceClip:
    """Return a clip with at most so many frames, evenly spread: neighbours in time teach the same.

    Shapes: clip.frames (T, H, W, 3); its frame rate falls with the frames.
    """
    n = len(clip.frames)
    if n <= most:
        return clip
    kept = np.linspace(0, n - 1, most).round().astype(int)
    return replace(
        clip, frames=np.stack([np.asarray(clip.frames[i]) for i in kept]), fps=clip.fps * most / n
    )


class _Followed(NamedTuple):
    tracks: Tracks
    strength: Array
    fields: NDArray[np.float16]


def _followed(clip: FaceClip, config: FommConfig, cache: Path | None) -> _Followed:
    wanted = config.train.sampling.fields_per_clip
    name = spec.digest([clip_digest(clip), spec.digest(config.points), wanted])
    path = None if cache is None else cache / f"{name[:32]}.npz"
    stored = kept(path, lambda: _measured(clip, config, wanted))
    return _Followed(Tracks.from_arrays(stored), stored["strength"], stored["fields"])


def _measured(clip: FaceClip, config: FommConfig, wanted: int) -> Arrays:
    motion = measure(clip, config.points)
    start = pick(clip.landmarks, config.points.point_set)
    tracks = follow(motion, start, clip.landmarks, config.points)
    strength = np.sqrt((tracks.motion**2).sum(-1).mean(-1)).astype(np.float32)
    fields = _strongest(motion, strength, clip.landmarks, wanted)
    return {**tracks.arrays(), "strength": strength, "fields": fields}


def resized(clip: FaceClip, size: int) -> FaceClip:
    """Return the clip at size × size pixels, its landmarks with it; itself where it fits."""
    height, width = clip.frames.shape[1:3]
    if (height, width) == (size, size):
        return clip
    smaller = size < height
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    shrunk = [cv2.resize(np.asarray(f), (size, size), interpolation=how) for f in clip.frames]
    frames = np.stack(shrunk).astype(np.uint8, copy=False)
    factor = np.array([size / width, size / height], np.float32)
    marks = (clip.landmarks + np.float32(0.5)) * factor - np.float32(0.5)
    return replace(clip, frames=frames, landmarks=marks.astype(np.float32))


def _strongest(
    motion: Motion, strength: Array, landmarks: Points, wanted: int
) -> NDArray[np.float16]:
    """The face's motion in a few strong frames, averaged where little is seen, at half size."""
    n = len(strength)
    window = face_window(landmarks, *motion.weight.shape)[..., None]
    order = np.argsort(-strength, kind="stable")[: max(1, n // 3)]
    chosen = order[:: max(1, len(order) // wanted)][:wanted]
    height, width = motion.weight.shape
    sigma = max(1.0, height / 64)
    trust = motion.weight + np.float32(0.05)
    total = cv2.GaussianBlur(trust, (0, 0), sigma)[..., None]
    half = (width // 2, height // 2)
    fields = []
    for index in chosen:
        soft = cv2.GaussianBlur(motion.flow[index] * trust[..., None], (0, 0), sigma) / total
        fields.append(cv2.resize(soft * window, half, interpolation=cv2.INTER_AREA))
    return np.stack(fields).astype(np.float16)


def _image_change(clip: FaceClip) -> Array:
    first = np.asarray(clip.frames[0], np.float32)
    return np.array(
        [np.abs(np.asarray(f, np.float32) - first).mean() for f in clip.frames], np.float32
    )
