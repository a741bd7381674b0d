"""The right answer of a pair, where it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mebench.environment import code_digest
from mebench.errors import DatasetError
from mebench.spec import digest
from mebench.types import FaceClip, Frames, Pair, Reference

if TYPE_CHECKING:
    from mebench.synthme.truth import Truth


def no_reference(pair: Pair) -> None:
    """Return None: nobody knows how this template would look."""


@dataclass(frozen=True)
class SelfReference:
    """The driving clip itself: the template is its own first frame."""

    driving: Mapping[str, FaceClip]

    def __call__(self, pair: Pair) -> Reference:
        """Return the driving clip's frames."""
        return Reference(frames=self.driving[pair.driving].frames)


@dataclass(frozen=True)
class SynthReference:
    """Renders, aligns and caches the true answer of a pair; picklable for worker processes."""

    root: Path
    template_keys: Mapping[str, str]
    to_source: Mapping[str, NDArray[np.float64]]
    size: int
    cache: Path

    def __call__(self, pair: Pair) -> Reference:
        """Return the rendered truth in the template's alignment."""
        from mebench.preprocess.crop import align_flow, align_frames, align_points
        from mebench.synthme.export import STAMP

        truth = _truth(self.root, (self.root / STAMP).stat().st_mtime_ns)
        key = self.template_keys[pair.template]
        code = code_digest("synthme", "preprocess")
        matrix = self.to_source[pair.template]
        name = digest([truth.digest, key, pair.driving, self.size, matrix.tolist(), code])
        folder = self.cache / "references" / name
        if not folder.is_dir():
            raw = truth.reference(key, pair.driving)
            if raw.flow is None or raw.landmarks is None or raw.au_curves is None:
                raise DatasetError(f"{self.root}: truth of {pair.key} is incomplete; make it again")
            _store_reference(
                folder,
                align_frames(raw.frames, matrix, self.size),
                align_flow(raw.flow, matrix, self.size),
                np.stack([align_points(points, matrix) for points in raw.landmarks]),
                raw.au_curves,
                raw.au_names,
            )
        return _read_reference(folder)


@lru_cache(maxsize=2)
def _truth(root: Path, changed_ns: int) -> Truth:
    """Return the truth of an export: planning it anew costs more than reading a reference."""
    from mebench.synthme.truth import Truth

    return Truth(root)


def _store_reference(
    folder: Path,
    frames: Frames,
    flow: NDArray[np.floating],
    landmarks: NDArray[np.floating],
    au_curves: NDArray[np.floating],
    au_names: Sequence[str],
) -> None:
    from mebench.io.files import atomic_folder

    with atomic_folder(folder) as temporary:
        np.save(temporary / "frames.npy", frames)
        np.save(temporary / "flow.npy", flow.astype(np.float32))
        np.save(temporary / "landmarks.npy", landmarks.astype(np.float32))
        np.save(temporary / "au_curves.npy", au_curves.astype(np.float32))
        np.save(temporary / "au_names.npy", np.array(list(au_names), dtype="U8"))


def _read_reference(folder: Path) -> Reference:
    def read(name: str) -> NDArray[Any]:
        found: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return found

    return Reference(
        frames=read("frames"),
        flow=read("flow"),
        landmarks=read("landmarks"),
        au_curves=read("au_curves"),
        au_names=tuple(str(name) for name in read("au_names")),
    )
