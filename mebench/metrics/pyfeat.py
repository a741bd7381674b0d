"""Action-unit consistency from py-feat's AU detector, in columns of its own.

py-feat is an optional extra. It brings its own networks and fetches their weights itself, the first
time it runs; nothing of it is imported before this family is asked for.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import tempfile
import zipfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from mebench.errors import UsageError
from mebench.io.files import atomic_path
from mebench.metrics.base import Case
from mebench.metrics.unit_curves import (
    Array,
    UnitConsistency,
    UnitPair,
    above_onset,
    unit_infos,
    unit_pair,
)
from mebench.types import Frames

_MODEL = "xgb"


class PyFeatConsistency(UnitConsistency):
    """`au_consistency` and `au_concordance` on py-feat's AU activations (its ``xgb`` model).

    Source: Cheong et al., Py-Feat, Affective Science 2023; Lin, Biometrics 45, 1989.

    Args:
        device: torch device.
        cache: a folder for activations by content, or None to keep nothing.

    Raises:
        UsageError: when the extra is not installed.
    """

    infos = unit_infos("pyfeat", "py-feat")
    program = "py-feat"

    def __init__(self, *, device: str = "cpu", cache: Path | None = None) -> None:
        if importlib.util.find_spec("feat") is None:
            raise UsageError("metric family 'pyfeat' needs an extra: pip install 'mebench[pyfeat]'")
        self.device, self.cache = device, cache

    @property
    def weights(self) -> Mapping[str, str]:
        """Return py-feat's version and AU model; it names no file."""
        return {"py-feat": f"{_version()}:{_MODEL}"}

    def describe(self, case: Case) -> UnitPair:
        """Return the AU activations of the case's two clips, or why there are none."""
        try:
            driving, units = self._curves(case.driving.frames, "driving clip")
            generated, _ = self._curves(case.generated, "generated clip")
        except ValueError as error:
            return UnitPair(lacking=str(error))
        return unit_pair(driving, generated, units)

    def _curves(self, frames: Frames, where: str) -> tuple[Array, tuple[int, ...]]:
        digest = hashlib.sha256(f"{_version()} {_MODEL} {frames.shape}".encode())
        digest.update(np.ascontiguousarray(frames).tobytes())
        name = digest.hexdigest()
        place = None if self.cache is None else self.cache / "py-feat" / name[:2] / f"{name}.npz"
        found = None if place is None else _read(place)
        if found is None:
            found = _detected(frames, self.device)
            if place is not None:
                with atomic_path(place) as temporary, temporary.open("wb") as handle:
                    np.savez(handle, table=found[0], units=np.array(found[1]))
        table, units = found
        return above_onset(table, np.ones(len(table), bool), where), units


def _detected(frames: Frames, device: str) -> tuple[Array, tuple[int, ...]]:
    """Return activations (T, K), NaN where no face was found, and the FACS numbers."""
    from PIL import Image

    detector = _detector(device)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{t:05d}.png") for t in range(len(frames))]
        for path, frame in zip(paths, frames, strict=True):
            Image.fromarray(np.ascontiguousarray(frame)).save(path)
        # One frame at a time: py-feat's own values change with its batch size.
        if hasattr(detector, "detect"):
            found = detector.detect(paths, data_type="image", batch_size=1)
        else:
            found = detector.detect_image(paths, batch_size=1)
    if "input" not in found:  # no face in any frame
        return np.full((len(frames), 1), np.nan), (0,)
    activations = found.aus
    units = tuple(int(str(name).removeprefix("AU")) for name in activations.columns)
    table = np.full((len(frames), len(units)), np.nan)
    rows = {Path(str(name)).name: row for row, name in reversed(list(enumerate(found["input"])))}
    values = np.asarray(activations, np.float64)
    for t, path in enumerate(paths):
        if Path(path).name in rows:
            table[t] = values[rows[Path(path).name]]
    return table, units


def _read(place: Path) -> tuple[Array, tuple[int, ...]] | None:
    try:
        with np.load(place, allow_pickle=False) as data:
            return data["table"], tuple(int(unit) for unit in data["units"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # absent or damaged: computed and written again


@functools.lru_cache(maxsize=1)
def _detector(device: str) -> Any:
    return importlib.import_module("feat").Detector(au_model=_MODEL, device=device)


def _version() -> str:
    try:
        return version("py-feat")
    except PackageNotFoundError:
        return "unknown"
