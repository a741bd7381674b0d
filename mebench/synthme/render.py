"""Frames, landmarks and flow of a person making an expression.

Frame 0 is the neutral portrait N seen by the camera. A point x of frame 0 lies at x + d(x, t) in
frame t. First the edges of eyes and mouth carry their skin, x' = x + s(x, t); then all moves,
x' + c(x', t), with c the sum of the action units' fields and the head's motion. So d(x) = s(x) +
c(x + s(x)). Frames are drawn backwards: each pixel q solves q = x' + c(x') by three steps of fixed-
point iteration, and N is read there, from a raster finer than the frame. The flow returned is d.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synthme import motion
from mebench.synthme.expression import Component, Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance as Nuisance
from mebench.synthme.nuisance import Wander, wander
from mebench.synthme.openings import EYE_AUS, MOUTH_AUS, Move, openings
from mebench.synthme.stage import Camera as Camera
from mebench.synthme.stage import Stage, remapped, sides, stage
from mebench.types import Flow, Frames

Float = NDArray[np.float32]
Array = NDArray[Any]


@dataclass(frozen=True)
class Rendering:
    """A rendered clip.

    Attributes:
        frames: (T, H, W, 3) uint8 RGB.
        landmarks: (T, 68, 2) float32, pixels.
        flow: (T, H, W, 2) float32, pixels, from frame 0 on frame 0's grid; T is 0 without flow.
        au_curves: (T, A) float32, fraction of the IOD.
        au_names: names of the columns, such as ``4`` or ``L12``.
    """

    frames: Frames
    landmarks: NDArray[np.float32]
    flow: Flow
    au_curves: NDArray[np.float32]
    au_names: tuple[str, ...]


def render(
    identity: Identity,
    expression: Expression,
    nuisance: Nuisance | None = None,
    size: int | tuple[int, int] = 256,
    seed: int = 0,
    *,
    camera: Camera | None = None,
    with_flow: bool = True,
) -> Rendering:
    """Render a person making an expression; the same arguments give the same bytes.

    Args:
        identity: who.
        expression: what and when.
        nuisance: what the recording adds; `Nuisance.default()` when None.
        size: (height, width) of the recording, or both; ignored when `camera` is given.
        seed: of the nuisance.
        camera: the view; `Camera.fit(size)` when None.
        with_flow: also return the dense flow (8 bytes a pixel and frame).
    """
    nuisance = Nuisance.default() if nuisance is None else nuisance
    shot = _Shot(stage(identity, camera or Camera.fit(size)), expression, nuisance, seed)
    h, w = shot.stage.camera.height, shot.stage.camera.width
    frames = np.empty((expression.n_frames, h, w, 3), np.uint8)
    for t, frame in enumerate(shot.frames()):
        frames[t] = frame
    flow = np.empty((expression.n_frames if with_flow else 0, h, w, 2), np.float32)
    for t in range(len(flow)):
        flow[t] = shot.flow(t)
    return Rendering(frames, shot.landmarks(), flow, shot.curves, expression.names)


class _Shot:
    """One clip being rendered."""

    def __init__(self, at: Stage, expression: Expression, nuisance: Nuisance, seed: int) -> None:
        self.stage = at
        self.expression = expression
        self.nuisance = nuisance
        self.curves = expression.curves()
        rng = np.random.default_rng([seed, 0x5407])
        self.wander: Wander = wander(nuisance, expression.n_frames, expression.fps, rng)
        self._noise = np.random.default_rng([seed, 0x401E])
        columns = [at.column(part) for part in expression.components]
        fields = [column[0].reshape(-1) for column in columns]
        weights = [self.curves.T]
        if np.any(self.wander.head):
            fields += list(at.rigid.reshape(6, -1))
            weights.append(self.wander.head.T.astype(np.float32))
        self._fields: Float = np.stack(fields)
        self._weights: Float = np.ascontiguousarray(np.concatenate(weights).T)
        self._dark: Float = np.stack([column[1].reshape(-1) for column in columns])
        self._openings = openings(at.portrait)
        self._canvas = at.image.copy()
        self._drawn: list[tuple[float, ...]] = [(0.0, 0.0)] * 3

    # -- moving -------------------------------------------------------------------------------

    def _common(self, t: int) -> Float:
        """Return c (H, W, 2) in pixels."""
        return np.asarray(self._weights[t] @ self._fields, np.float32).reshape(
            self.stage.pixels.shape
        )

    def _origin(self, common: Float) -> Float:
        """Return x' (H, W, 2) such that q = x' + c(x') for each pixel q."""
        at = self.stage.pixels - common
        for _ in range(2):
            at = self.stage.pixels - remapped(common, at)
        return at

    def _edges(self, t: int) -> list[Move]:
        """Return the moves of edges of openings: (AU, image side, size)."""
        parts = zip(self.expression.components, self.curves[t].tolist(), strict=True)
        active = [(p, size) for p, size in parts if p.au in (*EYE_AUS, *MOUTH_AUS) and size != 0]
        if self.wander.lids[t] > 0:
            active.append((Component(43), float(self.wander.lids[t])))
        return [(p.au, side, size * w) for p, size in active for side, w in sides(p)]

    def _split(self, t: int, points: Array) -> Array:
        """Return s (..., 2) in IOD at points."""
        total = np.zeros_like(points)
        for au, side, size in self._edges(t):
            move = motion.split(self.stage.geometry, au, side, points[..., 0], points[..., 1])
            total += size * move
        return total

    # -- what is returned ---------------------------------------------------------------------

    def landmarks(self) -> NDArray[np.float32]:
        """Return the 68 points over time (T, 68, 2) in pixels."""
        at = self.stage
        start = at.portrait.landmarks
        still = self._fields_at(start)
        out = np.empty((self.expression.n_frames, 68, 2), np.float32)
        for t in range(len(out)):
            points, fields = start, still
            if self._edges(t):
                points = start + self._split(t, start)
                fields = self._fields_at(points)
            out[t] = at.camera.project(points + np.tensordot(self._weights[t], fields, axes=1))
        return out

    def _fields_at(self, points: Array) -> Array:
        """Return the fields of c at points (n, 2): (K, n, 2) in IOD."""
        columns = []
        for part in self.expression.components:
            field = np.zeros_like(points)
            for side, weight in sides(part):
                field += weight * motion.common(
                    self.stage.geometry, part.au, side, points[:, 0], points[:, 1]
                )
            columns.append(field)
        if len(self._fields) > len(columns):
            columns += list(self.stage.head_at(points))
        return np.stack(columns)

    def flow(self, t: int) -> Float:
        """Return d (H, W, 2) in pixels."""
        common = self._common(t)
        if not self._edges(t) and not np.any(self.wander.gaze[t]):
            return common
        split = self.stage.turned(self._split(t, self.stage.points) + self._gaze(t))
        return split + remapped(common, self.stage.pixels + split)

    def _gaze(self, t: int) -> Array:
        points = self.stage.points
        out = np.zeros_like(points)
        if np.any(self.wander.gaze[t]):
            for eye in self.stage.geometry.eyes:
                s, v = eye.local(points[..., 0], points[..., 1])
                ball = (np.abs(s) < 1) & (v > eye.upper_lid(s)) & (v < eye.lower_lid(s))
                out[ball] = self.wander.gaze[t]
        return out

    # -- drawing ------------------------------------------------------------------------------

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames (H, W, 3) uint8."""
        n, blur = self.expression.n_frames, 0.10 * self.nuisance.motion_blur
        before, now = None, self._light(0)
        for t in range(n):
            after = self._light(t + 1) if t + 1 < n else None
            image = now
            if blur > 0:
                near = cv2.add(now if before is None else before, now if after is None else after)
                mixed = cv2.addWeighted(now, 1 - blur, near, blur / 2, 0)
                image = np.asarray(mixed, np.float32)
            yield self._sensor(image)
            before, now = now, (after if after is not None else now)

    def _light(self, t: int) -> Float:
        """Return the frame's light (H, W, 3) float32 before the sensor."""
        origin = self._origin(self._common(t))
        self._draw_openings(t)
        image = remapped(self._canvas, self.stage.canvas_map(origin))
        gain = np.float32(1 + self.wander.gain[t])
        if np.any(self.curves[t]):
            dark = np.asarray(self.curves[t] @ self._dark, np.float32).reshape(image.shape[:2])
            image *= (gain * np.exp(-remapped(dark, origin)))[..., None]
        elif gain != 1:
            image *= gain
        return image

    def _draw_openings(self, t: int) -> None:
        edges = self._edges(t)
        for k, opening in enumerate(self._openings):
            moves = [m for m in edges if m[0] in opening.aus and m[1] in opening.sides]
            gaze = self.wander.gaze[t] if k < 2 else np.zeros(2)
            state = (*gaze.tolist(), *(value for move in moves for value in move))
            if state == self._drawn[k]:
                continue
            self._drawn[k] = state
            target = self._canvas[opening.at]
            target[...] = self.stage.image[opening.at]
            if moves or np.any(gaze):
                inside = (slice(4, -4), slice(4, -4))
                target[inside] = self.stage.filtered(opening.draw(moves, gaze))[inside]

    def _sensor(self, image: Float) -> NDArray[np.uint8]:
        if self.nuisance.noise > 0:
            h, w = image.shape[:2]
            grain = self._noise.standard_normal((h, w), np.float32)
            level = np.sqrt(np.maximum(image[..., 1], 0))
            grain *= np.float32(self.nuisance.noise) * (np.float32(0.7) + np.float32(0.05) * level)
            base = np.float32(0.75) * grain
            tints = [np.roll(grain, shift, (0, 1)) for shift in ((0, 23), (13, 7), (29, 41))]
            noise = cv2.merge([cv2.addWeighted(base, 1, tint, 0.55, 0) for tint in tints])
            out = np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)
        else:
            out = np.asarray(cv2.convertScaleAbs(image), np.uint8)
        if self.nuisance.jpeg > 0:
            quality = int(np.clip(round(96 - 8 * self.nuisance.jpeg), 20, 100))
            _, code = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])
            out = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
        return out
