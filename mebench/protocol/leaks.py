"""Leaks: what a method could know of the clips it is judged on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.types import FaceClip

_SIDE = 24
_ALIKE = 0.995
"""Correlation of two clips' pictures above which they show the same recording."""


def leaks(train: Sequence[FaceClip], test: Iterable[FaceClip]) -> list[str]:
    """Return a line for each way in which the training clips know the test clips.

    A subject on both sides, or a training clip that shows the recording of a test clip under
    another name: a copy that was compressed, cut or renamed.
    """
    tested = list(test)
    found = []
    for subject in sorted({c.subject for c in train} & {c.subject for c in tested}):
        found.append(f"subject {subject} is in the training clips and in the driving clips")
    if not train or not tested:
        return found
    ours = np.stack([look(clip) for clip in train])
    theirs = np.stack([look(clip) for clip in tested])
    alike = ours @ theirs.T
    for row, column in zip(*np.nonzero(alike >= _ALIKE), strict=True):
        if train[row].subject != tested[column].subject:
            found.append(
                f"training clip {train[row].key} shows what driving clip {tested[column].key} "
                f"shows (correlation {alike[row, column]:.4f})"
            )
    return found


def look(clip: FaceClip) -> NDArray[np.float32]:
    """Return what a clip looks like as one vector of length 1: its first and its middle frame.

    Grey, 24 x 24 pixels, light and contrast taken out, so that compression, size and colour do
    not hide a copy.
    """
    import cv2

    parts = []
    for index in (0, len(clip.frames) // 2):
        gray = np.asarray(clip.frames[index], np.float32).mean(-1)
        small: NDArray[Any] = cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        parts.append(((small - small.mean()) / max(1e-6, float(small.std()))).ravel())
    vector = np.concatenate(parts)
    return np.asarray(vector / max(1e-6, float(np.linalg.norm(vector))), np.float32)
