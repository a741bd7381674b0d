"""How far the face of an output's frame 0 has moved already, against its template."""

from __future__ import annotations

import numpy as np

from mebench.preprocess.region_motion import region_motion
from mebench.types import Face, Image

MOVED = 0.02
"""A region of frame 0 that lies more than this part of the eye distance off is told."""


def moved_already(frame: Image, face: Face) -> float:
    """Return the largest motion of a face region from the template to frame 0, eye distances.

    Shapes: frame (H, W, 3); face is the template in the same view.
    """
    still = np.stack([face.image, face.image, frame])
    found = region_motion(still, face.landmarks, 1.0)
    return float(np.linalg.norm(found.raw[-1], axis=-1).max())
