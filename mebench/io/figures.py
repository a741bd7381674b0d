"""Figures drawn in memory: no display, and nothing that the environment says about drawing."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BACKEND = "MPLBACKEND"
_LOG = logging.getLogger("mebench")


def matplotlib() -> Any:
    """Return matplotlib, imported without the backend that a notebook's shell asks for.

    Such a shell hands its `MPLBACKEND` on to every program it starts, and matplotlib ends its own
    import where the backend is not installed.
    """
    asked = os.environ.pop(_BACKEND, None)
    try:
        import matplotlib
    finally:
        if asked is not None:
            os.environ[_BACKEND] = asked
    return matplotlib


def new_figure(width: float, height: float, *, arrange: bool = True) -> Figure:
    """Return an empty figure on an Agg canvas; with `arrange` labels get the room they need.

    Units: inches.
    """
    matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained" if arrange else None)
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def beside_a_result(picture: Path | str) -> Iterator[None]:
    """Draw something that goes with a result: an error is told in one line and goes no further."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever drawing raises, the result stays.
        reason = " ".join(str(error).split()) or type(error).__name__
        _LOG.warning("%s: was not drawn (%s); the results are complete", picture, reason[:200])
