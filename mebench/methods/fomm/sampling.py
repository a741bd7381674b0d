"""Training pairs: two frames of one clip, or a face moved by a field that is known exactly.

A micro-expression changes few pixels by less than one pixel, so a pair of real frames teaches
little about motion. Most pairs are therefore one real frame and the same frame under a smooth
field: the measured motion of a clip, made stronger, or random movements of face regions. Their
tracks and their flow are exact. A batch is a function of (seed, step) alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mebench import spec
from mebench.io.files import atomic_path
from mebench.methods.fomm.config import FommConfig, SamplingConfig
from mebench.methods.fomm.dense_flow import face_depth, face_window
from mebench.methods.fomm.points import MIRROR_68, Positions, eye_distance, mirror, pick
from mebench.methods.fomm.tracks import Motion, Tracks, follow, measure, track
from mebench.types import FaceClip, Points

Array = NDArray[np.float32]

_HEAD = 0.008
"""Shift of the head, and its turn per depth, in the trials: standard deviation, eye distances."""
_SHADE, _FLICKER = 0.04, 0.004
"""Darkening of folds and change of the light in the trials: standard deviation, relative."""


@dataclass(frozen=True)
class Material:
    """One clip made ready for drawing, at the network's size.

    Attributes:
        frames: (T, S, S, 3) uint8.
        landmarks: (68, 2) float32, pixels.
        tracks: the clip's points.
        strength: (T,) float32, 0..1, motion of a frame against the clip's strongest.
        fields: (M, S/2, S/2, 2) float16, measured motion of the strongest frames, pixels of S.
        trials: known fields on frame 0 with what the tracker made of them.
        gray: the recording has no colour.
    """

    frames: NDArray[np.uint8]
    landmarks: Points
    tracks: Tracks
    strength: Array
    fields: NDArray[np.float16]
    trials: Trials
    gray: bool


class Trials(NamedTuple):
    """Frame 0 moved by known fields, and its points as the tracker found them.

    Shapes: fields (N, S/2, S/2, 2) float16, backward; motion (N, K, 2); jacobians (N, K, 2, 2).
    """

    fields: NDArray[np.float16]
    motion: Array
    jacobians: Array

    @classmethod
    def none(cls) -> Trials:
        """Return no trials."""
        motion = np.zeros((0, 1, 2), np.float32)
        return cls(np.zeros((0, 1, 1, 2), np.float16), motion, motion[..., None])


@dataclass(frozen=True)
class Batch:
    """What one training step sees; points in pixels, flow on the driving frame's grid.

    Attributes:
        template: (B, 3, S, S) float32, 0..1.
        driving: (B, 3, S, S) float32, 0..1.
        template_points: (B, K, 2) float32.
        driving_points: (B, K, 2) float32.
        driving_jacobians: (B, K, 2, 2) float32, of template to driving.
        flow: (B, S, S, 2) float32, pixels from a driving pixel to its place in the template.
        flow_known: (B,) bool.
    """

    template: Tensor
    driving: Tensor
    template_points: Tensor
    driving_points: Tensor
    driving_jacobians: Tensor
    flow: Tensor
    flow_known: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        moved = {name: getattr(self, name).to(device) for name in self.__dataclass_fields__}
        return replace(self, **moved)


def prepare(clip: FaceClip, config: FommConfig, cache: Path | None = None) -> Material:
    """Return a clip ready for drawing: resized, tracked, its strongest motion kept.

    Tracks are read from the folder `cache` where they lie there already, else written to it.

    Shapes: clip.frames (T, H, W, 3) of any size; see `Material`.
    """
    clip = _thinned(resized(clip, config.model.size), config.train.sampling.frames_per_clip)
    if config.points.tracking == "none" or config.model.prior == "none":
        fixed = track(clip, config.points.model_copy(update={"tracking": "none"}))
        nothing = np.zeros((0, 1, 1, 2), np.float16)
        known = _Followed(fixed, _image_change(clip), nothing, Trials.none())
    else:
        known = _followed(clip, config, cache)
    strength = (known.strength / max(1e-6, float(known.strength.max()))).astype(np.float32)
    frames = np.ascontiguousarray(clip.frames)
    gray = clip.colour == "gray"
    return Material(
        frames, clip.landmarks, known.tracks, strength, known.fields, known.trials, gray
    )


def _thinned(clip: FaceClip, most: int) -> FaceClip:
    """Keep evenly spread frames: neighbours in time teach the same."""
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
    trials: Trials


def _followed(clip: FaceClip, config: FommConfig, cache: Path | None) -> _Followed:
    sampling = config.train.sampling
    wanted = sampling.fields_per_clip
    path = None
    if cache is not None:
        settings = {
            "points": config.points.model_dump(mode="json"),
            "fields": wanted,
            "trials": [sampling.trials_per_clip, *sampling.amplitude_end],
        }
        name = hashlib.sha256(f"{clip_digest(clip)} {spec.digest(settings)}".encode())
        path = cache / f"{name.hexdigest()[:32]}.npz"
        if path.is_file():
            with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile):
                return _load_followed(path)
    motion = measure(clip, config.points)
    start = pick(clip.landmarks, config.points.point_set)
    tracks = follow(motion, start, clip, config.points)
    strength = np.sqrt((tracks.motion**2).sum(-1).mean(-1)).astype(np.float32)
    fields = _strongest(motion, strength, clip.landmarks, wanted)
    known = _Followed(tracks, strength, fields, run_trials(clip, config))
    if path is not None:
        with atomic_path(path) as temporary, temporary.open("wb") as handle:
            np.savez(
                handle,
                start=tracks.start,
                motion=tracks.motion,
                jacobians=tracks.jacobians,
                eye_distance=tracks.eye_distance,
                head=tracks.head,
                strength=known.strength,
                fields=known.fields,
                trial_fields=known.trials.fields,
                trial_motion=known.trials.motion,
                trial_jacobians=known.trials.jacobians,
            )
    return known


def _load_followed(path: Path) -> _Followed:
    with np.load(path, allow_pickle=False) as stored:
        tracks = Tracks(
            stored["start"],
            stored["motion"],
            stored["jacobians"],
            stored["head"],
            float(stored["eye_distance"]),
        )
        trials = Trials(stored["trial_fields"], stored["trial_motion"], stored["trial_jacobians"])
        return _Followed(tracks, stored["strength"], stored["fields"], trials)


def run_trials(clip: FaceClip, config: FommConfig) -> Trials:
    """Move frame 0 by known fields, let the tracker follow its points, and keep both.

    The network then learns from points that are wrong as real tracks are wrong: the head moves a
    little too, folds darken, the light changes, and there is fresh noise, as strong as the clip's
    own after the tracker's average over time.
    """
    sampling = config.train.sampling
    count, size = sampling.trials_per_clip, clip.frames.shape[1]
    if count == 0:
        return Trials.none()
    rng = np.random.default_rng(int(clip_digest(clip)[:12], 16))
    iod = eye_distance(clip.landmarks)
    low, high = np.log(sampling.amplitude_end)
    fields = np.zeros((count + 1, size, size, 2), np.float32)
    heads, light = np.zeros_like(fields), np.ones((count + 1, size, size, 1), np.float32)
    depth = face_depth(clip.landmarks, size, size).astype(np.float32)
    for index in range(1, count + 1):
        field = random_field(clip.landmarks, size, rng)
        fields[index] = _scaled(field, float(np.exp(rng.uniform(low, high))) * iod)
        shift, turn = rng.normal(0, _HEAD, (2, 2)).astype(np.float32) * np.float32(iod)
        heads[index] = shift + turn * depth[..., None]
        shade = random_field(clip.landmarks, size, rng)[..., :1]
        fold = shade / max(1e-3, float(np.abs(shade).max()))
        light[index] = np.exp(rng.normal(0, _SHADE) * fold + rng.normal(0, _FLICKER))
    first = _tensor(np.asarray(clip.frames[0]))[None].expand(count + 1, -1, -1, -1)
    moved = warp(first, torch.from_numpy(fields + heads)).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    moved = moved * light
    change = np.asarray(clip.frames[1], np.float32) - np.asarray(clip.frames[0], np.float32)
    noise = float(np.median(np.abs(change))) / (0.954 * 2) if len(clip.frames) > 1 else 0.0
    moved = moved * 255 + rng.normal(0, 1, moved.shape) * noise
    frames = np.clip(moved.round(), 0, 255).astype(np.uint8)
    seen = replace(clip, frames=frames)
    points = config.points.model_copy(update={"smooth_ms": 0.0})
    tracks = track(seen, points)
    half = [cv2.resize(field, (size // 2,) * 2, interpolation=cv2.INTER_AREA) for field in fields]
    return Trials(np.stack(half[1:]).astype(np.float16), tracks.motion[1:], tracks.jacobians[1:])


def clip_digest(clip: FaceClip) -> str:
    """Return a digest of what a clip's tracks depend on, from a few of its frames."""
    digest = hashlib.sha256(f"{clip.key} {clip.frames.shape} {clip.fps}".encode())
    digest.update(np.ascontiguousarray(clip.landmarks, dtype=np.float32).tobytes())
    for index in range(0, len(clip.frames), max(1, len(clip.frames) // 8)):
        digest.update(np.ascontiguousarray(clip.frames[index]).tobytes())
    return digest.hexdigest()


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


def draw(
    materials: Sequence[Material], config: FommConfig, seed: int, step: int, total: int
) -> Batch:
    """Return the batch of a step of `total`; the same for the same arguments."""
    rng = np.random.default_rng([seed, step])
    progress = step / max(1.0, total * config.train.sampling.curriculum)
    rows = [
        _draw_one(materials, config, rng, min(1.0, progress)) for _ in range(config.train.batch)
    ]
    columns = {
        name: torch.stack([getattr(row, name) for row in rows])
        for name in Batch.__dataclass_fields__
    }
    return Batch(**columns)


def _draw_one(
    materials: Sequence[Material], config: FommConfig, rng: np.random.Generator, progress: float
) -> Batch:
    sampling = config.train.sampling
    index = int(rng.integers(len(materials)))
    item = materials[index]
    if rng.random() < sampling.synthetic and config.points.tracking == "flow":
        other = materials[int(rng.integers(len(materials)))]
        row = _synthetic(item, other, config, rng, progress)
    else:
        row = _real(item, config, rng)
    if rng.random() < sampling.flip:
        row = flip(row, mirror(config.points.point_set))
    return _jitter(row, item.gray, sampling, rng)


def _real(item: Material, config: FommConfig, rng: np.random.Generator) -> Batch:
    """Two different frames of a clip; apex-heavy draws prefer a still and a strong frame."""
    n = len(item.frames)
    even = np.full(n, 1.0 / n)
    focus = config.train.sampling.apex_focus
    strong = item.strength.astype(np.float64) ** 2 + 1e-3
    weak = (1.0 - item.strength.astype(np.float64)) ** 2 + 1e-3
    a = int(rng.choice(n, p=(1 - focus) * even + focus * weak / weak.sum()))
    chance = (1 - focus) * even + focus * strong / strong.sum()
    if n > 1:
        chance[a] = 0.0
    b = int(rng.choice(n, p=chance / chance.sum()))
    tracks = item.tracks
    # The frames show the head's motion too, so the points of a real pair must have it.
    moved = tracks.start + tracks.motion + tracks.head
    relative = tracks.jacobians[b] @ _inverse(tracks.jacobians[a])
    size = item.frames.shape[1]
    return Batch(
        template=_tensor(item.frames[a]),
        driving=_tensor(item.frames[b]),
        template_points=torch.from_numpy(moved[a]),
        driving_points=torch.from_numpy(moved[b]),
        driving_jacobians=torch.from_numpy(relative),
        flow=torch.zeros(size, size, 2),
        flow_known=torch.tensor(False),
    )


def _synthetic(
    item: Material, other: Material, config: FommConfig, rng: np.random.Generator, progress: float
) -> Batch:
    """A frame and the same frame under a known backward field."""
    sampling = config.train.sampling
    if len(item.trials.fields) and rng.random() < sampling.tracked:
        return _tracked(item, rng)
    size = item.frames.shape[1]
    iod = eye_distance(item.landmarks)
    if len(other.fields) and rng.random() < sampling.measured:
        field = borrowed_field(item, other, rng)
    else:
        field = random_field(item.landmarks, size, rng)
    low = sampling.amplitude_start[0] * (1 - progress) + sampling.amplitude_end[0] * progress
    high = sampling.amplitude_start[1] * (1 - progress) + sampling.amplitude_end[1] * progress
    field = _scaled(field, float(np.exp(rng.uniform(np.log(low), np.log(high)))) * iod)
    frame = item.frames[int(rng.integers(len(item.frames)))]
    template = _tensor(frame)
    backward = torch.from_numpy(field)
    driving = warp(template[None], backward[None])[0].clamp(0, 1)
    start = item.tracks.start
    moved, jacobians = carried(start, field)
    noise = sampling.track_noise * iod
    moved = moved + rng.normal(0, 1, moved.shape).astype(np.float32) * np.float32(noise)
    shaking = rng.normal(0, 1, jacobians.shape).astype(np.float32)
    jacobians = jacobians + shaking * np.float32(sampling.track_noise * 2)
    return Batch(
        template=template,
        driving=driving,
        template_points=torch.from_numpy(start.copy()),
        driving_points=torch.from_numpy(moved),
        driving_jacobians=torch.from_numpy(jacobians),
        flow=backward,
        flow_known=torch.tensor(True),
    )


def _tracked(item: Material, rng: np.random.Generator) -> Batch:
    """Frame 0 under one of its trial fields, the points where the tracker saw them."""
    index = int(rng.integers(len(item.trials.fields)))
    factor = np.float32(rng.uniform(0.7, 1.3))
    size = item.frames.shape[1]
    small = item.trials.fields[index].astype(np.float32)
    field = np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)) * factor
    template = _tensor(item.frames[0])
    backward = torch.from_numpy(field)
    eye = np.eye(2, dtype=np.float32)
    start = item.tracks.start
    return Batch(
        template=template,
        driving=warp(template[None], backward[None])[0].clamp(0, 1),
        template_points=torch.from_numpy(start.copy()),
        driving_points=torch.from_numpy(start + factor * item.trials.motion[index]),
        driving_jacobians=torch.from_numpy(eye + factor * (item.trials.jacobians[index] - eye)),
        flow=backward,
        flow_known=torch.tensor(True),
    )


