"""The controls that move the template without learning: linear-warp, reversed, mismatched."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError, WeightsError
from mebench.io.files import atomic_path
from mebench.methods.base import Baseline, BaselineConfig
from mebench.methods.fomm.config import PointsConfig
from mebench.methods.fomm.material import thinned
from mebench.methods.fomm.points import pick
from mebench.methods.fomm.tracks import stored_track
from mebench.methods.warp_field import WarpConfig, WarpField, around
from mebench.preprocess.canonical import eye_distance
from mebench.preprocess.parallel import each
from mebench.types import Face, FaceClip, Frames, Progress

_POINTS = PointsConfig(point_set="face-44", tracking="flow", remove_head_motion=True)
_DAMAGED = (
    OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError,
)  # fmt: skip
_MEMORIES = 8
_REMEMBERED_FRAMES = 32


@dataclass(frozen=True)
class Motion:
    """Tracked motion of a clip: points (K, 2) of frame 0 and displacements (T, K, 2), pixels."""

    points: NDArray[np.float64]
    displacements: NDArray[np.float64]


def clip_motion(clip: FaceClip, cache: Path | None = None) -> Motion:
    """Return the motion of a clip's face points without the head's motion.

    Shapes: clip.frames (T, H, W, 3); 44 points.
    """
    tracks = stored_track(clip, _POINTS, cache)
    return Motion(tracks.start.astype(np.float64), tracks.motion.astype(np.float64))


def resampled(motion: Motion, length: int) -> Motion:
    """Return the motion stretched over `length` frames, linearly in time."""
    count = len(motion.displacements)
    if count == length:
        return motion
    at = np.linspace(0.0, count - 1.0, length)
    low = np.minimum(at.astype(int), max(count - 2, 0))
    high = np.minimum(low + 1, count - 1)
    part = (at - low)[:, None, None]
    moved = motion.displacements[low] * (1 - part) + motion.displacements[high] * part
    return Motion(motion.points, moved)


def alikeness(one: Motion, other: Motion) -> float:
    """Return the cosine of two motions on one face, over points and time: -1 to 1; 0 for none."""
    linear = _similarity(one.points, other.points)
    moved = resampled(one, len(other.displacements)).displacements @ linear.T
    size = float(np.sqrt(np.sum(moved**2) * np.sum(other.displacements**2)))
    return float(np.sum(moved * other.displacements)) / size if size else 0.0


def warp_by_motion(template: Face, motion: Motion, config: WarpConfig) -> Frames:
    """Return the template moved by another face's motion, brought to its place, size and tilt.

    Between the points the displacements follow a thin-plate spline that is held at zero around the
    face and on the border of the image (or a Gaussian kernel, see `WarpConfig`). Of a picture that
    shows more than the head, only the part around the head is looked at.

    Shapes: motion of T frames; returns (T, H, W, 3).
    Source: Bookstein, IEEE TPAMI 11(6), 1989 (thin-plate splines through landmarks).
    """
    points = pick(template.landmarks, "face-44").astype(np.float64)
    linear = _similarity(motion.points, points)
    moves = config.amplitude * motion.displacements @ linear.T
    iod = eye_distance(template.landmarks)
    rows, columns = around(template)
    corner = np.array([columns.start, rows.start], np.float64)
    field = WarpField(template.image[rows, columns], points - corner, iod, config)
    result = np.repeat(template.image[None], len(moves), axis=0)
    for frame, move in zip(result, moves, strict=True):
        frame[rows, columns] = field.warped(move)
    return result


class LinearWarp(Baseline):
    """The template warped by the driving clip's tracked face points."""

    config_model = WarpConfig
    config: WarpConfig

    def generate(self, template: Face, driving: FaceClip) -> Frames:
        """Return (T, H, W, 3): the template moved as the driving face moves."""
        return warp_by_motion(template, clip_motion(driving, self.cache), self.config)


class Reversed(LinearWarp):
    """The frames of linear-warp in backward order: right places, wrong times."""

    def generate(self, template: Face, driving: FaceClip) -> Frames:
        """Return (T, H, W, 3): linear-warp played backwards."""
        return np.ascontiguousarray(super().generate(template, driving)[::-1])


@dataclass(frozen=True)
class _Memory:
    key: str
    subject: str
    units: frozenset[int]
    motion: Motion


