"""Pictures that stand beside an output: brought to its view, so that faces are of one size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mebench.preprocess.canonical import canonical_transform, compose, invert
from mebench.preprocess.crop import resample
from mebench.types import Face, Frames, Image, Points


def beside(frames: Sequence[Image] | Frames, landmarks: Points, face: Face) -> Frames:
    """Return frames of another face with its eyes where an output has them, at the output's size.

    What lies outside the frames is black.

    Shapes: frames (T, h, w, 3) with landmarks (68, 2) of frame 0; face is the template in the
    output's view (H, W, 3); the result is (T, H, W, 3).
    """
    matrix = compose(invert(canonical_transform(landmarks)), canonical_transform(face.landmarks))
    shape = (face.image.shape[0], face.image.shape[1])
    return np.stack([resample(np.asarray(frame), matrix, shape, border=0) for frame in frames])
