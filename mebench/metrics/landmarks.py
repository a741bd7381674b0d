"""AKD: how far the generated face's 68 points lie from those of the right answer."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from mebench import weights
from mebench.io.files import atomic_path
from mebench.metrics.base import Case, Metric, MetricInfo, Missing, Value
from mebench.metrics.frames import pixel_digest, sample_indices
from mebench.preprocess.canonical import IOD, canonical_transform
from mebench.types import Image, Points

if TYPE_CHECKING:
    from mebench.preprocess.landmarks_dlib import DlibLandmarks

_NAME = "dlib-landmarks-68"
_FRAMES = 5
_UNSURE = 0.5
_KEYS = ("akd_px", "akd_iod")


def landmark_distance(found: NDArray[np.floating], right: NDArray[np.floating]) -> float:
    """Return the mean distance of points to their right places, over points and frames.

    Shapes: found and right (T, 68, 2).
    Units: those of the points.
    Source: Siarohin et al., First order motion model for image animation, NeurIPS 2019, section 4.
    """
    return float(np.linalg.norm(np.asarray(found, np.float64) - right, axis=-1).mean())


class LandmarkDistance(Metric):
    """Mean distance of dlib's 68 points in generated and in reference frames.

    Formula: p is the median of nine predictions from jittered boxes around the template's
    landmarks, so no detector runs; up to five frames a clip (onset, apex, evenly spaced ones).
    Where the nine disagree there is no face and no value.
    Reading: coarse misplacement of a face, not micro-motion; the predictor's bias cancels.
    Blind to: motion below the predictor's own scatter, which micro-expressions often are; anything
    between the points.
    Source: Siarohin et al., First order motion model, NeurIPS 2019, section 4.

    Args:
        frames: frames looked at in each clip.
        cache: a folder for points by content, or None to keep nothing.
    """

    infos: ClassVar[tuple[MetricInfo, ...]] = tuple(
        MetricInfo(
            key,
            "landmark distance",
            unit,
            low=0.0,
            higher_is_better=False,
            needs=("reference", "weights"),
            formula="mean over points and frames of ‖p(generated) - p(reference)‖"
            + (" over the IOD" if unit == "% IOD" else ""),
        )
        for key, unit in zip(_KEYS, ("px", "% IOD"), strict=True)
    )

    def __init__(self, *, frames: int = _FRAMES, cache: Path | None = None) -> None:
        self.frames = frames
        self.cache = cache

    def describe(self, case: Case) -> Mapping[str, Value]:
        """Return the values themselves; they are small."""
        lacking = _lacking()
        if lacking:
            return dict.fromkeys(_KEYS, Missing(lacking))
        if case.reference is None:
            return dict.fromkeys(_KEYS, Missing("the protocol has no reference frames"))
        points, right = case.template.landmarks, case.reference.frames
        length = min(len(case.generated), len(right))
        ours: list[Points] = []
        theirs: list[Points] = []
        for t in sample_indices(length, self.frames, case.driving.apex_index):
            for side, frames, keep in ((ours, case.generated, False), (theirs, right, True)):
                found = self._points(np.asarray(frames[t]), points, keep)
                if found is None:
                    which = "reference" if keep else "generated"
                    return dict.fromkeys(_KEYS, Missing(f"no face in {which} frame {t}"))
                side.append(found)
        distance = landmark_distance(np.stack(ours), np.stack(theirs))
        iod_px = IOD / float(np.sqrt(np.linalg.det(canonical_transform(points)[:, :2])))
        return {"akd_px": case.unit * distance, "akd_iod": 100.0 * distance / iod_px}

    def clip_values(self, described: Mapping[str, Value]) -> Mapping[str, Value]:
        """Return the values of one case."""
        return described

    @property
    def weights(self) -> Mapping[str, str]:
        """Return the hash of the predictor."""
        return {} if _lacking() else {_NAME: weights.verify(_NAME)}

    def _points(self, image: Image, near: Points, keep: bool) -> NDArray[np.float32] | None:
        """Return the points (68, 2) of a frame, None without a face; kept where all rows ask."""
        if self.cache is None or not keep:
            return _predicted(image, near)
        parts = [_finder().digest(""), str(image.shape), pixel_digest(image)]
        marks = np.ascontiguousarray(near, dtype=np.float64).tobytes()
        name = hashlib.sha256(" ".join(parts).encode() + marks).hexdigest()
        place = self.cache / "landmarks-dlib" / name[:2] / f"{name}.npy"
        with contextlib.suppress(OSError, ValueError, EOFError):
            kept = np.load(place, allow_pickle=False)
            if kept.shape == (68, 2):
                return np.asarray(kept, np.float32)
        found = _predicted(image, near)
        if found is not None:
            with atomic_path(place) as temporary, temporary.open("wb") as handle:
                np.save(handle, found, allow_pickle=False)
        return found


def _predicted(image: Image, near: Points) -> NDArray[np.float32] | None:
    (left, top), (right, bottom) = near.min(axis=0), near.max(axis=0)
    box = (float(left), float(top), float(right), float(bottom))
    found = _finder().at("", image, box)
    return found.points if found.confidence >= _UNSURE else None


@functools.lru_cache(maxsize=1)
def _finder() -> DlibLandmarks:
    from mebench.preprocess.landmarks_dlib import DlibLandmarks

    weights.verify(_NAME)
    return DlibLandmarks()


def _lacking() -> str:
    """Return why there are no points, or an empty string."""
    if importlib.util.find_spec("dlib") is None or not weights.is_present(_NAME):
        return "needs dlib: pip install 'mebench[dlib]'"
    return ""
