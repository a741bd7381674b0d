"""Eyeballs, lid margins, lid folds and lashes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mebench.synthme.canvas import FULL, Canvas, Map, Window, noise, over, soften, step, to_linear
from mebench.synthme.geometry import Eye, Geometry

Colour = NDArray[np.float32]


def window(eye: Eye) -> Window:
    """Return the part of the canvas that an eye opening lies in."""
    return FULL.window(eye.x - 0.30, eye.y - 0.38, eye.x + 0.30, eye.y + 0.34)


def eyeball(geometry: Geometry, eye: Eye, canvas: Canvas, rng: np.random.Generator) -> Colour:
    """Return the linear colour (H, W, 3) of an eyeball as it would look without lids."""
    light, iris_rgb = geometry.identity.light, geometry.identity.iris_rgb
    x, y = canvas.grid()
    fibres = noise(rng, (8, 256), 1 / 128)
    s, v = eye.local(x, y)
    cx, cy = eye.x, eye.y - 0.012
    dx, dy = x - cx, y - cy
    r = np.hypot(dx, dy)
    ball = np.sqrt(np.clip(1 - (r / 0.33) ** 2, 0.1, 1))
    key = np.clip(0.62 + 0.38 * (light[0] * dx / 0.33 * 1.1 + light[2] * ball), 0.2, 1.1)
    white = np.array([0.50, 0.455, 0.43], np.float32) * (key * ball**0.5)[..., None]
    pink = step(np.asarray(np.abs(s), np.float32), 0.55, 1.0)
    white = white * np.stack([1 - 0.04 * pink, 1 - 0.26 * pink, 1 - 0.24 * pink], -1)
    radius = 0.096
    disc = step(r, radius + 0.006, radius - 0.008)
    angle = np.arctan2(dy, dx)
    column = ((angle / (2 * np.pi) + 0.5) * 255).astype(int) % 256
    row = np.clip((r / radius * 7).astype(int), 0, 7)
    fibre = fibres[row, column]
    ring = np.exp(-(((r - radius) / 0.018) ** 2))
    inner = np.exp(-(((r - 0.045) / 0.018) ** 2))
    iris = to_linear(iris_rgb) * (1.5 + 0.20 * fibre + 0.45 * inner)[..., None]
    # Light entering from one side pools at the other side of the iris.
    pool = np.clip(0.8 + 2.8 * (-light[0] * dx + 1.0 * dy), 0.4, 1.6)
    iris = iris * (pool * (1 - 0.72 * ring))[..., None]
    colour = over(np.asarray(white, np.float32), np.asarray(iris, np.float32), disc)
    pupil = step(r, 0.036, 0.028)
    colour = over(colour, np.array([0.006, 0.005, 0.005], np.float32), pupil)
    # The upper lid shades the ball; the lower lid's tear film shines a little.
    depth = v - eye.upper_lid(s)
    veil = np.exp(-np.clip(depth, 0, 1) / 0.035) * 0.72
    colour = colour * (1 - veil)[..., None]
    caruncle = np.exp(-(((s + 0.97) / 0.10) ** 2) - (((v - 0.004) / 0.03) ** 2))
    colour = over(
        colour, np.array([0.42, 0.17, 0.15], np.float32), np.asarray(0.8 * caruncle, np.float32)
    )
    gx = cx + 0.035 * np.sign(light[0] + 1e-9)
    glint = step(np.hypot((x - gx) / 1.0, (y - cy + 0.038) / 1.15), 0.021, 0.013)
    return over(colour, np.array([1.0, 1.0, 1.0], np.float32), glint * np.float32(0.95))


def opening(eye: Eye, canvas: Canvas, blur: float = 0.005) -> Map:
    """Return the mask of an eye's opening between its lids, (H, W)."""
    s = np.concatenate([np.linspace(-1, 1, 40), np.linspace(1, -1, 40)])
    upper = np.arange(80) < 40
    v = np.where(upper, eye.upper_lid(s), eye.lower_lid(s))
    return canvas.polygon(eye.place(s, v), blur)


