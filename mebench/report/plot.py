"""Figures made of numbers, drawn without a display."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mebench.io.figures import new_figure

Curves = Mapping[str, NDArray[np.floating]]


def curve_figure(driving: Curves, generated: Curves, fps: float, most: int = 4) -> bytes:
    """Return a PNG of the strongest AU curves: driving as a thick grey line, generated in colour.

    Units: curves in % of the inter-ocular distance (IOD); time in ms.
    """
    ranked = sorted(driving, key=lambda name: -float(np.abs(driving[name]).max(initial=0.0)))
    figure = new_figure(6.4, 2.4)
    axes = figure.add_subplot()
    for number, name in enumerate(ranked[:most]):
        times = np.arange(len(driving[name])) * 1000.0 / fps
        axes.plot(times, driving[name], color=f"C{number}", alpha=0.35, linewidth=4)
        if name in generated:
            times = np.arange(len(generated[name])) * 1000.0 / fps
            axes.plot(times, generated[name], color=f"C{number}", linewidth=1.4, label=name)
    axes.set_xlabel("ms from onset", fontsize=8)
    axes.set_ylabel("% IOD", fontsize=8)
    axes.tick_params(labelsize=8)
    if ranked:
        axes.legend(fontsize=7, ncols=most, frameon=False, loc="lower right", bbox_to_anchor=(1, 1))
    out = io.BytesIO()
    # No software line in the file: the same numbers give the same bytes.
    figure.savefig(out, format="png", dpi=110, metadata={"Software": None})
    return out.getvalue()
