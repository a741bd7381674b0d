"""The nouns of mebench; shapes and units are stated here and hold everywhere.

Images are NumPy ``uint8``, RGB. Points are ``(x, y)`` in pixels, 0-based, pixel centres at
integers.
Frame numbers are the data set's own; index 0 of an array is the onset.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
"""(T, H, W, 3), RGB, 0..255."""
Image = NDArray[np.uint8]
"""(H, W, 3), RGB, 0..255."""
Points = NDArray[np.float32]
"""(68, 2), iBUG order, (x, y) pixels; with a leading T where a function says so."""
Flow = NDArray[np.float32]
"""(T, H, W, 2): displacement (dx, dy) in pixels from frame 0 to frame t, on frame 0's grid."""

Side = Literal["both", "L", "R", "asym"]
Half = Literal["top", "bottom"]
Colour = Literal["rgb", "gray"]
ApexSource = Literal["annotated", "corrected", "motion", "lbp", "middle", "listed", "none"]


@dataclass(frozen=True)
class ActionUnit:
    """One FACS code of an annotation cell.

    Attributes:
        au: FACS number.
        side: "both", "L", "R" (the person's own left and right) or "asym" (both, one stronger).
        half: upper or lower lip part, or None.
        intensity: "A".."E" or None.
        intensity_hi: upper end of a range such as ``10A/B``, else None.
        uncertain: written as ``ref(...)``.
        alt_group: units that share an integer are alternatives of which exactly one applies.
    """

    au: int
    side: Side = "both"
    half: Half | None = None
    intensity: str | None = None
    intensity_hi: str | None = None
    uncertain: bool = False
    alt_group: int | None = None


@dataclass(frozen=True)
class Annotation:
    """One row of an annotation file, before the frames are looked for.

    Attributes:
        subject: normalised subject id of the data set (``01``, ``006``, ``s1``).
        clip_id: the file name column, unique inside the subject.
        onset: frame number of the first frame of the movement.
        apex: frame number of the strongest frame, or None.
        apex_source: where the apex came from.
        offset: frame number of the last frame.
        action_units: parsed AU cell.
        au_raw: the AU cell as written.
        emotion: canonical emotion name.
        emotion_raw: the emotion cell as written.
        au_unknown: True when the coder gave no AU (not the same as no AU).
        corrections: what was changed from the file's values, in words.
        objective_class: "I".."VII" (Davison et al. 2018), or None.
        fps: frames per second where rows differ, else None (the data set's own rate).
        expression: "micro" or "macro".
        row: number of the row in the annotation file, or None without one.
    """

    subject: str
    clip_id: str
    onset: int
    apex: int | None
    apex_source: ApexSource
    offset: int
    action_units: tuple[ActionUnit, ...]
    au_raw: str
    emotion: str
    emotion_raw: str
    au_unknown: bool = False
    corrections: tuple[str, ...] = ()
    objective_class: str | None = None
    fps: float | None = None
    expression: Literal["micro", "macro"] = "micro"
    row: int | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """``subject/clip``, unique inside the data set."""
        return f"{self.subject}/{self.clip_id}"


@dataclass(frozen=True)
class Clip:
    """One ME clip of a data set, onset to offset, its frames decoded only when asked for.

    Attributes:
        dataset: data set id, such as ``casme2``.
        annotation: the row it came from.
        fps: frames per second of the recording.
        colour: colour mode of the recording.
        frame_numbers: the data set's numbers of the frames on disk, ascending, onset..offset.
        reader: returns the frames (T, H, W, 3); called by `frames`.
        path: the clip's folder or file, below the data set's root where it lies there.
    """

    dataset: str
    annotation: Annotation
    fps: float
    colour: Colour
    frame_numbers: tuple[int, ...]
    reader: Callable[[], Frames] = field(repr=False, compare=False)
    path: str = field(default="", compare=False)

    @property
    def subject(self) -> str:
        """Subject id inside the data set."""
        return self.annotation.subject

    @property
    def clip_id(self) -> str:
        """Clip id inside the subject."""
        return self.annotation.clip_id

    @property
    def key(self) -> str:
        """``dataset.subject.clip``: unique over all data sets, and safe as one path part."""
        return f"{self.dataset}.{self.subject}.{self.clip_id}"

    @property
    def apex_index(self) -> int | None:
        """Index of the apex in `frames`, or None."""
        apex = self.annotation.apex
        if apex is None or not self.frame_numbers:
            return None
        gaps = [abs(number - apex) for number in self.frame_numbers]
        return gaps.index(min(gaps))

    def frames(self) -> Frames:
        """Decode and return the frames (T, H, W, 3)."""
        return self.reader()

    def first_frame(self) -> Image:
        """Return frame 0 (H, W, 3), where the reader can decode it alone."""
        stream = getattr(self.reader, "stream", None)
        first: Image = next(stream()) if stream is not None else self.reader()[0]
        return first


