"""Where action units show in dense motion: face regions and action-unit directions, as data.

Everything is in units of the inter-ocular distance (IOD) on an upright face, so the same table
holds for every image size. "Outward" is away from the midline, "up" is towards the forehead.

A *site* is a region on one side. Sides are the person's own: the image's left half is the person's
right, ``R``; the midline is ``C``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["R", "L", "C"]
SIGN: dict[Side, float] = {"R": -1.0, "L": 1.0, "C": 1.0}
"""Image direction (x) that is counted as lateral: outward on a side, image right on the midline."""

MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
)
"""``landmarks[MIRROR]`` re-orders the 68 points after the image is mirrored left to right."""


@dataclass(frozen=True)
class Region:
    """A disc on the face, placed by landmarks.

    Attributes:
        name: such as ``brow_in``.
        radius: of the disc, IOD.
        points: landmarks whose mean is the anchor, for each side the region has (0-based iBUG-68).
        outward: shift of the centre from the anchor away from the midline, IOD.
        up: shift of the centre from the anchor upwards, IOD.
    """

    name: str
    radius: float
    points: dict[Side, tuple[int, ...]]
    outward: float = 0.0
    up: float = 0.0


def _pair(
    name: str,
    radius: float,
    right: tuple[int, ...],
    left: tuple[int, ...],
    outward: float = 0.0,
    up: float = 0.0,
) -> Region:
    return Region(name, radius, {"R": right, "L": left}, outward, up)


def _middle(name: str, radius: float, points: tuple[int, ...], up: float = 0.0) -> Region:
    return Region(name, radius, {"C": points}, 0.0, up)


REGIONS: tuple[Region, ...] = (
    _pair("brow_in", 0.10, (21, 20), (22, 23)),
    _pair("brow_mid", 0.10, (19,), (24,)),
    _pair("brow_out", 0.10, (18, 17), (25, 26)),
    _pair("glab", 0.09, (21,), (22,), outward=-0.08, up=-0.10),
    _pair("lid_up", 0.07, (37, 38), (43, 44)),
    _pair("lid_lo", 0.07, (41, 40), (46, 47), up=-0.03),
    _pair("cheek", 0.13, (41, 40), (46, 47), outward=0.06, up=-0.30),
    _pair("nosewall", 0.09, (39, 31), (42, 35)),
    _pair("ala", 0.08, (31,), (35,), outward=0.03),
    _pair("uplip", 0.08, (50,), (52,), up=0.03),
    _pair("nlf", 0.08, (50, 31), (52, 35), outward=0.05),
    _pair("corner", 0.10, (48,), (54,), outward=0.03),
    _pair("lolip", 0.08, (58,), (56,)),
    _pair("chin", 0.12, (57, 8), (57, 8), outward=0.10),
    _middle("uplip", 0.08, (51,), up=0.03),
    _middle("lolip", 0.08, (57,)),
    _middle("chin", 0.12, (57, 8)),
    _middle("jaw", 0.10, (8,), up=0.10),
    _middle("glab", 0.09, (27,), up=0.12),
    _middle("tip", 0.08, (30,)),
)
EYE_REGIONS = frozenset({"lid_up", "lid_lo"})

SITES: tuple[tuple[str, Side], ...] = tuple((r.name, side) for r in REGIONS for side in r.points)
"""(region, side), the order of every array with an S axis."""

EYE_SITES: NDArray[np.bool_] = np.array([name in EYE_REGIONS for name, _ in SITES])


def site_discs(landmarks: NDArray[np.floating], iod: float) -> NDArray[np.float64]:
    """Return centre x, centre y and radius of every site on an upright face.

    Shapes: landmarks (68, 2) of the upright face; result (S, 3), in `SITES` order.
    Units: pixels, as the landmarks; `iod` is the distance of the eye centres in pixels.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    discs = []
    for region in REGIONS:
        for side, indices in region.points.items():
            x, y = points[list(indices)].mean(axis=0)
            shift = 0.0 if side == "C" else SIGN[side] * region.outward * iod
            discs.append((x + shift, y - region.up * iod, region.radius * iod))
    return np.array(discs)


@dataclass(frozen=True)
class Direction:
    """How an action unit moves the face: (region, share, (outward, up)) terms.

    Attributes:
        au: FACS number.
        terms: the action unit's value is the sum of share · (motion of the region · direction).
        central: one value on the midline in place of one a side.
    """

    au: int
    terms: tuple[tuple[str, float, tuple[float, float]], ...]
    central: bool = False


AU_DIRECTIONS: tuple[Direction, ...] = (
    Direction(1, (("brow_in", 1.0, (0.0, 1.0)),)),
    Direction(2, (("brow_out", 1.0, (0.0, 1.0)),)),
    Direction(4, (("brow_in", 1.0, (-0.6, -0.8)),)),
    Direction(5, (("lid_up", 1.0, (0.0, 1.0)),)),
    Direction(6, (("cheek", 1.0, (0.0, 1.0)),)),
    Direction(7, (("lid_lo", 1.0, (0.0, 1.0)),)),
    Direction(9, (("nosewall", 0.6, (0.0, 1.0)), ("ala", 0.4, (0.0, 1.0)))),
    Direction(10, (("uplip", 0.6, (0.0, 1.0)), ("nlf", 0.4, (0.0, 1.0)))),
    Direction(12, (("corner", 1.0, (0.71, 0.71)),)),
    Direction(14, (("corner", 1.0, (1.0, 0.0)),)),
    Direction(15, (("corner", 1.0, (0.0, -1.0)),)),
    Direction(17, (("chin", 1.0, (0.0, 1.0)),)),
    Direction(20, (("corner", 1.0, (0.95, -0.3)),)),
    Direction(24, (("uplip", 0.5, (0.0, -1.0)), ("lolip", 0.5, (0.0, 1.0)))),
    Direction(26, (("jaw", 0.5, (0.0, -1.0)), ("lolip", 0.5, (0.0, -1.0))), central=True),
)
EYE_AUS = frozenset({5, 7})


def _columns() -> tuple[tuple[Direction, Side], ...]:
    sides: tuple[Side, ...] = ("R", "L")
    return tuple((d, side) for d in AU_DIRECTIONS for side in (("C",) if d.central else sides))


CURVES: tuple[tuple[int, Side], ...] = tuple((d.au, side) for d, side in _columns())
"""(action unit, side), the order of every array with a K axis."""

CURVE_NAMES: tuple[str, ...] = tuple(f"{au}{'' if side == 'C' else side}" for au, side in CURVES)
"""``1R``, ``1L``, ..., ``26``."""

EYE_CURVES: NDArray[np.bool_] = np.array([au in EYE_AUS for au, _ in CURVES])


def curve_weights() -> NDArray[np.float64]:
    """Return the (K, S, 2) array W of the table: A_k = sum over sites of W_k · site motion."""
    weights = np.zeros((len(CURVES), len(SITES), 2))
    for k, (direction, side) in enumerate(_columns()):
        for region, share, (outward, up) in direction.terms:
            weights[k, SITES.index((region, side))] = share * outward, share * up
    return weights


def motion_templates() -> NDArray[np.float64]:
    """Return (K, S, 2): the site motion of each action unit at activation 1."""
    weights = np.zeros((len(CURVES), len(SITES), 2))
    for k, (direction, side) in enumerate(_columns()):
        for region, _, towards in direction.terms:
            weights[k, SITES.index((region, side))] = towards
    return weights
