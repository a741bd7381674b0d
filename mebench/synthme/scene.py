"""What is around a face: background, neck, shoulders, clothes and ears."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mebench.synthme.canvas import Canvas, Map, bump, noise, over, soften, step, to_linear
from mebench.synthme.geometry import Geometry, smooth_closed
from mebench.synthme.relief import Light, normals, occlusion, shade
from mebench.synthme.skin import skin_colour

Colour = NDArray[np.float32]


def background(geometry: Geometry, canvas: Canvas, rng: np.random.Generator) -> Colour:
    """Return a studio wall (H, W, 3), linear, lit from the key light's side."""
    p = geometry.identity
    x, y = canvas.grid()
    level = 1.0 + 0.10 * p.light[0] * x / 3 - 0.05 * (y - 0.4)
    level *= 1.0 + 0.16 * np.exp(-(((x - 0.6 * p.light[0]) / 2.4) ** 2 + ((y - 0.2) / 2.2) ** 2))
    level *= 1.0 + 0.012 * noise(rng, x.shape, 0.5)
    return np.asarray(0.9 * to_linear(p.background_rgb) * level[..., None], np.float32)


def _mirror(right: list[tuple[float, float]]) -> NDArray[np.float64]:
    points = np.array(right, float)
    return np.concatenate([points, points[::-1] * (-1.0, 1.0)])


def body(
    geometry: Geometry, canvas: Canvas, base: Colour, light: Light, rng: np.random.Generator
) -> Colour:
    """Draw neck, shoulders and clothes over `base` (H, W, 3, linear)."""
    p = geometry.identity
    x, y = canvas.grid()
    neck, shoulder = p.neck_width, p.shoulder_y
    broad = 1.95 + 0.35 * p.masculinity
    trunk = smooth_closed(
        _mirror(
            [
                (neck * 0.98, 0.9),
                (neck * 0.95, 1.55),
                (neck * 1.02, 2.0),
                (neck * 1.28, shoulder - 0.20),
                (neck * 1.9, shoulder - 0.02),
                (broad * 0.86, shoulder + 0.17),
                (broad * 1.0, shoulder + 0.42),
                (broad * 1.06, shoulder + 0.9),
                (broad * 1.08, 4.6),
            ]
        ),
        400,
    )
    mask = canvas.polygon(trunk, 0.006)
    width = np.interp(
        y, [0.9, 1.5, 2.0, shoulder, shoulder + 0.5], [neck, neck, neck * 1.05, neck * 1.9, broad]
    )
    z = 0.62 * np.sqrt(np.clip(1 - np.abs(x / (width * 1.04)) ** 2.2, 0.02, 1)).astype(np.float32)
    z = soften(z, 0.09)
    ax = np.abs(x)
    cord = ax - (0.10 + 0.42 * neck * np.clip((2.35 - y) / 0.95, 0, 1.2))
    z += 0.045 * np.exp(-0.5 * (cord / 0.06) ** 2) * step(y, 1.6, 2.2) * step(y, 2.5, 2.3)
    z -= 0.05 * bump(x, y, 0.0, 2.38, 0.07, 0.06)
    bone = np.abs(y - (2.47 - 0.10 * ax))
    z += 0.025 * np.exp(-0.5 * (bone / 0.05) ** 2) * step(ax, 0.12, 0.3) * step(ax, 1.3, 0.9)
    skin = np.broadcast_to(skin_colour(p.tone, p.undertone) * 0.94, (*x.shape, 3)).astype(
        np.float32
    )
    skin = skin * np.exp(0.03 * noise(rng, x.shape, 0.12))[..., None]
    cloth = _cloth_mask(geometry, canvas) * mask
    folds = 0.020 * noise(rng, x.shape, 0.5) * step(y, shoulder - 0.1, shoulder + 0.8)
    z_cloth = soften(z, 0.12) + 0.03 * soften(cloth, 0.012) + folds.astype(np.float32)
    weave = np.exp(0.03 * noise(rng, x.shape, 1.5 / 128))
    dye = (to_linear(p.shirt_rgb) * 0.85)[None, None, :] * weave[..., None]
    n = normals(soften(z, 0.012))
    n = over(n, normals(soften(z_cloth, 0.006)), cloth)
    n /= np.linalg.norm(n, axis=-1, keepdims=True)
    albedo = over(skin, np.asarray(dye, np.float32), cloth)
    lit = 1 - 0.93 * _jaw_shadow(geometry, canvas, light)
    sky = np.clip(occlusion(z_cloth) * (0.30 + 0.70 * lit), 0, 1)
    oil = (0.5 * (1 - cloth)).astype(np.float32)
    lit_colour = shade(albedo, n, light, open_sky=sky, lit=lit, oil=oil)
    return over(base, lit_colour, mask)


