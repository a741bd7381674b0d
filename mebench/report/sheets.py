"""Pictures made of frames: strips, contact sheets and slow animations."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from mebench.types import Frames, Image

_LABEL_HEIGHT = 18
_GAP = 4
_INK = (20, 20, 20)
_PAPER = 255


def difference(a: Image, b: Image, gain: float = 5.0) -> Image:
    """Return the signed difference of two images around mid grey, times `gain`."""
    change = (a.astype(np.float32) - b.astype(np.float32)) * gain + 128.0
    clipped: Image = np.clip(change, 0, 255).astype(np.uint8)
    return clipped


def contact_sheet(rows: Sequence[Sequence[Image]], labels: Sequence[str], side: int = 160) -> Image:
    """Return rows of images under column labels, each fitted into `side` pixels.

    Shapes: images (H, W, 3); the sheet (rows*(side+gap)+label, columns*(side+gap), 3).
    """
    columns = max(len(row) for row in rows)
    width = columns * (side + _GAP) + _GAP
    height = len(rows) * (side + _GAP) + _GAP + _LABEL_HEIGHT
    sheet = Pillow.fromarray(np.full((height, width, 3), _PAPER, np.uint8))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default()
    for column, label in enumerate(labels):
        draw.text((_GAP + column * (side + _GAP), 3), label, fill=_INK, font=font)
    for number, row in enumerate(rows):
        top = _LABEL_HEIGHT + number * (side + _GAP)
        for column, image in enumerate(row):
            high, wide = (round(n * side / max(image.shape[:2])) for n in image.shape[:2])
            scaled = Pillow.fromarray(np.ascontiguousarray(image)).resize(
                (wide, high), Pillow.Resampling.LANCZOS
            )
            left = _GAP + column * (side + _GAP)
            sheet.paste(scaled, (left + (side - wide) // 2, top + (side - high) // 2))
    return np.asarray(sheet)


def side_by_side(clips: Sequence[Frames]) -> Frames:
    """Return clips beside each other, as long as the longest; short ones hold.

    Clips of other heights are brought to the smallest.
    """
    height = min(clip.shape[1] for clip in clips)
    clips = [clip if clip.shape[1] == height else _as_high(clip, height) for clip in clips]
    length = max(len(clip) for clip in clips)
    return np.stack(
        [
            np.concatenate([clip[min(t, len(clip) - 1)] for clip in clips], axis=1)
            for t in range(length)
        ]
    )


def _as_high(clip: Frames, height: int) -> Frames:
    width = max(round(clip.shape[2] * height / clip.shape[1]), 1)
    frames = [Pillow.fromarray(np.ascontiguousarray(frame)) for frame in clip]
    how = Pillow.Resampling.LANCZOS
    return np.stack([np.asarray(frame.resize((width, height), how)) for frame in frames])


def animation(frames: Frames, fps: float) -> bytes:
    """Return a looping WebP animation of the frames."""
    pictures = [Pillow.fromarray(np.ascontiguousarray(frame)) for frame in frames]
    out = io.BytesIO()
    pictures[0].save(
        out,
        format="WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=max(1, round(1000 / fps)),
        loop=0,
        quality=80,
        method=2,
    )
    return out.getvalue()


def png_bytes(image: Image) -> bytes:
    """Return an image as PNG bytes."""
    out = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(image)).save(out, format="PNG", optimize=True)
    return out.getvalue()
