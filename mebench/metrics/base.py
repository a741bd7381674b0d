"""What a metric is: named values with unit, range and direction, never a bare float."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mebench.types import ActionUnit, Face, FaceClip, Frames, Image, Pair, Reference

Level = Literal["clip", "set"]


@dataclass(frozen=True)
class MetricInfo:
    """How one value is to be read.

    Attributes:
        key: name with its unit where it has one, such as ``flow_epe_px``.
        title: a short name for tables.
        unit: ``""`` for a pure number.
        low: smallest possible value.
        high: largest possible value.
        higher_is_better: None for a diagnostic that has no better direction.
        level: ``clip`` (one value a pair) or ``set`` (one value a submission).
        needs: of ``template, driving, reference, truth, labels, weights, identity``.
        headline: shown in the short table.
        formula: how the value is made, one line; every shipped key has one.
        reading: what its size means, where range and direction do not say it.
    """

    key: str
    title: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    higher_is_better: bool | None = True
    level: Level = "clip"
    needs: tuple[str, ...] = ()
    headline: bool = False
    formula: str = ""
    reading: str = ""


@dataclass(frozen=True)
class OwnView:
    """What a metric must know of an output that is not drawn as mebench aligns its template.

    Attributes:
        seen: (H, W) bool, pixels of the output that lie inside the template's picture.
        unit: pixels of the aligned view for one of the output, so that lengths compare.
        aligned: (T, S, S, 3), the output's frames in the aligned view; what they do not show is the
            template's.
        reference: the right answer in the aligned view, or None.
    """

    seen: NDArray[np.bool_]
    unit: float
    aligned: Sequence[Image]
    reference: Frames | None = None


@dataclass(frozen=True)
class Case:
    """All that a metric may look at for one pair; images are (H, W, 3) uint8.

    Generated frames, template and reference are in the output's view and of one size. Motion is
    measured on the output's own pixels; pictures are compared where the template has pixels.

    Attributes:
        pair: which output this is.
        generated: (T, H, W, 3), the submission's frames.
        template: the template face; its landmarks also hold for generated frame 0.
        driving: the driving clip, prepared at its own alignment.
        reference: the right answer, or None.
        labels: FACS labels of the driving clip.
        method: id of the method that made the frames, for what was measured outside mebench.
        own_view: None for an output that is drawn as mebench aligns the template.
    """

    pair: Pair
    generated: Frames
    template: Face
    driving: FaceClip
    reference: Reference | None = None
    labels: tuple[ActionUnit, ...] = ()
    method: str = ""
    own_view: OwnView | None = None

    @property
    def unit(self) -> float:
        """Pixels of the aligned view for one of the output."""
        return 1.0 if self.own_view is None else self.own_view.unit

    @property
    def seen(self) -> NDArray[np.bool_] | None:
        """Pixels of the output inside the template's picture, None when all are."""
        if self.own_view is None or self.own_view.seen.all():
            return None
        return self.own_view.seen

    @property
    def aligned(self) -> Sequence[Image]:
        """The generated frames in the aligned view."""
        return list(self.generated) if self.own_view is None else self.own_view.aligned

    @property
    def aligned_reference(self) -> Frames | None:
        """The right answer in the aligned view."""
        if self.own_view is not None:
            return self.own_view.reference
        return None if self.reference is None else self.reference.frames

    def within(self, frames: Frames, target: Frames) -> Frames:
        """Return frames (N, H, W, 3) that equal `target` where the template has no pixels."""
        seen = self.seen
        if seen is None:
            return frames
        return np.where(seen[None, ..., None], frames, target).astype(np.uint8)


@dataclass(frozen=True)
class Missing:
    """A value that could not be had, with the reason."""

    reason: str


Value = float | Missing


def finite(value: float, reason: str) -> Value:
    """Return `value`, or `Missing` with `reason` when it is NaN or infinite.

    >>> finite(float("nan"), "no motion")
    Missing(reason='no motion')
    """
    return float(value) if math.isfinite(value) else Missing(reason)


class Metric(ABC):
    """A family of values that share one computation.

    `describe` looks at one case and returns something picklable and small; it runs in parallel
    workers. For ``clip`` values `clip_values` reads it; for ``set`` values `set_values` reads all
    of them together. A family may have both.

    A shipped family's docstring has the paragraphs ``Formula:``, ``Reading:``, ``Blind to:`` and
    ``Source:``; its page in ``docs/metrics`` is made from them and from `infos`.
    """

    infos: ClassVar[tuple[MetricInfo, ...]]
    per_method: ClassVar[bool] = False
    """True when equal frames of two methods may differ, because their files lie apart."""

    @abstractmethod
    def describe(self, case: Case) -> Any:
        """Return what the values of this case are computed from."""

    def clip_values(self, described: Any) -> Mapping[str, Value]:
        """Return the clip-level values of one case."""
        return {}

    def set_values(self, described: Sequence[Any]) -> Mapping[str, Value]:
        """Return the set-level values of all cases."""
        return {}

    @property
    def variant(self) -> str:
        """Return what else two equal measurements must share, such as the flow in use."""
        return ""

    @property
    def weights(self) -> Mapping[str, str]:
        """Return ``{name: sha256 or "seeded:<seed>"}`` of network weights in use."""
        return {}

    def with_reference_set(self, clips: Sequence[FaceClip], jobs: int = 1) -> Metric:
        """Return this metric with the frames of `clips` in place of each case's own other side.

        Only what compares distributions listens; all else returns itself.
        """
        return self

    def curves(self, described: Any) -> Mapping[str, Any]:
        """Return per-frame curves for reports: ``{name: (T,) array}``."""
        return {}
