"""Known behaviour: answers that are good or bad for a known reason."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mebench.calibration import damage
from mebench.calibration.scenes import SIZE, Scene, other_expression
from mebench.facs.regions import MIRROR
from mebench.metrics.base import Case

GRAIN = 1.3
"""Sensor noise of a default recording, grey levels."""

ON_REAL_FACES = {
    "oracle": 0.96,
    "head motion": 0.96,
    "noise 5": 0.94,
    "half amplitude": 0.95,
    "double amplitude": 0.92,
    "10 % late": 0.77,
    "25 % late": 0.35,
    "mirrored": 0.81,
    "eyes only": 0.37,
    "another clip": 0.26,
    "reversed": -0.06,
    "flow noise": -0.01,
    "static": -0.02,
    "static + noise": -0.02,
    "jpeg q20": 0.94,
    "half the frames": 0.98,
    "5 % landmarks": 0.97,
    "64 px": 0.97,
    "gif palette": 0.98,
}
"""``au_consistency`` of the same answers made of warped real faces, measured before mebench."""

GOOD = ("oracle", "recording", "jpeg q20")
BAD = ("another clip", "flow noise", "static", "static + noise")


def controls(scene: Scene) -> Iterator[tuple[str, Case]]:
    """Yield (name, case); a name may come more than once."""
    frames, points, seed = scene.right.frames, scene.points, scene.seed
    rng = np.random.default_rng(seed)
    answers = {
        "oracle": frames,
        "recording": damage.grain(scene.made(head=1.0), GRAIN, seed),
        "head motion": scene.made(head=3.0),
        "noise 5": damage.grain(frames, 5, seed),
        "half amplitude": scene.made(scene.act.scaled(0.5)),
        "double amplitude": scene.made(scene.act.scaled(2.0)),
        "10 % late": damage.late(frames, 0.10),
        "25 % late": damage.late(frames, 0.25),
        "eyes only": scene.made(scene.act.neutral()),
        "reversed": np.ascontiguousarray(frames[::-1]),
        "flow noise": damage.wobble(frames, scene.iod, seed),
        "static": damage.still(frames, 0, seed),
        "static + noise": damage.still(frames, 2, seed),
        "jpeg q20": damage.jpeg(frames, 20),
        "half the frames": frames[np.arange(len(frames)) // 2 * 2],
        "gif palette": damage.gif(frames),
    }
    for name, made in answers.items():
        yield name, scene.case(made)
    for index in range(3):
        other = scene.made(other_expression(scene.act, rng), shift=1000 * (index + 1))
        yield "another clip", scene.case(damage.resampled(other, len(frames)))
    mirrored = points[list(MIRROR)] * [-1, 1] + [SIZE - 1, 0]
    yield (
        "mirrored",
        scene.case(
            np.ascontiguousarray(frames[:, :, ::-1]), mirrored.astype(np.float32), answer=False
        ),
    )
    shaken = points + rng.normal(0, 0.05 * scene.iod / np.sqrt(2), points.shape)
    yield "5 % landmarks", scene.case(frames, shaken.astype(np.float32))
    small = (points + 0.5) * np.float32(64 / SIZE) - 0.5
    yield "64 px", scene.case(damage.smaller(frames, 64), small, answer=False)
