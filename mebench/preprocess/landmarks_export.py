"""Landmarks of a data set as files that `GivenLandmarks` reads: found once, used anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mebench.errors import DatasetError
from mebench.io.files import atomic_path, write_json
from mebench.preprocess.cache import entry_key
from mebench.preprocess.landmarks_base import Landmarker, stack
from mebench.preprocess.parallel import Backend, each
from mebench.preprocess.prepared import Failure
from mebench.types import Clip, Image, Progress, SilentProgress

Which = Literal["first", "all"]


def export_landmarks(
    clips: Sequence[Clip],
    landmarker: Landmarker,
    out: Path,
    *,
    frames: Which = "first",
    jobs: int = 1,
    backend: Backend = "loky",
    progress: Progress | None = None,
) -> tuple[int, list[str], list[Failure]]:
    """Write ``<key>.npy`` of every clip, and ``<key>.json`` that says how it was found.

    A file holds (68, 3) or, with "all" `frames`, (T, 68, 3): x, y and the confidence, which is the
    same for all points of a frame. Files that are there already from the same clip, finder and
    frames stay. A clip without landmarks gets no file.

    Returns:
        How many were written now, the remarks, and the clips left out with the reason.

    Raises:
        UsageError: when `out` cannot be written.
    """
    work = partial(_export, landmarker=landmarker, out=out, frames=frames)
    written, notes, failures = 0, [], []
    with (progress or SilentProgress()).task("landmarks", total=len(clips)) as task:
        for clip, done in zip(clips, each(work, clips, jobs, backend), strict=True):
            if isinstance(done, Failure):
                failures.append(done)
            else:
                fresh, told = done
                written += fresh
                notes += told
            task.advance(1, clip.key)
    return written, notes, failures


def _export(
    clip: Clip, *, landmarker: Landmarker, out: Path, frames: Which
) -> tuple[bool, list[str]] | Failure:
    table, told = out / f"{clip.key}.npy", out / f"{clip.key}.json"
    try:
        finder = landmarker.digest(clip.key)
        made_from = entry_key(clip, landmarks=f"{finder}:{frames}", size=0, colour="rgb")
        before = _read(told)
        if table.is_file() and before.get("made_from") == made_from:
            return False, [str(note) for note in before.get("notes", [])]
        notes: list[str] = []
        pictures = _pictures(clip)
        if frames == "all":
            points, sure = landmarker.track(clip.key, pictures, notes)
        else:
            points, sure = stack([landmarker.find(clip.key, next(pictures), notes)])
    except DatasetError as error:
        return Failure(clip.key, str(error))
    column = np.broadcast_to(sure[:, None, None], (*points.shape[:2], 1))
    values = np.concatenate([points, column], axis=2).astype(np.float32)
    with atomic_path(table) as temporary, temporary.open("wb") as handle:
        np.save(handle, values if frames == "all" else values[0])
    stated = {
        "clip": clip.key,
        "landmarks": landmarker.name,
        "finder": finder,
        "frames": len(values),
        "confidence": float(sure.min()),
        "made_from": made_from,
        "notes": notes,
    }
    write_json(told, stated)
    return True, notes


def _pictures(clip: Clip) -> Iterator[Image]:
    """Yield frame after frame, decoded one by one where the reader can."""
    stream = getattr(clip.reader, "stream", None)
    return iter(clip.frames() if stream is None else stream())


def _read(path: Path) -> dict[str, Any]:
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stated if isinstance(stated, dict) else {}
