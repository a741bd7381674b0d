"""The trained networks at work: motion of a driving clip carried over to a template."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor

from mebench.methods.fomm.allocator import keep_freed_memory
from mebench.methods.fomm.blocks import EncodedTemplate, Keypoints, inverse2, product2
from mebench.methods.fomm.fast import fast_copy
from mebench.methods.fomm.generator import OcclusionAwareGenerator
from mebench.methods.fomm.keypoints import KPDetector
from mebench.types import Frames, Image


def normalize_kp(
    kp_template: Keypoints,
    kp_driving: Keypoints,
    kp_initial: Keypoints,
    *,
    adapt_movement_scale: bool = False,
    use_relative_movement: bool = True,
    use_relative_jacobian: bool = True,
) -> Keypoints:
    """Return the points the template should have when the driving face moves as it does.

    value = (driving - initial) * scale + template; jacobian = driving initial^-1 template; scale
    is 1 or the root of the hull areas' ratio. Without relative movement: the driving points.
    Source: Siarohin et al. 2019, equation 10.
    """
    if not use_relative_movement:
        return kp_driving
    movement = kp_driving.value - kp_initial.value
    if adapt_movement_scale:
        movement = movement * _hull_ratio(kp_template.value, kp_initial.value)
    jacobian = kp_driving.jacobian
    if (
        use_relative_jacobian
        and jacobian is not None
        and kp_initial.jacobian is not None
        and kp_template.jacobian is not None
    ):
        change = product2(jacobian, inverse2(kp_initial.jacobian))
        jacobian = product2(change, kp_template.jacobian)
    return Keypoints(movement + kp_template.value, jacobian)


def _hull_ratio(template: Tensor, initial: Tensor) -> Tensor:
    ratios = [
        (_hull_area(t) / _hull_area(i)) ** 0.5
        for t, i in zip(template.detach().cpu(), initial.detach().cpu(), strict=True)
    ]
    return torch.tensor(ratios, dtype=template.dtype, device=template.device)[:, None, None]


def _hull_area(points: Tensor) -> float:
    try:
        # SciPy calls the area of a 2-D hull its volume.
        return float(ConvexHull(points.double().numpy()).volume)
    except QhullError:
        return 1.0


def to_tensor(frames: Frames, device: torch.device | str = "cpu") -> Tensor:
    """Return (T, H, W, 3) uint8 frames as (T, 3, H, W) float32 in 0..1."""
    pixels = torch.from_numpy(np.array(frames, order="C")).to(device)
    return pixels.permute(0, 3, 1, 2).float() / 255


def to_frames(pictures: Tensor) -> Frames:
    """Return (T, 3, H, W) pictures in 0..1 as (T, H, W, 3) uint8, rounded and clipped."""
    pixels = (pictures.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).cpu().numpy())


@dataclass(frozen=True)
class DrivingPoints:
    """What is known of the driving clip beside its frames.

    Shapes: points (K, 2), the same for all frames, or (T, K, 2), pixels of the driving frames;
    jacobians (T, K, 2, 2) measured, or None.
    """

    points: NDArray[np.float32]
    jacobians: NDArray[np.float32] | None = None


class Animator:
    """Carries a driving clip's motion over to a template, a batch of frames at a time.

    What depends on the template or on the first driving frame is computed once; networks are
    folded copies (see `fast_copy`), so train on the originals and make a new Animator after.

    Args:
        detector: trained detector.
        generator: trained generator.
        batch_size: frames at a time; results do not depend on it beyond rounding.
        fast: fold norms, split convolutions and keep freed memory (see `keep_freed_memory`);
            False runs the networks as they are.
        adapt_movement_scale: see `normalize_kp`; the next two as well.
    """

    def __init__(
        self,
        detector: KPDetector,
        generator: OcclusionAwareGenerator,
        *,
        batch_size: int = 8,
        fast: bool = True,
        adapt_movement_scale: bool = False,
        use_relative_movement: bool = True,
        use_relative_jacobian: bool = True,
    ) -> None:
        self.detector = fast_copy(detector) if fast else detector.eval()
        self.generator = fast_copy(generator) if fast else generator.eval()
        self.device = next(detector.parameters()).device
        if fast and self.device.type == "cpu":
            keep_freed_memory()
        self.batch_size = batch_size
        self.layout = torch.channels_last if fast else torch.contiguous_format
        self.adapt_movement_scale = adapt_movement_scale
        self.use_relative_movement = use_relative_movement
        self.use_relative_jacobian = use_relative_jacobian

    def animate(
        self,
        template: Image,
        template_points: NDArray[np.float32] | None,
        driving: Frames,
        driving_points: DrivingPoints | None,
    ) -> Frames:
        """Return the template (H, W, 3) making the motion of driving (T, h, w, 3).

        Points are None for a detector that finds its own.
        """
        batches = self.pictures(template, template_points, driving, driving_points)
        return np.concatenate([to_frames(batch) for batch in batches])

    def pictures(
        self,
        template: Image,
        template_points: NDArray[np.float32] | None,
        driving: Frames,
        driving_points: DrivingPoints | None,
    ) -> Iterator[Tensor]:
        """Yield the generated frames as (B, 3, H, W) pictures in 0..1, batch by batch."""
        with torch.inference_mode():
            still = self._prepare(template[None])
            kp_template = self.detector(still, self._points(template_points))
            encoded = self.generator.encode(still)
            initial = self._driving(driving, driving_points, slice(0, 1))
        for start in range(0, len(driving), self.batch_size):
            part = slice(start, min(start + self.batch_size, len(driving)))
            with torch.inference_mode():
                picture = self._batch(
                    still, kp_template, encoded, initial, driving, driving_points, part
                )
            yield picture

    def _batch(
        self,
        still: Tensor,
        kp_template: Keypoints,
        encoded: EncodedTemplate,
        initial: Keypoints,
        driving: Frames,
        driving_points: DrivingPoints | None,
        part: slice,
    ) -> Tensor:
        count = part.stop - part.start
        kp_template = kp_template.expand(count)
        moved = normalize_kp(
            kp_template,
            self._driving(driving, driving_points, part),
            initial.expand(count),
            adapt_movement_scale=self.adapt_movement_scale,
            use_relative_movement=self.use_relative_movement,
            use_relative_jacobian=self.use_relative_jacobian,
        )
        out = self.generator(
            still.expand(count, -1, -1, -1),
            moved,
            kp_template,
            encoded.expand(count),
            want_deformed=False,
        )
        picture: Tensor = out["prediction"]
        return picture

    def _driving(self, driving: Frames, given: DrivingPoints | None, part: slice) -> Keypoints:
        frames = self._prepare(driving[part])
        if given is None:
            found: Keypoints = self.detector(frames)
            return found
        points = given.points if given.points.ndim == 2 else given.points[part]
        jacobians = None
        if given.jacobians is not None:
            jacobians = torch.from_numpy(np.ascontiguousarray(given.jacobians[part]))
            jacobians = jacobians.to(self.device)
        tensor = self._points(points)
        if tensor is not None and tensor.shape[0] == 1:
            tensor = tensor.expand(len(frames), -1, -1)
        found = self.detector(frames, tensor, jacobians)
        return found

    def _prepare(self, frames: Frames) -> Tensor:
        return to_tensor(frames, self.device).contiguous(memory_format=self.layout)

    def _points(self, points: NDArray[np.float32] | None) -> Tensor | None:
        if points is None:
            return None
        tensor = torch.from_numpy(np.ascontiguousarray(points, dtype=np.float32))
        return tensor.reshape(-1, *points.shape[-2:]).to(self.device)
