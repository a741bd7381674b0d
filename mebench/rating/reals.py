"""Real clips to plant among generated ones: the right answer, or a clip that does the same."""

from __future__ import annotations

from collections import Counter

import numpy as np

from mebench.facs.codes import numbers
from mebench.protocol.data import ProtocolData
from mebench.types import Face, FaceClip, Frames, Pair

TRUTH = "truth"


class RealClips:
    """Finds a real clip for a pair.

    Where the right answer is rendered it is that. Else it is a driving clip of another person, of
    the same frame rate if there is one and with the most similar action units, shown with its own
    first frame as the template; never the driving clip itself, beside its own copy. Among those
    alike it is one that fewest pairs have got so far, then the nearest in length.
    """

    def __init__(self, data: ProtocolData) -> None:
        self.data = data
        self._names: dict[str, str | None] = {}
        self._uses: Counter[str] = Counter()

    def name(self, pair: Pair) -> str | None:
        """Return ``truth``, the key of the real clip, or None where there is none."""
        if pair.key not in self._names:
            self._names[pair.key] = self._find(pair)
        return self._names[pair.key]

    def _find(self, pair: Pair) -> str | None:
        if self.data.protocol.reference == TRUTH and self.data.reference(pair) is not None:
            return TRUTH
        found = self._alike(pair)
        if found is None:
            return None
        self._uses[found.key] += 1
        return found.key

    def clip(self, pair: Pair, name: str | None) -> tuple[Face, Frames]:
        """Return template and frames of the real clip `name` for a pair, both aligned."""
        if name == TRUTH:
            right = self.data.reference(pair)
            if right is not None:
                return self.data.templates[pair.template], np.asarray(right.frames)
        clip = next(one for one in self.data.driving.values() if one.key == name)
        frames = np.asarray(clip.frames)
        return Face(frames[0], clip.landmarks), frames

    def _alike(self, pair: Pair) -> FaceClip | None:
        own = self.data.driving[pair.driving]
        wanted = numbers(own.action_units)
        others = [clip for clip in self.data.driving.values() if clip.subject != own.subject]
        return min(
            others,
            key=lambda clip: (
                clip.fps != own.fps,
                -_overlap(wanted, numbers(clip.action_units)),
                self._uses[clip.key],
                abs(len(clip.frames) - len(own.frames)),
                clip.key,
            ),
            default=None,
        )


def _overlap(a: frozenset[int], b: frozenset[int]) -> float:
    """Return the Jaccard index of two sets of action units."""
    return len(a & b) / len(a | b) if a | b else 0.0
