"""Learns what the tracker gets wrong, where it is known how points truly moved.

Optical flow shrinks small motion and smears it. How, depends on where skin has texture and on what
faces do. Two terms say how to come from what was found to what is true: a linear one, and one that
knows single directions of motion, each of which pulls what is found near it. Far from all that it
knows only the linear term is left. No motion stays no motion, and twice the motion is corrected
twice as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from mebench.methods.fomm.config import PointsConfig
from mebench.methods.fomm.points import mirror
from mebench.methods.fomm.tracks import Tracks

Array = NDArray[np.float32]
Double = NDArray[np.float64]

_GRADIENT = 0.1
"""Weight of Jacobians against displacements in eye distances."""
_STILL = 1e-4
_FOLDS = 5
_RIDGE, _PULL_RIDGE = 1.0, 0.3
_REACH = 0.8
"""How far a direction of unit length pulls: exp(-distance² / reach)."""
_FAINT = 1e-3
"""Length of a motion below which its direction counts less and less, eye distances."""


class Rehearsals(NamedTuple):
    """Known motion of a face's points, and what the tracker made of it.

    Shapes: found and true (N, 6K): displacements in eye distances, then weighted Jacobians less
    the identity.
    """

    found: Array
    true: Array


class Correction(NamedTuple):
    """How to come from what the tracker found to what is true.

    Attributes:
        linear: (6K, 6K).
        centres: (M, 6K), directions of motion that are known one by one.
        pulls: (M, 6K), what each of them adds to motion of length 1 in its direction.
    """

    linear: Array
    centres: Array
    pulls: Array

    def __call__(self, found: NDArray[np.floating]) -> Array:
        """Return motion as it truly was; shapes: (N, 6K) of `features`."""
        corrected = found + found @ self.linear
        if len(self.centres):
            corrected = corrected + _near(found, self.centres) @ self.pulls
        return np.asarray(corrected, np.float32)


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


def fit_correction(
    rehearsals: Sequence[Rehearsals],
    config: PointsConfig,
    *,
    centres: int = 0,
    noise: float = 0.0,
) -> Correction:
    """Return what brings the found nearest to the true, by ridge regression.

    Every rehearsal counts alike, whatever its size, and once more in a mirror. `centres` (even)
    directions are taken from what was found. What was found is seen under `noise`: the most that
    is put on it, standard deviation, eye distances.
    """
    rng = np.random.default_rng(0)
    found = np.concatenate([r.found for r in rehearsals]).astype(np.float64)
    true = np.concatenate([r.true for r in rehearsals]).astype(np.float64)
    partner = mirror(config.point_set)
    chosen = found[rng.choice(len(found), centres // 2, replace=centres // 2 > len(found))]
    known = _directions(np.concatenate([chosen, _mirrored(chosen, partner)]))
    found = found + rng.normal(0, 1, found.shape) * rng.uniform(0, noise, (len(found), 1))
    found = np.concatenate([found, _mirrored(found, partner)])
    true = np.concatenate([true, _mirrored(true, partner)])
    weight = 1 / (_length(true) + _STILL)
    seen = np.concatenate([found, _near(found, known)], axis=1) * weight
    held = np.repeat([_RIDGE, _PULL_RIDGE], [found.shape[1], len(known)])
    solved = np.linalg.solve(seen.T @ seen + np.diag(held), seen.T @ ((true - found) * weight))
    linear, pulls = np.split(solved.astype(np.float32), [found.shape[1]])
    return Correction(linear, known.astype(np.float32), pulls)


def cross_fitted(
    known: Rehearsals,
    people: int,
    config: PointsConfig,
    *,
    centres: int = 0,
    noise: float = 0.0,
) -> list[Correction]:
    """Return corrections of which the k-th never saw every k-th of so many people.

    Every person has as many rows as any other, one person after the other. A person alone is seen.
    """
    folds = min(_FOLDS, people)
    person = np.arange(len(known.found)) * people // len(known.found)
    found = []
    for fold in range(folds):
        seen = person % folds != fold if folds > 1 else np.ones(len(person), bool)
        rows = Rehearsals(known.found[seen], known.true[seen])
        found.append(fit_correction([rows], config, centres=centres, noise=noise))
    return found


def corrected(tracks: Tracks, correction: Correction) -> Tracks:
    """Return tracks as the rehearsals say they truly were; unchanged by a correction of zeros."""
    if not (correction.linear.any() or correction.pulls.any()):
        return tracks
    found = features(tracks.motion / np.float32(tracks.eye_distance), tracks.jacobians)
    motion, jacobians = unpacked(correction(found))
    motion = (motion * np.float32(tracks.eye_distance)).astype(np.float32)
    return replace(tracks, motion=motion, jacobians=jacobians)


def _near(found: NDArray[np.floating], centres: NDArray[np.floating]) -> Double:
    """Return (N, M): how near motion is to each direction, times its length."""
    apart = cdist(_directions(found), centres, "sqeuclidean")
    near: Double = np.exp(-apart / _REACH) * _length(found)
    return near


def _directions(found: NDArray[np.floating]) -> Double:
    directions: Double = found / (_length(found) + _FAINT)
    return directions


def _length(found: NDArray[np.floating]) -> Double:
    """Return (N, 1), the length of the displacements of all points together, eye distances."""
    displacements = found[:, : found.shape[1] // 3].astype(np.float64)
    length: Double = np.linalg.norm(displacements, axis=1, keepdims=True)
    return length


def _mirrored(rows: Double, partner: NDArray[np.intp]) -> Double:
    count, sign = len(partner), np.array([-1.0, 1.0])
    motion = rows[:, : 2 * count].reshape(-1, count, 2)[:, partner] * sign
    change = rows[:, 2 * count :].reshape(-1, count, 2, 2)[:, partner]
    change = change * (sign[:, None] * sign)
    flat = (motion.reshape(-1, 2 * count), change.reshape(-1, 4 * count))
    return np.concatenate(flat, axis=1)