def _scaled(field: Array, peak: float) -> Array:
    """Return the field with its strongest motion (but for outliers) at `peak` pixels."""
    now = float(np.percentile(np.hypot(field[..., 0], field[..., 1]), 99.5))
    return field * np.float32(peak / max(now, 1e-3))


def warp(images: Tensor, backward: Tensor) -> Tensor:
    """Return images (B, 3, H, W) sampled at each pixel plus `backward` (B, H, W, 2), bicubic."""
    height, width = images.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float32), torch.arange(width, dtype=torch.float32),
        indexing="ij",
    )  # fmt: skip
    grid = torch.stack([x, y], -1) + backward
    grid = grid * 2 / torch.tensor([width - 1, height - 1], dtype=torch.float32) - 1
    return functional.grid_sample(
        images, grid, mode="bicubic", padding_mode="reflection", align_corners=True
    )


def carried(start: Positions, backward: Array) -> tuple[Positions, Array]:
    """Return where points go under a backward field, and the forward Jacobian there.

    A template point s is seen at the driving pixel d with d + backward(d) = s.

    Shapes: start (K, 2); backward (H, W, 2); returns (K, 2) and (K, 2, 2) float32.
    """
    at = start.astype(np.float32).copy()
    for _ in range(6):
        at = (start - _bilinear(backward, at)).astype(np.float32)
    right, below = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    dx = (_bilinear(backward, at + right) - _bilinear(backward, at - right)) / 2
    dy = (_bilinear(backward, at + below) - _bilinear(backward, at - below)) / 2
    towards_template = np.stack([dx, dy], -1) + np.eye(2, dtype=np.float32)
    return at, _inverse(towards_template.astype(np.float32))


