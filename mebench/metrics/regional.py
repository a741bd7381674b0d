"""What metrics of region motion share: one store of motions, and clips of one length."""

from __future__ import annotations

from pathlib import Path

from mebench.errors import SubmissionError
from mebench.metrics.base import Case, Metric
from mebench.preprocess.flow import Engine
from mebench.preprocess.motion_cache import MotionCache, shared_cache
from mebench.preprocess.region_motion import RegionMotion

LENGTH_SLACK = 2
"""Frames by which a generated clip may differ in length from its driving clip."""


class RegionalMetric(Metric):
    """A family that reads the region motion of a case's clips.

    Args:
        cache: a folder for results by content, or None for memory only.
        flow: ``farneback`` or ``dis``.
        store: a cache to use in place of the process-wide one for these two.
    """

    def __init__(
        self,
        cache: Path | None = None,
        *,
        flow: Engine = "farneback",
        store: MotionCache | None = None,
    ) -> None:
        self.store = store if store is not None else shared_cache(cache, flow)

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
