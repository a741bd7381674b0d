"""Dense motion of a face clip with the head's own motion taken out.

The clip is brought to a canonical frame by one similarity (eye centres to fixed places, IOD 96
pixels); flow runs from frame 0 to frame t. The head's motion is a similarity fitted to the flow of
textured skin by robust regression; frame t is warped with it and the flow is computed again. A mere
subtraction would turn head motion into a false expression wherever skin is too smooth to show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.errors import DatasetError
from mebench.types import Frames, Image

Engine = Literal["farneback", "dis"]
FloatArray = NDArray[np.float32]
Matrix = NDArray[np.float64]

WIDTH, HEIGHT = 320, 352
EYES = ((112.0, 128.0), (208.0, 128.0))
IOD = 96.0
"""Inter-ocular distance in the canonical frame, pixels."""

_FARNEBACK = (0.5, 3, 15, 3, 5, 1.1)
_ERODE = 0.08
_EYE_MARGIN = 0.08
_CROP_MARGIN = 0.20
_CROP_STEP = 8
_TEXTURE_HALF = 0.25
_TUKEY_STEPS = 6
_TUKEY_FLOOR = 0.002
_FIT_STRIDE = 4
_REFINE_SIGMA = 3.0
_REFINE_FLOOR = 0.02


@dataclass(frozen=True)
class Canvas:
    """The part of the canonical frame in which a clip is analysed.

    Attributes:
        to_canonical: (2, 3), pixels of the clip's frames to canonical pixels.
        origin: canonical (x, y) of the canvas's first pixel.
        landmarks: (68, 2) float64, canonical pixels.
        confidence: (h, w) texture confidence of frame 0, 0..1; 0 outside the clip's frames.
        weight: (h, w) confidence inside the eroded face hull and outside the eyes.
        hull: (h, w) bool, eroded face hull inside the clip's frames.
    """

    to_canonical: Matrix
    origin: tuple[int, int]
    landmarks: Matrix
    confidence: FloatArray
    weight: FloatArray
    hull: NDArray[np.bool_]

    def sample(self, pixels: NDArray[np.number]) -> tuple[NDArray[np.bool_], Matrix]:
        """Return hull membership and weight at `pixels` (N, 2) of the clip's frames."""
        places = apply(self.to_canonical, pixels) - np.array(self.origin)
        columns, rows = np.rint(places).astype(np.int64).T
        height, width = self.weight.shape
        within = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        rows, columns = np.where(within, rows, 0), np.where(within, columns, 0)
        return within & self.hull[rows, columns], within * self.weight[rows, columns].astype(float)


@dataclass(frozen=True)
class FrameFlow:
    """Motion of one frame against frame 0.

    Attributes:
        flow: (h, w, 2) float32 on the canvas, head motion removed, x right, y down, IOD.
        rigid: (4,) head motion: shift x, shift y of the face centre (IOD), log scale, turn (rad).
        refined: (h, w, 2) the flow refined pixel by pixel, where asked for, else `flow`.
    """

    flow: FloatArray
    rigid: Matrix
    refined: FloatArray


