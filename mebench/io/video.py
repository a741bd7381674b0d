"""Clips held in one file (mp4, avi, gif) or in a folder of images, read and written with PyAV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np
from PIL import Image as Pil
from PIL import ImageSequence

from mebench.errors import DatasetError, UsageError
from mebench.io.decoding import Film, Tell, film_error, video_of
from mebench.io.files import atomic_path
from mebench.io.frames import (
    DAMAGE_ERRORS,
    MAX_CLIP_BYTES,
    index_folder,
    iter_frames,
    read_frames,
    tell_blank,
)
from mebench.io.frames import (
    tell as tell,
)
from mebench.types import Frames, Image

DEFAULT_FPS = 200.0
"""Taken for a folder of images whose frame rate nobody states: that of CASME II and SAMM."""
MAX_FRAMES = 5000
_HOLD = 10
Fit = Callable[[Image], Callable[[Image], Image]]
"""Looks at the first frame of a clip and says how each of its frames is made smaller."""


def read_clip_file(
    path: Path | str, notes: list[str] | None = None, fit: Fit | None = None
) -> tuple[Frames, float]:
    """Return the frames and the frames per second of an mp4, avi, mov, mkv, webm or gif file.

    Frames are as a player shows them: upright, mirrored where the file says so, in square pixels.
    Frames that are shown longer than the shortest one are repeated, except a GIF's long last hold.
    What is odd about the file is told in `notes`, or logged. With `fit` frames are made smaller
    while they are decoded.

    Shapes: (T, H, W, 3) uint8.

    Raises:
        DatasetError: for a file that is missing, empty, damaged, without frames or too long.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; give a clip file or a folder of images")
    if path.stat().st_size == 0:
        raise DatasetError(f"{path}: the file is empty (0 bytes); copy it again")
    read = _read_gif if path.suffix.lower() == ".gif" else _read_av
    frames, rate = read(path, partial(tell, notes), fit)
    tell_blank(path, frames, notes)
    return frames, rate


def count_frames(path: Path) -> int:
    """Return how many frames a clip file holds, as `clip_facts`."""
    return clip_facts(path)[0]


def clip_facts(path: Path, tell: Tell = lambda _: None) -> tuple[int, float | None]:
    """Return how many frames `read_clip_file` will give, and the stated frames per second.

    Frames are counted without decoding them; a gif is decoded, since its holds repeat frames.
    `tell` gets a line when the file is cut short.

    Raises:
        DatasetError: for a file that is empty or cannot be opened.
    """
    import av

    if path.stat().st_size == 0:
        raise DatasetError(f"{path}: the file is empty (0 bytes); copy it again")
    if path.suffix.lower() == ".gif":
        frames, stated = _read_gif(path, lambda _: None)
        return len(frames), stated
    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            stream = video_of(path, container, lambda _: None)
            film = Film(path, container, stream)
            # The head of a clip that was cut without encoding it again counts what was cut off.
            whole = [p for p in container.demux(stream) if p.size]
            parts = [p for p in whole if not p.is_discard]
            times = [p.pts for p in parts if p.pts is not None]
            unknown = [None] * (len(parts) - len(times))
            film.times = [*unknown, *(float(time * stream.time_base) for time in sorted(times))]
            film.left_out = len(whole) - len(parts)
            film.tell(tell)
            repeats, rate = film.pace()
    except (av.FFmpegError, ValueError, OSError) as error:
        raise film_error(path, error) from error
    return sum(repeats), rate


def read_driving(
    path: Path | str,
    fps: float | None = None,
    notes: list[str] | None = None,
    fit: Fit | None = None,
) -> tuple[Frames, float]:
    """Return frames and frames per second of a driving clip: a folder of images or a clip file.

    A folder is sorted by the last run of digits in its file names. Its frame rate is `fps`, else
    200, which is told in `notes` (or logged). For a file `fps` replaces the stated frame rate.

    Raises:
        DatasetError: as `read_clip_file`; for a folder without images.
        UsageError: for an `fps` that is not a positive number.
    """
    path = Path(path)
    if fps is not None and not (np.isfinite(fps) and fps > 0):
        raise UsageError(f"--fps: frames per second must be a positive number, got {fps:g}")
    if not path.is_dir():
        frames, stated = read_clip_file(path, notes, fit)
        return frames, float(fps or stated)
    images = list(index_folder(path).values())
    if not images:
        raise DatasetError(
            f"{path}: no numbered images (such as img001.jpg) in this folder; give another folder"
        )
    if fps is None:
        tell(notes, f"{path}: frame rate not stated, {DEFAULT_FPS:g} per second taken; give --fps")
    if fit is None:
        return read_frames(images, notes), float(fps or DEFAULT_FPS)
    frames = _collect(path, iter_frames(images), fit)
    tell_blank(path, frames, notes)
    return frames, float(fps or DEFAULT_FPS)


