"""Dense motion of a face clip with the head's own motion taken out.

The clip is brought to a canonical frame by one similarity (eye centres to fixed places, IOD 96
pixels); flow runs from frame 0 to frame t. The head's motion is a similarity fitted to the flow of
textured skin by robust regression, at half size; frame t is warped with it and the flow computed
again in full, from the first flow on. A mere subtraction would turn head motion into a false
expression wherever skin is too smooth to show it.
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

_WINDOW, _POLYNOMIAL = 15, (5, 1.1)
_COARSE_LEVELS = 2
_ITERATIONS = 2
_DIS_DESCENT, _DIS_REFINEMENT = 12, 2
_TUKEY_STEPS = 6
_TUKEY_FLOOR = 0.002
_FIT_STRIDE = 4
_REFINE_ALPHA = 10.5
"""Smoothness at half size; end-point errors are those of OpenCV's 20 at full size."""
_REFINE_SIGMA = 1.5
_REFINE_FLOOR = 0.02


@dataclass(frozen=True)
class FrameFlow:
    """Motion of one frame against frame 0.

    Attributes:
        flow: (h, w, 2) float32 on the canvas, head motion removed, x right, y down, IOD.
        rigid: (4,) head motion: shift x, shift y of the face centre (IOD), log scale, turn (rad).
        refined: (h/2, w/2, 2) the flow refined pixel by pixel, at half size; None unless asked for.
    """

    flow: FloatArray
    rigid: Matrix
    refined: FloatArray | None = None


def fit_similarity(
    points: Matrix, flow: NDArray[np.floating], weights: NDArray[np.floating]
) -> Matrix:
    """Return the (2, 3) similarity x + u(x) nearest to a flow, robust to moving parts of the face.

    Weighted least squares, then Tukey's biweight re-weighting (6 steps) with the cutoff
    2.5 · max(.002, 1.4826 · median of the residual lengths).

    Shapes: points (N, 2), flow (N, 2), weights (N,).
    Units: points and flow in IOD.
    """
    given: Matrix = weights.astype(np.float64)
    # As complex numbers a similarity is u = grow · z + shift, and all its sums are one product.
    centre = given @ points / given.sum()
    z, u = _complex(points - centre), _complex(flow)
    turned = z.conj() * u
    parts = (np.ones(len(z)), z.real, z.imag, u.real, u.imag, _square(z), turned.real, turned.imag)
    terms = np.stack(parts)
    grow, shift = _weighted_similarity(terms, given)
    for _ in range(_TUKEY_STEPS):
        residual = _square(grow * z + shift - u)
        cutoff = 2.5 * max(_TUKEY_FLOOR, 1.4826 * _root_median(residual))
        current: Matrix = given * np.maximum(1.0 - residual / cutoff**2, 0.0) ** 2
        if current.sum() <= 0.0:
            break
        grow, shift = _weighted_similarity(terms, current)
    shift -= grow * complex(*centre)
    return np.array(
        [[1.0 + grow.real, -grow.imag, shift.real], [grow.imag, 1.0 + grow.real, shift.imag]]
    )


def _weighted_similarity(terms: Matrix, weights: Matrix) -> tuple[complex, complex]:
    total, zx, zy, ux, uy, size, along, across = (float(v) for v in terms @ weights)
    z, u = complex(zx, zy) / total, complex(ux, uy) / total
    grow = (complex(along, across) - total * z.conjugate() * u) / (size - total * abs(z) ** 2)
    return grow, u - grow * z


def _complex(points: NDArray[np.floating]) -> NDArray[np.complex128]:
    pairs = np.asarray(points, np.float64)
    return pairs[..., 0] + 1j * pairs[..., 1]


def _square(values: NDArray[np.complex128]) -> Matrix:
    length: Matrix = values.real**2 + values.imag**2
    return length


