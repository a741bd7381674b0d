"""The shape of a head as a height field, and the light that falls on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synthme.canvas import SCALE, Canvas, Map, bump, soften, step
from mebench.synthme.geometry import Geometry


@dataclass(frozen=True)
class Light:
    """A key light (direction to it, unit), a fill from the other side, and the sky."""

    key: tuple[float, float, float]
    strength: float
    fill: float
    ambient: float
    warmth: float


def head_height(geometry: Geometry, canvas: Canvas) -> Map:
    """Return the height of the face towards the camera in IOD, (H, W)."""
    x, y = canvas.grid()
    z = _dome(geometry, x, y)
    z += _brows_and_sockets(geometry, x, y)
    z += _cheeks_and_jaw(geometry, x, y)
    z = np.maximum(z, -0.3) + _nose(geometry, x, y)
    z += _mouth(geometry, x, y)
    return np.asarray(z, np.float32)


def _dome(geometry: Geometry, x: Map, y: Map) -> Map:
    outline = geometry.outline
    centre = 0.2
    angle = np.arctan2(outline[:, 1] - centre, outline[:, 0])
    radius = np.hypot(outline[:, 0], outline[:, 1] - centre)
    order = np.argsort(angle)
    theta = np.arctan2(y - centre, x)
    edge = np.interp(theta, angle[order], radius[order], period=2 * np.pi)
    r = np.clip(np.hypot(x, y - centre) / edge, 0, 1.0)
    return np.asarray(0.86 * np.maximum(1 - r**2.5, 0) ** 0.62, np.float32)


def _brows_and_sockets(geometry: Geometry, x: Map, y: Map) -> Map:
    p = geometry.identity
    ax = np.abs(x)
    z = 0.075 * p.brow_ridge * bump(ax, y, 0.42, p.brow_y + 0.05, 0.30, 0.10)
    z += 0.05 * p.brow_ridge * bump(ax, y, 0.0, p.brow_y + 0.03, 0.2, 0.09)
    z -= 0.115 * p.eye_depth * bump(ax, y, 0.46, -0.03, 0.26, 0.17)
    z -= 0.07 * p.eye_depth * bump(ax, y, 0.22, -0.04, 0.085, 0.13)
    for eye in geometry.eyes:
        z += 0.075 * bump(x, y, eye.x, eye.y - 0.015, 0.17, 0.115)
    z -= 0.05 * bump(ax, y, 1.0, -0.45, 0.16, 0.3)
    z += 0.035 * bump(ax, y, 0.38, -0.78, 0.34, 0.26)
    bag = 0.008 + 0.018 * p.wrinkles
    z += bag * bump(ax, y, 0.48, 0.17, 0.18, 0.05) - bag * bump(ax, y, 0.42, 0.25, 0.18, 0.04)
    return np.asarray(z, np.float32)


def _cheeks_and_jaw(geometry: Geometry, x: Map, y: Map) -> Map:
    p = geometry.identity
    ax = np.abs(x)
    z = 0.075 * p.cheek * bump(ax, y, 0.66, 0.42, 0.26, 0.21)
    z -= 0.03 * (2 - p.cheek) * bump(ax, y, 0.72, 1.0, 0.2, 0.26)
    z += 0.10 * bump(ax, y, 0.0, p.mouth_y, 0.36, 0.30)
    chin = p.chin_y - 0.20
    z += 0.10 * bump(ax, y, 0.0, chin, 0.24 * p.chin_width, 0.15)
    z -= 0.055 * bump(ax, y, 0.0, p.mouth_y + 0.135 + p.lip_lower, 0.26, 0.055)
    return np.asarray(z, np.float32)


def _nose(geometry: Geometry, x: Map, y: Map) -> Map:
    p = geometry.identity
    ax = np.abs(x)
    tip, base, width = geometry.nose_tip, geometry.nose_base, p.nose_width
    t = np.clip((y + 0.22) / (tip + 0.22), 0, 1)
    ridge = (0.045 + 0.215 * t**1.4) * p.nose_bridge**0.6
    fall = step(y, base + 0.075, tip - 0.045)
    half = 0.098 + 0.055 * t**2
    z = ridge * np.exp(-0.5 * (ax / half) ** 2) * fall * step(y, -0.36, 0.08)
    skirt = 0.115 * np.exp(-0.5 * (ax / (0.15 + 0.10 * t)) ** 2) * t * fall
    ball = 0.105 * p.nose_tip * bump(ax, y, 0.0, tip + 0.02, 0.105, 0.082)
    wing = 0.125 * bump(ax, y, width * 0.70, base - 0.078, 0.068 + 0.12 * (width - 0.2), 0.066)
    wing -= 0.03 * bump(ax, y, width * 0.76, base - 0.185, 0.05, 0.05)
    wing -= 0.030 * bump(ax, y, width * 1.12, base - 0.06, 0.038, 0.07)
    column = 0.05 * bump(ax, y, 0.0, base - 0.02, 0.04, 0.05)
    return np.asarray(z + skirt + ball + wing + column, np.float32)


def _mouth(geometry: Geometry, x: Map, y: Map) -> Map:
    p = geometry.identity
    s = x / p.mouth_width
    inside = step(np.abs(s), 1.08, 0.7)
    line = np.asarray(geometry.lip_line(s), np.float32)
    top = np.asarray(geometry.lip_top(s), np.float32)
    low = np.asarray(geometry.lip_bottom(s), np.float32)
    up = np.clip((line - y) / np.maximum(top, 0.01), -0.2, 2)
    down = np.clip((y - line) / np.maximum(low, 0.01), -0.2, 2)
    z = 0.038 * np.exp(-0.5 * ((up - 0.5) / 0.40) ** 2) * (top / 0.09) * inside
    z += 0.055 * np.exp(-0.5 * ((down - 0.50) / 0.36) ** 2) * (low / 0.12) * inside
    z -= 0.045 * np.exp(-0.5 * ((y - line) / 0.014) ** 2) * step(np.abs(s), 1.12, 0.85)
    corner = bump(np.abs(x), y, p.mouth_width * 1.05, p.mouth_y + 0.01, 0.045, 0.05)
    z -= 0.02 * corner
    z -= 0.016 * bump(x, y, 0.0, geometry.nose_base + 0.08, 0.035, 0.08)
    z += 0.010 * bump(np.abs(x), y, 0.065, geometry.nose_base + 0.09, 0.025, 0.08)
    return np.asarray(z, np.float32)


def normals(z: Map) -> NDArray[np.float32]:
    """Return unit normals (H, W, 3) of a height field in IOD."""
    zx = np.gradient(z, axis=1) * SCALE
    zy = np.gradient(z, axis=0) * SCALE
    n = np.stack([-zx, -zy, np.ones_like(z)], axis=-1)
    return np.asarray(n / np.linalg.norm(n, axis=-1, keepdims=True), np.float32)


def occlusion(z: Map) -> Map:
    """Return how open to the sky each point is, about .4 (deep fold) to 1."""
    closed = np.zeros_like(z)
    for sigma, gain in ((0.025, 4.0), (0.07, 2.2), (0.16, 1.3)):
        closed += gain * np.clip(soften(z, sigma) - z, 0, 0.3)
    return np.asarray(np.exp(-0.75 * np.tanh(closed / 0.75)), np.float32)


def cast_shadow(z: Map, light: tuple[float, float, float]) -> Map:
    """Return 1 where the key light arrives, 0 in cast shadow, with a soft edge."""
    half = cv2.resize(z, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    lx, ly, lz = light
    flat = float(np.hypot(lx, ly)) + 1e-6
    blocked = np.zeros_like(half)
    for k in range(1, 23):
        reach = 0.022 * k**1.15
        dx, dy = lx / flat * reach * SCALE / 2, ly / flat * reach * SCALE / 2
        shift = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
        there = cv2.warpAffine(
            half, shift, half.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        rise = there - half - reach * lz / flat
        blocked = np.maximum(blocked, rise / (0.05 + 0.30 * reach))
    open_ = 1 - np.clip(blocked, 0, 1)
    full = cv2.resize(soften(open_, 0.012), z.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return 1 - np.float32(0.7) * (1 - soften(np.asarray(full, np.float32), 0.02))


def shade(
    albedo: NDArray[np.float32],
    n: NDArray[np.float32],
    light: Light,
    *,
    open_sky: Map,
    lit: Map,
    oil: Map,
    wrap: tuple[float, float, float] = (0.42, 0.24, 0.16),
) -> NDArray[np.float32]:
    """Return linear colour (H, W, 3): wrapped diffuse, fill, sky and two glossy lobes."""
    key = np.array(light.key, np.float32)
    side = np.array([-light.key[0], light.key[1] * 0.4, light.key[2]], np.float32)
    side /= np.linalg.norm(side)
    facing = n @ key
    fill = np.clip(0.5 + 0.5 * (n @ side), 0, 1)
    sky = np.clip(0.66 - 0.26 * n[..., 1], 0, 1) * open_sky
    colour = np.empty_like(albedo)
    tint = (1 + light.warmth, 1.0, 1 - light.warmth)
    for c in range(3):
        soft = np.clip((facing + wrap[c]) / (1 + wrap[c]), 0, 1) * (
            lit + (1 - lit) * wrap[c] * 0.55
        )
        level = light.strength * tint[c] * soft + light.fill * fill * open_sky + light.ambient * sky
        # Light that leaves a fold has been reflected by skin more often: folds go red, not grey.
        colour[..., c] = albedo[..., c] * level * open_sky ** (0.0 if c == 0 else 0.25)
    h = key + np.array([0, 0, 1], np.float32)
    h /= np.linalg.norm(h)
    gloss = np.clip(n @ h, 0, 1)
    spec = (0.055 * gloss**9 + 0.10 * gloss**38) * oil * (0.25 + 0.75 * lit)
    h2 = side + np.array([0, 0, 1], np.float32)
    h2 /= np.linalg.norm(h2)
    spec += 0.03 * np.clip(n @ h2, 0, 1) ** 14 * oil
    return np.asarray(colour + (light.strength * spec * open_sky)[..., None], np.float32)