class Mismatched(Baseline):
    """The template warped by the motion of another clip, seen in `fit`, with other action units."""

    config_model = WarpConfig
    config: WarpConfig
    trainable = True

    def __init__(self, config: BaselineConfig | None = None) -> None:
        super().__init__(config)
        self._memories: list[_Memory] = []

    def fit(
        self,
        clips: Sequence[FaceClip],
        *,
        workdir: Path,
        device: str,
        seed: int,
        progress: Progress,
    ) -> None:
        """Remember the motion of a few clips, of as many sets of action units as there are."""
        self._memories = []
        kept = _varied(clips, _MEMORIES)
        short = [thinned(clip, _REMEMBERED_FRAMES) for clip in kept]
        work = each(partial(clip_motion, cache=self.cache), short, self.jobs)
        with progress.task("track", len(kept)) as task:
            for clip, motion in zip(kept, work, strict=True):
                units = frozenset(unit.au for unit in clip.action_units)
                self._memories.append(_Memory(clip.key, clip.subject, units, motion))
                task.advance(note=clip.key)

    def generate(self, template: Face, driving: FaceClip) -> Frames:
        """Return (T, H, W, 3): the template moved as a face of another clip moves."""
        other = self._chosen(driving)
        motion = resampled(other.motion, len(driving.frames))
        return warp_by_motion(template, motion, self.config)

    def save(self, path: Path) -> None:
        """Write the remembered motions."""
        arrays: dict[str, Any] = {
            "keys": np.array([m.key for m in self._memories]),
            "subjects": np.array([m.subject for m in self._memories]),
        }
        for i, memory in enumerate(self._memories):
            arrays[f"units_{i}"] = np.array(sorted(memory.units), dtype=np.int64)
            arrays[f"points_{i}"] = memory.motion.points
            arrays[f"displacements_{i}"] = memory.motion.displacements.astype(np.float32)
        with atomic_path(path) as temporary, temporary.open("wb") as handle:
            np.savez(handle, **arrays)

    def load(self, path: Path, *, device: str) -> None:
        """Read the remembered motions.

        Raises:
            WeightsError: when the file is not one of `save`.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                self._memories = [
                    _Memory(
                        str(key),
                        str(subject),
                        frozenset(int(u) for u in data[f"units_{i}"]),
                        Motion(data[f"points_{i}"], data[f"displacements_{i}"].astype(np.float64)),
                    )
                    for i, (key, subject) in enumerate(
                        zip(data["keys"], data["subjects"], strict=True)
                    )
                ]
        except _DAMAGED as error:
            raise WeightsError(
                f"{path}: not a checkpoint of 'mismatched' ({type(error).__name__}); train it again"
            ) from error

    def _chosen(self, driving: FaceClip) -> _Memory:
        """Fewest shared action units, another subject if there is one, then the least alike motion.

        Not the most opposite one: a control that moves backwards would say nothing about motion
        that has nothing to do with the driving clip's.
        """
        wanted = frozenset(unit.au for unit in driving.action_units)
        others = [m for m in self._memories if m.key != driving.key]
        if not others:
            raise UsageError(
                f"clip {driving.key}: 'mismatched' needs the motion of another clip, got none; "
                "fit it on at least two clips"
            )

        def badness(memory: _Memory) -> tuple[int, bool]:
            return len(memory.units & wanted), memory.subject == driving.subject

        best = min(badness(m) for m in others)
        candidates = [m for m in others if badness(m) == best]
        if len(candidates) == 1:
            return candidates[0]
        own = clip_motion(driving, self.cache)
        return min(candidates, key=lambda m: (abs(alikeness(m.motion, own)), m.key))


def _varied(clips: Sequence[FaceClip], count: int) -> list[FaceClip]:
    """Return up to `count` clips: each set of action units once, then again, by hash of the key."""
    waiting = sorted(clips, key=lambda c: hashlib.sha256(c.key.encode()).digest())
    chosen: list[FaceClip] = []
    while waiting and len(chosen) < count:
        seen: set[frozenset[int]] = set()
        rest = []
        for clip in waiting:
            units = frozenset(unit.au for unit in clip.action_units)
            if units in seen or len(chosen) >= count:
                rest.append(clip)
            else:
                seen.add(units)
                chosen.append(clip)
        waiting = rest
    return chosen


def _similarity(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scale and rotation (2, 2) of the least-squares similarity from `start` to `end`."""
    a, b = start - start.mean(axis=0), end - end.mean(axis=0)
    size = np.sum(a * a)
    if size == 0.0:
        raise UsageError("landmarks: all points coincide; prepare the clip again")
    grow = np.sum(a * b) / size
    turn = np.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / size
    return np.array([[grow, -turn], [turn, grow]])
