"""How real SynthME looks to a face detector, how exact its points are, and how fast it is.

Run: ``python -m benchmarks.synthme [--people 24] [--seed 0]`` (needs the extra ``dlib``).
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mebench.synthme.expression import EMOTIONS, Expression
from mebench.synthme.portrait import portrait
from mebench.synthme.render import Camera, Identity, Nuisance, render

FACE = Camera(256, 256, 78.0, 127.5, 96.0)
"""A view like an aligned frame: the face fills the image."""
TINY = Camera(32, 32, 10.0, 15.5, 12.0)
"""Landmarks do not depend on the view, so their motion is measured where frames cost nothing."""


def iod(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)))


def _predictor() -> Path:
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise SystemExit("face_recognition_models is missing; install mebench[dlib]")
    return Path(spec.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"


def acceptance(people: range, frames_each: int = 6) -> dict[str, Any]:
    """Compare dlib's detections and points with the truth, on aligned and on whole frames."""
    import dlib

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(_predictor()))
    frames = found = 0
    missed: list[str] = []
    errors: dict[int, float] = {}
    offsets = []
    peaks = []
    for seed in people:
        rng = np.random.default_rng([seed, 7])
        distances = []
        for camera in (FACE, Camera.fit(256)):
            emotion = EMOTIONS[int(rng.integers(len(EMOTIONS)))]
            # A few frames are enough: what counts is the neutral face, the apex and the way there.
            expression = replace(Expression.sample(rng, emotion), n_frames=12, apex=6, hold=1.0)
            made = render(
                Identity.from_seed(seed), expression, seed=seed, camera=camera, with_flow=False
            )
            still = render(
                Identity.from_seed(seed),
                expression,
                Nuisance.none(),
                camera=camera,
                with_flow=False,
            )
            move = np.linalg.norm(still.landmarks - still.landmarks[0], axis=-1).max()
            peaks.append(float(move) / iod(still.landmarks[0]))
            for t in np.linspace(0, len(made.frames) - 1, frames_each).astype(int):
                boxes = detector(made.frames[t], 0)
                frames += 1
                found += len(boxes) == 1
                if len(boxes) != 1:
                    missed.append(f"{seed}:{camera.iod:.0f}:{t}:{len(boxes)}")
                    continue
                shape = predictor(made.frames[t], boxes[0])
                points = np.array([[p.x, p.y] for p in shape.parts()], float)
                delta = (points - made.landmarks[t]) / iod(made.landmarks[t])
                offsets.append(delta)
                distances.append(np.linalg.norm(delta, axis=1).mean())
        errors[seed] = float(np.mean(distances)) if distances else float("nan")
    return {
        "frames": frames,
        "one_face": found / frames,
        "missed": missed,
        "mean_error": float(np.nanmean(list(errors.values()))),
        "errors": errors,
        "offsets": np.mean(offsets, axis=0),
        "peaks": peaks,
    }


def frames_per_second(size: int = 256) -> tuple[float, float, float]:
    """Return frames a second of one core (best of 5) without and with flow, and s a portrait."""
    identity = Identity.from_seed(1)
    expression = Expression.from_text("4+12", 0.02, seconds=0.5)
    portrait.cache_clear()
    portrait(Identity.from_seed(0))
    start = time.process_time()
    portrait(identity)
    drawing = time.process_time() - start
    speeds = []
    for with_flow in (False, True):
        render(identity, expression, size=size, with_flow=with_flow)
        spent = []
        for seed in range(5):
            start = time.process_time()
            render(identity, expression, size=size, seed=seed, with_flow=with_flow)
            spent.append(time.process_time() - start)
        speeds.append(expression.n_frames / min(spent))
    return speeds[0], speeds[1], drawing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    plain, flow, drawing = frames_per_second()
    print(f"portrait {drawing:.2f} s; 256 px: {plain:.0f} frames/s, with flow {flow:.0f} frames/s")
    result = acceptance(range(chosen.seed, chosen.seed + chosen.people))
    errors = result["errors"]
    peaks = np.array(result["peaks"]) * 100
    print(f"one face in {result['one_face']:.2%} of {result['frames']} frames {result['missed']}")
    print(
        f"dlib's points against the truth: mean {result['mean_error']:.2%} IOD, "
        f"worst person {max(errors.values()):.2%} (seed {max(errors, key=errors.get)})"
    )
    print(f"peak motion of a landmark: {peaks.min():.2f} to {peaks.max():.2f} % IOD")


if __name__ == "__main__":
    main()
