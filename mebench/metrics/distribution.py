"""FID and KID of generated frames against driving, reference, or a data set's frames."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mebench import weights
from mebench.metrics.base import Case, Metric, MetricInfo, Missing, Value
from mebench.metrics.frame_sets import FrameSet, frame_set, read_set, write_set
from mebench.metrics.frames import pixel_digest, sample_indices
from mebench.metrics.frechet import (
    frechet_distance,
    gaussian_distance,
    gaussian_of,
    kernel_distance,
)
from mebench.metrics.inception import (
    DIMENSIONS,
    FidInception,
    as_gray,
    cached_features,
    published_network,
)
from mebench.preprocess.parallel import each
from mebench.types import FaceClip, Image

__all__ = ["ColourDistribution", "Distribution", "frechet_distance", "kernel_distance"]

_FRAMES = 3
_NAME = "fid-inception"
_EMPTY = np.empty((0, DIMENSIONS), np.float32)
_FORMULAS = {
    "fid": "|μ1 - μ2|² + Tr(Σ1 + Σ2 - 2 (Σ1 Σ2)^½)",
    "kid": "unbiased MMD² with kernel (x·y / 2048 + 1)³ over all pairs",
    "frames": "number of generated frames looked at",
    "reference_frames": "number of different frames on the other side",
}
_STAND_IN = "a smoke test of the code; never compared or ranked"


@dataclass(frozen=True)
class FrameFeatures:
    """Features (N, 2048) float32 of both sides of one case, or why there are none."""

    generated: NDArray[np.float32]
    reference: NDArray[np.float32]
    reference_digests: tuple[str, ...]
    lacking: str = ""


def _infos(mode: str, words: str) -> tuple[MetricInfo, ...]:
    infos = []
    for suffix, note in (("", words), ("~seeded", f"{words} (stand-in weights)")):
        better = None if suffix else False
        for key, title, low in (("fid", "FID", 0.0), ("kid", "KID", -math.inf)):
            infos.append(
                MetricInfo(
                    key + mode + suffix,
                    title + note,
                    low=low,
                    higher_is_better=better,
                    level="set",
                    needs=("driving", "weights"),
                    formula=_FORMULAS[key],
                    reading=_STAND_IN if suffix else "",
                )
            )
    for key, title in (("frames", "frames"), ("reference_frames", "reference frames")):
        infos.append(
            MetricInfo(
                f"fid{mode}_{key}",
                f"FID{words} {title}",
                low=0.0,
                higher_is_better=None,
                level="set",
                formula=_FORMULAS[key],
            )
        )
    return tuple(infos)


class Distribution(Metric):
    """FID and KID of a few frames of each clip, in grey on both sides.

    Formula: μ and Σ of the pool features (2048) of three frames a clip; the other side are the
    reference frames, else the driving frames, or the protocol's set, equal pictures once. Above
    512 px shrunk with antialiasing, then bilinear to 299 px, as pytorch-fid. Float64.
    Reading: one protocol, one N and one colour mode only: FID is biased upwards at small N; KID is
    not, and may be negative. See docs/why-is-my-fid-different.md.
    Blind to: time and order of frames, who moves how, and motion of less than a few pixels.
    Source: Heusel et al., NeurIPS 2017, equation 6; KID: Bińkowski et al., ICLR 2018, equation 4.

    Args:
        device: torch device.
        cache: folder that keeps features by pixels, or None.
        allow_seeded: without published weights, use stand-ins under ``fid~seeded``.
        seed: seed of the stand-ins.
        frames: frames of each clip: onset, apex, and evenly spaced ones.

    Raises:
        WeightsError: without published weights unless `allow_seeded`, or for another file.
    """

    infos: ClassVar[tuple[MetricInfo, ...]] = _infos("", "")
    mode: ClassVar[str] = ""

    def __init__(
        self,
        *,
        device: str = "cpu",
        cache: Path | None = None,
        allow_seeded: bool = False,
        seed: int = 0,
        frames: int = _FRAMES,
    ) -> None:
        self.device, self.cache, self.frames = device, cache, frames
        self.seed = seed if allow_seeded and not weights.is_present(_NAME) else None
        if self.seed is None:
            weights.verify(_NAME)
        self.suffix = "" if self.seed is None else "~seeded"
        self._set: FrameSet | None = None

    def with_reference_set(self, clips: Sequence[FaceClip], jobs: int = 1) -> Distribution:
        """Return this metric with the sampled frames of `clips` as the other side of every case.

        Their features and statistics are computed once and kept in the cache by content.
        """
        chosen = [_sampled(clip, self.frames) for clip in clips]
        found = copy.copy(self)
        found._set = self._kept_set(chosen, jobs)
        return found

    def describe(self, case: Case) -> FrameFeatures:
        """Return the features of the frames looked at on both sides."""
        apex = case.driving.apex_index
        wanted = sample_indices(len(case.generated), self.frames, apex)
        aligned, answer = case.aligned, case.aligned_reference
        generated = [np.asarray(aligned[t]) for t in wanted]
        side = answer if answer is not None else case.driving.frames
        reference = [np.asarray(side[t]) for t in sample_indices(len(side), self.frames, apex)]
        lacking = self._lacking(generated, reference)
        if lacking:
            nothing = np.empty((0, DIMENSIONS), np.float32)
            return FrameFeatures(nothing, nothing, (), lacking)
        return FrameFeatures(
            self._features(generated),
            self._features(reference),
            tuple(pixel_digest(image) for image in reference),
        )

    def set_values(self, described: Sequence[FrameFeatures]) -> Mapping[str, Value]:
        """Return the distances over all cases, and the number of frames on both sides."""
        generated = np.concatenate([_EMPTY, *(case.generated for case in described)])
        other = self._set or _paired_set(described)
        values: dict[str, Value] = {
            f"fid{self.mode}_frames": float(len(generated)),
            f"fid{self.mode}_reference_frames": float(len(other.features)),
        }
        fid, kid = (f"{key}{self.mode}{self.suffix}" for key in ("fid", "kid"))
        reason = _unusable(described, generated, other)
        if reason or other.gaussian is None:
            values[fid] = values[kid] = Missing(reason)
        else:
            values[fid] = gaussian_distance(gaussian_of(generated), other.gaussian)
            values[kid] = kernel_distance(generated, other.features)
        return values

    @property
    def weights(self) -> Mapping[str, str]:
        """Return the hash of the network's weights."""
        return {_NAME: self._network().weights_id}

    def _kept_set(self, chosen: Sequence[Sequence[Image]], jobs: int) -> FrameSet:
        """Return the set of the pictures of some clips, from the cache where it is there."""
        digests = [[pixel_digest(image) for image in images] for images in chosen]
        content = hashlib.sha256(repr((self.mode, digests)).encode()).hexdigest()
        place = None
        if self.cache is not None:
            net = self._network().weights_id.rsplit(":", 1)[-1][:16]
            place = self.cache / "reference-sets" / net / f"{content}.npz"
            kept = read_set(place)
            if kept is not None:
                return kept
        lacking = [why for images in chosen if (why := self._lacking(images, images))]
        if lacking:
            return FrameSet(_EMPTY, None, f"{len(lacking)} reference clips: {lacking[0]}")
        features = np.concatenate([_EMPTY, *each(self._features, chosen, jobs)])
        rows = _first_of_each([d for one in digests for d in one])
        found = frame_set(features[rows])
        if place is not None:
            write_set(place, found)
        return found

    def _lacking(self, generated: Sequence[Image], reference: Sequence[Image]) -> str:
        return ""

    def _seen(self, image: Image) -> Image:
        return as_gray(image)

    def _features(self, images: Sequence[Image]) -> NDArray[np.float32]:
        return cached_features([self._seen(i) for i in images], self._network(), self.cache)

    def _network(self) -> FidInception:
        return published_network(self.seed, self.device)


