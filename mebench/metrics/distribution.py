"""Distance of distributions: exact Fréchet distance (FID) and unbiased kernel distance (KID)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from mebench import weights
from mebench.metrics.base import Case, Metric, MetricInfo, Missing, Value
from mebench.metrics.frames import pixel_digest, sample_indices
from mebench.metrics.inception import DIMENSIONS, FidInception, as_gray, cached_features, network
from mebench.types import Image

_FRAMES = 3
_NAME = "fid-inception"


def frechet_distance(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Return the Fréchet distance of the Gaussians fitted to two sets of features, in float64.

    With fewer rows than columns, Tr((Σ1 Σ2)^½) is the sum of the singular values of X Yᵀ /
    √((n1-1)(n2-1)) with X, Y centred; else it is Σ √λ(Σ1^½ Σ2 Σ1^½). No matrix root is iterated.

    Shapes: x (n1, d), y (n2, d), n1 and n2 at least 2.
    Range: 0 and up, lower is better.
    Raises: ValueError for fewer than 2 rows or unequal columns.
    Source: Heusel et al., GANs trained by a two time-scale update rule, NeurIPS 2017, equation 6.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"expected (n1, d) and (n2, d), got {x.shape} and {y.shape}")
    if min(len(x), len(y)) < 2:
        raise ValueError(f"expected at least 2 rows a side, got {len(x)} and {len(y)}")
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    gap = a.mean(axis=0) - b.mean(axis=0)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    a /= np.sqrt(len(a) - 1)
    b /= np.sqrt(len(b) - 1)
    if min(len(a), len(b)) < a.shape[1]:
        cross = float(np.sum(scipy.linalg.svdvals(a @ b.T)))
    else:
        cross = _trace_of_root(a.T @ a, b.T @ b)
    distance = float(gap @ gap + np.sum(a * a) + np.sum(b * b) - 2.0 * cross)
    return max(0.0, distance)


def kernel_distance(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Return the unbiased squared kernel distance of two sets of features, over all pairs.

    The kernel is (x·y / d + 1)³. Being unbiased, the value of equal distributions can be negative.

    Shapes: x (n1, d), y (n2, d), n1 and n2 at least 2.
    Range: lower is better.
    Raises: ValueError for fewer than 2 rows.
    Source: Bińkowski et al., Demystifying MMD GANs, ICLR 2018, equation 4.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(f"expected at least 2 rows a side, got {len(x)} and {len(y)}")
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    width = a.shape[1]
    n, m = len(a), len(b)
    within_a = (a @ a.T / width + 1.0) ** 3
    within_b = (b @ b.T / width + 1.0) ** 3
    between = (a @ b.T / width + 1.0) ** 3
    return float(
        (within_a.sum() - np.trace(within_a)) / (n * (n - 1))
        + (within_b.sum() - np.trace(within_b)) / (m * (m - 1))
        - 2.0 * between.mean()
    )


def _trace_of_root(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    values, vectors = scipy.linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    product = root @ second @ root
    eigenvalues = scipy.linalg.eigvalsh((product + product.T) / 2)
    return float(np.sum(np.sqrt(np.clip(eigenvalues, 0.0, None))))


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
                )
            )
    for key, title in (("frames", "frames"), ("reference_frames", "reference frames")):
        name = f"fid{mode}_{key}"
        infos.append(
            MetricInfo(name, f"FID{words} {title}", low=0.0, higher_is_better=None, level="set")
        )
    return tuple(infos)


class Distribution(Metric):
    """FID and KID of a few frames of each clip, in grey on both sides.

    The other side are the reference frames, else the driving frames; equal frames count once.
    Lower is better. FID is biased upwards at small N, so the number of frames stands beside it.

    Args:
        device: torch device.
        cache: folder that keeps features by pixels, or None.
        allow_seeded: without published weights, use stand-ins under ``fid~seeded``.
        seed: seed of the stand-ins.
        frames: frames of each clip: onset, apex, and evenly spaced ones.

    Raises:
        WeightsError: without published weights unless `allow_seeded`.
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
            weights.require(_NAME)
        self.suffix = "" if self.seed is None else "~seeded"

    def describe(self, case: Case) -> FrameFeatures:
        """Return the features of the frames looked at on both sides."""
        apex = case.driving.apex_index
        wanted = sample_indices(len(case.generated), self.frames, apex)
        generated = [np.asarray(case.generated[t]) for t in wanted]
        side = case.reference.frames if case.reference is not None else case.driving.frames
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
        lacking = [case.lacking for case in described if case.lacking]
        rows = _first_of_each([d for case in described for d in case.reference_digests])
        generated = sum(len(case.generated) for case in described)
        values: dict[str, Value] = {
            f"fid{self.mode}_frames": float(generated),
            f"fid{self.mode}_reference_frames": float(len(rows)),
        }
        fid, kid = (f"{key}{self.mode}{self.suffix}" for key in ("fid", "kid"))
        if lacking:
            values[fid] = values[kid] = Missing(f"{len(lacking)} clips: {lacking[0]}")
        elif min(generated, len(rows)) < 2:
            few = Missing(f"needs 2 frames a side, got {generated} and {len(rows)}")
            values[fid] = values[kid] = few
        else:
            ours = np.concatenate([case.generated for case in described])
            theirs = np.concatenate([case.reference for case in described])[rows]
            values[fid] = frechet_distance(ours, theirs)
            values[kid] = kernel_distance(ours, theirs)
        return values

    @property
    def weights(self) -> Mapping[str, str]:
        """Return the hash of the network's weights."""
        return {_NAME: self._network().weights_id}

    def _lacking(self, generated: Sequence[Image], reference: Sequence[Image]) -> str:
        return ""

    def _seen(self, image: Image) -> Image:
        return as_gray(image)

    def _features(self, images: Sequence[Image]) -> NDArray[np.float32]:
        return cached_features([self._seen(i) for i in images], self._network(), self.cache)

    def _network(self) -> FidInception:
        place = "" if self.seed is not None else str(weights.path(_NAME))
        return network(place, self.seed, self.device)


class ColourDistribution(Distribution):
    """FID and KID in colour; missing when either side of any clip is grey."""

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
