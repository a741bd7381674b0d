"""The motion of a face's regions over a clip: a small array that every motion metric reads.

`region_motion` is a pure function of pixels and landmarks; `MotionCache` keeps its results by
content, so that a driving clip is analysed once however many methods are scored on it.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mebench.errors import DatasetError
from mebench.facs.regions import SIGN, SITES, site_discs
from mebench.io.files import atomic_path
from mebench.preprocess.canonical import IOD, Canvas, FloatArray, Matrix, prepare_canvas
from mebench.preprocess.flow import Engine, stabilised_flow
from mebench.types import FaceClip, Frames

SMOOTH_SIGMA = 1.5
"""Gaussian smoothing over time, frames."""

_VERSION = "region-motion/1"
_TEXTURE_FLOOR = 0.05
_FIELD_STRIDE = 2


@dataclass(frozen=True)
class RegionMotion:
    """How the face regions of one clip move against frame 0, head motion removed.

    Attributes:
        vectors: (T, S, 2) float64, (lateral, up) in IOD, smoothed over time, sites as in `SITES`.
        raw: the same before smoothing.
        rigid: (T, 4) head motion: shift x, shift y (IOD), log scale, rotation (rad).
        roughness: (T - 2,) mean squared second difference over time of the unsmoothed dense flow of
            textured skin outside the eyes, IOD².
        fps: frames per second.
    """

    vectors: Matrix
    raw: Matrix
    rigid: Matrix
    roughness: Matrix
    fps: float

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.vectors)


@dataclass(frozen=True)
class MotionField:
    """Dense refined motion of one clip on every second pixel of its canvas, IOD, not smoothed.

    Attributes:
        canvas: where the field lies.
        flow: (T, h/2, w/2, 2) float32, image axes (x right, y down).
    """

    canvas: Canvas
    flow: FloatArray

    def at(self, pixels: NDArray[np.floating]) -> Matrix:
        """Return the smoothed displacement at `pixels` of the clip's own frames.

        Shapes: pixels (N, 2); result (T, N, 2).
        Units: pixels of the clip's frames.
        """
        matrix = self.canvas.to_canonical
        places = np.asarray(pixels, np.float64) @ matrix[:, :2].T + matrix[:, 2]
        places = (places - np.array(self.canvas.origin)) / _FIELD_STRIDE
        rows = _as_rows(places[:, 0]), _as_rows(places[:, 1])
        border = cv2.BORDER_REPLICATE
        canonical = np.stack(
            [
                cv2.remap(f, *rows, cv2.INTER_LINEAR, borderMode=border).reshape(-1, 2)[
                    : len(places)
                ]
                for f in self.flow
            ]
        ).astype(np.float64)
        back = np.linalg.inv(matrix[:, :2]) * IOD
        return smooth(canonical @ back.T)


def _as_rows(values: Matrix) -> FloatArray:
    # cv2.remap takes maps of fewer than 32768 rows; wrap a long list into lines of 256.
    padded = np.zeros(-(-len(values) // 256) * 256, np.float32)
    padded[: len(values)] = values
    return padded.reshape(-1, 256)


def smooth(values: Matrix) -> Matrix:
    """Return `values` (T, ...) after the Gaussian over time (σ = 1.5 frames, ends repeated)."""
    smoothed: Matrix = gaussian_filter1d(
        np.asarray(values, np.float64), SMOOTH_SIGMA, axis=0, mode="nearest"
    )
    return smoothed


def region_motion(
    frames: Frames,
    landmarks: NDArray[np.floating],
    fps: float,
    *,
    flow: Engine = "farneback",
) -> RegionMotion:
    """Return the motion of the face regions of a clip.

    Shapes: frames (T, H, W, 3) RGB, landmarks (68, 2) pixels of frame 0.
    Units: IOD; lateral is outward (image right on the midline), up is up.

    Raises:
        DatasetError: for a clip without frames or landmarks that are no face.
    """
    return analyse(frames, landmarks, fps, flow=flow, field=False)[0]


def analyse(
    frames: Frames,
    landmarks: NDArray[np.floating],
    fps: float,
    *,
    flow: Engine = "farneback",
    field: bool = True,
) -> tuple[RegionMotion, MotionField | None]:
    """Return the region motion of a clip and, when asked for, its dense field, from one pass."""
    frames = np.asarray(frames) if not hasattr(frames, "shape") else frames
    if frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) == 0:
        raise DatasetError(
            f"clip: expected frames (T, H, W, 3), got shape {tuple(frames.shape)}; decode it as RGB"
        )
    canvas = prepare_canvas(np.asarray(frames[0]), landmarks)
    sites = _SiteMeans(canvas)
    skin = canvas.weight / max(float(canvas.weight.sum()), 1e-12)
    raw, rigid, rough, dense = [], [], [], []
    before: list[FloatArray] = []
    for step in stabilised_flow(frames, canvas, flow, refine=field):
        raw.append(sites(step.flow))
        rigid.append(step.rigid)
        if len(before) == 2:
            second = before[0] - 2.0 * before[1] + step.flow
            rough.append(float(np.einsum("hwc,hwc,hw->", second, second, skin)))
        before = [*before[-1:], step.flow]
        if field:
            dense.append(step.refined[::_FIELD_STRIDE, ::_FIELD_STRIDE])
    vectors = np.array(raw)
    motion = RegionMotion(smooth(vectors), vectors, np.array(rigid), np.array(rough), float(fps))
    return motion, MotionField(canvas, np.stack(dense)) if field else None


class _SiteMeans:
    """(confidence + .05)-weighted means of a flow over the discs of all sites."""

    def __init__(self, canvas: Canvas) -> None:
        height, width = canvas.confidence.shape
        discs = site_discs(canvas.landmarks, IOD)
        discs[:, :2] -= np.array(canvas.origin)
        # Outside the frames the confidence is 0; only the pixels inside may keep the floor.
        inside = canvas.confidence > 0
        self.parts: list[tuple[slice, slice, FloatArray] | None] = []
        for x, y, radius in discs:
            left, right = max(int(x - radius), 0), min(int(x + radius) + 2, width)
            top, bottom = max(int(y - radius), 0), min(int(y + radius) + 2, height)
            if left >= right or top >= bottom:
                self.parts.append(None)
                continue
            window = slice(top, bottom), slice(left, right)
            ys, xs = np.mgrid[top:bottom, left:right]
            disc = (xs - x) ** 2 + (ys - y) ** 2 <= radius**2
            share = (canvas.confidence[window] + _TEXTURE_FLOOR) * (disc & inside[window])
            total = float(share.sum())
            self.parts.append((*window, (share / total).astype(np.float32)) if total else None)
        self.sign = np.array([SIGN[side] for _, side in SITES])

    def __call__(self, flow: FloatArray) -> Matrix:
        """Return (S, 2): lateral and up; 0 where a disc lies outside the frames."""
        out = np.zeros((len(self.parts), 2))
        for index, part in enumerate(self.parts):
            if part is not None:
                rows, columns, share = part
                out[index] = np.einsum("hwc,hw->c", flow[rows, columns], share, dtype=np.float64)
        out[:, 0] *= self.sign
        out[:, 1] *= -1.0
        return out


def motion_key(
    frames: Frames, landmarks: NDArray[np.floating], fps: float, flow: Engine = "farneback"
) -> str:
    """Return the sha256 of all that a `RegionMotion` depends on."""
    digest = hashlib.sha256()
    points = np.ascontiguousarray(landmarks, dtype=np.float64)
    header = f"{_VERSION} {flow} {float(fps)!r} {tuple(frames.shape)} {cv2.__version__}"
    digest.update(header.encode())
    digest.update(points.tobytes())
    for frame in frames:
        digest.update(np.ascontiguousarray(frame).tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=8)
def shared_cache(folder: Path | None = None, flow: Engine = "farneback") -> MotionCache:
    """Return this process's cache for a folder, so that several metrics analyse a clip once."""
    return MotionCache(folder, flow=flow)


