"""The colour of a face: skin, lips, brows, stubble, freckles, nostrils and wrinkles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mebench.synthme.canvas import SCALE, Canvas, Map, bump, noise, over, soften, step, to_linear
from mebench.synthme.geometry import Geometry

Colour = NDArray[np.float32]

# sRGB of skin from very light to very dark.
_TONES = (
    (242, 210, 190),
    (231, 190, 163),
    (214, 168, 136),
    (188, 138, 104),
    (156, 110, 82),
    (126, 86, 63),
    (99, 68, 52),
)


def skin_colour(tone: float, undertone: float) -> Colour:
    """Return the linear colour of bare skin for a tone of 0 (light) to 1 (dark)."""
    table = to_linear(np.array(_TONES, np.float32))
    at = tone * (len(_TONES) - 1)
    base = np.array([np.interp(at, range(len(_TONES)), table[:, c]) for c in range(3)])
    return np.asarray(base * (1 + undertone * np.array([0.02, 0.0, -0.07])), np.float32)


def albedo(geometry: Geometry, canvas: Canvas, rng: np.random.Generator) -> Colour:
    """Return the linear albedo (H, W, 3) of the face without eyes."""
    p = geometry.identity
    x, y = canvas.grid()
    shape = x.shape
    base = skin_colour(p.tone, p.undertone)
    colour = np.broadcast_to(base, (*shape, 3)).astype(np.float32)
    mottle = 0.030 * noise(rng, shape, 0.16) + 0.018 * noise(rng, shape, 0.04)
    colour *= np.exp(mottle)[..., None]
    colour = _flush(geometry, colour, x, y, rng)
    colour = _freckles(geometry, colour, canvas, rng)
    colour = _stubble(geometry, colour, x, y, rng)
    colour = _lips(geometry, colour, x, y, rng)
    colour = _nostrils(geometry, colour, x, y)
    colour = _brows(geometry, colour, canvas, rng)
    pore = noise(rng, shape, 1 / SCALE) + 0.6 * noise(rng, shape, 2.2 / SCALE)
    return np.asarray(colour * np.exp(0.022 * pore)[..., None], np.float32)


def _flush(geometry: Geometry, colour: Colour, x: Map, y: Map, rng: np.random.Generator) -> Colour:
    p = geometry.identity
    ax = np.abs(x)
    red = 0.9 * bump(ax, y, 0.62, 0.50, 0.26, 0.22)
    red += 0.8 * bump(ax, y, 0.0, geometry.nose_tip, 0.16, 0.12)
    red += 0.4 * bump(ax, y, 0.0, p.chin_y - 0.15, 0.2, 0.14)
    red += 0.35 * bump(ax, y, 0.5, -0.08, 0.26, 0.09)
    red += 0.15 * noise(rng, x.shape, 0.25)
    strength = 0.13 * (1 - 0.75 * p.tone)
    colour = colour * np.exp(
        np.stack([0.12 * strength * red, -strength * red, -0.8 * strength * red], axis=-1)
    )
    under_eye = bump(ax, y, 0.43, 0.15, 0.17, 0.05) + 0.8 * bump(ax, y, 0.26, 0.03, 0.06, 0.09)
    dark = (0.10 + 0.10 * p.wrinkles) * under_eye
    temple = 0.06 * bump(ax, y, 0.0, -0.8, 0.6, 0.3)
    shade = np.stack(
        [dark * 0.8 - temple, dark - temple * 0.9, dark * 0.75 - temple * 0.6], axis=-1
    )
    return np.asarray(colour * np.exp(-shade), np.float32)


def _freckles(
    geometry: Geometry, colour: Colour, canvas: Canvas, rng: np.random.Generator
) -> Colour:
    p = geometry.identity
    moles = int(rng.integers(0, 4))
    count = int(90 * p.freckles)
    spots = np.zeros(colour.shape[:2], np.uint8)
    for k in range(count + moles):
        if k < count:
            at = np.array([rng.normal(0, 0.48), rng.normal(0.36, 0.2)])
            size, value = rng.uniform(0.004, 0.010), int(rng.uniform(30, 90))
        else:
            at = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.7, 1.6)])
            size, value = rng.uniform(0.009, 0.014), int(rng.uniform(90, 170))
        ring = np.linspace(0, 2 * np.pi, 9)[:-1]
        outline = at + size * np.stack([np.cos(ring), np.sin(ring)], axis=-1)
        mask = np.zeros_like(spots)
        _fill(mask, canvas, outline, value)
        spots = np.maximum(spots, mask)
    amount = soften(spots.astype(np.float32) / 255, 0.004)
    brown = skin_colour(min(1.0, p.tone + 0.45), 0.5)
    return over(colour, brown, amount)


def _fill(
    mask: NDArray[np.uint8], canvas: Canvas, outline: NDArray[np.float64], value: int
) -> None:
    import cv2

    fixed = np.round(canvas.pixels(outline) * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], value, cv2.LINE_AA, 4)


def _stubble(
    geometry: Geometry, colour: Colour, x: Map, y: Map, rng: np.random.Generator
) -> Colour:
    p = geometry.identity
    if p.stubble <= 0:
        return colour
    ax = np.abs(x)
    below = step(y - 0.12 * np.cos(2.2 * ax), 0.78, 1.08)
    cheek_line = step(y - (1.25 - 0.75 * np.clip((ax - 0.35) / 0.6, 0, 1) ** 1.2), -0.10, 0.18)
    moustache = bump(ax, y, 0.17, geometry.nose_base + 0.12, 0.20, 0.07)
    area = np.clip(np.maximum(below * np.maximum(cheek_line, 0), 1.1 * moustache), 0, 1)
    s = x / p.mouth_width
    lips = (y > geometry.lip_line(s) - geometry.lip_top(s) - 0.01) & (
        y < geometry.lip_line(s) + geometry.lip_bottom(s) + 0.02
    )
    area = area * (1 - soften((lips & (np.abs(s) < 1.02)).astype(np.float32), 0.012))
    grain = 0.5 * noise(rng, x.shape, 1 / SCALE) + 0.5 * noise(rng, x.shape, 1.7 / SCALE)
    dots = np.clip(0.42 + 0.45 * grain, 0, 1)
    alpha = area * (0.10 + 0.26 * p.stubble) * (0.5 + dots)
    hair = to_linear(p.hair_rgb) * 0.6 + 0.012
    return over(
        colour, np.asarray(hair, np.float32), np.asarray(np.clip(alpha, 0, 0.8), np.float32)
    )


def _lips(geometry: Geometry, colour: Colour, x: Map, y: Map, rng: np.random.Generator) -> Colour:
    p = geometry.identity
    s = np.asarray(x / p.mouth_width, np.float32)
    line = np.asarray(geometry.lip_line(s), np.float32)
    upper = step(y, 0, 1) * 0 + step(y - (line - geometry.lip_top(s)), -0.010, 0.012)
    lower = step(y - (line + geometry.lip_bottom(s)), 0.014, -0.014)
    mask = soften(np.asarray(upper * lower * (np.abs(s) < 1.0), np.float32), 0.008)
    base = skin_colour(p.tone, 0.0)
    t = p.tone
    rose = base * np.array([0.88 + 0.27 * t, 0.60 + 0.18 * t, 0.62 + 0.26 * t], np.float32)
    rouge = base * np.array([0.80 + 0.25 * t, 0.40 + 0.12 * t, 0.44 + 0.18 * t], np.float32)
    tint = rose + (rouge - rose) * np.float32(p.lip_red)
    ridges = 0.05 * noise(rng, (x.shape[0] // 4, x.shape[1]), 1.6 / SCALE)
    stretched = np.repeat(ridges, 4, axis=0)
    full = np.zeros_like(x)
    full[: stretched.shape[0]] = stretched
    darker_top = np.where(y < line, 0.86 - 0.22 * p.tone, 1.0)
    lip = tint * (darker_top * np.exp(full))[..., None]
    colour = over(colour, np.asarray(lip, np.float32), mask * np.float32(0.9))
    seam = np.exp(-0.5 * ((y - line) / 0.0085) ** 2) * step(np.abs(s), 1.06, 0.90)
    deep = base * np.array([0.22, 0.10, 0.10], np.float32)
    return over(colour, np.asarray(deep, np.float32), np.asarray(0.85 * seam, np.float32))


def _nostrils(geometry: Geometry, colour: Colour, x: Map, y: Map) -> Colour:
    p = geometry.identity
    ax = np.abs(x)
    cx, cy = 0.47 * p.nose_width, geometry.nose_base - 0.034 - 0.006 * p.nose_up
    tilt = (ax - cx) * 0.35
    hole = np.exp(
        -((((ax - cx) / 0.058) ** 2 + ((y - cy - tilt) / (0.021 + 0.004 * p.nose_up)) ** 2) ** 1.4)
    )
    base = skin_colour(p.tone, 0.0)
    colour = over(
        colour,
        np.asarray(base * (0.10 + 0.12 * p.tone) * np.array([1.6, 0.9, 0.8]), np.float32),
        np.asarray((0.85 - 0.2 * p.tone) * hole, np.float32),
    )
    return colour


def _brows(geometry: Geometry, colour: Colour, canvas: Canvas, rng: np.random.Generator) -> Colour:
    p = geometry.identity
    tone = np.zeros(colour.shape[:2], np.uint8)
    count = int(150 + 1100 * p.brow_thickness)
    for side in (-1, 1):
        t = rng.uniform(0, 1, count) ** 0.9
        across = np.clip(rng.normal(0, 0.48, count), -1.05, 1.05)
        root = geometry.brow(side, t)
        root[:, 1] += across * geometry.brow_half(t)
        # Hairs stand up at the inner end and lie outwards further along.
        angle = np.radians(72 - 66 * np.clip(t / 0.5, 0, 1) - 22 * np.clip((t - 0.5) / 0.5, 0, 1))
        angle = angle - across * 0.42 + rng.normal(0, 0.13, count)
        length = rng.uniform(0.045, 0.085, count) * (1.1 - 0.3 * t)
        tip = root + length[:, None] * np.stack([side * np.cos(angle), -np.sin(angle)], axis=-1)
        middle = 0.5 * (root + tip) + np.stack([np.zeros(count), -0.006 * np.ones(count)], axis=-1)
        value = rng.uniform(70, 175, count) * (0.65 + 0.35 * np.clip(t / 0.15, 0, 1))
        for k in range(count):
            layer = np.stack([root[k], middle[k], tip[k]])
            canvas.lines(tone, layer, int(value[k]), 1)
    strokes = soften(tone.astype(np.float32) / 255, 0.0035)
    body = np.zeros_like(strokes)
    for side in (-1, 1):
        t = np.linspace(0, 1, 24)
        line, half = geometry.brow(side, t), geometry.brow_half(t)
        edge = np.concatenate(
            [line - np.stack([0 * half, half], -1), (line + np.stack([0 * half, half], -1))[::-1]]
        )
        body = np.maximum(body, canvas.polygon(edge, 0.018))
    hair = to_linear(p.hair_rgb)
    dark = np.minimum(hair * 0.75, 0.75 * skin_colour(p.tone, 0) * np.array([0.5, 0.4, 0.36]))
    alpha = np.clip(1.15 * strokes + 0.30 * body, 0, 0.93)
    return over(colour, np.asarray(dark, np.float32), np.asarray(alpha, np.float32))


def wrinkle_relief(geometry: Geometry, canvas: Canvas, rng: np.random.Generator) -> Map:
    """Return the fine relief of age: forehead lines, crow's feet, nasolabial fold; IOD, (H, W)."""
    p = geometry.identity
    lines = np.zeros((canvas.height, canvas.width), np.uint8)
    old = float(np.clip(p.wrinkles, 0.0, 1.1))
    for side in (-1, 1):
        t = np.linspace(0, 1, 14)
        start = np.array([p.nose_width * 1.02, geometry.nose_base - 0.14])
        end = np.array([p.mouth_width * 1.14, p.mouth_y + 0.02])
        fold = start + (end - start) * t[:, None]
        fold[:, 0] += 0.055 * np.sin(np.pi * t)
        for first in range(13):
            value = (25 + 150 * old) * np.sin(np.pi * (0.1 + 0.8 * first / 13))
            canvas.lines(lines, fold[first : first + 2] * (side, 1), int(value), 2)
        if old > 0.25:
            for k in range(3):
                a = np.radians(-28 + 24 * k + rng.normal(0, 4))
                base = np.array([0.5 + p.eye_width + 0.07, -0.01 + 0.03 * k])
                tip = base + rng.uniform(0.07, 0.13) * np.array([np.cos(a), np.sin(a)])
                canvas.lines(lines, np.stack([base, tip]) * (side, 1), int(95 * old), 1)
    for k in range(3):
        if old < 0.3:
            break
        t = np.linspace(-1, 1, 24)
        level = p.brow_y - 0.24 - 0.13 * k + 0.012 * rng.normal()
        wave = level + 0.018 * np.cos(3.2 * t + k) + 0.012 * np.sin(7 * t + rng.uniform(0, 6))
        canvas.lines(lines, np.stack([0.5 * t, wave], -1), int((60 + 60 * rng.random()) * old), 1)
    groove = lines.astype(np.float32) / 255
    return np.asarray(-0.030 * soften(groove, 0.014) - 0.075 * soften(groove, 0.040), np.float32)