def lids(
    geometry: Geometry, canvas: Canvas, colour: Colour, skin: Colour, rng: np.random.Generator
) -> Colour:
    """Draw lid folds, lash lines and lashes onto lit skin (H, W, 3, linear)."""
    p = geometry.identity
    t = np.linspace(-1, 1, 40)
    young_woman = 1 - p.masculinity
    for eye in geometry.eyes:
        crease = np.zeros(colour.shape[:2], np.uint8)
        height = 0.024 + 0.050 * p.lid_fold
        arch = eye.upper_lid(t * 0.985) - height * (1 - 0.35 * t**2) * (1 - 0.25 * (t < 0) * t**4)
        path = eye.place(t * 1.04 + 0.03, arch)
        for k in range(39):
            fade = np.clip(1.2 - abs(t[k]) ** 3, 0.1, 1) * (1 if t[k] > -0.75 else 0.5)
            canvas.lines(crease, path[k : k + 2], int(205 * fade), 2)
        soft = crease.astype(np.float32) / 255
        depth = 0.40 * soften(soft, 0.007) + 0.45 * soften(soft, 0.022)
        colour = over(
            colour, colour * np.array([0.42, 0.30, 0.27], np.float32), np.clip(depth, 0, 0.9)
        )
        colour = _margins(eye, canvas, colour, skin, young_woman)
        colour = _lashes(eye, canvas, colour, young_woman, rng)
    return colour


def _margins(eye: Eye, canvas: Canvas, colour: Colour, skin: Colour, woman: float) -> Colour:
    t = np.linspace(-1, 1, 40)
    rim = np.zeros(colour.shape[:2], np.uint8)
    upper = eye.place(t, eye.upper_lid(t) - 0.004)
    for k in range(39):
        canvas.lines(rim, upper[k : k + 2], int(120 + 90 * (0.5 + 0.5 * t[k])), 3)
    line = soften(rim.astype(np.float32) / 255, 0.005) * np.float32(0.85 + 0.15 * woman)
    dark = np.minimum(skin * 0.10, 0.03)
    colour = over(colour, np.asarray(dark, np.float32), np.clip(line, 0, 1))
    rim = np.zeros_like(rim)
    lower = eye.place(t, eye.lower_lid(t) + 0.003)
    for k in range(39):
        canvas.lines(rim, lower[k : k + 2], int(40 + 110 * (0.5 + 0.5 * t[k])), 2)
    line = soften(rim.astype(np.float32) / 255, 0.006)
    return over(colour, np.asarray(skin * 0.18, np.float32), np.clip(0.75 * line, 0, 1))


def _lashes(
    eye: Eye, canvas: Canvas, colour: Colour, woman: float, rng: np.random.Generator
) -> Colour:
    tone = np.zeros(colour.shape[:2], np.uint8)
    count = int(46 + 40 * woman)
    for s in rng.uniform(-0.75, 1.0, count):
        root = eye.place(np.array(s), eye.upper_lid(np.array(s)))
        out = eye.side * (0.25 + 0.75 * s) * 0.7
        length = (0.030 + 0.030 * woman) * (0.75 + 0.4 * s) * rng.uniform(0.7, 1.15)
        middle = root + 0.55 * length * np.array([out, -0.15])
        tip = root + length * np.array([out * 1.1, -0.75])
        canvas.lines(tone, np.stack([root, middle, tip]), int(90 + 90 * woman), 1)
    for s in rng.uniform(-0.4, 1.0, count // 2):
        root = eye.place(np.array(s), eye.lower_lid(np.array(s)) + 0.006)
        length = 0.026 * rng.uniform(0.6, 1.1)
        tip = root + length * np.array([eye.side * (0.2 + 0.6 * s), 0.8])
        canvas.lines(tone, np.stack([root, tip]), int(30 + 40 * woman), 1)
    alpha = soften(tone.astype(np.float32) / 255, 0.003)
    return over(colour, np.array([0.012, 0.009, 0.008], np.float32), np.clip(alpha, 0, 0.9))
