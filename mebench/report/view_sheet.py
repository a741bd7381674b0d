"""How outputs lie on their templates, for a person to look at: one row an output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from mebench.report.sheets import contact_sheet, difference
from mebench.types import Image, Points

_SIDE = 224
_DOT = (60, 255, 90)
COLUMNS = ("template in this view", "frame 0", "landmarks carried over", "difference, 3 times")


@dataclass(frozen=True)
class Lying:
    """One output: the template in its view, its frame 0, and the landmarks carried over."""

    template: Image
    frame: Image
    landmarks: Points


def view_sheet(outputs: Sequence[Lying]) -> Image:
    """Return a sheet of one row an output.

    Where the fit is right, the dots lie on brows, eyes, nose, mouth and chin of frame 0, and the
    difference is flat.
    """
    rows = [
        [
            one.template,
            one.frame,
            _dotted(one.frame, one.landmarks),
            difference(one.frame, one.template, 3.0),
        ]
        for one in outputs
    ]
    return contact_sheet(rows, COLUMNS, _SIDE)


def _dotted(frame: Image, points: Points) -> Image:
    factor = max(1, round(2 * _SIDE / max(frame.shape[:2])))
    height, width = frame.shape[:2]
    large = Pillow.fromarray(np.ascontiguousarray(frame)).resize(
        (width * factor, height * factor), Pillow.Resampling.BICUBIC
    )
    draw = ImageDraw.Draw(large)
    radius = max(1.0, max(large.size) / 200)
    for x, y in (np.asarray(points, np.float64) + 0.5) * factor:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_DOT)
    return np.asarray(large)
