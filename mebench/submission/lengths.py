"""Where an output with a few frames too many or too few lies against its driving clip.

No landmarks are needed, so an entry in any crop can be placed: what is compared is when its pixels
move, not where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mebench.types import Frames

MOST = 8
"""Frames more or fewer that may be a shift; beyond them it is another length."""
DRIVING_SHARE = 0.7
"""Central part of an aligned driving frame that is looked at: about the face crop of a team."""
_SIDE, _CELL = 128, 8
_SIGMA = 3.0
_SHORTEST = 16
_CLEAR = 0.02
_ALIKE = 0.5
_FASTER = 0.015

Curves = NDArray[np.float64]


class Offset(NamedTuple):
    """How an output lies against its driving clip.

    Attributes:
        offset: frame of the output that shows the driving clip's first frame.
        correlation: of both motions there, 0..1.
        runner_up: of the best offset that is no neighbour of it; 0 where there is none.
        stretched: of both motions with the output brought to the driving clip's length instead.
    """

    offset: int
    correlation: float
    runner_up: float
    stretched: float = 0.0

    @property
    def clear(self) -> bool:
        """Whether the place can be told: the motions are alike there, and less so elsewhere."""
        return self.correlation >= _ALIKE and self.correlation - self.runner_up >= _CLEAR

    @property
    def other_speed(self) -> bool:
        """Whether the output rather moves at another speed than at a shift."""
        return self.stretched >= max(_ALIKE, self.correlation + _FASTER)


class Choice(NamedTuple):
    """The frames of an output that are taken, and what is told about it."""

    indices: NDArray[np.int64]
    note: str
    resampled: bool = False


def choose_frames(
    got: int,
    wanted: int,
    *,
    tolerance: int,
    resample: bool,
    place: Callable[[range], Offset | None],
) -> Choice | str:
    """Return the frames to take of `got` for a driving clip of `wanted`, or why none fit.

    `place` finds the best of some offsets, or None where the driving clip is not at hand.
    """
    every = np.arange(got)
    more = got - wanted
    if more == 0:
        return Choice(every, "")
    told = f"{abs(more)} frame{'s' * (abs(more) > 1)} {'more' if more > 0 else 'fewer'} than"
    told += " the driving clip"
    if resample and abs(more) > tolerance:
        indices = np.linspace(0, got - 1, wanted).round().astype(np.int64)
        return Choice(indices, f"{told}: nearest {wanted} of {got} frames taken", True)
    # Half as many frames again are another speed, whatever fits best.
    may_be_shift = abs(more) <= min(MOST, wanted // 4)
    if more < 0:
        if -more <= tolerance:
            return Choice(every, f"{told}: within the protocol's tolerance, kept as they are")
        found = place(range(more, 1)) if may_be_shift else None
        return told + _lack(found, more)
    if not may_be_shift:
        if more <= tolerance:
            return Choice(every, f"{told}: within the protocol's tolerance, kept as they are")
        return told
    found = place(range(more + 1))
    first = found.offset if found is not None and found.clear else 0
    where = f"{_excess(found, more)}; frames {first} to {first + wanted - 1} taken"
    if found is not None and found.other_speed:
        # Of true shifts of short clips one in ten looks so too: a hint, no reason to refuse.
        where += "; another speed would fit better, for which there is --resample"
    return Choice(every[first : first + wanted], f"{told}: {where}")


def _excess(found: Offset | None, more: int) -> str:
    one = more == 1
    if found is None or not found.clear:
        left = "the last one is" if one else "the last ones are"
        return f"could not tell where, so {left} left out"
    first = found.offset
    they = "it is" if one else "they are"
    if first == more:
        return f"{they} before its onset"
    return f"{they} after its end" if first == 0 else f"{first} before its onset, the others after"


def _lack(found: Offset | None, more: int) -> str:
    if found is None or not found.clear:
        return ""
    if found.offset == more:
        return ", its first ones"
    return ", its last ones" if found.offset == 0 else ", at both ends"


def motion_curves(frames: Frames, share: float = 1.0) -> Curves:
    """Return how the pixels of a clip moved since frame 0, by cells of a grid.

    The motion of the whole picture (shift, turn, size) is removed: a method may leave out what the
    driving head does.

    Shapes: frames (T, H, W, 3); result (T, K), where K depends on H / W.
    Units: pixels of the clip shrunk to 128 on its longer side.
    """
    grey = [_shrunk(frame, share) for frame in frames]
    height, width = grey[0].shape
    size = (max(2, width // _CELL), max(2, height // _CELL))
    detail = cv2.resize(
        np.abs(cv2.Laplacian(grey[0], cv2.CV_32F)), size, None, 0, 0, cv2.INTER_AREA
    )
    weight = np.repeat(np.clip(detail / max(float(np.median(detail)), 1e-3), 0.1, 3.0), 2)
    basis = _rigid(*size)
    curves = []
    for image in grey:
        flow = cv2.calcOpticalFlowFarneback(
            grey[0], image, np.zeros((height, width, 2), np.float32), 0.5, 3, 15, 3, 7, 1.5, 0
        )
        cells = cv2.resize(flow, size, None, 0, 0, cv2.INTER_AREA).astype(np.float64).ravel()
        curves.append(_without(basis, cells, weight) * np.sqrt(weight))
    return np.stack(curves)


def best_offset(
    generated: Curves, driving: Curves, offsets: Iterable[int] = range(-MOST, MOST + 1)
) -> Offset:
    """Return the offset at which two clips move most alike.

    Both are compared by which frames move like which others inside the same clip (linear centred
    kernel alignment of smoothed velocities), so their columns need not mean the same. Also tells
    how alike they are with the output stretched to the driving clip's length.

    Shapes: generated (T, K), driving (T2, K2).
    Range: correlations 0..1, higher is better.
    Source: Kornblith et al., ICML 2019, equation 4 (the alignment of two kernels).

    >>> driving = np.cumsum(np.random.default_rng(0).normal(size=(60, 3)), axis=0)
    >>> best_offset(driving, driving[5:]).offset
    5
    """
    ours, theirs = _velocity(generated), _velocity(driving)
    scores = {}
    for offset in offsets:
        first, last = max(0, -offset), min(len(theirs), len(ours) - offset)
        if last - first >= _SHORTEST:
            scores[offset] = _alignment(ours[first + offset : last + offset], theirs[first:last])
    if not scores:
        return Offset(0, 0.0, 0.0)
    best = max(scores, key=lambda offset: (scores[offset], -abs(offset)))
    # One frame beside the best is nearly as good on every clip and says nothing.
    rivals = [score for offset, score in scores.items() if abs(offset - best) > 1]
    if not rivals:
        rivals = [score for offset, score in scores.items() if offset != best]
    whole = _alignment(_velocity(_stretched(generated, len(driving))), theirs)
    return Offset(best, scores[best], max(rivals, default=0.0), whole)


def _velocity(curves: Curves) -> Curves:
    smooth = gaussian_filter1d(np.asarray(curves, np.float64), _SIGMA, axis=0)
    return np.asarray(np.gradient(smooth, axis=0), np.float64)


def _stretched(curves: Curves, length: int) -> Curves:
    at = np.linspace(0.0, len(curves) - 1.0, length)
    low = np.minimum(at.astype(int), len(curves) - 2)
    part = (at - low)[:, None]
    return np.asarray(curves[low] * (1 - part) + curves[low + 1] * part, np.float64)


def _alignment(one: Curves, other: Curves) -> float:
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    ours, theirs = one @ one.T, other @ other.T
    norm = float(np.sqrt((ours**2).sum() * (theirs**2).sum()))
    return float((ours * theirs).sum()) / norm if norm > 0 else 0.0


def _shrunk(frame: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    top, left = int(height * (1 - share) / 2), int(width * (1 - share) / 2)
    grey = cv2.cvtColor(
        np.ascontiguousarray(frame[top : height - top, left : width - left]), cv2.COLOR_RGB2GRAY
    )
    scale = _SIDE / max(grey.shape)
    size = (max(16, round(grey.shape[1] * scale)), max(16, round(grey.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, size, None, 0, 0, how), np.uint8)


def _rigid(columns: int, rows: int) -> Curves:
    """Return the motions of shift, size and turn on a grid, (2 * cells, 4)."""
    y, x = (axis.ravel() / max(rows, columns) for axis in np.mgrid[:rows, :columns])
    x, y = x - x.mean(), y - y.mean()
    one, none = np.ones_like(x), np.zeros_like(x)
    pairs = ((one, none), (none, one), (x, y), (-y, x))
    return np.stack([np.stack(pair, axis=1).ravel() for pair in pairs], axis=1)


def _without(basis: Curves, cells: Curves, weight: Curves) -> Curves:
    """Return the motion of cells less the rigid part of most of them (Cauchy weights)."""
    rest, trust = cells, weight
    for _ in range(4):
        root = np.sqrt(trust)
        part = np.linalg.lstsq(basis * root[:, None], cells * root, rcond=None)[0]
        rest = cells - basis @ part
        length = np.repeat(np.hypot(rest[::2], rest[1::2]), 2)
        trust = weight / (1.0 + (length / (1.5 * float(np.median(length)) + 1e-6)) ** 2)
    return rest
