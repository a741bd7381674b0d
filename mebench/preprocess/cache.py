"""Prepared clips on disk: one folder a clip, named by the content it was made from."""

from __future__ import annotations

import json
import math
import mmap
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.datasets.media import ClipFile, FrameFiles
from mebench.errors import DatasetError
from mebench.io.files import atomic_folder, write_json
from mebench.io.frames import pixel_digest
from mebench.preprocess.apex import VERSION, Spot
from mebench.preprocess.crop import HEAD, Crop
from mebench.spec import digest
from mebench.types import Clip, Frames, Image, Points

FORMAT = "mebench-prepared/1"
"""Part of every name: change it when the same input gives other pixels or landmarks."""
_FRAMES, _ENTRY = "frames.npy", "entry.json"
_ABANDONED_SECONDS = 3600.0


@dataclass(frozen=True)
class Entry:
    """A prepared clip on disk.

    Attributes:
        folder: its folder in the cache.
        landmarks: (68, 2) float32, aligned pixels of frame 0.
        to_source: (2, 3) float64, aligned pixels to pixels of the recording.
        shape: (T, H, W, 3) of the frames.
        notes: remarks made when it was prepared.
        confidence: of the landmarks, on their finder's own scale; None where it was not kept.
    """

    folder: Path
    landmarks: Points
    to_source: NDArray[np.float64]
    shape: tuple[int, ...]
    notes: tuple[str, ...]
    confidence: float | None = None

    def frames(self) -> Frames:
        """Return the frames as a read-only memory map.

        Raises:
            DatasetError: when the entry was removed or damaged since it was opened.
        """
        path = self.folder / _FRAMES
        try:
            mapped: Frames = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DatasetError(f"{path}: cached frames are damaged; prepare again") from error
        return mapped


def read_frames(
    folder: Path, shape: tuple[int, ...], indices: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Return some frames of an entry whose shape is known, through a memory map that is closed.

    Raises:
        DatasetError: when the entry was removed or damaged.
    """
    path = folder / _FRAMES
    try:
        with path.open("rb") as handle:
            mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        # The pixels end the file, so its head need not be parsed for every item of a batch.
        pixels = np.frombuffer(mapped, np.uint8)[-math.prod(shape) :]
        return np.asarray(pixels.reshape(shape)[indices])
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cached frames are damaged; prepare again") from error


def entry_key(clip: Clip, *, landmarks: str, size: int, colour: str, crop: Crop = HEAD) -> str:
    """Return the sha256 that names a clip's entry.

    Image files count by name, size and time of change; other readers by their pixels.
    """
    parts = {
        "format": FORMAT,
        "clip": clip.key,
        "pixels": source_of(clip),
        "landmarks": landmarks,
        "size": size,
        "colour": colour,
    }
    if crop != HEAD:
        # The usual crop keeps the names it had before there were others.
        parts["crop"] = [crop.share, crop.height]
    return digest(parts)


def timed_key(entry: Entry, count: int) -> str:
    """Return the sha256 that names an entry brought to `count` frames."""
    return digest({"format": FORMAT, "timed": entry.folder.name, "frames": count, "tim": 1})


def entry_folder(cache: Path, key: str) -> Path:
    """Return where the entry of a key lies."""
    return cache / "prepared" / key[:2] / key


def open_entry(folder: Path) -> Entry | None:
    """Return the entry in a folder, or None when there is none or it is damaged."""
    try:
        stated = json.loads((folder / _ENTRY).read_text(encoding="utf-8"))
        landmarks = np.asarray(stated["landmarks"], np.float32)
        to_source = np.asarray(stated["to_source"], np.float64)
        shape = tuple(int(side) for side in stated["shape"])
        whole = (folder / _FRAMES).stat().st_size == stated["bytes"]
        notes = tuple(str(note) for note in stated["notes"])
        sure = stated.get("confidence")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not whole or landmarks.shape != (68, 2) or to_source.shape != (2, 3):
        return None
    return Entry(folder, landmarks, to_source, shape, notes, None if sure is None else float(sure))


def write_entry(
    folder: Path,
    frames: Iterable[Image],
    count: int,
    size: int,
    describe: Callable[[], dict[str, Any]],
) -> None:
    """Write an entry frame by frame, whole or not at all; `describe` is called at the end.

    Raises:
        UsageError: when the cache cannot be written or the disk is full.
    """
    with atomic_folder(folder) as temporary:
        path = temporary / _FRAMES
        shape = (count, size, size, 3)
        # Plain writes, not a memory map: a full disk must raise, not kill the process.
        with path.open("wb") as handle:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(handle, header)
            for frame in frames:
                handle.write(np.ascontiguousarray(frame, np.uint8).data)
        stated = {**describe(), "shape": list(shape), "bytes": path.stat().st_size}
        write_json(temporary / _ENTRY, {"format": FORMAT, **stated})


def read_spot(entry: Entry, method: str) -> Spot | None:
    """Return the apex a method found in an entry, or None when it was not asked yet."""
    try:
        stated = json.loads(_spot_file(entry, method).read_text(encoding="utf-8"))
        spot = Spot(int(stated["index"]), stated["source"], str(stated["note"]))
        known = stated["version"] == VERSION and 0 <= spot.index < entry.shape[0]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return spot if known and spot.source in (method, "middle") else None


def write_spot(entry: Entry, method: str, spot: Spot) -> None:
    """Keep the apex a method found beside the frames it was found in.

    Raises:
        UsageError: when the cache cannot be written.
    """
    stated = {"index": spot.index, "source": spot.source, "note": spot.note, "version": VERSION}
    write_json(_spot_file(entry, method), stated)


def sweep(cache: Path) -> None:
    """Remove what killed processes left half written more than an hour ago."""
    now = time.time()
    for folder in (cache / "prepared").glob("*/.*"):
        try:
            parts = [folder, *folder.iterdir()] if folder.is_dir() else [folder]
            if now - max(part.stat().st_mtime for part in parts) > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            # Another process moved it into place or removed it just now.
            continue


def _spot_file(entry: Entry, method: str) -> Path:
    return entry.folder / f"apex-{method}.json"


def source_of(clip: Clip) -> Any:
    """Return what stands for a clip's pixels in a key: its files as they lie, or a digest."""
    if not isinstance(clip.reader, FrameFiles):
        return pixel_digest(clip.frames())
    files: list[list[Any]] = []
    if isinstance(clip.reader, ClipFile):
        files.append([clip.reader.places.start, clip.reader.places.stop])
    for path in clip.reader.paths:
        try:
            status = path.stat()
        except OSError as error:
            raise DatasetError(
                f"{path}: frame of {clip.key} cannot be read ({error.strerror})"
            ) from error
        files.append([path.name, status.st_size, status.st_mtime_ns])
    return files
