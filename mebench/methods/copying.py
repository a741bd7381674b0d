"""The controls that copy: all of the face and none of the motion, and the other way round."""

from __future__ import annotations

import numpy as np

from mebench.methods.base import Baseline
from mebench.types import Face, FaceClip, Frames


class CopyTemplate(Baseline):
    """The template in every frame: perfect identity, no motion."""

    def generate(self, template: Face, driving: FaceClip) -> Frames:
        """Return (T, H, W, 3): the template T times."""
        return np.repeat(template.image[None], len(driving.frames), axis=0)


class CopyDriving(Baseline):
    """The driving frames themselves: perfect motion, the identity lost."""

    paints = False

    def generate(self, template: Face, driving: FaceClip) -> Frames:
        """Return (T, H, W, 3): the driving frames, at the size of a square template.

        A template of another shape has another view than the driving clip: that one is kept.
        """
        import cv2

        height, width = template.image.shape[:2]
        if height != width or driving.frames.shape[1:3] == (height, width):
            return np.array(driving.frames)
        shrinks = driving.frames.shape[1] >= height
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        resized = [
            cv2.resize(np.ascontiguousarray(frame), (width, height), interpolation=how)
            for frame in driving.frames
        ]
        return np.stack(resized).astype(np.uint8, copy=False)