def random_field(landmarks: Points, size: int, rng: np.random.Generator) -> Array:
    """Return a smooth field of one to four moving face regions, half of them on both sides.

    Shapes: landmarks (68, 2); returns (size, size, 2), arbitrary units.
    """
    iod = eye_distance(landmarks)
    # The bumps are wide: half the resolution shows them as well.
    half = size // 2
    y, x = np.mgrid[:half, :half].astype(np.float32) * 2 + np.float32(0.5)
    field = np.zeros((half, half, 2), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        index = int(rng.integers(17, 68)) if rng.random() < 0.85 else int(rng.integers(5, 12))
        shift = rng.normal(0, 0.12, 2)
        angle = rng.uniform(0, 2 * np.pi)
        push = rng.uniform(0.3, 1.0) * np.array([np.cos(angle), np.sin(angle)])
        wide, narrow = np.exp(rng.uniform(np.log(0.09), np.log(0.4), 2)) * iod
        turn = rng.uniform(0, np.pi)
        sides = [(index, 1.0)]
        if rng.random() < 0.5 and MIRROR_68[index] != index:
            sides.append((int(MIRROR_68[index]), -1.0))
        for mark, sign in sides:
            cx, cy = landmarks[mark] + np.array([sign, 1.0]) * shift * iod
            dx, dy = (x - np.float32(cx)) * np.float32(sign), y - np.float32(cy)
            along = dx * np.cos(turn) + dy * np.sin(turn)
            across = dy * np.cos(turn) - dx * np.sin(turn)
            bump = np.exp(-0.5 * ((along / wide) ** 2 + (across / narrow) ** 2))
            field += bump[..., None] * (push * (sign, 1.0)).astype(np.float32)
    return np.asarray(cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR))