def _cloth_mask(geometry: Geometry, canvas: Canvas) -> Map:
    p = geometry.identity
    neck, shoulder = p.neck_width, p.shoulder_y
    rim = {"crew": 0.10, "vneck": 0.45, "shirt": 0.32, "turtle": -0.42}[p.collar]
    side = shoulder - 0.20 if p.collar != "turtle" else shoulder - 0.62
    inner = neck * (1.36 if p.collar != "turtle" else 1.02)
    point = 0.55 if p.collar in ("vneck", "shirt") else 1.0
    t = np.linspace(-1, 1, 41)
    depth = (1 - np.abs(t) ** (2.2 * point)) if point == 1.0 else (1 - np.abs(t) ** 1.05)
    line = np.stack([t * inner, side + (rim + 0.16) * depth], axis=-1)
    box = np.array([(4.2, side - 0.1), (4.2, 4.6), (-4.2, 4.6), (-4.2, side - 0.1)])
    return canvas.polygon(np.concatenate([line, box]), 0.004)


def _jaw_shadow(geometry: Geometry, canvas: Canvas, light: Light) -> Map:
    jaw = geometry.outline.copy()
    jaw[:, 0] = jaw[:, 0] * 0.92 - 0.34 * light.key[0]
    drop = 0.16 - 0.30 * light.key[1]
    near = canvas.polygon(jaw + np.array([0.0, 0.04]), 0.05)
    far = canvas.polygon(jaw + np.array([0.0, drop]), 0.09)
    return np.asarray(np.clip(0.45 * near + 0.85 * far, 0, 1), np.float32)


def ear(geometry: Geometry, canvas: Canvas, side: int) -> tuple[Map, Map]:
    """Return (mask, height) of the ear on the image's left (-1) or right (+1)."""
    p = geometry.identity
    x, y = canvas.grid()
    size = p.ear_size
    cx, cy = 1.015 * p.face_width, 0.26
    outline = smooth_closed(
        np.array([cx, cy])
        + size
        * np.array(
            [
                (-0.12, -0.36),
                (-0.02, -0.43),
                (0.10, -0.44),
                (0.185, -0.34),
                (0.195, -0.14),
                (0.135, 0.07),
                (0.09, 0.26),
                (0.03, 0.385),
                (-0.05, 0.38),
                (-0.13, 0.22),
            ]
        ),
        120,
    ) * (side, 1.0)
    mask = canvas.polygon(outline, 0.006)
    inner = outline.copy()
    centre = inner.mean(axis=0)
    hollow = canvas.polygon(centre + (inner - centre) * (0.70, 0.76) + (-0.01 * side, -0.03), 0.018)
    bowl = bump(x, y, side * (cx - 0.02), cy + 0.02, 0.055 * size, 0.10 * size)
    fold = bump(x, y, side * (cx + 0.055), cy - 0.07, 0.025, 0.15)
    z = 0.10 * soften(mask, 0.025) - 0.055 * hollow - 0.07 * bowl + 0.05 * fold
    return mask, np.asarray(z, np.float32)
