"""What metrics of region motion share: one store of motions, and clips of one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from mebench.errors import SubmissionError
from mebench.metrics.base import Case, Metric, MetricInfo, Value
from mebench.preprocess.flow import Engine
from mebench.preprocess.motion_cache import MotionCache, shared_cache
from mebench.preprocess.region_motion import RegionMotion

LENGTH_SLACK = 2
"""Frames by which a generated clip may differ in length from its driving clip."""


DIS = "~dis"
"""Ends the keys of values measured with the fast flow: other columns, never mixed."""


class RegionalMetric(Metric):
    """A family that reads the region motion of a case's clips.

    A subclass gives `shared_infos`, `own_clip_values` and `own_set_values` under the plain keys;
    with the fast flow ``dis`` every key ends in ``~dis``.

    Args:
        cache: a folder for results by content, or None for memory only.
        flow: ``farneback`` or ``dis``.
        store: a cache to use in place of the process-wide one for these two.
    """

    shared_infos: ClassVar[tuple[MetricInfo, ...]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Add the keys of the fast flow to those of the family."""
        super().__init_subclass__(**kwargs)
        fast = (
            replace(info, key=info.key + DIS, title=f"{info.title} (DIS)")
            for info in cls.shared_infos
        )
        cls.infos = (*cls.shared_infos, *fast)

    def __init__(
        self,
        cache: Path | None = None,
        *,
        flow: Engine = "farneback",
        store: MotionCache | None = None,
    ) -> None:
        self.store = store if store is not None else shared_cache(cache, flow)

    def clip_values(self, described: Any) -> Mapping[str, Value]:
        """Return the clip-level values of one case."""
        return self._named(self.own_clip_values(described))

    def set_values(self, described: Sequence[Any]) -> Mapping[str, Value]:
        """Return the set-level values of all cases."""
        return self._named(self.own_set_values(described))

    def own_clip_values(self, described: Any) -> Mapping[str, Value]:
        """Return the clip-level values of one case under their plain keys."""
        return {}

    def own_set_values(self, described: Sequence[Any]) -> Mapping[str, Value]:
        """Return the set-level values of all cases under their plain keys."""
        return {}

    @property
    def variant(self) -> str:
        """The flow in use: another one is another measurement."""
        return self.store.flow

    def _named(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        end = DIS if self.store.flow == "dis" else ""
        return {key + end: value for key, value in values.items()}

    def motions(self, case: Case) -> tuple[RegionMotion, RegionMotion, int]:
        """Return the motions of the generated and the driving clip, and their common length.

        The generated clip's landmarks are the template's; the driving clip has its own alignment.

        Raises:
            SubmissionError: when their lengths differ by more than 2 frames.
        """
        driving = case.driving
        length = match_lengths(len(case.generated), len(driving.frames), case.pair.key)
        dense = case.reference is not None
        landmarks = case.template.landmarks
        made = self.store.motion(case.generated, landmarks, driving.fps, expect_field=dense)
        return made, self.store.motion(driving.frames, driving.landmarks, driving.fps), length


def match_lengths(generated: int, driving: int, where: str) -> int:
    """Return the common length of two clips.

    Raises:
        SubmissionError: when they differ by more than 2 frames.
    """
    if abs(generated - driving) > LENGTH_SLACK:
        raise SubmissionError(
            f"{where}: expected {driving} frames (within {LENGTH_SLACK}), got {generated}; "
            "generate one frame for each driving frame"
        )
    return min(generated, driving)
