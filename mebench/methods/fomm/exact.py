"""Cross-identity pairs whose right answer is known to the pixel, made of people nobody else draws.

One synthetic person makes an expression before a recording camera; it is tracked as any driving
clip is. Another person is the template, and SynthME draws what that face looks like making the same
expression, with the flow that takes it there. So what a tracker misses and what a warp cannot make
can both be learned, and measured, apart from each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from mebench.environment import code_digest
from mebench.errors import UsageError
from mebench.io.files import atomic_folder, write_json
from mebench.methods.fomm.config import PointsConfig
from mebench.methods.fomm.points import pick
from mebench.methods.fomm.tracks import track
from mebench.preprocess.canonical import eye_distance
from mebench.preprocess.crop import HEAD, align_frames, align_points, alignment, to_gray
from mebench.preprocess.parallel import each
from mebench.spec import digest
from mebench.synthme.expression import EMOTIONS, Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.render import Rendering, render
from mebench.synthme.stage import Camera
from mebench.types import FaceClip, Frames, Progress, SilentProgress

FIRST_PERSON = 2**32
"""Seeds of people start here; those of every export and protocol are smaller."""
FORMAT = "exact-pairs/1"
FRAMES = 4
"""Frames kept of a clip: its strongest, one on the way there, one on the way back, any other."""
CLIPS = 2
"""Clips a person drives, each on a template of its own."""

_STAMP = "exact.json"
_CODE = tuple(f"methods/fomm/{name}.py" for name in ("exact", "tracks", "dense_flow", "points"))
_RAW = 240
"""Rows of a recording whose pairs have 128 pixels."""
_LANDMARK_ERROR = 0.01
"""Standard deviation of the driving landmarks' errors, eye distances."""
_GRAY_SHARE = 0.3
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ExactPair:
    """One frame of a pair; pixels are those of the template's view.

    Attributes:
        template: (S, S, 3) uint8, a frame of a recording, with noise.
        clean: (S, S, 3) uint8, the same without noise.
        answer: (S, S, 3) uint8, the right answer, without noise.
        flow: (S, S, 2) float16, from the template on its own grid to the answer, pixels.
        landmarks: (68, 2) float32 of the template.
        motion: (K, 2) float32, what the tracker found, in eye distances of the driving face.
        jacobians: (K, 2, 2) float32, its local affine part.
        true_motion: (K, 2) float32, where the template's points go, in its eye distances.
        person: who drives; templates are other people.
    """

    template: NDArray[np.uint8]
    clean: NDArray[np.uint8]
    answer: NDArray[np.uint8]
    flow: NDArray[np.float16]
    landmarks: NDArray[np.float32]
    motion: NDArray[np.float32]
    jacobians: NDArray[np.float32]
    true_motion: NDArray[np.float32]
    person: int


def make_pairs(
    out: Path,
    *,
    people: int,
    first: int = 0,
    size: int = 128,
    jobs: int = 1,
    points: PointsConfig | None = None,
    progress: Progress | None = None,
) -> ExactPairs:
    """Write the pairs of so many driving people, or finish what was interrupted; return them.

    People are numbered, beginning with `first`. The same settings give the same bytes, whatever
    `jobs` (worker processes); more people may be added later.

    Raises:
        UsageError: when `out` holds pairs of other settings, or something else.
    """
    points = points or PointsConfig()
    progress = progress or SilentProgress()
    _claim(out, size, points)
    wanted = range(first, first + people)
    waiting = [person for person in wanted if not _folder(out, person).is_dir()]
    with progress.task("exact pairs", total=people, done=people - len(waiting)) as task:
        for person in each(partial(_write, out, size=size, points=points), waiting, jobs):
            task.advance(note=f"person {person}")
    return ExactPairs(out, people, first)


class ExactPairs:
    """Pairs on disk, memory-mapped; picklable. Item ``i`` is a frame of a clip of a person.

    Raises:
        UsageError: when the folder holds fewer people.
    """

    def __init__(self, root: Path, people: int, first: int = 0) -> None:
        self.root, self.people, self.first = root, people, first
        wanted = range(first, first + people)
        missing = next((n for n in wanted if not _folder(root, n).is_dir()), None)
        if missing is not None:
            raise UsageError(f"{root}: person {missing} is missing; make the pairs again")

    def __len__(self) -> int:
        return self.people * CLIPS * FRAMES

    def __getitem__(self, index: int) -> ExactPair:
        if not 0 <= index < len(self):
            raise IndexError(index)
        clip, frame = divmod(index, FRAMES)
        person, clip = divmod(clip, CLIPS)
        person += self.first
        # Opened each time: a mapped file is an open one, and of those a process may have few.
        held = _opened(_folder(self.root, person))
        still = {name: held[name][clip] for name in _STILL}
        moving = {name: held[name][clip, frame] for name in _MOVING}
        return ExactPair(**still, **moving, person=person)


_STILL = ("template", "clean", "landmarks")
_MOVING = ("answer", "flow", "motion", "jacobians", "true_motion")


def _opened(folder: Path) -> Mapping[str, NDArray[Any]]:
    return {
        name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in (*_STILL, *_MOVING)
    }


def _folder(out: Path, person: int) -> Path:
    return out / "people" / f"{person:05d}"