def borrowed_field(item: Material, other: Material, rng: np.random.Generator) -> Array:
    """Return the measured motion of another clip, laid onto this face by the landmarks.

    Shapes: returns (S, S, 2), a backward field in pixels.
    """
    size = item.frames.shape[1]
    measured = other.fields[int(rng.integers(len(other.fields)))].astype(np.float32)
    coarse = 32
    y, x = (np.mgrid[:coarse, :coarse].astype(np.float32) + 0.5) * (size / coarse) - 0.5
    offset = (other.landmarks - item.landmarks).astype(np.float32)
    sigma = 0.25 * eye_distance(item.landmarks)
    gaps = (x[..., None] - item.landmarks[:, 0]) ** 2 + (y[..., None] - item.landmarks[:, 1]) ** 2
    near = np.exp(-0.5 * gaps / sigma**2)
    shift = (near @ offset) / (near.sum(-1, keepdims=True) + 0.05)
    shift = cv2.resize(shift.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    gy, gx = np.mgrid[:size, :size].astype(np.float32)
    scale = measured.shape[0] / size
    at_x = (gx + shift[..., 0] + 0.5) * scale - 0.5
    at_y = (gy + shift[..., 1] + 0.5) * scale - 0.5
    moved = cv2.remap(measured, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return -np.asarray(moved, np.float32)


def flip(row: Batch, partner: NDArray[np.intp]) -> Batch:
    """Return one pair seen in a mirror, its points re-indexed to their partners."""
    width = row.template.shape[-1]
    index = torch.from_numpy(np.asarray(partner))
    sign = torch.tensor([-1.0, 1.0])

    def points(at: Tensor) -> Tensor:
        return at[index] * sign + torch.tensor([width - 1.0, 0.0])

    return replace(
        row,
        template=row.template.flip(-1),
        driving=row.driving.flip(-1),
        template_points=points(row.template_points),
        driving_points=points(row.driving_points),
        driving_jacobians=row.driving_jacobians[index] * (sign[:, None] * sign[None, :]),
        flow=row.flow.flip(1) * sign,
    )


def _jitter(row: Batch, gray: bool, sampling: SamplingConfig, rng: np.random.Generator) -> Batch:
    """The same change of light and colour for both frames; a grey clip stays grey."""
    amount = sampling.jitter
    light = float(rng.uniform(1 - amount, 1 + amount))
    contrast = float(rng.uniform(1 - amount, 1 + amount))
    gains = rng.uniform(1 - amount / 2, 1 + amount / 2, 3)
    to_gray = bool(rng.random() < sampling.to_gray)
    if amount == 0:
        return row
    tint = torch.ones(3, 1, 1) if gray else torch.tensor(gains, dtype=torch.float32).view(3, 1, 1)
    mean = row.template.mean()

    def change(image: Tensor) -> Tensor:
        if to_gray and not gray:
            mix = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
            image = (image * mix).sum(0, keepdim=True).expand(3, -1, -1)
            return (((image - mean) * contrast + mean) * light).clamp(0, 1)
        return (((image - mean) * contrast + mean) * light * tint).clamp(0, 1)

    return replace(row, template=change(row.template), driving=change(row.driving))


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


def _bilinear(field: Array, at: Positions) -> Array:
    height, width = field.shape[:2]
    x = np.clip(at[:, 0], 0, width - 1.001)
    y = np.clip(at[:, 1], 0, height - 1.001)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    top = field[y0, x0] * (1 - fx) + field[y0, x0 + 1] * fx
    bottom = field[y0 + 1, x0] * (1 - fx) + field[y0 + 1, x0 + 1] * fx
    mixed: Array = (top * (1 - fy) + bottom * fy).astype(np.float32)
    return mixed


def _inverse(matrices: Array) -> Array:
    inverse: Array = np.linalg.inv(matrices.astype(np.float64)).astype(np.float32)
    return inverse


def _tensor(image: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255
