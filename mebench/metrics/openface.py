"""Action-unit consistency from OpenFace's CSV files, in columns of its own.

OpenFace (its FeatureExtraction program) is not shipped: run it yourself on the driving and the
generated clips and keep its CSV files as ``FOLDER/driving/<driving>.csv`` and
``FOLDER/generated/<template>/<driving>.csv``.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mebench.errors import SubmissionError, UsageError
from mebench.metrics.action_units import agreement
from mebench.metrics.base import Case, Metric, MetricInfo, Missing, Value
from mebench.metrics.regional import match_lengths

Array = NDArray[np.float64]

_EYES = frozenset({5, 7, 45})
_LOST_SHARE = 0.2


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
    except (TypeError, ValueError) as error:
        raise SubmissionError(f"{path}: not a table of numbers; run OpenFace again") from error
    seen &= np.isfinite(table).all(axis=1)
    if (~seen).mean() > _LOST_SHARE:
        raise SubmissionError(
            f"{path}: OpenFace lost the face in {(~seen).sum()} of {len(seen)} frames, "
            f"at most {_LOST_SHARE:.0%} are filled in; leave this clip out"
        )
    time = np.arange(len(table))
    filled = np.column_stack([np.interp(time, time[seen], column[seen]) for column in table.T])
    return filled - filled[0], tuple(int(name[2:-2]) for name in names)


@dataclass(frozen=True)
class OpenFacePair:
    """AU intensities of both clips: (T, K) arrays with columns `units`."""

    driving: Array
    generated: Array
    units: tuple[int, ...]


class OpenFaceConsistency(Metric):
    """`au_consistency` and `au_concordance` on OpenFace's AU intensities in place of region motion.

    Args:
        folder: where the CSV files are; by default the environment's ``MEBENCH_OPENFACE``.
    """

    infos = (
        MetricInfo(
            "au_consistency~openface", "AU consistency (OpenFace)", "", -1, 1, needs=("driving",)
        ),
        MetricInfo(
            "au_concordance~openface", "AU concordance (OpenFace)", "", -1, 1, needs=("driving",)
        ),
    )

    def __init__(self, folder: Path | None = None) -> None:
        named = os.environ.get("MEBENCH_OPENFACE")
        self.folder = folder if folder is not None else Path(named) if named else None
        self._content = ""

    @property
    def weights(self) -> Mapping[str, str]:
        """Return the hash of all CSV files: other files are another measurement."""
        if self.folder is None:
            return {}
        if not self._content:
            total = hashlib.sha256()
            for path in sorted(self.folder.rglob("*.csv")):
                total.update(path.relative_to(self.folder).as_posix().encode())
                total.update(path.read_bytes())
            self._content = total.hexdigest()
        return {"openface-csv": self._content}

    def describe(self, case: Case) -> OpenFacePair:
        """Return the AU intensities of the case's two clips.

        Raises:
            UsageError: when no folder is known.
            SubmissionError: for a file that is missing, damaged, or of another length.
        """
        if self.folder is None:
            raise UsageError("openface: set MEBENCH_OPENFACE to the folder of its CSV files")
        driving, units = read_openface(self.folder / "driving" / f"{case.pair.driving}.csv")
        path = self.folder / "generated" / case.pair.template / f"{case.pair.driving}.csv"
        generated, other = read_openface(path)
        if other != units:
            raise SubmissionError(
                f"{path}: expected the action units {units}, got {other}; "
                "run the same OpenFace on both clips"
            )
        length = match_lengths(len(generated), len(driving), str(path))
        return OpenFacePair(driving[:length], generated[:length], units)

    def clip_values(self, described: OpenFacePair) -> Mapping[str, Value]:
        """Return both values; `Missing` when OpenFace sees nothing in the driving clip."""
        keys = [info.key for info in self.infos]
        if not described.driving.any():
            return dict.fromkeys(keys, Missing("OpenFace sees no action unit in the driving clip"))
        eyes = np.array([unit in _EYES for unit in described.units])
        energy = (described.driving**2).sum(axis=0)
        weights = np.ones(len(eyes))
        if energy[eyes].sum() > 0:
            weights[eyes] = min(1.0, float(np.sqrt(energy[~eyes].sum() / energy[eyes].sum())))
        if not (weights * energy).any():
            return dict.fromkeys(keys, Missing("the driving clip only blinks"))
        values = agreement(described.driving, described.generated, weights)
        return dict(zip(keys, values, strict=True))
