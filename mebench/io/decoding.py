"""Films decoded with PyAV as a player shows them: upright, in square pixels, at an even rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mebench.errors import DatasetError
from mebench.io.kinds import kind_of_file
from mebench.types import Image

Tell = Callable[[str], None]

_HDR = {16: "PQ", 18: "HLG"}
"""Transfer functions of high dynamic range by their numbers in ITU-T H.273."""
_TURNED = "DISPLAYMATRIX"
_QUARTER = 0.02
"""How far a display matrix may be from quarter turns and mirrors, relative to its scale."""
_RARE = 0.05
"""Share of the gaps between frames that may be shorter than a step of an even rate."""


def film_error(path: Path, error: BaseException) -> DatasetError:
    """Return what to tell of a film that cannot be decoded."""
    what = kind_of_file(path)
    if what is not None:
        return DatasetError(f"{path}: {what}")
    reason = " ".join((getattr(error, "strerror", None) or str(error)).split())
    return DatasetError(f"{path}: cannot be decoded ({reason[:120]}); copy it again")


def video_of(path: Path, container: Any, tell: Tell) -> Any:
    """Return the stream of moving images that a player would show: no cover picture.

    Raises:
        DatasetError: when there is none.
    """
    from av.stream import Disposition

    cover = Disposition.attached_pic
    moving = [one for one in container.streams.video if not one.disposition & cover]
    if not moving:
        raise DatasetError(f"{path}: holds no moving images; give an mp4, avi or gif")
    if len(moving) > 1:
        tell(f"{path}: holds {len(moving)} films; the first is taken")
    return moving[0]


@dataclass
class Film:
    """Decodes one stream of an open container and keeps what it noticed on the way.

    Attributes:
        times: seconds at which the frames are shown; None for a frame that has none.
        left_out: parts of the file that its edit list cuts off.
    """

    path: Path
    container: Any
    stream: Any
    times: list[float | None] = field(default_factory=list)
    left_out: int = 0
    _damaged: int = 0
    _remarks: Counter[str] = field(default_factory=Counter)
    _turned: np.ndarray | None = None

    def images(self) -> Iterator[Image]:
        """Yield the frames (H, W, 3) that are to be shown, in order."""
        for packet in self.container.demux(self.stream):
            self.left_out += bool(packet.size and packet.is_discard)
            for frame in packet.decode():
                self.times.append(frame.time)
                self._damaged += bool(frame.is_corrupt)
                if frame.color_trc in _HDR:
                    self._remarks[f"high dynamic range ({_HDR[frame.color_trc]}) is read as it is, "
                                  "so colours look flat"] += 1  # fmt: skip
                yield self._upright(frame)

    def tell(self, tell: Tell) -> None:
        """Tell what was noticed, once all frames are decoded."""
        stated = self.stream.frames - self.left_out
        if len(self.times) < stated:
            tell(
                f"{self.path}: {len(self.times)} of {stated} frames can be decoded; "
                "the file is cut short or damaged"
            )
        if self._damaged:
            tell(f"{self.path}: {self._damaged} of {len(self.times)} frames are damaged")
        for remark in self._remarks:
            tell(f"{self.path}: {remark}")

    def pace(self) -> tuple[list[int], float | None]:
        """Return how often each frame is shown, and the frames per second that follow.

        Frames are evenly spread in nearly every film: each is then shown once. Where they are not,
        a frame that is shown longer than the shortest is repeated.
        """
        count = len(self.times)
        stated = self.stream.average_rate or self.stream.guessed_rate
        rate = float(stated) if stated else None
        shown = [time for time in self.times if time is not None]
        gaps = np.diff(shown)
        if len(shown) < count or len(gaps) == 0 or gaps.min() <= 0:
            return [1] * count, rate
        step = float(np.quantile(gaps, _RARE, method="lower"))
        repeats = np.maximum(1, np.round(gaps / step)).astype(int)
        if (repeats == 1).all():
            return [1] * count, rate
        # The smallest gap is rounded to the clock of the file; all of them together are not.
        step = float(gaps.sum() / repeats.sum())
        return [*repeats.tolist(), 1], 1 / step

    def _upright(self, frame: Any) -> Image:
        image: Image = frame.to_ndarray(format="rgb24")
        shape = self.stream.sample_aspect_ratio
        if shape and shape != 1:
            width = max(1, round(image.shape[1] * float(shape)))
            size = (width, image.shape[0])
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            self._remarks[f"pixels are {shape.numerator}:{shape.denominator}; made square"] += 1
        if len(self.times) == 1:
            self._turned = _turn_of(frame)
        if self._turned is not None:
            turned = turn(image, self._turned)
            if turned is None:
                self._remarks["is turned by other than quarter turns; shown as recorded"] += 1
            else:
                image = turned
        return image


def _turn_of(frame: Any) -> np.ndarray | None:
    """Return the display matrix of a film, which its first frame tells.

    A frame that was asked for it stays in memory until Python collects circles.
    """
    for one in frame.side_data:
        if one.type.name == _TURNED:
            return np.frombuffer(one, "<i4")[[0, 1, 3, 4]].copy()
    return None


def turn(image: Image, matrix: np.ndarray) -> Image | None:
    """Return an image as a display matrix (a, b, c, d) shows it; None for odd angles.

    The pixel at (x, y) goes to (a x + c y, b x + d y): eight matrices are quarter turns, mirrored
    or not.

    Shapes: (H, W, 3).
    """
    a, b, c, d = matrix / max(1.0, float(np.abs(matrix).max()))
    across = max(abs(b), abs(c)) < _QUARTER
    along = max(abs(a), abs(d)) < _QUARTER
    if across == along:
        return None
    if along:
        image = image.transpose(1, 0, 2)
    flip_x, flip_y = (a < 0, d < 0) if across else (c < 0, b < 0)
    return np.ascontiguousarray(image[:: -1 if flip_y else 1, :: -1 if flip_x else 1])