@dataclass(frozen=True)
class Face:
    """A face image, aligned or whole: image (H, W, 3) and its landmarks (68, 2) in pixels."""

    image: Image
    landmarks: Points


@dataclass(frozen=True)
class FaceClip:
    """A prepared clip: aligned frames with the landmarks of frame 0.

    Attributes:
        key: the clip's key.
        subject: ``dataset.subject``, the unit of leak checks and bootstraps.
        frames: (T, H, W, 3) uint8, possibly a read-only memory map.
        landmarks: (68, 2) float32, pixels of the aligned frame 0.
        fps: frames per second.
        apex_index: index of the apex, or None.
        action_units: FACS labels.
        colour: colour mode of the recording (frames always have three channels).
        apex_source: where the apex came from; "none" where there is none or nobody said.
        to_source: (2, 3) float64, maps aligned pixels to pixels of the recording.
        label: class of the clip where the protocol recognises expressions, else empty.
    """

    key: str
    subject: str
    frames: Frames
    landmarks: Points
    fps: float
    apex_index: int | None = None
    action_units: tuple[ActionUnit, ...] = ()
    colour: Colour = "rgb"
    to_source: NDArray[np.float64] | None = None
    apex_source: ApexSource = "none"
    label: str = ""

    def face(self, index: int = 0) -> Face:
        """Return frame `index` with the landmarks of frame 0."""
        return Face(np.asarray(self.frames[index]), self.landmarks)


@dataclass(frozen=True)
class Picture:
    """A template as it is handed out: the pixels a team draws on.

    Attributes:
        image: (H, W, 3) uint8, any size.
        landmarks: (68, 2) float32, pixels of `image`.
        to_source: (2, 3) float64, maps aligned pixels to pixels of `image`.
    """

    image: Image
    landmarks: Points
    to_source: NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """One output a submission must hold: the template's id and the driving clip's id.

    Both are single path parts of the submission, ``frames/<template>/<driving>/%05d.png``.
    """

    template: str
    driving: str

    @property
    def key(self) -> str:
        """``template/driving``."""
        return f"{self.template}/{self.driving}"


@dataclass(frozen=True)
class Reference:
    """The right answer of a pair, where it is known.

    Attributes:
        frames: (T, H, W, 3) uint8.
        flow: (T, H, W, 2) float32 true displacement in pixels from frame 0, or None.
        landmarks: (T, 68, 2) float32 pixels, or None.
        au_curves: (T, A) float32 true AU activation, columns named by `au_names`, or None.
        au_names: names such as ``4`` or ``12L``.
    """

    frames: Frames
    flow: Flow | None = None
    landmarks: NDArray[np.float32] | None = None
    au_curves: NDArray[np.float32] | None = None
    au_names: tuple[str, ...] = ()


class Task(Protocol):
    """One running piece of long work."""

    def advance(self, n: int = 1, note: str = "") -> None:
        """Say that `n` more units are done; `note` is shown beside the bar (a loss, a clip)."""


class Progress(Protocol):
    """Where long work reports to; the command line draws it, libraries need not."""

    def task(
        self, name: str, total: int | None = None, done: int = 0
    ) -> AbstractContextManager[Task]:
        """Open a task of `total` units of which `done` were finished before (a resumed run)."""


class _SilentTask:
    def advance(self, n: int = 1, note: str = "") -> None:
        pass


class _SilentContext:
    def __enter__(self) -> Task:
        return _SilentTask()

    def __exit__(self, *exc: object) -> None:
        return None


class SilentProgress:
    """Reports to nobody; the default of library calls."""

    def task(
        self, name: str, total: int | None = None, done: int = 0
    ) -> AbstractContextManager[Task]:
        """Open a task that reports to nobody."""
        return _SilentContext()