class ColourDistribution(Distribution):
    """FID and KID in colour; missing when either side of any clip is grey.

    Other values than in grey: never in one column with them.
    """

    infos: ClassVar[tuple[MetricInfo, ...]] = _infos("_rgb", " (colour)")
    mode: ClassVar[str] = "_rgb"

    def _lacking(self, generated: Sequence[Image], reference: Sequence[Image]) -> str:
        if _has_colour(generated) and _has_colour(reference):
            return ""
        return "not in colour on both sides"

    def _seen(self, image: Image) -> Image:
        return image


def _has_colour(images: Sequence[Image]) -> bool:
    return any(bool(np.any(image[..., :1] != image[..., 1:])) for image in images)


def _first_of_each(digests: Sequence[str]) -> list[int]:
    first: dict[str, int] = {}
    for row, digest in enumerate(digests):
        first.setdefault(digest, row)
    return list(first.values())


def _sampled(clip: FaceClip, frames: int) -> list[Image]:
    wanted = sample_indices(len(clip.frames), frames, clip.apex_index)
    return [np.asarray(clip.frames[t]) for t in wanted]


def _paired_set(described: Sequence[FrameFeatures]) -> FrameSet:
    rows = _first_of_each([d for case in described for d in case.reference_digests])
    return frame_set(np.concatenate([_EMPTY, *(case.reference for case in described)])[rows])


def _unusable(
    described: Sequence[FrameFeatures], generated: NDArray[np.float32], other: FrameSet
) -> str:
    """Return why there is no distance, or an empty string."""
    lacking = [case.lacking for case in described if case.lacking]
    if lacking:
        return f"{len(lacking)} clips: {lacking[0]}"
    if other.lacking:
        return other.lacking
    if min(len(generated), len(other.features)) < 2:
        return f"needs 2 frames a side, got {len(generated)} and {len(other.features)}"
    bad = [int((~np.isfinite(a).all(axis=1)).sum()) for a in (generated, other.features)]
    if any(bad):
        return f"features of {bad[0]} generated and {bad[1]} other frames are not finite"
    return ""
