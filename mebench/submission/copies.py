"""Outputs that are copies: exact ones by a digest of pixels, near ones by their difference."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from mebench.types import Frames, Image

NEAR = 0.1
"""A clip is a near copy when its difference is below this share of the template's."""
_GRID = 2


@dataclass(frozen=True)
class Copied:
    """What an output copies.

    Attributes:
        name: the clip that is copied.
        exact: share of the output's frames that are exact copies; 0 for a near copy.
        line: the same in words.
    """

    name: str
    exact: float
    line: str


def find_copies(
    generated: Frames, template: Image, others: dict[str, Frames], where: str
) -> list[Copied]:
    """Return each clip of `others` that `generated` copies, exactly or nearly.

    Frames that equal the template are no copies: a clip may start there.

    Shapes: generated (T, H, W, 3), template (H, W, 3), others (T', H, W, 3).
    """
    still = _digest(template)
    own = [_digest(frame) for frame in generated]
    found = []
    for name, clip in others.items():
        held = {_digest(frame) for frame in clip} - {still}
        exact = sum(digest in held for digest in own)
        if exact:
            line = f"{where}: {exact} of {len(own)} frames are exact copies of the {name}"
            found.append(Copied(name, exact / len(own), line))
        elif (part := share(generated, template, clip)) < NEAR:
            line = (
                f"{where}: near copy of the {name}, {part:.3f} of the template's difference from it"
            )
            found.append(Copied(name, 0.0, line))
    return found


def _digest(frame: Image) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(frame).data).digest()


def share(generated: Frames, template: Image, clip: Frames) -> float:
    """Return the mean difference of two clips as a share of the still template's, on a grid.

    Shapes: generated (T, H, W, 3), template (H, W, 3), clip (T', H, W, 3).
    """
    length = min(len(generated), len(clip))
    theirs = np.asarray(clip[:length, ::_GRID, ::_GRID]).astype(np.int16)
    ours = generated[:length, ::_GRID, ::_GRID].astype(np.int16)
    still = np.abs(template[None, ::_GRID, ::_GRID].astype(np.int16) - theirs).sum(dtype=np.int64)
    return float(np.abs(ours - theirs).sum(dtype=np.int64) / still) if still else 1.0
