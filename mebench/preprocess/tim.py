"""Temporal interpolation (TIM): a clip brought to a fixed number of frames.

The frames of a clip are nodes of a path graph. The graph's Laplacian embeds them on a curve whose
coordinates are sines of the position along the path; a linear map leads back from the curve to the
frames, and new frames are read off between the old ones.

Linearly independent frames span all the curve, so the map through the SVD of the frames cancels
out: what is left is the expansion of the frames over time in the Laplacian's eigenvectors, which
are the cosines of the DCT-II. The weights below depend on the two lengths alone, cost no
decomposition, and also hold where frames repeat and the published formula is singular.

Source: Zhou, Zhao, Pietikäinen, "Towards a practical lipreading system", CVPR 2011, section 3;
for micro-expressions Pfister, Li, Zhao, Pietikäinen, ICCV 2011.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError
from mebench.types import Frames

MOST = 1000
_CHUNK = 1 << 14
_HALF = 0.5 + 1e-6
"""Rounds exact halves up, whatever the order in which a product was summed."""


def check_count(count: int) -> None:
    """Refuse a number of frames that cannot be asked for.

    Raises:
        UsageError: outside 2..1000.
    """
    if not 2 <= count <= MOST:
        raise UsageError(f"TIM gives 2 to {MOST} frames, got {count}")


def tim_weights(recorded: int, count: int) -> NDArray[np.float64]:
    """Return how much of each recorded frame goes into each new one.

    New frames lie at equal distances from the first to the last recorded frame, which both stay.

    Shapes: (count, recorded); rows sum to 1, weights may be negative.
    """
    places = np.linspace(0.0, recorded - 1.0, count) + 0.5
    steps = np.arange(1, recorded) * np.pi / recorded
    new, old = np.cos(np.outer(places, steps)), np.cos(np.outer(np.arange(recorded) + 0.5, steps))
    weights: NDArray[np.float64] = (1.0 + 2.0 * new @ old.T) / recorded
    return weights


def interpolate(frames: Frames, count: int) -> Frames:
    """Return a clip of `count` frames.

    Shapes: frames (T, H, W, 3) uint8, T at least 2; result (count, H, W, 3) uint8.

    Raises:
        UsageError: for a count outside 2..1000.
    """
    check_count(count)
    weights = tim_weights(len(frames), count)
    flat = frames.reshape(len(frames), -1)
    made = np.empty((count, flat.shape[1]), np.uint8)
    for start in range(0, flat.shape[1], _CHUNK):
        part = weights @ flat[:, start : start + _CHUNK].astype(np.float64)
        made[:, start : start + _CHUNK] = np.clip(np.floor(part + _HALF), 0, 255)
    return made.reshape(count, *frames.shape[1:])
