"""What metrics look at for one output: its own pixels, and all else brought to its view."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mebench.metrics.base import Case, OwnView
from mebench.preprocess.crop import to_gray
from mebench.protocol.data import ProtocolData
from mebench.submission.placing import Placed
from mebench.types import Frames, Image, Pair, Reference
from mebench.views.view import Moved, aligned_to, seen_in


def case_of(
    frames: Frames, pair: Pair, data: ProtocolData, placed: Placed, maker: str = ""
) -> Case:
    """Return the case of an output; what lies beyond the shorter of both clips is cut."""
    driving = data.driving[pair.driving]
    length = min(len(frames), len(driving.frames))
    reference = _cut(data.answer(pair, placed.view), length)
    own = None
    if not placed.view.aligned:
        picture, template = data.picture(pair.template), data.templates[pair.template]
        matrix = aligned_to(placed.view, picture)
        aligned = _cut(data.reference(pair), length)
        if is_gray(frames[0]) and reference is not None:
            reference = replace(reference, frames=to_gray(np.asarray(reference.frames)))
        own = OwnView(
            seen=seen_in(placed.view, picture),
            unit=1.0 / math.sqrt(abs(float(np.linalg.det(matrix[:, :2])))),
            aligned=Moved(frames[:length], matrix, template.image),
            reference=None if aligned is None else aligned.frames,
        )
    return Case(
        pair=pair,
        generated=frames[:length],
        template=placed.face,
        driving=replace(driving, frames=driving.frames[:length]),
        reference=reference,
        labels=driving.action_units,
        method=maker,
        own_view=own,
    )


def _cut(reference: Reference | None, length: int) -> Reference | None:
    if reference is None or len(reference.frames) == length:
        return reference
    return Reference(
        frames=reference.frames[:length],
        flow=None if reference.flow is None else reference.flow[:length],
        landmarks=None if reference.landmarks is None else reference.landmarks[:length],
        au_curves=None if reference.au_curves is None else reference.au_curves[:length],
        au_names=reference.au_names,
    )


def is_gray(image: Image) -> bool:
    """Return whether an image has no colour."""
    return bool((image == image[..., :1]).all())
