"""Action-unit consistency from OpenFace's CSV files, in columns of its own.

OpenFace (its FeatureExtraction program) is not shipped: run it on the driving clips and on the
clips of each method, and keep its CSV files as ``FOLDER/driving/<driving>.csv`` and
``FOLDER/<method>/<template>/<driving>.csv``. A row without files has no values, with the reason.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from mebench.errors import SubmissionError, UsageError
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


def read_openface(path: Path) -> tuple[Array, tuple[int, ...]]:
    """Return the AU intensities (T, K) above those of the first frame, and the FACS numbers.

    Units: OpenFace's 0 to 5. Frames in which it lost the face are filled from their neighbours.

    Raises:
        SubmissionError: when the file is missing, no OpenFace CSV, or lost the face too often.
    """
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = [{k.strip(): v for k, v in row.items() if k} for row in csv.DictReader(handle)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SubmissionError(
            f"{path}: cannot be read ({type(error).__name__}); run OpenFace on this clip"
        ) from error
    names = [k for k in (rows[0] if rows else {}) if k.startswith("AU") and k.endswith("_r")]
    if not names:
        raise SubmissionError(f"{path}: expected columns AU01_r, AU02_r, ..., got none; use -aus")
    try:
        table = np.array([[float(row[name]) for name in names] for row in rows])
        seen = np.array([float(row.get("success", 1)) > 0 for row in rows])
        units = tuple(int(name[2:-2]) for name in names)
    except (TypeError, ValueError) as error:
        raise SubmissionError(f"{path}: not a table of numbers; run OpenFace again") from error
    try:
        return above_onset(table, seen, str(path)), units
    except ValueError as error:
        raise SubmissionError(str(error)) from error


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
