"""Ways to spoil a clip that need nothing but its frames."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow

from mebench.types import Frames, Image


def each_frame(frames: Frames, change: Callable[[Image], Any]) -> Frames:
    """Return the frames, each changed alone."""
    changed: Frames = np.stack([change(frame) for frame in frames])
    return changed


def grain(frames: Frames, sigma: float, seed: int) -> Frames:
    """Return the frames with white noise of `sigma` grey levels, new in every frame."""
    if sigma == 0:
        return frames
    dirt = np.random.default_rng(seed).normal(0, sigma, frames.shape)
    return np.clip(np.rint(frames + dirt), 0, 255).astype(np.uint8)


def still(frames: Frames, sigma: float, seed: int) -> Frames:
    """Return frame 0 for every frame, with white noise."""
    return grain(np.repeat(frames[:1], len(frames), axis=0), sigma, seed)


def late(frames: Frames, share: float) -> Frames:
    """Return the clip delayed by a share of its length: frame 0 waits, the end is cut off."""
    n = round(share * len(frames))
    return np.concatenate([np.repeat(frames[:1], n, axis=0), frames[: len(frames) - n]])


def resampled(frames: Frames, length: int) -> Frames:
    """Return `length` of the frames, the nearest in time."""
    chosen: Frames = frames[np.rint(np.linspace(0, len(frames) - 1, length)).astype(int)]
    return chosen


def jpeg(frames: Frames, quality: int) -> Frames:
    """Return the frames after JPEG compression, each alone."""

    def packed(image: Image) -> Image:
        code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        back: Any = cv2.imdecode(code, cv2.IMREAD_COLOR)
        return np.ascontiguousarray(back[..., ::-1])

    return each_frame(frames, packed)


def gif(frames: Frames) -> Frames:
    """Return the frames in a palette of 256 colours, each its own."""

    def packed(image: Image) -> Image:
        store = io.BytesIO()
        Pillow.fromarray(image).save(store, format="GIF")
        return np.asarray(Pillow.open(store).convert("RGB"))

    return each_frame(frames, packed)


def blur(frames: Frames, sigma: float) -> Frames:
    """Return the frames after a Gaussian of `sigma` pixels."""
    if sigma == 0:
        return frames
    return each_frame(frames, lambda image: cv2.GaussianBlur(image, (0, 0), sigma))


def smaller(frames: Frames, side: int) -> Frames:
    """Return the frames shrunk to (side, side) by area."""
    return each_frame(
        frames, lambda image: cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    )


def coarse(frames: Frames, side: int) -> Frames:
    """Return the frames shrunk to (side, side) and brought back to their own size."""
    height, width = frames.shape[1:3]
    if side >= height:
        return frames
    return each_frame(
        smaller(frames, side),
        lambda image: cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC),
    )


def wobble(frames: Frames, iod: float, seed: int) -> Frames:
    """Return frame 0 moved by smooth random flow of about 1 % IOD, new in every frame.

    Args:
        frames: (T, H, W, 3).
        iod: inter-ocular distance in pixels.
        seed: of the flow.
    """
    rng = np.random.default_rng(seed)
    height, width = frames.shape[1:3]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    out = [frames[0]]
    for _ in frames[1:]:
        dirt = rng.normal(size=(height, width, 2)).astype(np.float32)
        flow = cv2.GaussianBlur(dirt, (0, 0), 0.25 * iod)
        flow *= 0.01 * iod / flow.std()
        out.append(cv2.remap(frames[0], xs + flow[..., 0], ys + flow[..., 1], cv2.INTER_LINEAR))
    return np.stack(out)
