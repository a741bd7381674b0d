"""What a recording adds: head motion, blinks, gaze, flicker, noise, compression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Nuisance:
    """Strengths; 0 is off, 1 is what a quiet laboratory recording shows.

    Attributes:
        drift: slow head motion, about .7 % IOD and .2 degrees over a clip.
        tremor: fast head motion, about .06 % IOD.
        blink: chance of a blink, 1 for about one clip in eight; 8 or more for every clip.
        gaze: eye movements.
        flicker: changes of the light, about .4 %.
        noise: sensor noise, about 1.3 grey levels.
        jpeg: compression inside `render`, quality 96 - 8 x strength; exports do their own.
        motion_blur: share of the neighbour frames that an exposure sees, 10 % at 1.
    """

    drift: float = 1.0
    tremor: float = 1.0
    blink: float = 1.0
    gaze: float = 1.0
    flicker: float = 1.0
    noise: float = 1.0
    jpeg: float = 0.0
    motion_blur: float = 1.0

    @classmethod
    def none(cls) -> Nuisance:
        """Return a perfect recording."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    @classmethod
    def default(cls) -> Nuisance:
        """Return a quiet laboratory recording."""
        return cls()

    def only_eyes(self) -> Nuisance:
        """Return blinks and gaze alone; with the same seed they are those of the full recording."""
        return replace(Nuisance.none(), blink=self.blink, gaze=self.gaze)

    def scaled(self, factor: float) -> Nuisance:
        """Return the same recording with every strength times `factor`."""
        return replace(self, **{k: v * factor for k, v in vars(self).items()})


@dataclass(frozen=True)
class Wander:
    """The nuisance of one clip over time, all zero at frame 0.

    Attributes:
        head: (T, 6) shift x, shift y (IOD), roll (rad), growth, yaw, pitch (IOD per IOD of depth).
        lids: (T,) 0 open .. 1 closed.
        gaze: (T, 2) shift of both irises in IOD.
        gain: (T,) light relative to frame 0, minus 1.
    """

    head: Array
    lids: Array
    gaze: Array
    gain: Array


def wander(nuisance: Nuisance, n: int, fps: float, rng: np.random.Generator) -> Wander:
    """Draw the nuisance of one clip of `n` frames."""
    t = np.arange(n) / fps
    head = np.zeros((n, 6))
    slow = nuisance.drift * np.array([0.007, 0.006, 0.003, 0.0025, 0.006, 0.006])
    fast = nuisance.tremor * np.array([0.0005, 0.0005, 0.0002, 0.0001, 0.0003, 0.0003])
    for k in range(6):
        head[:, k] = slow[k] * _walk(rng, t, 0.2, 1.6) + fast[k] * _walk(rng, t, 6.0, 14.0)
    lids = np.zeros(n)
    if rng.random() < 0.12 * nuisance.blink and n * 1.0 / fps > 0.12:
        start = rng.uniform(0.05, max(0.06, t[-1] - 0.12))
        u = (t - start) / 0.26
        lids = np.where((u > 0) & (u < 1), np.sin(np.pi * np.clip(u, 0, 1) ** 0.75) ** 1.6, 0.0)
        lids[0] = 0.0
    gaze = np.zeros((n, 2))
    if nuisance.gaze > 0:
        when, size = rng.uniform(0, max(t[-1], 1e-3)), rng.normal(0, 0.005, 2) * nuisance.gaze
        jump = 1 / (1 + np.exp(-np.clip((t - when) / 0.008, -60, 60)))
        gaze = np.where(jump > 0.002, jump, 0.0)[:, None] * size
        gaze[0] = 0.0
        gaze = np.where(jump[:, None] > 0.998, size, gaze)
        gaze[0] = 0.0
    gain = nuisance.flicker * (0.003 * _walk(rng, t, 0.3, 2.0) + 0.0015 * _walk(rng, t, 20.0, 48.0))
    return Wander(head, lids, gaze, gain)


def _walk(rng: np.random.Generator, t: Array, low: float, high: float) -> Array:
    """Return smooth noise of about unit size between two frequencies in Hz, 0 at t = 0."""
    out = np.zeros_like(t)
    for _ in range(4):
        rate, phase = rng.uniform(low, high), rng.uniform(0, 2 * np.pi)
        out += rng.normal(0, 0.5) * (np.sin(2 * np.pi * rate * t + phase) - np.sin(phase))
    return out
