"""The controls that move the template without learning: linear-warp, reversed, mismatched."""

from __future__ import annotations

import hashlib
import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mebench.errors import UsageError, WeightsError
from mebench.io.files import atomic_path
from mebench.methods.base import Baseline, BaselineConfig
from mebench.methods.fomm.config import PointsConfig
from mebench.methods.fomm.material import thinned
from mebench.methods.fomm.points import eye_distance, pick
from mebench.methods.fomm.tracks import stored_track
from mebench.methods.interpolation import Kernel, gaussian, still_points, thin_plate
from mebench.preprocess.crop import alignment
from mebench.preprocess.parallel import each
from mebench.types import Face, FaceClip, Frames, Image, Progress

_POINTS = PointsConfig(point_set="face-44", tracking="flow", remove_head_motion=True)
_DAMAGED = (
    OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError,
)  # fmt: skip
_STILL_PX = 5e-3
_SQUARE, _SPARE = 256, 0.05
_FINE = 512 * 512
"""Pixels up to which a field is solved at each of them; a larger one is smooth between them."""
_MEMORIES = 8
_REMEMBERED_FRAMES = 32


class WarpConfig(BaselineConfig):
    """Settings of the landmark-driven warp.

    Attributes:
        amplitude: factor on the motion; 1 copies it.
        kernel: how the points' motion reaches the pixels between them; see `interpolation`.
        reach: standard deviation of a point's influence, in eye distances (gaussian alone).
        ridge: how far the field may miss a point's motion to be smoother; 0 meets every point.
    """

    amplitude: float = Field(default=1.0, ge=0.0, le=10.0)
    kernel: Kernel = "thin-plate"
    reach: float = Field(default=0.28, gt=0.0, le=2.0)
    ridge: float = Field(default=0.003, ge=0.0, le=10.0)


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
    rows, columns = _around(template)
    corner = np.array([columns.start, rows.start], np.float64)
    field = _Field(template.image[rows, columns], points - corner, iod, config)
    result = np.repeat(template.image[None], len(moves), axis=0)
    for frame, move in zip(result, moves, strict=True):
        frame[rows, columns] = field.warped(move)
    return result


def _around(template: Face) -> tuple[slice, slice]:
    """Return rows and columns of the usual aligned square around the face; all of such a square."""
    height, width = template.image.shape[:2]
    matrix = alignment(template.landmarks, _SQUARE)
    ends = (-0.5 - _SPARE * _SQUARE, (1 + _SPARE) * _SQUARE - 0.5)
    corners = np.array([[x, y, 1.0] for x in ends for y in ends]) @ matrix.T
    left, top = np.maximum(np.floor(corners.min(axis=0) + 0.5).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0) + 0.5).astype(int), [width, height])
    return slice(int(top), int(bottom)), slice(int(left), int(right))


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
        """Fewest shared action units, another subject if there is one, then by the clip's key."""
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
        candidates = sorted((m for m in others if badness(m) == best), key=lambda m: m.key)
        number = int.from_bytes(hashlib.sha256(driving.key.encode()).digest()[:8], "big")
        return candidates[number % len(candidates)]


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


class _Field:
    """Warps one image by displacements of its points; the kernel is solved once."""

    def __init__(
        self, image: Image, points: NDArray[np.float64], iod: float, config: WarpConfig
    ) -> None:
        from scipy.ndimage import spline_filter

        self.image = np.ascontiguousarray(image)
        height, width = image.shape[:2]
        ys, xs = np.mgrid[:height, :width]
        self.grid = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.float64)
        self.step = math.ceil(math.sqrt(height * width / _FINE))
        rows, columns = (math.ceil((side - 1) / self.step) + 1 for side in (height, width))
        ys, xs = np.mgrid[:rows, :columns] * self.step
        nodes = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.float64)
        self.coarse = (rows, columns)
        if config.kernel == "gaussian":
            self.basis = gaussian(points, nodes, config.reach * iod, config.ridge)
        else:
            still = still_points(points, width, height)
            self.basis = thin_plate(points, still, nodes, iod, config.ridge)
        # Cubic splines are exact at any sub-pixel shift; OpenCV's remap rounds it to 1/32 pixel.
        self.splines = [spline_filter(self.image[..., c].astype(np.float64)) for c in range(3)]

    def warped(self, moves: NDArray[np.float64]) -> Image:
        """Return the image with its points displaced by `moves` (K, 2), pixels."""
        from scipy.ndimage import map_coordinates

        height, width = self.image.shape[:2]
        field = self._at_every_pixel(self.basis @ moves)
        planes = [field[:, k].reshape(height, width) for k in range(2)]
        moving = np.flatnonzero(np.abs(field).max(axis=1) > _STILL_PX)
        result = self.image.copy()
        if len(moving) == 0:
            return result
        # The field lives on the template's pixels; one fixed-point step finds where a pixel came
        # from: the field changes by less than a tenth over the length of a micro-expression.
        target = self.grid[moving]
        at = (target - field[moving])[:, ::-1].T
        shift = [map_coordinates(plane, at, order=1, mode="nearest") for plane in planes]
        source = target - np.stack(shift, axis=1)
        rows, columns = np.divmod(moving, width)
        for channel, spline in enumerate(self.splines):
            values = map_coordinates(
                spline, source[:, ::-1].T, order=3, mode="mirror", prefilter=False
            )
            result[rows, columns, channel] = np.clip(np.rint(values), 0, 255)
        return result

    def _at_every_pixel(self, field: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a field (N, 2) of the nodes at all pixels, linear between the nodes."""
        if self.step == 1:
            return field
        from scipy.ndimage import map_coordinates

        at = self.grid[:, ::-1].T / self.step
        planes = [field[:, k].reshape(self.coarse) for k in range(2)]
        return np.stack([map_coordinates(p, at, order=1, mode="nearest") for p in planes], axis=1)


def _similarity(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scale and rotation (2, 2) of the least-squares similarity from `start` to `end`."""
    a, b = start - start.mean(axis=0), end - end.mean(axis=0)
    size = np.sum(a * a)
    if size == 0.0:
        raise UsageError("landmarks: all points coincide; prepare the clip again")
    grow = np.sum(a * b) / size
    turn = np.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / size
    return np.array([[grow, -turn], [turn, grow]])
