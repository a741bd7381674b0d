"""What all figures for papers share: their look, their files, and the licence of their pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mebench.errors import UsageError
from mebench.io.figures import matplotlib, new_figure
from mebench.io.files import atomic_path
from mebench.report import escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 6.9
"""Inches: both columns of a page."""
DPI = 200
STYLES = ("-", "--", "-.", ":")
# Without dates and program names the same numbers give the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    ".svg": {"Date": None, "Creator": None},
    ".png": {"Software": None},
}
_LOOK: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "legend.frameon": False,
    # Names come from strangers: a dollar sign in one is no formula.
    "text.parse_math": False,
    "text.usetex": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "mebench",
}


def require_format(path: Path) -> str:
    """Return the ending that says how a figure is written.

    Raises:
        UsageError: for another ending than pdf, svg or png.
    """
    suffix = path.suffix.lower()
    if suffix not in _METADATA:
        raise UsageError(f"{path}: figures are .pdf, .svg or .png; give --out a name with one")
    return suffix


def stamp_of(gated: Sequence[str], *, private: bool) -> str:
    """Return what must be printed on a figure with pixels of `gated` data; empty for free data.

    Raises:
        UsageError: when the pixels are gated and `private` is not said.
    """
    if not gated:
        return ""
    names = ", ".join(gated)
    if not private:
        raise UsageError(
            f"pixels of {names} may not be passed on; --private draws them for your eyes, stamped"
        )
    return f"PRIVATE: shows pixels of {names}, do not pass on"


@contextmanager
def drawing(
    path: Path, *, width: float, height: float, dpi: int = DPI, arrange: bool = True
) -> Iterator[Figure]:
    """Give an empty figure; what is drawn on it is written to `path` when the block ends.

    With `arrange` matplotlib finds the room that labels need.

    Units: inches.

    Raises:
        UsageError: for another ending than pdf, svg or png.
    """
    suffix = require_format(path)
    with matplotlib().rc_context(_LOOK):
        figure = new_figure(width, height, arrange=arrange)
        yield figure
        with atomic_path(path) as temporary, warnings.catch_warnings():
            # A letter that the font lacks is drawn as a box.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            figure.savefig(
                temporary, format=suffix.removeprefix("."), dpi=dpi, metadata=_METADATA[suffix]
            )


def label(name: str, longest: int = 40) -> str:
    """Return a stranger's name as a figure shows it."""
    line = escape.text(name)
    short = line if len(line) <= longest else line[: longest - 1] + "…"
    # matplotlib leaves names with a leading underscore out of legends.
    return f" {short}" if short.startswith("_") else short