def canonical_transform(landmarks: NDArray[np.floating]) -> Matrix:
    """Return the (2, 3) similarity that takes the eye centres to their canonical places.

    Shapes: landmarks (68, 2), pixels, iBUG order.

    Raises:
        DatasetError: when the eyes coincide or a landmark is not finite.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise DatasetError(
            f"landmarks: expected 68 finite points (68, 2), got shape {points.shape}; "
            "prepare the clip again"
        )
    left, right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    span = complex(*(right - left))
    if abs(span) < 1.0:
        raise DatasetError("landmarks: the eye centres coincide; prepare the clip again")
    turn = complex(EYES[1][0] - EYES[0][0], EYES[1][1] - EYES[0][1]) / span
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, np.array(EYES[0]) - linear @ left])


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """Return the (2, 3) affine map ``x -> outer(inner(x))``."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.column_stack([linear, outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def invert(matrix: Matrix) -> Matrix:
    """Return the inverse of a (2, 3) affine map."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def apply(matrix: Matrix, points: NDArray[np.number]) -> Matrix:
    """Return `points` (..., 2) mapped by a (2, 3) affine map."""
    mapped: Matrix = np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return mapped


def fit_similarity(
    points: Matrix, flow: NDArray[np.floating], weights: NDArray[np.floating]
) -> Matrix:
    """Return the (2, 3) similarity x + u(x) nearest to a flow, robust to moving parts of the face.

    Weighted least squares, then Tukey's biweight re-weighting (6 steps) with the cutoff
    2.5 · max(.002, 1.4826 · median of the residual lengths).

    Shapes: points (N, 2), flow (N, 2), weights (N,).
    Units: points and flow in IOD.
    """
    current: Matrix = weights.astype(np.float64)
    target = flow.astype(np.float64)
    fit = _weighted_similarity(points, target, current)
    for _ in range(_TUKEY_STEPS):
        residual = np.linalg.norm(apply(fit, points) - points - target, axis=1)
        cutoff = 2.5 * max(_TUKEY_FLOOR, 1.4826 * float(np.median(residual)))
        tukey = np.where(residual < cutoff, (1.0 - (residual / cutoff) ** 2) ** 2, 0.0)
        current = (weights * tukey).astype(np.float64)
        if current.sum() <= 0.0:
            break
        fit = _weighted_similarity(points, target, current)
    return fit


def _weighted_similarity(points: Matrix, flow: Matrix, weights: Matrix) -> Matrix:
    total = weights.sum()
    centre = weights @ points / total
    shift = weights @ flow / total
    x, u = points - centre, flow - shift
    spread = weights @ (x * x).sum(axis=1)
    grow = weights @ (x * u).sum(axis=1) / spread
    turn = weights @ (x[:, 0] * u[:, 1] - x[:, 1] * u[:, 0]) / spread
    linear = np.array([[1.0 + grow, -turn], [turn, 1.0 + grow]])
    return np.column_stack([linear, centre + shift - linear @ centre])


def prepare_canvas(first: Image, landmarks: NDArray[np.floating]) -> Canvas:
    """Return the canvas of a clip from its frame 0 and that frame's landmarks (68, 2), pixels."""
    to_canonical = canonical_transform(landmarks)
    points = apply(to_canonical, landmarks)
    margin = _CROP_MARGIN * IOD
    low = np.clip(np.floor((points.min(axis=0) - margin) / _CROP_STEP), 0, None) * _CROP_STEP
    high = np.ceil((points.max(axis=0) + margin) / _CROP_STEP) * _CROP_STEP
    high = np.minimum(high, [WIDTH, HEIGHT])
    x0, y0 = int(low[0]), int(low[1])
    width, height = int(high[0]) - x0, int(high[1]) - y0
    if width < 2 * _CROP_STEP or height < 2 * _CROP_STEP:
        raise DatasetError("landmarks: the face lies outside the canonical frame; prepare it again")

    ones = np.full(first.shape[:2], 255, np.uint8)
    shift = np.array([x0, y0])
    inside = _warp(ones, to_canonical, shift, (width, height), border=cv2.BORDER_CONSTANT) > 254
    grey = _warp(_grey(first, to_canonical), to_canonical, shift, (width, height))
    confidence = texture_confidence(grey) * inside
    local = points - shift
    hull = _polygon(local, (height, width), -_ERODE) & inside
    eyes = np.zeros_like(hull)
    for part in (slice(36, 42), slice(42, 48)):
        eyes |= _polygon(local[part], (height, width), _EYE_MARGIN)
    weight = confidence * (hull & ~eyes)
    return Canvas(to_canonical, (x0, y0), points, confidence, weight.astype(np.float32), hull)


def texture_confidence(grey: FloatArray) -> FloatArray:
    """Return c = λ/(λ + .25) of a grey image, λ the smaller eigenvalue of its structure tensor.

    The image is blurred (σ 1.5); derivatives are Sobel/8; the tensor is averaged over 21 × 21.

    Range: 0 (smooth or one-directional) to 1.
    """
    blurred = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.5)
    dx = cv2.Sobel(blurred, cv2.CV_32F, 1, 0) / 8.0
    dy = cv2.Sobel(blurred, cv2.CV_32F, 0, 1) / 8.0
    xx, yy, xy = (
        cv2.blur(np.asarray(p, np.float32), (21, 21)) for p in (dx * dx, dy * dy, dx * dy)
    )
    smaller = np.maximum((xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2), 0.0)
    confidence: FloatArray = (smaller / (smaller + _TEXTURE_HALF)).astype(np.float32)
    return confidence


def stabilised_flow(
    frames: Frames, canvas: Canvas, engine: Engine = "farneback", *, refine: bool = False
) -> Iterator[FrameFlow]:
    """Yield the motion of every frame against frame 0, head motion removed; no smoothing over time.

    `refine` adds a pixelwise flow: variational refinement, then a confidence-weighted Gaussian
    (σ 3 px). It is nearer to the truth at single pixels; the region means need no such help.

    Shapes: frames (T, H, W, 3); T results, the first of them zero.
    Units: IOD.
    """
    run = _engine(engine)
    height, width = canvas.weight.shape
    shift = np.array(canvas.origin)
    nothing = np.zeros((height, width, 2), np.float32)
    still = FrameFlow(nothing, np.zeros(4), nothing)
    first = np.asarray(frames[0])
    base = _warp(_grey(first, canvas.to_canonical), canvas.to_canonical, shift, (width, height))
    fit = _Fit(canvas)
    yield still
    for index in range(1, len(frames)):
        frame = np.asarray(frames[index])
        if np.array_equal(frame, first):
            yield still
            continue
        grey = _grey(frame, canvas.to_canonical)
        moved = _warp(grey, canvas.to_canonical, shift, (width, height))
        head = fit(run(base, moved))
        straight = compose(invert(head), canvas.to_canonical)
        moved = _warp(grey, straight, shift, (width, height))
        flow = run(base, moved)
        rest = fit(flow)
        whole = fit.remove(flow, rest)
        fine = whole
        if refine:
            fine = fit.remove(_refine(base, moved, flow, canvas.confidence), rest)
        yield FrameFlow(whole, _rigid_parameters(compose(head, rest)), fine)


