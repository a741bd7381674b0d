"""The pictures of a panel: every different clip once, as a sheet of frames."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mebench.preprocess.crop import to_gray
from mebench.protocol.data import ProtocolData
from mebench.rating.model import Item
from mebench.rating.reals import RealClips
from mebench.report.site_media import write_sheet
from mebench.scoring import frames_digest
from mebench.spec import digest
from mebench.submission.case import is_gray
from mebench.submission.placing import place_output
from mebench.submission.validate import Submission
from mebench.types import Frames, Pair, Task

PANES = ("template", "driving", "generated")
_What = tuple[str, str | None, str | None]
"""Pair, method, and which real clip."""
_MOST_PIXELS = 64 << 20
"""Of a sheet: a browser holds it unpacked, four bytes a pixel."""


def shown_by(plan: Mapping[str, Iterable[Item]]) -> list[_What]:
    """Return every different thing that any rater sees."""
    found = {(item.pair, item.method, item.real): None for row in plan.values() for item in row}
    return list(found)


class Sheets:
    """Every different sheet once, to be copied under another name for each item."""

    def __init__(
        self,
        pool: Path,
        data: ProtocolData,
        entrants: Mapping[str, Submission],
        reals: RealClips,
        side: int | None,
        cache: Path,
        task: Task,
    ) -> None:
        self.data, self.entrants, self.reals, self.task = data, entrants, reals, task
        self.cache = cache
        shown = {max(data.canvas(name).image.shape[:2]) for name in data.templates}
        largest = max({data.protocol.size} | shown)
        self.pool, self.most = pool, min(side or largest, largest)
        self.made: dict[_What, dict[str, Any]] = {}
        self.written: dict[str, dict[str, Any]] = {}
        self.pairs = {pair.key: pair for pair in data.pairs}

    def fill(self, plan: Mapping[str, Iterable[Item]]) -> None:
        """Write all sheets that a panel needs, method by method."""
        for shown in sorted(shown_by(plan), key=lambda one: (one[1] or "", one[0])):
            key, method, real = shown
            pair = self.pairs[key]
            clips = self._clips(pair, method, real)
            length = len(clips["driving"])
            driving = self.data.driving[pair.driving]
            apex = driving.apex_index
            self.made[shown] = {
                "fps": driving.fps,
                "frames": length,
                "apex": apex if apex is not None and apex < length else None,
                "sheets": {name: self._sheet(clip) for name, clip in clips.items()},
            }
            self.task.advance(note=key)

    def _clips(self, pair: Pair, method: str | None, real: str | None) -> dict[str, Frames]:
        """Return what stands side by side, all in the view of one method's output."""
        clip = self.data.driving[pair.driving]
        drawn = self._view_for_real(pair) if method is None else self.entrants[method]
        generated = drawn.frames(pair)
        placed = place_output(drawn, pair, generated, self.data, self.cache)
        driving = placed.brought(np.asarray(clip.frames), clip.landmarks)
        template = placed.face.image
        if method is None:
            face, frames = self.reals.clip(pair, real)
            template = placed.brought(face.image[None], face.landmarks)[0]
            generated = placed.brought(frames, face.landmarks)
            if is_gray(placed.face.image):
                template, generated = to_gray(template), to_gray(generated)
        length = min(len(driving), len(generated))
        if method is None:
            # A real clip has a length of its own: both go on until the longer one ends.
            length = max(len(driving), len(generated))
            driving, generated = _held(driving, length), _held(generated, length)
        return dict(zip(PANES, (template[None], driving[:length], generated[:length]), strict=True))

    def _view_for_real(self, pair: Pair) -> Submission:
        """Return the entrant in whose view a real clip is shown, so that its size tells nothing."""
        names = sorted(self.entrants)
        return self.entrants[names[int(digest(pair.key), 16) % len(names)]]

    def _sheet(self, clip: Frames) -> dict[str, Any]:
        place = f"{frames_digest(clip)[:24]}.webp"
        if place not in self.written:
            # Lossless: a lossy sheet's errors are larger than a micro-expression.
            side = min(self.most, math.isqrt(_MOST_PIXELS // len(clip)), max(clip.shape[1:3]))
            made = write_sheet(self.pool / place, clip, "", self.pool, side=side, lossless=True)
            self.written[place] = {
                "file": place,
                "frames": made.frames,
                "columns": made.columns,
                "side": made.side,
            }
        return self.written[place]


def _held(clip: Frames, length: int) -> Frames:
    """Return a clip that stands still on its last frame until `length`."""
    return np.concatenate([clip, np.repeat(clip[-1:], length - len(clip), axis=0)])
