"""Tiny clips with known motion: a textured oval with eyes, brows and a mouth that moves."""

import cv2
import numpy as np

from mebench.types import FaceClip

_LEFT = {
    0: (-0.62, -0.05), 1: (-0.62, 0.13), 2: (-0.60, 0.31), 3: (-0.56, 0.48), 4: (-0.48, 0.64),
    5: (-0.38, 0.78), 6: (-0.26, 0.88), 7: (-0.13, 0.94), 17: (-0.47, -0.15), 18: (-0.40, -0.20),
    19: (-0.31, -0.21), 20: (-0.22, -0.19), 21: (-0.13, -0.16), 36: (-0.37, 0.0),
    37: (-0.30, -0.04), 38: (-0.22, -0.04), 39: (-0.15, 0.01), 40: (-0.22, 0.03), 41: (-0.30, 0.03),
    31: (-0.13, 0.36), 32: (-0.07, 0.38), 48: (-0.24, 0.58), 49: (-0.15, 0.54), 50: (-0.06, 0.52),
    60: (-0.2, 0.58), 61: (-0.07, 0.56), 58: (-0.07, 0.66), 59: (-0.15, 0.64), 67: (-0.07, 0.60),
}  # fmt: skip
_MIDDLE = {8: 0.96, 27: -0.03, 28: 0.08, 29: 0.18, 30: 0.28, 33: 0.39, 51: 0.53, 57: 0.68,
           62: 0.56, 66: 0.60}  # fmt: skip


def landmarks(size, rng=None):
    """68 landmarks, eyes at (.35, .40) and (.65, .40) of the crop; `rng` varies the face."""
    from mebench.methods.fomm.points import MIRROR_68

    at = np.zeros((68, 2))
    for index, (x, y) in _LEFT.items():
        dx, dy = rng.normal(0, 0.02, 2) if rng is not None and not 36 <= index <= 41 else (0, 0)
        at[index] = (x + dx, y + dy)
        at[MIRROR_68[index]] = (-x - dx, y + dy)
    for index, y in _MIDDLE.items():
        at[index] = (0, y)
    iod = 0.3 * size
    shift = np.array([0.26, 0.0]) - (-at[36:42].mean(0) + (0, at[36:42, 1].mean()))
    at[:, 0] *= 0.5 / abs(at[36:42, 0].mean())
    at[:, 1] -= at[36:42, 1].mean()
    del shift
    return (at * iod + (0.5 * (size - 1), 0.4 * size)).astype(np.float32)


def portrait(size, seed):
    """A face-like image (size, size, 3) float32 0..255 and its landmarks."""
    rng = np.random.default_rng([seed, 1])
    marks = landmarks(size, rng)
    tone = np.array([200, 165, 140]) * rng.uniform(0.5, 1.1)
    image = np.full((size, size, 3), rng.uniform(60, 180, 3), np.float32)
    cv2.fillConvexPoly(image, cv2.convexHull(marks).astype(np.int32), tone.tolist(), cv2.LINE_AA)
    top = (int(marks[27, 0]), int(marks[27, 1]))
    axes = (int(0.33 * size), int(0.38 * size))
    cv2.ellipse(image, top, axes, 0, 180, 360, tone.tolist(), -1, cv2.LINE_AA)
    shapes = [(range(36, 42), (235, 235, 230)), (range(42, 48), (235, 235, 230))]
    shapes += [(range(48, 60), (150, 70, 75)), ((31, 32, 33, 34, 35), (130, 90, 80))]
    for ids, colour in shapes:
        cv2.fillPoly(image, [marks[list(ids)].astype(np.int32)], colour, cv2.LINE_AA)
    for ids in (range(17, 22), range(22, 27)):
        line = [marks[list(ids)].astype(np.int32)]
        cv2.polylines(image, line, False, (50, 35, 30), max(1, size // 40), cv2.LINE_AA)
    for ids in (range(36, 42), range(42, 48)):
        centre = marks[list(ids)].mean(0).astype(int).tolist()
        cv2.circle(image, centre, max(1, size // 45), (40, 30, 25), -1, cv2.LINE_AA)
    grain = rng.normal(0, 1, (size, size)).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 1.2) * 14 + cv2.GaussianBlur(grain, (0, 0), 4) * 60
    return cv2.GaussianBlur(image + grain[..., None], (0, 0), 0.7), marks


def motion_field(size, marks, rng, amplitude):
    """Backward motion (size, size, 2) in pixels: one to three soft bumps at face landmarks."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    field = np.zeros((size, size, 2), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        centre = marks[int(rng.choice([19, 24, 21, 22, 48, 54, 51, 57, 31, 35, 41, 46]))]
        angle, width = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.2) * 0.3 * size * 1.5
        bump = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * width**2))
        field += bump[..., None] * np.array([np.cos(angle), np.sin(angle)], np.float32)
    return field * amplitude / max(1e-6, np.abs(field).max())


def toy_clip(seed, *, size=64, n=12, amplitude=0.03, noise=0.0, drift=0.0, fps=200.0, motion=None):
    """A clip, and its true forward flow (T, H, W, 2) without the drift, in pixels."""
    image, marks = portrait(size, seed)
    rng = np.random.default_rng([seed, 2] if motion is None else [motion, 2])
    field = motion_field(size, marks, rng, amplitude * 0.3 * size)
    curve = np.sin(np.linspace(0, np.pi, n)) ** 2
    grain = np.random.default_rng([seed, 3])
    y, x = np.mgrid[:size, :size].astype(np.float32)
    frames, flows = [], []
    for t in range(n):
        back = field * np.float32(curve[t])
        fx = x + back[..., 0] - np.float32(drift * t / n)
        fy = y + back[..., 1] - np.float32(0.5 * drift * t / n)
        moved = cv2.remap(image, fx, fy, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        frames.append(np.clip(moved + grain.normal(0, noise, image.shape), 0, 255).round())
        forward = np.zeros_like(back)
        for _ in range(5):
            at = (x + forward[..., 0], y + forward[..., 1])
            forward = -cv2.remap(back, *at, cv2.INTER_LINEAR)
        flows.append(forward)
    clip = FaceClip(
        key=f"toy.{seed:02d}.clip",
        subject=f"toy.{seed:02d}",
        frames=np.stack(frames).astype(np.uint8),
        landmarks=marks,
        fps=fps,
        apex_index=int(np.argmax(curve)),
    )
    return clip, np.stack(flows)