def folder_name(size: int, points: PointsConfig) -> str:
    """Return a name that pairs of other settings, or of another version, do not have."""
    return f"exact-{size}-{digest(_wanted(size, points))[:16]}"


def _wanted(size: int, points: PointsConfig) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "size": size,
        "points": points.model_dump(mode="json"),
        "code": code_digest("synthme", "preprocess", *_CODE),
    }


def _claim(out: Path, size: int, points: PointsConfig) -> None:
    wanted = _wanted(size, points)
    stamp = out / _STAMP
    if stamp.is_file():
        try:
            found = json.loads(stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if found != wanted:
            raise UsageError(
                f"{out}: holds pairs of other settings or another version; choose another folder"
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: is not empty and holds no exact pairs; choose another folder")
    write_json(stamp, wanted)


def _write(out: Path, person: int, size: int, points: PointsConfig) -> int:
    cv2.setNumThreads(1)
    clips = [_clip(person, number, size, points) for number in range(CLIPS)]
    with atomic_folder(_folder(out, person)) as folder:
        for name in (*_STILL, *_MOVING):
            np.save(folder / f"{name}.npy", np.stack([clip[name] for clip in clips]))
    return person


def _clip(person: int, number: int, size: int, points: PointsConfig) -> Arrays:
    """Return the arrays of one driving clip on one template."""
    rng = np.random.default_rng([FIRST_PERSON, person, number])
    driver = Identity.from_seed(FIRST_PERSON + (CLIPS + 1) * person)
    face = Identity.from_seed(FIRST_PERSON + (CLIPS + 1) * person + 1 + number)
    emotion = str(rng.choice(EMOTIONS))
    act = Expression.sample(rng, emotion, float(rng.choice([100.0, 200.0])))
    act = act.scaled(float(rng.uniform(0.7, 1.6)))
    seed = int(rng.integers(2**31))
    clip = recorded(driver, act, seed, size, rng)
    view = Camera(size, size, HEAD.share * size, (size - 1) / 2, HEAD.height * size - 0.5)
    grain = Nuisance(**{**vars(Nuisance.none()), "noise": float(rng.uniform(0.3, 1.5))})
    still = replace(act.neutral(), n_frames=1)
    right = render(face, act, Nuisance.default().only_eyes(), seed=seed, camera=view)
    noisy = render(face, still, grain, seed=seed + 1, camera=view, with_flow=False)
    kept = _chosen(right, rng)
    found = track(clip, points)
    gray = rng.random() < _GRAY_SHARE

    def shown(frames: Frames) -> Frames:
        return to_gray(frames) if gray else frames

    flow = right.flow[kept]
    places = pick(right.landmarks[0], points.point_set)
    return {
        "template": shown(noisy.frames[0]),
        "clean": shown(right.frames[0]),
        "answer": shown(right.frames[kept]),
        "flow": flow.astype(np.float16),
        "landmarks": right.landmarks[0],
        "motion": found.motion[kept] / np.float32(found.eye_distance),
        "jacobians": found.jacobians[kept],
        "true_motion": flow_at(flow, places) / np.float32(eye_distance(right.landmarks[0])),
    }


def recorded(
    person: Identity, act: Expression, seed: int, size: int, rng: np.random.Generator
) -> FaceClip:
    """Return a driving clip as preparation would hand it on: compressed, aligned, at times grey."""
    rows = round(_RAW * size / 128)
    view = Camera.fit((rows, rows * 4 // 3), zoom=float(rng.uniform(0.9, 1.2)))
    made = render(person, act, Nuisance.default(), seed=seed, camera=view, with_flow=False)
    frames = to_gray(made.frames) if rng.random() < _GRAY_SHARE else made.frames
    frames = _compressed(frames, int(rng.integers(60, 100)))
    iod = eye_distance(made.landmarks[0])
    marks = made.landmarks[0] + rng.normal(0, _LANDMARK_ERROR * iod, (68, 2))
    matrix = alignment(marks.astype(np.float32), size)
    return FaceClip(
        key="exact",
        subject="exact",
        frames=align_frames(frames, matrix, size),
        landmarks=align_points(marks, matrix),
        fps=act.fps,
    )


def _compressed(frames: Frames, quality: int) -> Frames:
    """Return frames as JPEG of a quality gives them back."""
    how = [cv2.IMWRITE_JPEG_QUALITY, quality]
    codes = (cv2.imencode(".jpg", frame[..., ::-1], how)[1] for frame in frames)
    decoded = (np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8) for code in codes)
    return np.stack([frame[..., ::-1] for frame in decoded])


def _chosen(right: Rendering, rng: np.random.Generator) -> list[int]:
    """Return `FRAMES` frames of a clip by how much its face has moved."""
    size = np.sqrt((right.flow**2).sum(axis=-1)).reshape(len(right.flow), -1).max(axis=1)
    top, last = int(size.argmax()), len(size) - 1
    back = top + round(0.4 * (last - top))
    return [top, round(0.6 * top), back, int(rng.integers(1, last + 1))]


def flow_at(flow: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return flow (F, S, S, 2) at points (K, 2), linear between pixels: (F, K, 2)."""
    where = points[:, ::-1].T
    read = [
        [map_coordinates(one[..., k], where, order=1, mode="nearest") for k in range(2)]
        for one in flow
    ]
    return np.asarray(read, np.float32).transpose(0, 2, 1)
