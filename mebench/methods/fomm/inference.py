"""Makes a template move as a driving clip does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from mebench.methods.fomm.blocks import EncodedTemplate, Keypoints
from mebench.methods.fomm.config import FommConfig
from mebench.methods.fomm.denormals import without_denormals
from mebench.methods.fomm.keypoints import KPDetector
from mebench.methods.fomm.living_eyes import LivingEyes
from mebench.methods.fomm.material import resized
from mebench.methods.fomm.model import Animator, DrivingPoints, normalize_kp, to_frames, to_tensor
from mebench.methods.fomm.networks import GivenPoints, Networks
from mebench.methods.fomm.objective import compose
from mebench.methods.fomm.painter import Prior, face_prior
from mebench.methods.fomm.placement import Placement, compose_in, cut_out, is_aligned
from mebench.methods.fomm.points import pick
from mebench.methods.fomm.rehearsal import corrected
from mebench.methods.fomm.tracks import Tracks, stored_track
from mebench.preprocess.canonical import eye_distance
from mebench.preprocess.crop import HEAD, Crop
from mebench.types import Face, FaceClip, Frames, Image, Points


class FaceAnimator(Animator):
    """An `Animator` that paints on the template at its own size.

    The networks see `model.size` pixels; motion and correction are carried to the full template,
    so that a larger template keeps its detail. Of a picture that is no aligned square they see the
    aligned square around the face (see `placement`).
    """

    def __init__(self, networks: Networks, config: FommConfig) -> None:
        learned_scale = config.inference.adapt_scale and config.model.prior == "none"
        super().__init__(
            cast(KPDetector, networks.detector),
            networks.generator,
            batch_size=config.inference.batch,
            adapt_movement_scale=learned_scale,
            use_relative_movement=config.inference.relative,
            use_relative_jacobian=config.inference.relative,
        )
        self.config = config
        self._placement: Placement | None = None
        self._prior: Prior | None = None
        self._eyes: LivingEyes | None = None

    def generate(
        self, template: Face, driving: FaceClip, tracks: Tracks | None, crop: Crop = HEAD
    ) -> Frames:
        """Return (T, H, W, 3): the template moving as the driving clip; a grey one stays grey.

        Shapes: template.image (H, W, 3) of any size; tracks belong to the driving clip at
        `model.size`, None for a model that finds its own points; crop: of the clips the networks
        learned on.
        """
        size = self.config.model.size
        if is_aligned(template, crop):
            image, landmarks = fitted(template, size)
            self._placement = None
        else:
            image, landmarks, self._placement = cut_out(template, size, crop, self.device)
        self._canvas = to_tensor(template.image[None], self.device)
        if self.generator.blend == "painter":
            self._prior = face_prior(landmarks, size).to(self.device)
        self._gray = bool((template.image == template.image[..., :1]).all())
        points = None
        moving = None
        if tracks is not None:
            points = pick(landmarks, self.config.points.point_set)
            if isinstance(self.detector, GivenPoints):
                tracks = corrected(tracks, self.detector.correction.numpy(force=True))
            tracks = steadied(tracks, self.config.inference.smooth_ms * driving.fps / 1000)
            moving = self._driving_points(tracks, eye_distance(landmarks))
        clip = resized(driving, size)
        frames = clip.frames
        self._eyes = None
        draws = self.config.inference
        if self._prior is not None and (draws.lids or draws.gaze):
            self._eyes = LivingEyes.of(
                clip,
                landmarks,
                template.landmarks,
                amplitude=draws.amplitude,
                lids=draws.lids,
                gaze=draws.gaze,
            )
        pictures = self.pictures(image, points, frames, moving)
        return np.concatenate(without_denormals(lambda: [to_frames(batch) for batch in pictures]))

    def _driving_points(self, tracks: Tracks, iod: float) -> DrivingPoints:
        settings = self.config.inference
        factor = settings.amplitude
        if settings.adapt_scale:
            factor *= iod / tracks.eye_distance
        eye = np.eye(2, dtype=np.float32)
        jacobians = None
        if self.config.measures:
            jacobians = eye + np.float32(settings.amplitude) * (tracks.jacobians - eye)
        return DrivingPoints(tracks.start + np.float32(factor) * tracks.motion, jacobians)

    def _batch(
        self,
        still: torch.Tensor,
        kp_template: Keypoints,
        encoded: EncodedTemplate,
        initial: Keypoints,
        driving: Frames,
        driving_points: DrivingPoints | None,
        part: slice,
    ) -> torch.Tensor:
        count = part.stop - part.start
        kp_template = kp_template.expand(count)
        driving_now = self._driving(driving, driving_points, part)
        moved = normalize_kp(
            kp_template,
            driving_now,
            initial.expand(count),
            adapt_movement_scale=self.adapt_movement_scale,
            use_relative_movement=self.use_relative_movement,
            use_relative_jacobian=self.use_relative_jacobian,
        )
        if self.config.model.jacobians == "regions" and self.use_relative_jacobian:
            # Only the turn from the first driving frame to this one counts, and it is found where
            # the two roots are compared; the template's own root would cancel out.
            kp_template = kp_template._replace(jacobian=initial.expand(count).jacobian)
            moved = moved._replace(jacobian=driving_now.jacobian)
        out = self.generator(
            still.expand(count, -1, -1, -1),
            moved,
            kp_template,
            encoded.expand(count),
            prior=None if self._prior is None else self._prior.expand(count),
        )
        if self._eyes is not None:
            self._eyes.clear(out, part)
        if self._placement is None:
            canvas = self._canvas.expand(count, -1, -1, -1)
            picture = compose(self.generator, canvas, out)
        else:
            picture = compose_in(self.generator, self._canvas, out, self._placement)
        if self._eyes is not None:
            picture = self._eyes.drawn(picture, part)
        if self._gray:
            # What the networks add is learnt on colour too; a grey face must not turn pink.
            picture = picture.mean(dim=1, keepdim=True).expand_as(picture)
        return picture


def steadied(tracks: Tracks, frames: float) -> Tracks:
    """Return tracks averaged over time with a Gaussian of so many frames; 0 leaves them."""
    if frames == 0:
        return tracks
    made = {
        name: gaussian_filter1d(getattr(tracks, name), frames, axis=0, mode="nearest")
        for name in ("motion", "jacobians")
    }
    return replace(tracks, **made)


def driving_tracks(
    driving: FaceClip, config: FommConfig, cache: Path | None = None
) -> Tracks | None:
    """Return the tracks of a driving clip at the networks' size; None without a prior."""
    if config.model.prior == "none":
        return None
    return stored_track(resized(driving, config.model.size), config.points, cache)


def fitted(face: Face, size: int) -> tuple[Image, Points]:
    """Return a face's image at size × size pixels and its landmarks there."""
    height, width = face.image.shape[:2]
    if (height, width) == (size, size):
        return face.image, face.landmarks
    how = cv2.INTER_AREA if size < height else cv2.INTER_CUBIC
    image = np.asarray(cv2.resize(face.image, (size, size), interpolation=how), np.uint8)
    factor = np.array([size / width, size / height], np.float32)
    marks = (face.landmarks + np.float32(0.5)) * factor - np.float32(0.5)
    return image, marks.astype(np.float32)
