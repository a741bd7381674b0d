"""The ladders as a page of small figures."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image as Pillow

from mebench.calibration.ladders import LADDERS
from mebench.calibration.reading import Feeling
from mebench.io.figures import new_figure

_NORMAL_95 = 1.96
_COLOURS = 64
_UNITS = {ladder.name: ladder.unit for ladder in LADDERS}


def ladder_figure(found: Sequence[Feeling]) -> bytes:
    """Return a PNG with a row a ladder and a column a value.

    Blue where the value is there to feel the ladder, grey elsewhere; the band is 1.96 standard
    errors over clips. Values of one column share their axis.
    """
    keys = list(dict.fromkeys(one.key for one in found))
    ladders = list(dict.fromkeys(one.ladder for one in found))
    cells = {(one.ladder, one.key): one for one in found}
    figure = new_figure(1.75 * len(keys), 1.35 * len(ladders))
    grid = figure.subplots(len(ladders), len(keys), sharey="col", squeeze=False)
    for row, ladder in enumerate(ladders):
        for column, key in enumerate(keys):
            axes = grid[row][column]
            axes.tick_params(labelsize=6)
            if row == 0:
                axes.set_title(key, fontsize=8)
            if column == 0:
                axes.set_ylabel(ladder, fontsize=8)
            one = cells.get((ladder, key))
            if one is None:
                continue
            colour = "C0" if one.owed else "0.55"
            band = _NORMAL_95 * one.spread
            low, high = one.curve - band, one.curve + band
            axes.fill_between(one.levels, low, high, color=colour, alpha=0.25)
            axes.plot(one.levels, one.curve, color=colour, linewidth=1.3, marker=".", markersize=3)
            axes.set_xlabel(_UNITS[ladder], fontsize=6)
    drawn, out = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=100)
    # Few colours: a quarter of the bytes, and no line that says which version drew it.
    Pillow.open(drawn).convert("RGB").quantize(_COLOURS).save(out, format="PNG", optimize=True)
    return out.getvalue()
