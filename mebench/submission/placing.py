"""Lays each output on its template, once, before anything is measured on it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from mebench.environment import code_digest
from mebench.errors import SubmissionError
from mebench.io.files import write_json
from mebench.preprocess.canonical import eye_distance
from mebench.protocol.data import ProtocolData
from mebench.spec import digest
from mebench.submission.guard import guarded_fit
from mebench.submission.text import plain
from mebench.submission.validate import Submission
from mebench.submission.work import FitOrder
from mebench.types import Face, Frames, Image, Pair, Points
from mebench.views.beside import beside
from mebench.views.fit import Fit, fit_from
from mebench.views.judge import BETTER, DOUBTFUL, TOLD, refusal, remarks, view_of
from mebench.views.moved import MOVED, moved_already
from mebench.views.target import Target, target_of
from mebench.views.view import ALIGNED, View, face_in

_RIVALS = 12
"""At most so many other templates are tried where an output fits its own badly."""
_SMALL = 35
"""Eye distance in pixels; see docs/submission.md for what is measured at which."""


@dataclass(frozen=True)
class Placed:
    """An output laid on its template.

    Attributes:
        view: where it lies.
        face: the template in that view: what the output's frame 0 should look like.
        wrong: why it is refused, or an empty string.
        remarks: what is unusual about it.
    """

    view: View
    face: Face
    wrong: str = ""
    remarks: tuple[str, ...] = ()

    def brought(self, frames: Frames, landmarks: Points) -> Frames:
        """Return another aligned clip, landmarks those of its frame 0, as it is shown beside."""
        return frames if self.view.aligned else beside(frames, landmarks, self.face)


def place_output(
    submission: Submission, pair: Pair, frames: Frames, data: ProtocolData, cache: Path
) -> Placed:
    """Return where an output lies on its template, from the cache where it was met before.

    Raises:
        SubmissionError: when frame 0 does not show the template, and for what breaks a limit.
    """
    placed = lie_of(submission, pair, frames, data, cache)
    for why in misplaced(submission, pair, placed):
        raise SubmissionError(why)
    return placed


def misplaced(submission: Submission, pair: Pair, placed: Placed) -> list[str]:
    """Return why an output is refused, in one line that names it, or nothing."""
    if not placed.wrong:
        return []
    return [plain(f"{submission.path.name}/frames/{pair.key}: {placed.wrong}", 500)]


def lie_of(
    submission: Submission, pair: Pair, frames: Frames, data: ProtocolData, cache: Path
) -> Placed:
    """Return where an output lies, however badly.

    Raises:
        SubmissionError: when the fit breaks a limit.
    """
    side = data.protocol.size
    if submission.manifest.view == ALIGNED and frames.shape[1:3] != (side, side):
        raise SubmissionError(
            f"{submission.path.name}/frames/{pair.key}: the manifest says view 'aligned', whose "
            f"frames are {side}x{side}, but they are {frames.shape[2]}x{frames.shape[1]}; leave "
            "'view' out, and it is found"
        )
    work = _Work(submission, pair, np.asarray(frames[0]), data, cache)
    found = work.fit(pair.template)
    view = view_of(found, (frames.shape[1], frames.shape[2]))
    face = data.templates[pair.template]
    if not view.aligned:
        gray = bool((frames[0] == frames[0][..., :1]).all())
        face = face_in(view, data.picture(pair.template), gray=gray)
    declared = submission.manifest.view is not None
    wrong = "" if declared else refusal(found, view, pair.template, work.better(found))
    if wrong:
        return Placed(view, face, wrong)
    told = [] if declared else remarks(view)
    apart = eye_distance(face.landmarks)
    if not view.aligned and apart < _SMALL:
        told.append(
            f"its eyes are {apart:.0f} px apart; below {_SMALL} px motion is measured too small"
        )
    moved = work.moved(face) if view.correlation >= TOLD else 0.0
    if moved > MOVED:
        told.append(f"frame 0 seems to have moved already, by {moved:.1%} of the eye distance")
    return Placed(view, face, "", tuple(f"output {pair.key}: {line}" for line in told))


@dataclass(frozen=True)
class _Work:
    """Fits of one output's frame 0, each kept by the pixels of frame and template."""

    submission: Submission
    pair: Pair
    frame: Image
    data: ProtocolData
    cache: Path

    def fit(self, template: str) -> Fit:
        target = _target(self.data, template)
        declared = self.submission.manifest.view
        order = FitOrder(
            path=os.path.abspath(self.submission.path),
            key=self.pair.key,
            frame=self.frame,
            target=target,
            only=declared,
        )
        make = partial(guarded_fit, order) if self.submission.guarded else order.run
        place = self._place("fits", target.digest, declared)
        try:
            return fit_from(json.loads(place.read_text(encoding="ascii")))
        except (OSError, ValueError, KeyError, TypeError):
            found = make()
        write_json(place, {**asdict(found), "to_picture": found.to_picture.tolist()})
        return found

    def better(self, own: Fit) -> tuple[str, float] | None:
        """Return the template that fits best, and how well, where that is not the output's own."""
        if own.correlation >= DOUBTFUL:
            return None
        found = [(self.fit(other).correlation, other) for other in self._rivals()]
        best = max(found, default=(0.0, ""))
        return (best[1], best[0]) if best[0] > own.correlation + BETTER else None

    def _rivals(self) -> Iterator[str]:
        others = [name for name in self.data.templates if name != self.pair.template]
        yield from others[:_RIVALS]

    def moved(self, face: Face) -> float:
        marks = hashlib.sha256(np.ascontiguousarray(face.image).tobytes()).hexdigest()
        place = self._place("moved", marks, face.landmarks.tolist())
        try:
            return float(json.loads(place.read_text(encoding="ascii"))["moved"])
        except (OSError, ValueError, KeyError, TypeError):
            found = moved_already(self.frame, face)
        write_json(place, {"moved": found})
        return found

    def _place(self, kind: str, *basis: object) -> Path:
        pixels = hashlib.sha256(f"{self.frame.shape}".encode() + self.frame.tobytes()).hexdigest()
        name = digest([pixels, *basis, code_digest("views", "preprocess")])
        return self.cache / "views" / kind / name[:2] / f"{name}.json"


def _target(data: ProtocolData, template: str) -> Target:
    face = data.templates[template]
    pixels = hashlib.sha256(np.ascontiguousarray(face.image).tobytes()).hexdigest()
    return _targets(data.protocol.digest, data.index_digest, template, pixels)(data)


@lru_cache(maxsize=64)
def _targets(*key: str) -> _Once:
    return _Once(key[2])


class _Once:
    """Makes a template's target when it is first asked for: every driving clip meets it again."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._found: Target | None = None

    def __call__(self, data: ProtocolData) -> Target:
        if self._found is None:
            self._found = target_of(data.picture(self._template), data.protocol.size)
        return self._found
