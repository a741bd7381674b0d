"""Region motion by content, so that a clip is analysed once however many methods meet it."""

from __future__ import annotations

import hashlib
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.io.files import atomic_path
from mebench.preprocess.canonical import Matrix
from mebench.preprocess.flow import Engine
from mebench.preprocess.region_motion import MotionField, RegionMotion, dense_motion, region_motion
from mebench.types import FaceClip, Frames

_VERSION = "region-motion/2"
_ENGINES: dict[Engine, str] = {"farneback": "farneback", "dis": "dis/2"}


def motion_key(
    frames: Frames, landmarks: NDArray[np.floating], fps: float, flow: Engine = "farneback"
) -> str:
    """Return the sha256 of all that a `RegionMotion` depends on."""
    digest = hashlib.sha256()
    points = np.ascontiguousarray(landmarks, dtype=np.float64)
    header = f"{_VERSION} {_ENGINES[flow]} {float(fps)!r} {tuple(frames.shape)} {cv2.__version__}"
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
        flow: ``farneback`` or ``dis`` (two thirds of the cost, a little noisier).
        size: results held in memory.
    """

    def __init__(
        self, folder: Path | None = None, *, flow: Engine = "farneback", size: int = 256
    ) -> None:
        self.folder = folder
        self.flow: Engine = flow
        self.size = size
        self._motions: OrderedDict[str, RegionMotion] = OrderedDict()
        self._last: tuple[str, tuple[RegionMotion, MotionField]] | None = None

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
        """Return a clip's region motion; `expect_field` says that `displacements` comes next."""
        key = motion_key(frames, landmarks, fps, self.flow)
        found = self._motions.get(key) or self._read(key)
        if found is None and expect_field:
            found, _ = self._dense(key, frames, landmarks, fps)
        elif found is None:
            found = region_motion(frames, landmarks, fps, flow=self.flow)
            self._write(key, found)
        self._remember(key, found)
        return found

    def displacements(
        self,
        frames: Frames,
        landmarks: NDArray[np.floating],
        fps: float,
        pixels: NDArray[np.int64],
        *,
        keep: bool = True,
    ) -> Matrix:
        """Return the dense motion at `pixels` (N, 2) of a clip's frames, (T, N, 2) pixels.

        What was kept before is read; `keep` it where many methods will ask for it.
        """
        key = motion_key(frames, landmarks, fps, self.flow)
        places = hashlib.sha256(np.ascontiguousarray(pixels, np.int64).tobytes()).hexdigest()
        path = self._path(key, f"-{places[:16]}.npy")
        if path is not None and path.is_file():
            try:
                return np.asarray(np.load(path, allow_pickle=False), np.float64)
            except (OSError, ValueError, EOFError):
                # A damaged entry is as good as none: it is computed and written again.
                pass
        _, field = self._dense(key, frames, landmarks, fps)
        found = field.at(pixels.astype(np.float64)).astype(np.float32)
        if path is not None and keep:
            with atomic_path(path) as temporary, temporary.open("wb") as handle:
                np.save(handle, found)
        return found.astype(np.float64)

    def prepare(self, clips: Iterable[FaceClip]) -> None:
        """Analyse driving clips ahead, so that every method scored later finds them done."""
        for clip in clips:
            self.motion(clip.frames, clip.landmarks, clip.fps)

    def _dense(
        self, key: str, frames: Frames, landmarks: NDArray[np.floating], fps: float
    ) -> tuple[RegionMotion, MotionField]:
        """Return motion and field; the last field is held in memory, for whoever asks next."""
        if self._last is None or self._last[0] != key:
            self._last = key, dense_motion(frames, landmarks, fps, flow=self.flow)
            self._write(key, self._last[1][0])
        return self._last[1]

    def _remember(self, key: str, motion: RegionMotion) -> None:
        self._motions[key] = motion
        self._motions.move_to_end(key)
        while len(self._motions) > self.size:
            self._motions.popitem(last=False)

    def _path(self, key: str, ending: str = ".npz") -> Path | None:
        return None if self.folder is None else self.folder / key[:2] / f"{key}{ending}"

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