def write_mp4(path: Path | str, frames: Frames, fps: float) -> None:
    """Write frames as mp4 (H.264 where PyAV has it, else MPEG-4; an odd side gains one pixel).

    Raises:
        UsageError: for no frames or a frame rate that is not positive.
    """
    import av

    if len(frames) == 0 or not fps > 0:
        raise UsageError(f"{path}: needs frames and a positive rate, got {len(frames)} and {fps}")
    height, width = frames.shape[1:3]
    pad = ((0, height % 2), (0, width % 2), (0, 0))
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with (
        atomic_path(Path(path)) as temporary,
        av.open(str(temporary), "w", format="mp4") as container,
    ):
        stream: Any = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "16"} if codec == "libx264" else {"qscale": "2"}
        stream.codec_context.thread_count = 1
        for frame in frames:
            padded = np.ascontiguousarray(np.pad(np.asarray(frame), pad, mode="edge"))
            image = av.VideoFrame.from_ndarray(padded, format="rgb24")
            container.mux(stream.encode(_as_yuv(image)))
        container.mux(stream.encode())


def _as_yuv(image: Any) -> Any:
    """Convert on one thread: on several, other bytes come out once in some hundred clips."""
    try:
        return image.reformat(format="yuv420p", threads=1)
    except TypeError:  # PyAV that knows one thread only.
        return image.reformat(format="yuv420p")


def _read_av(path: Path, told: Tell, fit: Fit | None = None) -> tuple[Frames, float]:
    import av

    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            film = Film(path, container, video_of(path, container, told))
            frames = _collect(path, film.images(), fit)
            film.tell(told)
            repeats, rate = film.pace()
    except (av.FFmpegError, ValueError) as error:
        raise film_error(path, error) from error
    if sum(repeats) > len(frames):
        rate = rate or DEFAULT_FPS
        told(
            f"{path}: its frames are not evenly spread in time; {len(frames)} are repeated to "
            f"{sum(repeats)} at {rate:.4g} per second"
        )
        frames = _repeated(path, frames, repeats)
    return frames, rate or DEFAULT_FPS


def _read_gif(path: Path, told: Tell, fit: Fit | None = None) -> tuple[Frames, float]:
    durations: list[int] = []
    try:
        with Pil.open(path, formats=("GIF",)) as gif:
            frames = _collect(path, _gif_images(gif, durations), fit)
    except DAMAGE_ERRORS as error:
        raise film_error(path, error) from error
    durations = [duration if duration > 0 else 100 for duration in durations]
    shortest = min(durations)
    repeats = [max(1, round(duration / shortest)) for duration in durations]
    if repeats[-1] >= _HOLD:
        repeats[-1], durations[-1] = 1, median_low(durations)
    return _repeated(path, frames, repeats), 1000.0 * sum(repeats) / sum(durations)


def _repeated(path: Path, frames: Frames, repeats: list[int]) -> Frames:
    if sum(repeats) > MAX_FRAMES or sum(repeats) * frames[0].nbytes > MAX_CLIP_BYTES:
        raise DatasetError(
            f"{path}: more than {MAX_FRAMES} frames once they are even; cut the clip"
        )
    return np.repeat(frames, repeats, axis=0)


def _gif_images(gif: Pil.Image, durations: list[int]) -> Iterator[Image]:
    for image in ImageSequence.Iterator(gif):
        durations.append(int(image.info.get("duration", 0)))
        yield np.array(image.convert("RGB"), dtype=np.uint8)


def _collect(path: Path, images: Iterator[Image], fit: Fit | None = None) -> Frames:
    kept: list[Image] = []
    size: tuple[int, ...] | None = None
    fitted: Callable[[Image], Image] | None = None
    for image in images:
        if size is None:
            size = image.shape
            fitted = None if fit is None else fit(image)
        if image.shape != size:
            raise DatasetError(f"{path}: frame {len(kept)} has another size than frame 0")
        kept.append(image if fitted is None else fitted(image))
        if len(kept) > MAX_FRAMES or len(kept) * kept[0].nbytes > MAX_CLIP_BYTES:
            raise DatasetError(
                f"{path}: longer than {MAX_FRAMES} frames or {MAX_CLIP_BYTES >> 30} GiB decoded; "
                "cut the clip to one micro-expression"
            )
    if not kept:
        raise DatasetError(f"{path}: holds no frames that can be decoded; copy it again")
    return _stacked(kept)


def _stacked(kept: list[Image]) -> Frames:
    """Return the images as one array, each let go once it is copied."""
    frames = np.empty((len(kept), *kept[0].shape), np.uint8)
    kept.reverse()
    for index in range(len(frames)):
        frames[index] = kept.pop()
    return frames
