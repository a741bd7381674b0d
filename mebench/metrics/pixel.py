"""Pixel fidelity: PSNR and SSIM to the right answer, SSIM of the first frame to the template."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.metrics.base import Case, Metric, MetricInfo, Missing, Value
from mebench.metrics.frames import sample_indices
from mebench.types import Frames, Image

PSNR_CAP_DB = 100.0
"""What equal frames get; at 256 x 256, two of 196608 values off by one are 98 dB."""
Mask = NDArray[np.bool_]

_RADIUS = 5
_SIGMA = 1.5
_C1 = np.float32((0.01 * 255) ** 2)
_C2 = np.float32((0.03 * 255) ** 2)
_NO_REFERENCE = "the protocol has no reference frames"
_NO_APEX = "the apex of the driving clip is not known or not in the clip"


def psnr_db(frames: Frames, other: Frames, seen: Mask | None = None) -> float:
    """Return the peak signal-to-noise ratio over all frames together.

    The squared error is averaged over the clip before the logarithm, so that frames which are equal
    (frame 0 of a reconstruction) do not make it infinite; equal clips get the cap.

    Shapes: frames, other (T, H, W, 3) uint8; seen (H, W), the pixels that count, None for all.
    Units: dB.
    Range: up to 100, higher is better.
    """
    total = 0.0
    for a, b in zip(frames, other, strict=True):
        difference = a.astype(np.int32) - b.astype(np.int32)
        if seen is not None:
            difference = difference[seen]
        total += float(np.sum(difference * difference, dtype=np.int64))
    if total == 0.0:
        return PSNR_CAP_DB
    size = frames.size if seen is None else len(frames) * int(seen.sum()) * frames.shape[-1]
    return min(PSNR_CAP_DB, 10.0 * float(np.log10(255.0**2 * size / total)))


def ssim(image: Image, other: Image, seen: Mask | None = None) -> float:
    """Return the structural similarity, the mean over pixels and channels.

    Gaussian window of 11 pixels, sigma 1.5, population covariance, the border of 5 pixels left out.

    Shapes: image, other (H, W, 3) uint8, both sides at least 11; seen (H, W), the pixels that
    count, None for all.
    Range: -1..1, higher is better.
    Source: Wang et al., Image quality assessment, IEEE TIP 2004, equation 13.
    """
    # Values near 0 keep their variance in single precision; whole ones keep their squares exact.
    middle = np.float32(round(float(image.mean() + other.mean()) / 2))
    x, y = image.astype(np.float32) - middle, other.astype(np.float32) - middle
    mean_x, mean_y = _blur(x), _blur(y)
    centred = mean_x * mean_x + mean_y * mean_y
    variances = _blur(x * x + y * y) - centred
    covariance = _blur(x * y) - mean_x * mean_y
    mean_x, mean_y = mean_x + middle, mean_y + middle
    top = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    bottom = (mean_x * mean_x + mean_y * mean_y + _C1) * (variances + _C2)
    inside = slice(_RADIUS, -_RADIUS)
    values = (top / bottom)[inside, inside]
    if seen is not None:
        values = values[seen[inside, inside]]
    return float(np.mean(values, dtype=np.float64))


def _kernel() -> NDArray[np.float32]:
    offsets = np.arange(-_RADIUS, _RADIUS + 1, dtype=np.float64)
    weights = np.exp(-0.5 * (offsets / _SIGMA) ** 2)
    normalised: NDArray[np.float32] = (weights / weights.sum()).astype(np.float32)
    return normalised


_KERNEL = _kernel()


def _blur(image: NDArray[np.float32]) -> NDArray[np.float32]:
    blurred = cv2.sepFilter2D(image, cv2.CV_32F, _KERNEL, _KERNEL, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, dtype=np.float32)


@dataclass(frozen=True)
class PixelValues:
    """What `Pixel` keeps of one case: its values, and those of each frame (empty without truth)."""

    values: Mapping[str, Value]
    ssim: NDArray[np.float64]
    psnr_db: NDArray[np.float64]


def _info(key: str, title: str, formula: str, reading: str = "") -> MetricInfo:
    low, high, unit = (-math.inf, PSNR_CAP_DB, "dB") if "psnr" in key else (-1.0, 1.0, "")
    needs = ("template",) if key in ("ssim_template", "onset_fidelity") else ("reference",)
    return MetricInfo(key, title, unit, low, high, True, "clip", needs, False, formula, reading)


class Pixel(Metric):
    """PSNR and SSIM of all frames and the apex against the reference, SSIM to the template.

    Formula: SSIM(x, y) = (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2)) in a
    Gaussian window of 11 px, σ 1.5, mean over pixels and colours, C1 = (.01·255)², C2 = (.03·255)².
    Reading: only beside the motion values. A micro-expression changes few pixels by little, so a
    frozen face scores high. See docs/what-ssim-rewards.md.
    Blind to: motion. What a face does weighs less than a shift of one pixel or a change of light.
    Source: Wang et al., Image quality assessment, IEEE TIP 2004, equation 13.
    """

    infos: ClassVar[tuple[MetricInfo, ...]] = (
        _info(
            "psnr_db",
            "PSNR",
            "10 log10(255² / mean squared error), the mean over all frames before the logarithm",
            "equal clips get 100",
        ),
        _info("ssim", "SSIM", "mean over frames of SSIM(generated, reference)"),
        _info("psnr_apex_db", "PSNR at the apex", "PSNR of the driving clip's apex frame alone"),
        _info("ssim_apex", "SSIM at the apex", "SSIM of the driving clip's apex frame alone"),
        _info(
            "ssim_template",
            "SSIM to template",
            "mean of SSIM(generated, template) over onset, apex and last frame",
            "1 is a copied template: not a goal",
        ),
        _info(
            "onset_fidelity",
            "onset fidelity",
            "SSIM(generated frame 0, template)",
            "falls when frame 0 already carries the driving face",
        ),
    )

    def describe(self, case: Case) -> PixelValues:
        """Return the values of the case and of each frame."""
        generated, template, seen = case.generated, case.template.image, case.seen
        sampled = sample_indices(len(generated), 3, case.driving.apex_index)
        values: dict[str, Value] = {
            "onset_fidelity": ssim(generated[0], template, seen),
            "ssim_template": float(np.mean([ssim(generated[t], template, seen) for t in sampled])),
        }
        keys = ("psnr_db", "ssim", "psnr_apex_db", "ssim_apex")
        if case.reference is None:
            nothing = np.zeros(0)
            missing = dict.fromkeys(keys, Missing(_NO_REFERENCE))
            return PixelValues({**values, **missing}, nothing, nothing)
        # The validator lets a clip be two frames longer or shorter than its reference.
        length = min(len(generated), len(case.reference.frames))
        ours, right = generated[:length], case.reference.frames[:length]
        alike = np.array([ssim(a, b, seen) for a, b in zip(ours, right, strict=True)])
        signal = np.array([psnr_db(ours[t : t + 1], right[t : t + 1], seen) for t in range(length)])
        apex = case.driving.apex_index
        known = apex is not None and apex < length
        at_apex = (float(signal[apex]), float(alike[apex])) if known else (Missing(_NO_APEX),) * 2
        whole = (psnr_db(ours, right, seen), float(alike.mean()))
        values.update(zip(keys, (*whole, *at_apex), strict=True))
        return PixelValues(values, alike, signal)

    def clip_values(self, described: PixelValues) -> Mapping[str, Value]:
        """Return the values of one case."""
        return described.values

    def curves(self, described: PixelValues) -> Mapping[str, Any]:
        """Return SSIM and PSNR (dB) of each frame against the reference."""
        if not len(described.ssim):
            return {}
        return {"frames/ssim": described.ssim, "frames/psnr_db": described.psnr_db}