class MotionCache:
    """Region motion by content: the latest in memory, all in a folder when one is given.

    Args:
        folder: where results are kept between runs, or None for memory only.
        flow: ``farneback`` or ``dis`` (half the cost, a little noisier).
        size: results held in memory.
    """

    def __init__(
        self, folder: Path | None = None, *, flow: Engine = "farneback", size: int = 256
    ) -> None:
        self.folder = folder
        self.flow: Engine = flow
        self.size = size
        self._motions: OrderedDict[str, RegionMotion] = OrderedDict()
        self._field: tuple[str, MotionField] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Travel to a worker without the results; there all metrics share one cache again."""
        return shared_cache, (self.folder, self.flow)

    def motion(
        self,
        frames: Frames,
        landmarks: NDArray[np.floating],
        fps: float,
        *,
        expect_field: bool = False,
    ) -> RegionMotion:
        """Return the region motion of a clip; `expect_field` says that `field` comes next."""
        key = motion_key(frames, landmarks, fps, self.flow)
        found = self._motions.get(key) or self._read(key)
        if found is None:
            found, field = analyse(frames, landmarks, fps, flow=self.flow, field=expect_field)
            self._write(key, found)
            if field is not None:
                self._field = key, field
        self._remember(key, found)
        return found

    def field(
        self, frames: Frames, landmarks: NDArray[np.floating], fps: float
    ) -> tuple[RegionMotion, MotionField]:
        """Return the region motion and dense field of a clip; the last field is held in memory."""
        key = motion_key(frames, landmarks, fps, self.flow)
        if self._field is None or self._field[0] != key or key not in self._motions:
            motion, field = analyse(frames, landmarks, fps, flow=self.flow, field=True)
            if field is None:  # pragma: no cover - analyse returns a field when asked for one
                raise DatasetError("clip: no dense motion")
            self._write(key, motion)
            self._remember(key, motion)
            self._field = key, field
        return self._motions[key], self._field[1]

    def displacements(
        self,
        frames: Frames,
        landmarks: NDArray[np.floating],
        fps: float,
        pixels: NDArray[np.int64],
    ) -> Matrix:
        """Return the dense motion at `pixels` (N, 2) of a clip's frames, (T, N, 2) pixels; kept."""
        key = motion_key(frames, landmarks, fps, self.flow)
        places = hashlib.sha256(np.ascontiguousarray(pixels, np.int64).tobytes()).hexdigest()
        folder = None if self.folder is None else self.folder / key[:2]
        path = None if folder is None else folder / f"{key}-{places[:16]}.npy"
        if path is not None and path.is_file():
            try:
                return np.asarray(np.load(path, allow_pickle=False), np.float64)
            except (OSError, ValueError, EOFError):
                # A damaged entry is as good as none: it is computed and written again.
                pass
        found = self.field(frames, landmarks, fps)[1].at(pixels.astype(np.float64))
        found = found.astype(np.float32)
        if path is not None:
            with atomic_path(path) as temporary, temporary.open("wb") as handle:
                np.save(handle, found)
        return found.astype(np.float64)

    def prepare(self, clips: Iterable[FaceClip]) -> None:
        """Analyse driving clips ahead, so that every method scored later finds them done."""
        for clip in clips:
            self.motion(clip.frames, clip.landmarks, clip.fps)

    def _remember(self, key: str, motion: RegionMotion) -> None:
        self._motions[key] = motion
        self._motions.move_to_end(key)
        while len(self._motions) > self.size:
            self._motions.popitem(last=False)

    def _path(self, key: str) -> Path | None:
        return None if self.folder is None else self.folder / key[:2] / f"{key}.npz"

    def _read(self, key: str) -> RegionMotion | None:
        path = self._path(key)
        if path is None or not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as data:
                return RegionMotion(
                    data["vectors"],
                    data["raw"],
                    data["rigid"],
                    data["roughness"],
                    float(data["fps"]),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            # A damaged entry is as good as none: it is computed and written again.
            return None

    def _write(self, key: str, motion: RegionMotion) -> None:
        path = self._path(key)
        if path is None:
            return
        with atomic_path(path) as temporary, temporary.open("wb") as handle:
            np.savez(
                handle,
                vectors=motion.vectors,
                raw=motion.raw,
                rigid=motion.rigid,
                roughness=motion.roughness,
                fps=np.float64(motion.fps),
            )
