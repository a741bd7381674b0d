"""How far the face of an output's frame 0 has moved already, against its template."""

from __future__ import annotations

import numpy as np

from mebench.preprocess.region_motion import region_motion
from mebench.types import Face, Image

MOVED = 0.01
"""A region of frame 0 that lies more than this part of the eye distance off is told."""
_NOISE = 3.0
"""Compression moves all regions a little, an expression moves few: medians that are taken off."""


def moved_already(frame: Image, face: Face) -> float:
    """Return by how much the largest motion of a face region from the template exceeds the noise.

    Units: eye distances; 0 when it does not.

    Shapes: frame (H, W, 3); face is the template in the same view.
    """
    still = np.stack([face.image, face.image, frame])
    found = region_motion(still, face.landmarks, 1.0)
    sizes = np.linalg.norm(found.raw[-1], axis=-1)
    return max(0.0, float(sizes.max() - _NOISE * np.median(sizes)))
