"""Hair: strands that follow a style's flow over the skull, drawn dark to light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synthme.canvas import Canvas, Map, soften, to_linear
from mebench.synthme.geometry import Geometry
from mebench.synthme.identity import Identity

Array = NDArray[Any]
Colour = NDArray[np.float32]
_POINTS = 14


@dataclass(frozen=True)
class Layer:
    """A drawn layer: linear colour (H, W, 3) and alpha (H, W)."""

    colour: Colour
    alpha: Map


@dataclass(frozen=True)
class _Style:
    """How a style looks: cap thickness, which strands, how far they go."""

    cap: float
    strands: str
    soft: float = 0.02
    back: float | None = None


_STYLES = {
    "buzz": _Style(0.045, "stipple", soft=0.035),
    "short_back": _Style(0.17, "back"),
    "side_part": _Style(0.17, "part"),
    "fringe": _Style(0.15, "fringe"),
    "curly": _Style(0.26, "curl", soft=0.025),
    "receding": _Style(0.07, "back", soft=0.035),
    "long_straight": _Style(0.13, "long", back=2.5),
    "long_wavy": _Style(0.18, "long", back=2.4),
    "bob": _Style(0.15, "long", back=1.35),
    "tied_back": _Style(0.07, "tied", soft=0.02),
}


class Hair:
    """The hair of one person on one canvas."""

    def __init__(self, geometry: Geometry, canvas: Canvas, rng: np.random.Generator) -> None:
        self.p: Identity = geometry.identity
        self.canvas = canvas
        self.rng = rng
        self.style = _STYLES[self.p.hair_style]
        self.cap = self.style.cap * (0.75 + 0.55 * self.p.hair_volume)
        outline = geometry.outline
        angle = np.arctan2(outline[:, 0], -(outline[:, 1] + 0.3))
        order = np.argsort(angle)
        self._angle = angle[order]
        self._radius = np.hypot(outline[:, 0], outline[:, 1] + 0.3)[order]

    # -- the chart of the scalp: u -1..1 from ear to ear, v 0 at the hairline, 1 at the edge ----

    def hairline(self, u: Array) -> Array:
        """Return points of the hairline (..., 2)."""
        p = self.p
        top, w = p.hair_line, p.face_width
        corner = top + 0.05 - 0.05 * p.masculinity
        if p.hair_style == "receding":
            top, corner = top - 0.24, top - 0.16
        at = [0.0, 0.22, 0.42, 0.58, 0.72, 0.88, 1.0]
        xs = [0.0, 0.30 * w, 0.58 * w, 0.745 * w, 0.83 * w, 0.945 * w, 0.985 * w]
        side = 0.12 if p.masculinity > 0.5 else 0.02
        ys = [top, top + 0.01, corner + 0.04, top + 0.34, -0.46, -0.20, side]
        a = np.abs(u)
        return np.stack([np.sign(u) * np.interp(a, at, xs), np.interp(a, at, ys)], axis=-1)

    def edge(self, u: Array) -> Array:
        """Return points of the hair's silhouette (..., 2)."""
        angle = np.asarray(u) * np.radians(106)
        radius = np.interp(angle, self._angle, self._radius)
        top = np.clip(np.cos(0.80 * angle), 0, 1) ** 1.3
        side = {"curl": 0.75, "long": 1.0}.get(self.style.strands, 0.36)
        thick = self.cap * (side + (1 - side) * top)
        if self.style.strands != "long":
            thick = thick * np.clip((1.0 - np.abs(u)) / 0.14, 0, 1) ** 0.5
        r = radius + thick
        return np.stack([np.sin(angle) * r, -0.3 - np.cos(angle) * r], axis=-1)

    def chart(self, u: Array, v: Array) -> Array:
        """Return image points of scalp coordinates."""
        u = np.clip(u, -1, 1)
        w = np.asarray(v)[..., None]
        return np.asarray(self.hairline(u) * (1 - w) + self.edge(u) * w)

    # -- strands ------------------------------------------------------------------------------

    def strands(self) -> Array:
        """Return the front strands (n, k, 2), in the order they are drawn."""
        make = {
            "stipple": self._stipple,
            "back": self._back,
            "part": self._part,
            "fringe": self._fringe,
            "curl": self._curl,
            "long": self._long,
            "tied": self._tied,
        }[self.style.strands]
        return make()

    def _roots(self, n: int, low: float, high: float) -> tuple[Array, Array]:
        return self.rng.uniform(-1, 1, n), self.rng.uniform(low, high, n)

    def _stipple(self) -> Array:
        u, v = self._roots(5200, -0.02, 1.0)
        t = np.linspace(0, 1, 4)
        length = self.rng.uniform(0.03, 0.09, len(u))
        return self.chart(u[:, None] + 0.01 * t, v[:, None] - length[:, None] * t)

    def _back(self) -> Array:
        n = 3000
        u, v = self._roots(n, 0.0, 0.85)
        first = self.rng.random(n) < 0.25
        v[first] = self.rng.normal(0.0, 0.02, int(first.sum()))
        lean = self.p.hair_part * 0.5
        t = np.linspace(0, 1, _POINTS)
        reach = self.rng.uniform(0.3, 0.65, n)
        du = lean * (1 - u**2) * 0.35 + self.rng.normal(0, 0.02, n)
        uu = u[:, None] + du[:, None] * t + 0.02 * self.p.hair_wave * np.sin(5 * t + 4 * u[:, None])
        vv = v[:, None] + reach[:, None] * t
        limit = 1.0 + 0.05 * self.rng.random(n)
        vv = np.minimum(vv, limit[:, None])
        return self._sorted(self.chart(uu, vv), v)

    def _tied(self) -> Array:
        n = 2600
        u, v = self._roots(n, -0.01, 0.6)
        t = np.linspace(0, 1, _POINTS)
        uu = u[:, None] * (1 - 0.28 * t) + 0.008 * self.rng.standard_normal(n)[:, None]
        vv = v[:, None] + (1.0 - v[:, None]) * t
        return self._sorted(self.chart(uu, vv), v)

    def _part(self) -> Array:
        n = 3200
        part = float(np.clip(self.p.hair_part, -0.5, 0.5)) or 0.3
        part = part if abs(part) > 0.2 else 0.3 * np.sign(part)
        side = np.where(self.rng.random(n) < 0.5 + 0.3 * np.sign(part), -1, 1)
        v0 = self.rng.uniform(0.05, 1.0, n)
        t = np.linspace(0, 1, _POINTS)
        end = np.where(side < 0, self.rng.uniform(-1.0, part, n), self.rng.uniform(part, 1.0, n))
        uu = part + (end - part)[:, None] * t**0.9
        sweep = 0.30 * (1 - np.abs(end)) * self.rng.uniform(0.2, 1.2, n)
        vv = v0[:, None] + sweep[:, None] * np.sin(np.pi * t) - 0.32 * v0[:, None] * t**2
        vv = np.clip(vv, -0.03, 1.03)
        short_u, short_v = self._roots(1100, 0.0, 0.8)
        low = np.abs(short_u) > 0.66
        short = self.chart(
            short_u[low, None] * (1 + 0.06 * t), short_v[low, None] + 0.25 * (0.5 - t)
        )
        return np.concatenate([short, self._sorted(self.chart(uu, vv), v0)])

    def _fringe(self) -> Array:
        n = 3000
        u, v0 = self._roots(n, 0.35, 1.02)
        t = np.linspace(0, 1, _POINTS)
        reach = -0.20 - 0.18 * self.p.hair_volume
        low = np.where(np.abs(u) < 0.62, reach, 0.0) * self.rng.uniform(0.6, 1.1, n)
        lean = 0.10 * self.p.hair_part + self.rng.normal(0, 0.03, n)
        uu = u[:, None] + lean[:, None] * t**2
        vv = v0[:, None] + (low - v0)[:, None] * t
        return self._sorted(self.chart(uu, vv), v0)

    def _curl(self) -> Array:
        n = 2600
        u, v = self._roots(n, -0.05, 1.05)
        centre = self.chart(u, v) + self.rng.normal(0, 0.015, (n, 2))
        size = (0.022 + 0.035 * self.p.hair_wave) * self.rng.uniform(0.6, 1.4, n)
        start = self.rng.uniform(0, 2 * np.pi, n)
        t = np.linspace(0, 1.0, _POINTS) * self.rng.uniform(3.0, 6.0, (n, 1))
        ring = start[:, None] + t
        curl = size[:, None] * (1 - 0.06 * t)
        path = np.stack([np.cos(ring) * curl, np.sin(ring) * curl * 0.9 + 0.008 * t], axis=-1)
        return self._sorted(centre[:, None] + path, v)

    def _long(self) -> Array:
        n = 3400
        p, rng = self.p, self.rng
        part = 0.45 * p.hair_part
        side = np.where(rng.random(n) < 0.5 + 0.5 * part, -1.0, 1.0)
        depth = rng.random(n)
        v0 = 0.03 + 0.97 * depth
        span = rng.random(n)
        end_y = (self.style.back or 2.0) + rng.normal(0, 0.06, n) - 0.2 * (1 - depth)
        w = p.face_width
        inner = w * (0.90 + 0.10 * p.hair_volume)
        outer = w * 1.0 + self.cap + 0.06
        x_side = inner + (outer - inner) * depth
        root = self.chart(np.full(n, part) + 0.02 * rng.standard_normal(n), v0)
        turn = self.chart(side * (0.34 + 0.10 * span) + 0.5 * part, 0.16 + 0.84 * depth)
        temple = self.chart(side * (0.66 + 0.06 * span), 0.25 + 0.75 * depth)
        bob = p.hair_style == "bob"
        ends = x_side * (0.84 if bob else 0.98) + 0.12 * span * (0 if bob else 1)
        knots = np.stack(
            [
                root,
                turn,
                temple,
                np.stack([side * x_side, -0.05 + 0.0 * span], axis=-1),
                np.stack([side * (x_side + 0.03), np.minimum(0.85, end_y * 0.62)], axis=-1),
                np.stack([side * ends, end_y], axis=-1),
            ],
            axis=1,
        )
        path = _spline(knots, 26)
        t = np.linspace(0, 1, path.shape[1])
        grow = np.clip((t - 0.35) / 0.4, 0, 1)
        wavy = 0.085 if p.hair_style == "long_wavy" else 0.012
        phase = 9 * t[None] * (1.2 + 0.5 * p.hair_wave) + 2.2 * depth[:, None] + side[:, None]
        path[..., 0] += wavy * grow * np.sin(phase + 1.2 * span[:, None])
        return self._sorted(path, 1 - depth)

    def _sorted(self, paths: Array, key: Array) -> Array:
        jitter = key + self.rng.normal(0, 0.25, len(key))
        return np.asarray(paths[np.argsort(-jitter)])

    # -- drawing ------------------------------------------------------------------------------

    def front(self) -> Layer:
        """Return the hair in front of the face."""
        paths = self.strands()
        drawn = self._draw(paths)
        light = self._lighting(paths)
        alpha = drawn[..., 1]
        grain = np.where(alpha > 0.02, drawn[..., 0] / np.maximum(alpha, 0.05), 0.6)
        grain = 0.6 + (np.minimum(grain, 1.6) - 0.6) * alpha
        base = self._base()
        if self.style.strands == "long":
            base = np.maximum(base, np.clip(2.2 * soften(alpha, 0.025) - 0.9, 0, 1))
        fill = {"stipple": 0.74, "curl": 0.95}.get(self.style.strands, 0.96)
        if self.p.hair_style == "receding":
            fill = 0.72
        total = 1 - (1 - fill * base) * (1 - 0.92 * alpha)
        return Layer(
            self._tint(np.asarray(grain * light, np.float32)), np.asarray(total, np.float32)
        )

    def _base(self) -> Map:
        u = np.linspace(-1, 1, 140)
        rim = self.chart(u, np.full_like(u, 0.97))
        line = self.hairline(u)
        inside = self.canvas.polygon(np.concatenate([rim, line[::-1]]), 0.004)
        below = np.array([(line[-1, 0], 2.0), (line[0, 0], 2.0)])
        face = self.canvas.polygon(np.concatenate([line, below]), self.style.soft)
        return np.asarray(inside * np.clip(1.5 - 1.5 * face, 0, 1), np.float32)

    def back(self) -> Layer | None:
        """Return the hair behind the neck, for styles that have it."""
        if self.style.back is None:
            return None
        end = self.style.back
        w = self.p.face_width + self.cap
        outline = np.array(
            [
                (-0.9 * w, -0.8),
                (0.9 * w, -0.8),
                (1.0 * w, 0.2),
                (1.02 * w, 0.62 * end),
                (0.94 * w, end - 0.10),
                (-0.94 * w, end - 0.10),
                (-1.02 * w, 0.62 * end),
                (-1.0 * w, 0.2),
            ]
        )
        mask = self.canvas.polygon(outline, 0.012)
        x, y = self.canvas.grid()
        ripple = 0.03 * np.sin(x * 60 + 2 * np.sin(y * 2.5)) + 0.03 * np.sin(x * 23 + 1.7)
        dark = 0.13 + ripple + 0.10 * np.clip(np.abs(x) - 0.6, 0, 1)
        return Layer(self._tint(np.asarray(dark, np.float32)), mask)

    def _draw(self, paths: Array) -> Colour:
        """Return (strand brightness x alpha, alpha, 0) of all strands, 0..1."""
        rng = self.rng
        bright = np.clip(rng.normal(1.0, 0.30, len(paths)), 0.3, 1.6)
        clump = 1 + 0.20 * np.sin(19 * paths[:, 0, 0] + 7 * paths[:, -1, 1])
        values = np.clip(bright * clump * 150, 20, 255).astype(int).tolist()
        widths = np.where(rng.random(len(paths)) < 0.65, 1, 2).tolist()
        fixed = np.round(self.canvas.pixels(paths) * 16).astype(np.int32)
        image = np.zeros((self.canvas.height, self.canvas.width, 3), np.uint8)
        for path, value, width in zip(fixed, values, widths, strict=True):
            cv2.polylines(image, [path], False, (value, 255, 0), width, cv2.LINE_AA, 4)
        return np.asarray(image * np.array([1 / 150, 1 / 255, 0], np.float32), np.float32)

    def _lighting(self, paths: Array) -> Map:
        """Return how bright hair is at each place: a Kajiya-Kay model on a dome, averaged."""
        x, y = paths[..., 0], paths[..., 1]
        w = self.p.face_width + self.cap
        tall = 1.45 + self.cap
        below = np.clip(y + 0.3, 0, None) * 0.25
        inside = 1 - (x / w) ** 2 - (np.where(y < -0.3, y + 0.3, below) / tall) ** 2
        z = 1.1 * np.sqrt(np.clip(inside, 0.02, 1))
        tangent = np.gradient(np.stack([x, y, z], axis=-1), axis=1)
        tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True) + 1e-9
        key = np.array(self.p.light)
        half = key + np.array([0.0, 0.0, 1.0])
        half /= np.linalg.norm(half)
        along, gloss = tangent @ key, tangent @ half
        normal = np.stack([x / w**2, np.where(y < -0.3, y + 0.3, 0) / tall**2, z / 1.2], axis=-1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
        facing = np.clip(0.42 + 0.58 * (normal @ key), 0.15, 1)
        diffuse = np.sqrt(np.clip(1 - along**2, 0, 1))
        shine = np.clip(1 - gloss**2, 0, 1) ** 16
        low = 1 - 0.35 * np.clip((y - 0.6) / 1.2, 0, 1)
        value = (0.12 + 0.36 * diffuse * facing + 0.28 * shine * facing) * low
        return self._spread(paths, value)

    def _spread(self, paths: Array, value: Array) -> Map:
        """Return values given along strands as a smooth map."""
        cell = 6
        shape = (self.canvas.height // cell + 2, self.canvas.width // cell + 2)
        at = np.round(self.canvas.pixels(paths) / cell).astype(int)
        ok = (at >= 0).all(-1) & (at[..., 0] < shape[1]) & (at[..., 1] < shape[0])
        index = (at[..., 1] * shape[1] + at[..., 0])[ok]
        total = np.bincount(index, value[ok], shape[0] * shape[1]).reshape(shape)
        count = np.bincount(index, None, shape[0] * shape[1]).reshape(shape).astype(float)
        near = cv2.GaussianBlur(np.stack([total, count], -1), (0, 0), 1.3)
        wide = cv2.GaussianBlur(np.stack([total, count], -1), (0, 0), 4.0)
        mean = (near[..., 0] + 0.02 * wide[..., 0] + 1e-4) / (
            near[..., 1] + 0.02 * wide[..., 1] + 1e-3
        )
        full = cv2.resize(
            mean.astype(np.float32), None, fx=cell, fy=cell, interpolation=cv2.INTER_LINEAR
        )
        moved = np.array([[1, 0, -(cell - 1) / 2], [0, 1, -(cell - 1) / 2]], np.float32)
        size = (self.canvas.width, self.canvas.height)
        return np.asarray(
            cv2.warpAffine(full, moved, size, borderMode=cv2.BORDER_REPLICATE), np.float32
        )

    def _tint(self, tone: Map) -> Colour:
        hair = to_linear(self.p.hair_rgb)
        body = np.clip(tone, 0, 1.3)[..., None] * 2.1 * hair
        shine = np.clip(tone - 0.40, 0, 1)[..., None] ** 1.5
        gloss = 0.40 * hair**0.5 + 0.06
        return np.asarray(body * 0.95 + shine * gloss, np.float32)


def _spline(knots: Array, count: int) -> Array:
    n = knots.shape[1] - 1
    padded = np.concatenate(
        [2 * knots[:, :1] - knots[:, 1:2], knots, 2 * knots[:, -1:] - knots[:, -2:-1]], 1
    )
    t = np.linspace(0, n, count)
    i = np.minimum(t.astype(int), n - 1)
    f = (t - i)[None, :, None]
    p0, p1, p2, p3 = (padded[:, i + k] for k in range(4))
    return np.asarray(
        0.5
        * (
            2 * p1
            + (p2 - p0) * f
            + (2 * p0 - 5 * p1 + 4 * p2 - p3) * f**2
            + (3 * p1 - p0 - 3 * p2 + p3) * f**3
        )
    )