class _Fit:
    """Similarity fits on the textured skin of one canvas, in canonical pixels."""

    def __init__(self, canvas: Canvas) -> None:
        height, width = canvas.weight.shape
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float64)
        self.grid = np.stack([xs, ys], axis=-1) + np.array(canvas.origin)
        sparse = np.zeros((height, width), bool)
        sparse[::_FIT_STRIDE, ::_FIT_STRIDE] = True
        self.used = sparse & (canvas.weight > 0)
        self.points = self.grid[self.used] / IOD
        self.weights = canvas.weight[self.used].astype(np.float64)
        self.grid32 = self.grid.astype(np.float32)

    def __call__(self, flow: FloatArray) -> Matrix:
        """Return the (2, 3) head motion in canonical pixels of a `flow` in pixels."""
        if self.weights.sum() <= 0.0:
            return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        fit = fit_similarity(self.points, flow[self.used] / IOD, self.weights)
        return np.column_stack([fit[:, :2], fit[:, 2] * IOD])

    def remove(self, flow: FloatArray, head: Matrix) -> FloatArray:
        """Return `flow` (pixels) less the motion of `head`, in IOD."""
        linear = (head[:, :2] - np.eye(2)).astype(np.float32)
        rigid = self.grid32 @ linear.T + head[:, 2].astype(np.float32)
        rest: FloatArray = (flow - rigid) / np.float32(IOD)
        return rest


def _rigid_parameters(head: Matrix) -> Matrix:
    centre = np.array([WIDTH / 2, 176.0])
    shift = (apply(head, centre) - centre) / IOD
    turn = complex(head[0, 0], head[1, 0])
    return np.array([shift[0], shift[1], np.log(abs(turn)), np.angle(turn)])


def _engine(name: Engine) -> Callable[[FloatArray, FloatArray], FloatArray]:
    if name == "farneback":
        return _farneback
    if name == "dis":
        return _dis
    raise DatasetError(f"flow '{name}' is not known; choose 'farneback' or 'dis'")


def _farneback(base: FloatArray, moved: FloatArray) -> FloatArray:
    nothing: Any = None
    flow = cv2.calcOpticalFlowFarneback(base, moved, nothing, *_FARNEBACK, 0)
    return np.asarray(flow, np.float32)


def _dis(base: FloatArray, moved: FloatArray) -> FloatArray:
    nothing: Any = None
    images = _bytes(base), _bytes(moved)
    threads = cv2.getNumThreads()
    # DIS splits the image into one stripe a thread, so its result would depend on the machine.
    cv2.setNumThreads(1)
    try:
        solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return np.asarray(solver.calc(images[0], images[1], nothing), np.float32)
    finally:
        cv2.setNumThreads(threads)


def _refine(
    base: FloatArray, moved: FloatArray, flow: FloatArray, confidence: FloatArray
) -> FloatArray:
    solver = cv2.VariationalRefinement.create()
    x, y = (np.ascontiguousarray(flow[..., axis]) for axis in (0, 1))
    x, y = (np.asarray(f, np.float32) for f in solver.calcUV(_bytes(base), _bytes(moved), x, y))
    share = confidence + np.float32(_REFINE_FLOOR)
    spread = np.stack([x * share, y * share, share], axis=-1)
    spread = np.asarray(cv2.GaussianBlur(spread, (0, 0), _REFINE_SIGMA), np.float32)
    return np.asarray(spread[..., :2] / spread[..., 2:], np.float32)


def _bytes(grey: FloatArray) -> Image:
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _grey(frame: Image, to_canonical: Matrix) -> FloatArray:
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY).astype(np.float32)
    scale = float(np.sqrt(abs(np.linalg.det(to_canonical[:, :2]))))
    if scale < 1.0:
        # Shrinking without a low pass would alias pores into false motion.
        sigma = 0.5 * np.sqrt(1.0 / scale**2 - 1.0) + 1e-3
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.float32)
    return grey


def _warp(
    image: NDArray[np.generic],
    matrix: Matrix,
    shift: NDArray[np.integer],
    size: tuple[int, int],
    border: int = cv2.BORDER_REPLICATE,
) -> FloatArray:
    back = invert(matrix)
    back = np.column_stack([back[:, :2], back[:, :2] @ shift + back[:, 2]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image.astype(np.float32), back, size, flags=flags, borderMode=border)
    return warped.astype(np.float32, copy=False)


def _polygon(points: Matrix, shape: tuple[int, int], grow: float) -> NDArray[np.bool_]:
    mask = np.zeros(shape, np.uint8)
    outline = cv2.convexHull(np.rint(points).astype(np.int32))
    cv2.fillConvexPoly(mask, outline, 1)
    size = 2 * round(abs(grow) * IOD) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    changed = cv2.dilate(mask, disc) if grow > 0 else cv2.erode(mask, disc)
    return np.asarray(changed > 0)
