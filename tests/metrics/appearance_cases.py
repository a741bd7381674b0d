"""Small cases for the appearance and distribution metrics."""

from __future__ import annotations

import cv2
import numpy as np

from mebench.metrics.base import Case
from mebench.types import Face, FaceClip, Pair, Reference


def picture(seed: int, size: int = 64) -> np.ndarray:
    """A smooth random colour image with some texture."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(
        rng.uniform(40, 210, (6, 6, 3)), (size, size), interpolation=cv2.INTER_CUBIC
    )
    return np.clip(coarse + rng.normal(0, 6, coarse.shape), 0, 255).astype(np.uint8)


def drifting(image: np.ndarray, count: int, step: int = 1) -> np.ndarray:
    """The image rolled sideways, a little more in each frame."""
    return np.stack([np.roll(image, step * t, axis=1) for t in range(count)])


def face_points(size: int) -> np.ndarray:
    """68 points laid out like a face in a square image."""
    angles = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.5 + 0.36 * np.cos(angles), 0.48 + 0.42 * np.sin(angles)], 1)
    brow = np.stack([np.linspace(0.2, 0.42, 5), 0.33 - 0.03 * np.sin(np.linspace(0, np.pi, 5))], 1)
    bridge = np.stack([np.full(4, 0.5), np.linspace(0.42, 0.56, 4)], 1)
    nose = np.stack([np.linspace(0.43, 0.57, 5), 0.6 + 0.02 * np.sin(np.linspace(0, np.pi, 5))], 1)
    turn = np.linspace(np.pi, -np.pi, 6, endpoint=False)
    eye = np.stack([0.32 + 0.06 * np.cos(turn), 0.42 - 0.025 * np.sin(turn)], 1)
    turn = np.linspace(np.pi, -np.pi, 12, endpoint=False)
    outer = np.stack([0.5 + 0.13 * np.cos(turn), 0.74 - 0.05 * np.sin(turn)], 1)
    turn = np.linspace(np.pi, -np.pi, 8, endpoint=False)
    inner = np.stack([0.5 + 0.09 * np.cos(turn), 0.74 - 0.02 * np.sin(turn)], 1)
    other = [1.0, 0.0] - brow[::-1] * [1.0, -1.0]
    other_eye = ([1.0, 0.0] - eye * [1.0, -1.0])[[3, 2, 1, 0, 5, 4]]
    parts = [jaw, brow, other, bridge, nose, eye, other_eye, outer, inner]
    return (np.concatenate(parts) * size).astype(np.float32)


def case(generated: np.ndarray, template: np.ndarray, *, reference=None, driving=None) -> Case:
    """A case with face-like landmarks; the driving clip defaults to the generated frames."""
    points = face_points(template.shape[0])
    frames = generated if driving is None else driving
    clip = FaceClip("toy.s1.c1", "toy.s1", frames, points, fps=100.0, apex_index=len(frames) // 2)
    return Case(
        pair=Pair("t", "d"),
        generated=generated,
        template=Face(template, points),
        driving=clip,
        reference=None if reference is None else Reference(reference),
    )