def _root_median(squares: Matrix) -> float:
    middle = [(len(squares) - 1) // 2, len(squares) // 2]
    return float(np.sqrt(np.partition(squares, middle)[middle]).mean())


def stabilised_flow(
    frames: Frames, canvas: Canvas, engine: Engine = "farneback", *, refine: bool = False
) -> Iterator[FrameFlow]:
    """Yield the motion of every frame against frame 0, head motion removed; no smoothing over time.

    `refine` adds a pixelwise flow at half size: variational refinement, then a confidence-weighted
    Gaussian (σ 3 canonical px). It is nearer to the truth at single pixels; the region means need
    no such help.

    Shapes: frames (T, H, W, 3); T results, the first of them zero.
    Units: IOD.
    """
    run = _engine(engine)
    height, width = size = canvas.weight.shape
    shift = np.array(canvas.origin)
    coarse = np.zeros((height // 2, width // 2, 2), np.float32)
    still = FrameFlow(np.zeros((*size, 2), np.float32), np.zeros(4), coarse if refine else None)
    first = np.asarray(frames[0])

    def warped(grey: FloatArray, matrix: Matrix) -> FloatArray:
        return warp_canonical(grey, matrix, shift, (width, height))

    base = warped(grey_of(first, canvas.to_canonical), canvas.to_canonical)
    small = _halved(base)
    fit = _Fit(canvas)
    yield still
    for index in range(1, len(frames)):
        frame = np.asarray(frames[index])
        if np.array_equal(frame, first):
            yield still
            continue
        grey = grey_of(frame, canvas.to_canonical)
        begun = _doubled(run(small, _halved(warped(grey, canvas.to_canonical)), None))
        head = fit(begun)
        moved = warped(grey, compose(invert(head), canvas.to_canonical))
        flow = run(base, moved, fit.straight(begun, head))
        rest = fit(flow)
        whole, fine = fit.removed(flow, rest), None
        if refine:
            fine = fit.removed(_refine(base, moved, flow, canvas.confidence), rest, step=2)
        yield FrameFlow(whole, _rigid_parameters(compose(head, rest)), fine)


class _Fit:
    """Similarity fits on the textured skin of one canvas, in canonical pixels."""

    def __init__(self, canvas: Canvas) -> None:
        height, width = canvas.weight.shape
        self.origin = np.array(canvas.origin, np.float64)
        sparse = np.zeros((height, width), bool)
        sparse[::_FIT_STRIDE, ::_FIT_STRIDE] = True
        self.used = np.flatnonzero(sparse & (canvas.weight > 0))
        rows, columns = np.divmod(self.used, width)
        self.points = (np.stack([columns, rows], axis=1) + self.origin) / IOD
        self.weights = canvas.weight.ravel()[self.used].astype(np.float64)

    def __call__(self, flow: FloatArray) -> Matrix:
        """Return the (2, 3) head motion in canonical pixels of a `flow` in pixels."""
        if self.weights.sum() <= 0.0:
            return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        fit = fit_similarity(self.points, flow.reshape(-1, 2)[self.used] / IOD, self.weights)
        return np.column_stack([fit[:, :2], fit[:, 2] * IOD])

    def removed(self, flow: FloatArray, head: Matrix, step: int = 1) -> FloatArray:
        """Return `flow` (pixels), known at every `step` pixels, less the motion of `head`, IOD."""
        rest = _as_complex(flow) - self._shift(flow, head, step)
        return _as_vectors(rest) / np.float32(IOD)

    def straight(self, flow: FloatArray, head: Matrix) -> FloatArray:
        """Return the `flow` (pixels) that is left after every frame was warped back by `head`."""
        back = invert(head)
        turn = np.complex64(complex(back[0, 0], back[1, 0]))
        return _as_vectors(turn * _as_complex(flow) + self._shift(flow, back, 1))

    def _shift(self, flow: FloatArray, motion: Matrix, step: int) -> NDArray[np.complex64]:
        # A pixel at half size lies between two pixels of the full one.
        y, x = (
            step * np.arange(n) + (step - 1) / 2 + start
            for n, start in zip(flow.shape[:2], self.origin[::-1], strict=True)
        )
        grow = complex(motion[0, 0] - 1.0, motion[1, 0])
        columns = (grow * x).astype(np.complex64)
        rows = (1j * grow * y + complex(motion[0, 2], motion[1, 2])).astype(np.complex64)
        shift: NDArray[np.complex64] = rows[:, None] + columns
        return shift


def _as_complex(flow: FloatArray) -> NDArray[np.complex64]:
    return np.ascontiguousarray(flow, np.float32).view(np.complex64)[..., 0]


def _as_vectors(flow: NDArray[np.complex64]) -> FloatArray:
    return flow[..., None].view(np.float32)


def _halved(image: FloatArray) -> FloatArray:
    """Return an image at half size: enough for the head's motion, at a quarter of the cost."""
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _doubled(flow: FloatArray) -> FloatArray:
    size = (2 * flow.shape[1], 2 * flow.shape[0])
    return 2 * np.asarray(cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _rigid_parameters(head: Matrix) -> Matrix:
    centre = np.array([WIDTH / 2, 176.0])
    shift = (apply(head, centre) - centre) / IOD
    turn = complex(head[0, 0], head[1, 0])
    return np.array([shift[0], shift[1], np.log(abs(turn)), np.angle(turn)])


def _engine(name: Engine) -> Callable[[FloatArray, FloatArray, FloatArray | None], FloatArray]:
    if name == "farneback":
        return _farneback
    if name == "dis":
        return _dis
    raise DatasetError(f"flow '{name}' is not known; choose 'farneback' or 'dis'")


def _farneback(base: FloatArray, moved: FloatArray, begun: FloatArray | None) -> FloatArray:
    start: Any = begun
    levels, flags = (_COARSE_LEVELS, 0) if begun is None else (0, cv2.OPTFLOW_USE_INITIAL_FLOW)
    flow = cv2.calcOpticalFlowFarneback(
        base, moved, start, 0.5, levels, _WINDOW, _ITERATIONS, *_POLYNOMIAL, flags
    )
    return np.asarray(flow, np.float32)


def _dis(base: FloatArray, moved: FloatArray, begun: FloatArray | None) -> FloatArray:
    nothing: Any = None
    images = _bytes(base), _bytes(moved)
    threads = cv2.getNumThreads()
    # DIS splits the image into one stripe a thread, so its result would depend on the machine.
    cv2.setNumThreads(1)
    try:
        if begun is None:
            solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        else:
            solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            solver.setGradientDescentIterations(_DIS_DESCENT)
            solver.setVariationalRefinementIterations(_DIS_REFINEMENT)
        return np.asarray(solver.calc(images[0], images[1], nothing), np.float32)
    finally:
        cv2.setNumThreads(threads)


def _refine(
    base: FloatArray, moved: FloatArray, flow: FloatArray, confidence: FloatArray
) -> FloatArray:
    solver = cv2.VariationalRefinement.create()
    solver.setAlpha(_REFINE_ALPHA)
    half = _halved(flow) / np.float32(2)
    x, y = (np.ascontiguousarray(half[..., axis]) for axis in (0, 1))
    images = _bytes(_halved(base)), _bytes(_halved(moved))
    x, y = (np.asarray(f, np.float32) for f in solver.calcUV(*images, x, y))
    share = _halved(confidence) + np.float32(_REFINE_FLOOR)
    spread = np.stack([x * share, y * share, share], axis=-1)
    spread = np.asarray(cv2.GaussianBlur(spread, (0, 0), _REFINE_SIGMA), np.float32)
    return np.asarray(2 * spread[..., :2] / spread[..., 2:], np.float32)


def _bytes(grey: FloatArray) -> Image:
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
