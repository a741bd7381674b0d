"""Learns what the tracker gets wrong, from rehearsals: real faces under fields that are known.

Optical flow shrinks small motion and smears it. How, depends on where skin has texture and on what
faces do, so it can be learnt: the clip's face is moved by known fields, half of them the measured
motion of other training clips, the tracker follows its points, and ridge regression says how to
come from what it found to what was true. The map is linear and takes no motion to no motion.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mebench import spec
from mebench.methods.fomm.config import FommConfig, PointsConfig
from mebench.methods.fomm.dense_flow import face_depth, few_changes, gray_frames
from mebench.methods.fomm.fields import carried, laid_on, random_field, scaled_to, warp
from mebench.methods.fomm.kept import Arrays, kept
from mebench.methods.fomm.material import Material
from mebench.methods.fomm.points import mirror, pick
from mebench.methods.fomm.tracks import Tracks, follow, local_affine, measure_gray
from mebench.preprocess.canonical import eye_distance
from mebench.types import Points

if TYPE_CHECKING:
    from mebench.methods.fomm.exact import ExactPairs

Array = NDArray[np.float32]
Double = NDArray[np.float64]

_HEAD = 0.006
"""Shift of the head, and its turn per depth: standard deviation, eye distances."""
_SHADE, _FLICKER = 0.03, 0.003
"""Darkening of folds and change of the light: standard deviation, relative."""
_NOISE_LEFT = 0.35
"""Share of a clip's noise that is left after the tracker's averages over time."""
_PEAK = (0.004, 0.022)
"""Least and most peak motion, eye distances."""
_BORROWED = 0.5
_LENDERS = 6
_RIDGE = 1.0
_GRADIENT = 0.1
"""Weight of Jacobians against displacements in eye distances."""
_STILL = 1e-4


class Lender(NamedTuple):
    """Measured motion of a clip, and the face it was measured on."""

    landmarks: Points
    fields: NDArray[np.float16]


class Rehearsals(NamedTuple):
    """Known motion of a face's points, and what the tracker made of it.

    Shapes: found and true (N, 6K): displacements in eye distances, then weighted Jacobians less
    the identity.
    """

    found: Array
    true: Array


def lenders_of(materials: Sequence[Material], index: int) -> list[Lender]:
    """Return the clips whose motion is rehearsed on clip `index`, spread over the others."""
    others = [m for i, m in enumerate(materials) if i != index and len(m.fields)]
    step = max(1, len(others) // _LENDERS)
    chosen = others[index % step :: step][:_LENDERS]
    return [Lender(m.landmarks, m.fields) for m in chosen]


def rehearse(
    job: tuple[Material, list[Lender]], config: FommConfig, cache: Path | None = None
) -> Rehearsals:
    """Move a clip's mean face by known fields and follow its points as in a real clip.

    The head moves a little too, folds darken, the light changes, and there is as much noise as the
    tracker's averages leave in a real clip.
    """
    material, lenders = job
    settings = [_digest(material, lenders), spec.digest(config.points), config.train.rehearsals]
    name = f"rehearsed-{spec.digest(settings)[:32]}.npz"
    stored = kept(None if cache is None else cache / name, lambda: _run(material, lenders, config))
    return Rehearsals(stored["found"], stored["true"])


def from_pairs(pairs: ExactPairs, config: PointsConfig) -> Rehearsals:
    """Return what the tracker found in exact pairs, beside the template's true motion.

    The two faces differ, so displacements are compared in eye distances.
    """
    found, true = [], []
    for index in range(len(pairs)):
        pair = pairs[index]
        iod = np.float32(eye_distance(pair.landmarks))
        start = pick(pair.landmarks, config.point_set)
        flow = np.asarray(pair.flow, np.float32)[None]
        whole = np.ones(flow.shape[1:3], np.float32)
        _, jacobians = local_affine(flow, whole, start, config.radius * float(iod))
        found.append(features(pair.motion[None], pair.jacobians[None]))
        true.append(features(pair.true_motion[None], jacobians))
    return Rehearsals(np.concatenate(found), np.concatenate(true))


def features(motion: Array, jacobians: Array) -> Array:
    """Return displacements (N, K, 2), eye distances, and Jacobians (N, K, 2, 2) as (N, 6K)."""
    change = np.float32(_GRADIENT) * (jacobians - np.eye(2, dtype=np.float32))
    rows = [part.reshape(len(part), -1) for part in (motion, change)]
    return np.concatenate(rows, axis=1).astype(np.float32)


def unpacked(row: Array) -> tuple[Array, Array]:
    """Return the displacements (..., K, 2) and Jacobians (..., K, 2, 2) of rows (..., 6K)."""
    count = row.shape[-1] // 6
    motion = row[..., : 2 * count].reshape(*row.shape[:-1], count, 2)
    change = row[..., 2 * count :].reshape(*row.shape[:-1], count, 2, 2)
    return motion, (change / np.float32(_GRADIENT) + np.eye(2)).astype(np.float32)


def fit_correction(rehearsals: Sequence[Rehearsals], config: PointsConfig) -> Array:
    """Return C (6K, 6K) such that found + found @ C is nearest to true, by ridge regression.

    Every rehearsal counts alike, whatever its size, and once more in a mirror.
    """
    found = np.concatenate([r.found for r in rehearsals]).astype(np.float64)
    true = np.concatenate([r.true for r in rehearsals]).astype(np.float64)
    partner = mirror(config.point_set)
    found = np.concatenate([found, _mirrored(found, partner)])
    true = np.concatenate([true, _mirrored(true, partner)])
    count = 2 * len(partner)
    weight = 1 / (np.linalg.norm(true[:, :count], axis=1, keepdims=True) + _STILL)
    found, true = found * weight, true * weight
    normal = found.T @ found + _RIDGE * np.eye(found.shape[1])
    return np.asarray(np.linalg.solve(normal, found.T @ (true - found)), np.float32)


def corrected(tracks: Tracks, correction: Array) -> Tracks:
    """Return tracks as the rehearsals say they truly were; unchanged by a correction of zeros."""
    if not correction.any():
        return tracks
    found = features(tracks.motion / np.float32(tracks.eye_distance), tracks.jacobians)
    motion, jacobians = unpacked(found + found @ correction)
    motion = (motion * np.float32(tracks.eye_distance)).astype(np.float32)
    return replace(tracks, motion=motion, jacobians=jacobians)


def _run(material: Material, lenders: list[Lender], config: FommConfig) -> Arrays:
    count, size = config.train.rehearsals, material.frames.shape[1]
    rng = np.random.default_rng(int(_digest(material, lenders)[:12], 16))
    iod = eye_distance(material.landmarks)
    start = material.tracks.start
    fields = np.zeros((count + 1, size, size, 2), np.float32)
    heads, light = np.zeros_like(fields), np.ones((count + 1, size, size), np.float32)
    depth = face_depth(material.landmarks, size, size).astype(np.float32)
    for index in range(1, count + 1):
        peak = float(np.exp(rng.uniform(*np.log(_PEAK)))) * iod
        fields[index] = scaled_to(_field(material, lenders, size, rng), peak)
        shift, turn = rng.normal(0, _HEAD, (2, 2)).astype(np.float32) * np.float32(iod)
        heads[index] = shift + turn * depth[..., None]
        shade = random_field(material.landmarks, size, rng)[..., 0]
        fold = shade / max(1e-3, float(np.abs(shade).max()))
        light[index] = np.exp(rng.normal(0, _SHADE) * fold + rng.normal(0, _FLICKER))
    gray = gray_frames(material.frames)
    noise = _NOISE_LEFT * float((gray - few_changes(gray, config.points.rank or 4)).std())
    face = torch.from_numpy(gray.mean(axis=0)).expand(count + 1, 1, -1, -1)
    moved = warp(face, torch.from_numpy(fields + heads))[:, 0].numpy() * light
    moved = moved + rng.normal(0, noise, moved.shape).astype(np.float32)
    alone = config.points.model_copy(update={"smooth_ms": 0.0, "rank": 0})
    motion = measure_gray(moved, 1.0, material.landmarks, alone)
    tracks = follow(motion, start, material.landmarks, alone)
    true = [carried(start, field) for field in fields[1:]]
    return {
        "found": features(tracks.motion[1:] / np.float32(iod), tracks.jacobians[1:]),
        "true": features(
            np.stack([at - start for at, _ in true]).astype(np.float32) / np.float32(iod),
            np.stack([jacobian for _, jacobian in true]),
        ),
    }


def _field(material: Material, lenders: list[Lender], size: int, rng: np.random.Generator) -> Array:
    if not lenders or rng.random() >= _BORROWED:
        return random_field(material.landmarks, size, rng)
    lender = lenders[int(rng.integers(len(lenders)))]
    measured = lender.fields[int(rng.integers(len(lender.fields)))].astype(np.float32)
    sign = np.float32(rng.choice([-1.0, 1.0]))
    return sign * laid_on(measured, lender.landmarks, material.landmarks, size)


def _mirrored(rows: Double, partner: NDArray[np.intp]) -> Double:
    count, sign = len(partner), np.array([-1.0, 1.0])
    motion = rows[:, : 2 * count].reshape(-1, count, 2)[:, partner] * sign
    change = rows[:, 2 * count :].reshape(-1, count, 2, 2)[:, partner]
    change = change * (sign[:, None] * sign)
    return np.concatenate([motion.reshape(len(rows), -1), change.reshape(len(rows), -1)], axis=1)


def _digest(material: Material, lenders: list[Lender]) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(material.landmarks).tobytes())
    digest.update(np.ascontiguousarray(material.frames).tobytes())
    for lender in lenders:
        digest.update(np.ascontiguousarray(lender.landmarks).tobytes())
        digest.update(np.ascontiguousarray(lender.fields).tobytes())
    return digest.hexdigest()
