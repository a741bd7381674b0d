"""A strip for papers: frames from onset over apex to offset, and what changed since the onset."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mebench.errors import UsageError
from mebench.report.figure import DPI, WIDTH, drawing, label
from mebench.report.sheets import difference
from mebench.types import Frames, Image

_NAMES, _HEAD, _FOOT = 0.92, 0.36, 0.24
"""Room for names, headings and the stamp, inches."""
_SPACE, _LINE = 0.1, 0.02
"""Between frames and differences, and between pictures."""
_LETTERS = 15


def moments(frames: int, apex: int, columns: int) -> list[int]:
    """Return the indices of `columns` frames: onset, apex and offset, the others between them.

    >>> moments(41, 10, 5)
    [0, 5, 10, 25, 40]

    Raises:
        UsageError: for fewer than three columns, or more than there are frames.
    """
    if not 3 <= columns <= frames:
        raise UsageError(f"expected 3 to {frames} frames of this clip in a strip, got {columns}")
    last = frames - 1
    peak = min(max(apex, 1), last - 1)
    before = columns // 2
    rise = np.linspace(0, peak, before + 1)
    fall = np.linspace(peak, last, columns - before)
    return [round(place) for place in (*rise, *fall[1:])]


def plot_strip(
    path: Path,
    rows: Mapping[str, Frames],
    *,
    apex: int,
    fps: float,
    columns: int = 5,
    gain: float = 5.0,
    stamp: str = "",
    width: float = WIDTH,
    dpi: int = DPI,
) -> None:
    """Draw a row for each clip: its frames, and their signed differences from its first.

    Args:
        path: a pdf, svg or png.
        rows: clips by name, the driving clip first.
        apex: index of the strongest frame.
        fps: frames per second.
        columns: frames a clip.
        gain: by which differences are multiplied around mid grey.
        stamp: printed below, such as that the figure must not be passed on.
        width: inches.
        dpi: pixels an inch of a PNG.

    Raises:
        UsageError: for a number of columns that does not fit the clip.
    """
    chosen = moments(min(len(frames) for frames in rows.values()), apex, columns)
    cell = (width - _NAMES - _SPACE) / (2 * columns - 1)
    foot = _FOOT if stamp else 0.0
    height = _HEAD + cell * len(rows) + foot
    with drawing(path, width=width, height=height, dpi=dpi, arrange=False) as figure:

        def show(image: Image, column: int, line: int) -> None:
            left = _NAMES + column * cell + (_SPACE if column >= columns else 0.0)
            bottom = height - _HEAD - (line + 1) * cell
            side = cell - _LINE
            place = (left / width, bottom / height, side / width, side / height)
            axes = figure.add_axes(place, frame_on=False)
            axes.set_axis_off()
            axes.imshow(image, aspect="equal")

        def write(text: str, x: float, y: float, **how: Any) -> None:
            figure.text(x / width, y / height, text, **{"ha": "center", "fontsize": 7, **how})

        for line, (name, frames) in enumerate(rows.items()):
            middle = height - _HEAD - (line + 0.5) * cell
            write("\n".join(_folded(name)), _NAMES - 0.06, middle, ha="right", va="center")
            for column, index in enumerate(chosen):
                show(frames[index], column, line)
            for column, index in enumerate(chosen[1:], start=columns):
                show(difference(frames[index], frames[0], gain), column, line)
        for column, title in enumerate(_titles(chosen, fps)):
            write(title, _NAMES + (column + 0.5) * cell, height - _HEAD + 0.04, va="bottom")
        right = _NAMES + _SPACE + (columns + (columns - 1) / 2) * cell
        change = f"change since the onset, {gain:g} times"
        write(change, right, height - _HEAD + 0.04, va="bottom")
        if stamp:
            write(stamp, width / 2, 0.07, color="#b00020", fontsize=8)


def _titles(chosen: Sequence[int], fps: float) -> list[str]:
    """Return a heading for each frame: its name where it has one, and its time."""
    names = {chosen[-1]: "offset", chosen[len(chosen) // 2]: "apex", 0: "onset"}
    return [f"{names.get(index, '')}\n{1000.0 * index / fps:.0f} ms".strip() for index in chosen]


def _folded(name: str) -> list[str]:
    lines = textwrap.wrap(label(name, 60), _LETTERS)
    return lines[:3] if len(lines) <= 3 else [*lines[:2], "…"]
