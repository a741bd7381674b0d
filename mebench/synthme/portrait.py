"""A person's neutral portrait: skin, eyeballs and mouth as separate layers, and the 68 points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mebench.synthme import eyes, scene, skin
from mebench.synthme.canvas import BODY, FULL, HEAD, MANE, Map, bump, over, soften, step, to_srgb
from mebench.synthme.geometry import Geometry
from mebench.synthme.hair import Hair
from mebench.synthme.identity import Identity as Identity
from mebench.synthme.relief import (
    Light,
    cast_shadow,
    head_height,
    normals,
    occlusion,
    shade,
)

Colour = NDArray[np.float32]


@dataclass(frozen=True)
class Portrait:
    """The neutral face on the canvas `FULL`, sRGB 0..255 float32.

    Attributes:
        identity: who it is.
        geometry: the curves.
        image: (H, W, 3) the finished neutral portrait.
        skin: (H, W, 3) the portrait without eyeballs; what lies in the eye openings is lid skin.
        balls: (H, W, 3) the eyeballs without lids.
        openings: (H, W) 1 where an eyeball shows.
        head: (H, W) 1 on head and neck, falling to 0 on background; how far head motion reaches.
        landmarks: (68, 2) float64 in IOD.
    """

    identity: Identity
    geometry: Geometry
    image: Colour
    skin: Colour
    balls: Colour
    openings: Map
    head: Map
    landmarks: NDArray[np.float64]


@lru_cache(maxsize=3)
def portrait(identity: Identity) -> Portrait:
    """Draw a person's neutral portrait (kept for the last few people)."""
    geometry = Geometry(identity)
    rng = np.random.default_rng([identity.seed, 0xFACE])
    # A camera opens up for dark skin; the wall behind is a wall all the same.
    bright = 1 + 0.25 * identity.tone
    light = Light(
        identity.light, 0.72 * bright, 0.30 * identity.fill * bright, 0.34 * bright, identity.warmth
    )
    hair = Hair(geometry, MANE.canvas, rng)
    scene_rgb = scene.background(geometry, FULL, rng)
    back = hair.back()
    if back is not None:
        scene_rgb[MANE.at] = over(scene_rgb[MANE.at], back.colour, back.alpha)
    scene_rgb[BODY.at] = scene.body(geometry, BODY.canvas, scene_rgb[BODY.at], light, rng)
    front = hair.front()
    hairy = np.zeros(scene_rgb.shape[:2], np.float32)
    hairy[MANE.at] = front.alpha
    face, mask = _face(geometry, light, hairy[HEAD.at], rng)
    scene_rgb[HEAD.at] = over(scene_rgb[HEAD.at], face, mask)
    scene_rgb[MANE.at] = over(scene_rgb[MANE.at], front.colour, front.alpha)
    flat = to_srgb(scene_rgb)
    balls, openings = np.zeros_like(flat), np.zeros_like(hairy)
    for eye in geometry.eyes:
        place = eyes.window(eye)
        balls[place.at] = to_srgb(eyes.eyeball(geometry, eye, place.canvas, rng))
        openings[place.at] = eyes.opening(eye, place.canvas)
    openings *= 1 - hairy
    cap = FULL.polygon(geometry.outline, 0.0)
    head = np.maximum(soften(np.maximum(cap, hairy), 0.10), 0)
    return Portrait(
        identity=identity,
        geometry=geometry,
        image=over(flat, balls, openings),
        skin=flat,
        balls=balls,
        openings=openings,
        head=np.clip(head * 1.6, 0, 1),
        landmarks=geometry.landmarks,
    )


def _face(
    geometry: Geometry, light: Light, hair: Map, rng: np.random.Generator
) -> tuple[Colour, Map]:
    """Return lit face and ears (linear) on the window `HEAD`, with their mask."""
    p = geometry.identity
    canvas = HEAD.canvas
    x, y = canvas.grid()
    z = soften(head_height(geometry, canvas), 0.008)
    inside = canvas.polygon(geometry.outline, 0.006)
    relief = skin.wrinkle_relief(geometry, canvas, rng)
    pores = 0.0007 * rng.standard_normal(x.shape).astype(np.float32)
    bumps = 0.0045 * soften(rng.standard_normal(x.shape).astype(np.float32), 0.012)
    n = normals(z + relief + pores + bumps)
    colour = skin.albedo(geometry, canvas, rng)
    open_sky = occlusion(z + relief)
    lit = cast_shadow(np.where(inside > 0.5, z, np.float32(-0.4)), light.key)
    mask = inside.copy()
    base = skin.skin_colour(p.tone, p.undertone) * np.array([1.03, 0.90, 0.88], np.float32)
    covered = p.hair_style in ("long_straight", "long_wavy", "bob")
    for side in () if covered else (-1, 1):
        near = canvas.window(side * 1.2 - 0.45, -0.5, side * 1.2 + 0.45, 1.05)
        at = near.at
        shape, height = scene.ear(geometry, near.canvas, side)
        outer = shape * (1 - inside[at])
        n[at] = over(n[at], normals(height), outer)
        colour[at] = over(colour[at], np.asarray(base, np.float32), outer)
        open_sky[at] += (0.85 * occlusion(height) - open_sky[at]) * outer
        lit[at] += ((0.9 if side * light.key[0] > -0.1 else 0.25) - lit[at]) * outer
        mask[at] = np.maximum(mask[at], shape)
    under = soften(np.roll(hair, 5, axis=0), 0.05)
    lit = lit * (1 - 0.55 * under)
    open_sky = open_sky * (1 - 0.30 * under)
    oil = _oil(geometry, x, y)
    lit_colour = shade(
        colour,
        n,
        light,
        open_sky=np.asarray(open_sky, np.float32),
        lit=np.asarray(lit, np.float32),
        oil=oil,
    )
    lit_colour = eyes.lids(geometry, canvas, lit_colour, base, rng)
    return lit_colour, mask


def _oil(geometry: Geometry, x: Map, y: Map) -> Map:
    p = geometry.identity
    ax = np.abs(x)
    oil = 0.55 + 0.5 * bump(ax, y, 0.0, geometry.nose_tip, 0.12, 0.35)
    oil += 0.35 * bump(ax, y, 0.0, -0.7, 0.5, 0.25) + 0.3 * bump(ax, y, 0.6, 0.3, 0.2, 0.15)
    oil -= 0.5 * bump(ax, y, 0.0, p.mouth_y - 0.16, 0.34, 0.11)
    s = x / p.mouth_width
    lips = np.exp(-0.5 * ((y - geometry.lip_line(s) - 0.05) / 0.05) ** 2) * step(
        np.abs(s), 1.0, 0.7
    )
    return np.asarray((oil + (0.5 + 0.7 * p.lip_red) * lips) * (0.8 + 0.5 * p.tone), np.float32)
