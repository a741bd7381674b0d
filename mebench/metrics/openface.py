"""Action-unit consistency from OpenFace's CSV files, in columns of its own.

OpenFace (its FeatureExtraction program) is not shipped: run it on the driving clips and on the
clips of each method, and keep its CSV files as ``FOLDER/driving/<driving>.csv`` and
``FOLDER/<method>/<template>/<driving>.csv``. A row without files has no values, with the reason.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mebench.errors import SubmissionError, UsageError
from mebench.io.tables import as_number, read_cells
from mebench.metrics.base import Case
from mebench.metrics.regional import LENGTH_SLACK
from mebench.metrics.unit_curves import (
    Array,
    UnitConsistency,
    UnitPair,
    above_onset,
    unit_infos,
    unit_pair,
)

Seen = NDArray[np.bool_]
_ABOUT = ("frame", "face_id", "confidence", "success")
_SURE = 0.5
"""Least confidence of a frame that counts as seen."""
_LONGEST = 100_000
_LOG = logging.getLogger("mebench")


def read_openface(path: Path) -> tuple[Array, tuple[int, ...]]:
    """Return the AU intensities (T, K) above those of the first frame, and the FACS numbers.

    Units: OpenFace's 0 to 5. Frames in which it lost the face are filled from their neighbours.

    Raises:
        SubmissionError: when the file is missing, no OpenFace CSV, or lost the face too often.
    """
    try:
        head, *lines = read_cells(path.read_bytes()) or [[]]
    except (OSError, ValueError) as error:
        raise SubmissionError(
            f"{path}: cannot be read ({type(error).__name__}); run OpenFace on this clip"
        ) from error
    places = {cell.strip(): place for place, cell in enumerate(head)}
    names = [name for name in places if name.startswith("AU") and name.endswith("_r")]
    if not names:
        raise SubmissionError(f"{path}: expected columns AU01_r, AU02_r, ..., got none; use -aus")
    try:
        units = tuple(int(name[2:-2]) for name in names)
        columns = {
            name: np.array([as_number(line[place]) for line in lines if any(line)])
            for name, place in places.items()
            if name in (*names, *_ABOUT)
        }
        table = np.column_stack([columns[name] for name in names])
    except (IndexError, ValueError) as error:
        raise SubmissionError(f"{path}: not a table of numbers; run OpenFace again") from error
    try:
        return above_onset(*_placed(path, table, columns), str(path)), units
    except ValueError as error:
        raise SubmissionError(str(error)) from error


def _placed(path: Path, table: Array, columns: Mapping[str, Array]) -> tuple[Array, Seen]:
    """Return the rows (T, K) at the frames that they name, and where the face was seen.

    Of several faces the one that is seen longest is taken. The first frame is 0 or 1: that is
    found from the table.
    """
    count = len(table)
    seen = columns.get("success", np.ones(count)) > 0
    seen &= columns.get("confidence", np.ones(count)) >= _SURE
    faces = columns.get("face_id", np.zeros(count))
    kept, others = np.ones(count, bool), np.unique(faces)
    if len(others) > 1:
        face = max(others, key=lambda one: int((seen & (faces == one)).sum()))
        kept = faces == face
        _LOG.warning("%s: %d faces; face_id %g is taken", path, len(others), face)
    frames = columns.get("frame", np.arange(count, dtype=np.float64))
    if not (np.isfinite(frames).all() and (frames == np.floor(frames)).all()):
        raise ValueError(f"{path}: column frame holds no whole numbers; run OpenFace again")
    at = frames.astype(np.int64) - (0 if (frames == 0).any() else 1 if "frame" in columns else 0)
    if len(at) and (at.min() < 0 or at.max() >= _LONGEST):
        raise ValueError(f"{path}: column frame goes from {frames.min():g} to {frames.max():g}")
    length = int(at.max(initial=-1)) + 1
    at = at[kept]
    if len(np.unique(at)) < len(at):
        raise ValueError(f"{path}: a frame stands twice for one face; run OpenFace again")
    placed, found = np.full((length, table.shape[1]), np.nan), np.zeros(length, bool)
    placed[at], found[at] = table[kept], seen[kept]
    lost = int((~found).sum())
    if lost:
        told = "%s: the face was lost in %d of %d frames; filled from their neighbours"
        _LOG.warning(told, path, lost, length)
    return placed, found


class OpenFaceConsistency(UnitConsistency):
    """`au_consistency` and `au_concordance` on OpenFace's AU intensities in place of region motion.

    Source: Baltrušaitis et al., OpenFace 2.0, IEEE FG 2018; Lin, Biometrics 45, 1989.

    Args:
        folder: where the CSV files are; by default the environment's ``MEBENCH_OPENFACE``.

    Raises:
        UsageError: when no folder is named or there is none.
    """

    infos = unit_infos("openface", "OpenFace")
    program = "OpenFace"
    per_method: ClassVar[bool] = True

    def __init__(self, folder: Path | None = None) -> None:
        named = os.environ.get("MEBENCH_OPENFACE")
        if folder is None and not named:
            raise UsageError("openface: set MEBENCH_OPENFACE to the folder of its CSV files")
        self.folder = folder if folder is not None else Path(str(named))
        if not self.folder.is_dir():
            raise UsageError(f"openface: {self.folder}: no such folder of CSV files")
        self._content = ""

    @property
    def weights(self) -> Mapping[str, str]:
        """Return the hash of all CSV files: other files are another measurement."""
        if not self._content:
            total = hashlib.sha256()
            for path in sorted(self.folder.rglob("*.csv")):
                total.update(path.relative_to(self.folder).as_posix().encode())
                total.update(path.read_bytes())
            self._content = total.hexdigest()
        return {"openface-csv": self._content}

    def describe(self, case: Case) -> UnitPair:
        """Return the AU intensities of the case's two clips, or what is wrong with a file."""
        name = f"{case.pair.driving}.csv"
        path = self.folder / case.method / case.pair.template / name
        try:
            driving, units = read_openface(self.folder / "driving" / name)
            generated, other = read_openface(path)
        except SubmissionError as error:
            return UnitPair(lacking=str(error))
        if other != units:
            return UnitPair(
                lacking=f"{path}: expected the action units {units}, got {other}; "
                "run the same OpenFace on both clips"
            )
        expected = len(case.driving.frames)
        if abs(len(driving) - expected) > LENGTH_SLACK:
            return UnitPair(
                lacking=f"driving/{name}: expected {expected} frames, got {len(driving)}; run "
                "OpenFace on the prepared frames"
            )
        found = unit_pair(driving, generated, units)
        return UnitPair(lacking=f"{path}: {found.lacking}") if found.lacking else found
