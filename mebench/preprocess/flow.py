"""Dense motion of a face clip with the head's own motion taken out.

The clip is brought to a canonical frame by one similarity (eye centres to fixed places, IOD 96
pixels); flow runs from frame 0 to frame t. The head's motion is a similarity fitted to the flow of
textured skin by robust regression, at half size; frame t is warped with it and the flow computed
again in full. A mere subtraction would turn head motion into a false expression wherever skin is
too smooth to show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.errors import DatasetError
from mebench.preprocess.canonical import (
    IOD,
    WIDTH,
    Canvas,
    FloatArray,
    Matrix,
    apply,
    compose,
    grey_of,
    invert,
    warp_canonical,
)
from mebench.types import Frames, Image

Engine = Literal["farneback", "dis"]

_FARNEBACK = (0.5, 3, 15, 3, 5, 1.1)
_TUKEY_STEPS = 6
_TUKEY_FLOOR = 0.002
_FIT_STRIDE = 4
_REFINE_SIGMA = 3.0
_REFINE_FLOOR = 0.02


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
    base = warp_canonical(
        grey_of(first, canvas.to_canonical), canvas.to_canonical, shift, (width, height)
    )
    fit = _Fit(canvas)
    small = _halved(base)
    yield still
    for index in range(1, len(frames)):
        frame = np.asarray(frames[index])
        if np.array_equal(frame, first):
            yield still
            continue
        grey = grey_of(frame, canvas.to_canonical)
        moved = warp_canonical(grey, canvas.to_canonical, shift, (width, height))
        head = fit(_doubled(run(small, _halved(moved)), (width, height)))
        straight = compose(invert(head), canvas.to_canonical)
        moved = warp_canonical(grey, straight, shift, (width, height))
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


def _halved(image: FloatArray) -> FloatArray:
    """Return an image at half size: enough for the head's motion, at a quarter of the cost."""
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _doubled(flow: FloatArray, size: tuple[int, int]) -> FloatArray:
    return 2 * np.asarray(cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR), np.float32)


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
