"""The frames of one output, decoded one by one from the submission's bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from mebench.errors import SubmissionError
from mebench.submission.png import decode_png
from mebench.submission.source import Source
from mebench.types import Image


@dataclass(frozen=True)
class Order:
    """One output to decode, in plain values that reach another process cheaply.

    Attributes:
        path: the submission, absolute.
        key: ``template/driving``.
        wanted: number of frames.
        tolerance: frames by which it may be longer or shorter.
        max_side: largest side of a frame, pixels.
        max_frame_bytes: of one PNG.
    """

    path: str
    key: str
    wanted: int
    tolerance: int
    max_side: int
    max_frame_bytes: int
    work: ClassVar[str] = "decoding"

    @property
    def longest(self) -> int:
        """The most frames that can come back."""
        return self.wanted + self.tolerance


def decoded(source: Source, order: Order) -> Iterator[Image]:
    """Yield the frames (H, W, 3) of an output, all of one size.

    Raises:
        SubmissionError: for a frame that is missing, damaged, or of another kind or size.
    """
    held = set(source.names())
    shape: tuple[int, int] | None = None
    for number in range(order.longest):
        name = f"frames/{order.key}/{number:05d}.png"
        where = f"{source.label}/{name}"
        if name not in held:
            if number >= max(1, order.wanted - order.tolerance):
                return
            raise SubmissionError(f"{where}: missing; the submission changed while it was read")
        data = source.read(name, order.max_frame_bytes)
        frame = decode_png(data, where, shape=shape, max_side=order.max_side)
        shape = (frame.shape[0], frame.shape[1])
        yield frame
