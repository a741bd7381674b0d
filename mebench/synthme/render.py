"""Frames, landmarks and flow of a person making an expression.

Frame 0 is the neutral portrait N seen by the camera. A point x of frame 0 lies at x + d(x, t) in frame t. First the
edges of the eyes and the mouth carry their skin, x' = x + s(x, t); then everything moves, x' + c(x', t), with c
the sum of the action units' fields and the head's motion. So d(x) = s(x) + c(x + s(x)). Frames are drawn backwards: each pixel
q solves q = x' + c(x') by fixed-point iteration (c shrinks distances by at least a half, so three steps leave
< .02 px) and N is read there, from a raster finer than the frame. The flow that is returned is d itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synthme import motion
from mebench.synthme.canvas import SCALE
from mebench.synthme.expression import Component, Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance as Nuisance
from mebench.synthme.nuisance import Wander, wander
from mebench.synthme.stage import Camera as Camera
from mebench.synthme.stage import Patch, Stage, eye_patches, mouth_patch, sides, stage
from mebench.types import Flow, Frames

Float = NDArray[np.float32]
Array = NDArray[np.float64]
_EYE_AUS, _MOUTH_AUS = (5, 7, 43), (25, 26)


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
    marks = np.stack([shot.landmarks(t) for t in range(expression.n_frames)])
    return Rendering(frames, marks.astype(np.float32), flow, shot.curves, expression.names)


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
        h, w = at.camera.height, at.camera.width
        fields = [column[0].reshape(-1) for column in columns]
        self.moving_head = bool(np.any(self.wander.head))
        if self.moving_head:
            fields += list(at.rigid.reshape(6, -1))
        self._fields: Float = np.stack(fields) if fields else np.zeros((1, h * w * 2), np.float32)
        self._dark: Float = np.stack([column[1].reshape(-1) for column in columns])
        self._marks: Array = np.stack([column[2] for column in columns])
        self._patches: list[Patch] = [*eye_patches(at.portrait), mouth_patch(at.portrait)]
        self._canvas = at.image.copy()

    # -- moving -------------------------------------------------------------------------------

    def _weights(self, t: int) -> Float:
        parts = [self.curves[t]]
        if self.moving_head:
            parts.append(self.wander.head[t].astype(np.float32))
        return np.concatenate(parts).astype(np.float32)

    def _common(self, t: int) -> Float:
        h, w = self.stage.camera.height, self.stage.camera.width
        return np.asarray(self._weights(t) @ self._fields, np.float32).reshape(h, w, 2)

    def _origin(self, common: Float) -> Float:
        """Return x' (H, W, 2) such that q = x' + c(x') for each pixel q."""
        at = self.stage.pixels - common
        for _ in range(2):
            moved = cv2.remap(common, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            at = self.stage.pixels - moved
        return np.asarray(at, np.float32)

    def _splits(self, t: int) -> list[tuple[Component, float]]:
        """Return the components that move edges of openings, with their size."""
        out = [
            (part, float(size))
            for part, size in zip(self.expression.components, self.curves[t], strict=True)
            if part.au in (*_EYE_AUS, *_MOUTH_AUS) and size != 0
        ]
        if self.wander.lids[t] > 0:
            out.append((Component(43), float(self.wander.lids[t])))
        return out

    def _split_at(self, t: int, points: Array) -> Array:
        total = np.zeros_like(points)
        for part, size in self._splits(t):
            for side, weight in sides(part):
                total += (
                    size
                    * weight
                    * motion.split(
                        self.stage.geometry, part.au, side, points[..., 0], points[..., 1]
                    )
                )
        return total

    # -- what is returned ---------------------------------------------------------------------

    def landmarks(self, t: int) -> Array:
        """Return the 68 points (68, 2) in pixels."""
        at = self.stage
        start = at.portrait.landmarks
        points = start + self._split_at(t, start)
        # The hills are wide against an edge's move, so their value at the start point would be off.
        field = np.zeros_like(points)
        for part, size in zip(self.expression.components, self.curves[t], strict=True):
            for side, weight in sides(part):
                field += (
                    size
                    * weight
                    * motion.common(at.geometry, part.au, side, points[:, 0], points[:, 1])
                )
        if self.moving_head:
            pixels = at.camera.project(points).astype(np.float32)
            weight_map = cv2.remap(
                at.head, pixels[None], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            fields = at.head_fields(points, np.asarray(weight_map[0], np.float64))
            field += np.tensordot(self.wander.head[t], fields, axes=1)
        return at.camera.project(points + field)

    def flow(self, t: int) -> Float:
        """Return d (H, W, 2) in pixels."""
        common = self._common(t)
        if not self._splits(t) and not np.any(self.wander.gaze[t]):
            return common
        split = self.stage.turned(self._split_at(t, self.stage.points) + self._gaze_at(t))
        at = self.stage.pixels + split
        moved = cv2.remap(common, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(split + moved, np.float32)

    def _gaze_at(self, t: int) -> Array:
        points = self.stage.points
        out = np.zeros_like(points)
        if not np.any(self.wander.gaze[t]):
            return out
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
                image = now * np.float32(1 - blur)
                for near in (before, after):
                    image += (now if near is None else near) * np.float32(blur / 2)
            yield self._sensor(image)
            before, now = now, (after if after is not None else now)

    def _light(self, t: int) -> Float:
        """Return the frame's light (H, W, 3) float32 before the sensor."""
        origin = self._origin(self._common(t))
        self._draw_openings(t)
        image = cv2.remap(
            self._canvas,
            self.stage.canvas_map(origin),
            None,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        h, w = image.shape[:2]
        gain = np.float32(1 + self.wander.gain[t])
        if np.any(self.curves[t]):
            dark = np.asarray(self.curves[t] @ self._dark, np.float32).reshape(h, w)
            dark = cv2.remap(dark, origin, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            image *= (gain * np.exp(-dark))[..., None]
        elif gain != 1:
            image *= gain
        return np.asarray(image, np.float32)

    def _sensor(self, image: Float) -> NDArray[np.uint8]:
        image = image.copy() if self.nuisance.noise > 0 else image
        if self.nuisance.noise > 0:
            h, w = image.shape[:2]
            grain = self._noise.standard_normal((h, w), np.float32)
            shot = np.float32(self.nuisance.noise) * (
                np.float32(0.7) + np.float32(0.05) * np.sqrt(np.maximum(image[..., 1], 0))
            )
            for c, (dy, dx) in enumerate(((0, 0), (13, 7), (29, 41))):
                image[..., c] += shot * (0.75 * grain + 0.55 * np.roll(grain, (dy, dx), (0, 1)))
        out = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        if self.nuisance.jpeg > 0:
            quality = int(np.clip(round(96 - 8 * self.nuisance.jpeg), 20, 100))
            _, code = cv2.imencode(".jpg", out[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
            out = np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1])
        return out

    def _draw_openings(self, t: int) -> None:
        splits = self._splits(t)
        for k, patch in enumerate(self._patches):
            gaze = self.wander.gaze[t] if k < 2 else np.zeros(2)
            mine = [
                (part.au, side, size * weight)
                for part, size in splits
                for side, weight in sides(part)
                if (part.au in _EYE_AUS if k < 2 else part.au in _MOUTH_AUS)
                and (k == 2 or side == patch.side)
            ]
            if mine or np.any(gaze):
                self._draw_patch(k, patch, mine, gaze)
            else:
                self._canvas[patch.at] = self.stage.image[patch.at]

    def _draw_patch(
        self, k: int, patch: Patch, moves: list[tuple[int, int, float]], gaze: Array
    ) -> None:
        geometry = self.stage.geometry
        gx, gy = patch.canvas.grid()
        x, y = gx.astype(np.float64), gy.astype(np.float64)
        up, down = np.zeros_like(x), np.zeros_like(x)
        for au, side, size in moves:
            if k < 2:
                one, two = motion.eye_edges(geometry.eyes[k], au, x, y)
            else:
                one, two = motion.mouth_edges(geometry, au, side, x, y)
            up, down = up + size * one, down + size * two
        upper = self._edge(patch, up)
        lower = self._edge(patch, down)
        ball = _shift(patch.inner, patch.grid - np.float32(SCALE) * gaze.astype(np.float32))
        alpha = _shift(patch.lower_alpha, lower)[..., None]
        image = ball + (_shift(patch.skin, lower) - ball) * alpha
        alpha = _shift(patch.upper_alpha, upper)[..., None]
        image = image + (_shift(patch.skin, upper) - image) * alpha
        margin = 4
        inner = (slice(margin, -margin), slice(margin, -margin))
        self._canvas[patch.at] = self.stage.image[patch.at]
        self._canvas[patch.at][inner] = self.stage.filtered(np.asarray(image, np.float32))[inner]

    @staticmethod
    def _edge(patch: Patch, up: Array) -> Float:
        """Return where the skin that is now at each canvas pixel came from."""
        move = (-up * SCALE).astype(np.float32)
        at = patch.grid.copy()
        for _ in range(6):
            at[..., 1] = patch.grid[..., 1] - _shift(move, at)
        return at


def _shift(image: Float, at: Float) -> Float:
    moved = cv2.remap(image, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)
