"""Arrays that are kept in a file once they were made."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mebench.io.files import atomic_path

Arrays = dict[str, Any]


def kept(path: Path | None, make: Callable[[], Arrays]) -> Arrays:
    """Return the arrays in ``path``, else make them and write them there.

    A damaged file is made again; without a path nothing is written.
    """
    if path is None:
        return make()
    if path.is_file():
        damaged = (OSError, ValueError, KeyError, zipfile.BadZipFile)
        with contextlib.suppress(*damaged), np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    arrays = make()
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, **arrays)
    return arrays
