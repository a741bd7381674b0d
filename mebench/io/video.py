"""Clips held in one file (mp4, avi, gif) or in a folder of images, read and written with PyAV."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np
from PIL import Image as Pil
from PIL import ImageSequence

from mebench.errors import DatasetError, UsageError
from mebench.io.files import atomic_path
from mebench.io.frames import DAMAGE_ERRORS, MAX_CLIP_BYTES, index_folder, read_frames
from mebench.types import Frames, Image

DEFAULT_FPS = 200.0
"""Taken for a folder of images whose frame rate nobody states: that of CASME II and SAMM."""
MAX_FRAMES = 5000
_HOLD = 10
_LOG = logging.getLogger("mebench")


def read_clip_file(path: Path | str) -> tuple[Frames, float]:
    """Return the frames and the frames per second of an mp4, avi, mov, mkv, webm or gif file.

    Frames a GIF shows longer than its shortest one are repeated, except a long last hold.

    Shapes: (T, H, W, 3) uint8.

    Raises:
        DatasetError: for a file that is missing, empty, damaged, without frames or too long.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; give a clip file or a folder of images")
    if path.stat().st_size == 0:
        raise DatasetError(f"{path}: the file is empty (0 bytes); copy it again")
    return _read_gif(path) if path.suffix.lower() == ".gif" else _read_av(path)


def count_frames(path: Path) -> int:
    """Return how many frames a clip file holds; counted one by one where its head does not say.

    Raises:
        DatasetError: for a file that is empty or cannot be opened.
    """
    import av

    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            if not container.streams.video:
                raise DatasetError(f"{path}: holds no moving images; give an mp4 or avi")
            stated = container.streams.video[0].frames
            return stated or sum(1 for _ in container.decode(video=0))
    except (av.FFmpegError, ValueError, OSError) as error:
        reason = " ".join((getattr(error, "strerror", None) or str(error)).split())
        raise DatasetError(f"{path}: cannot be decoded ({reason[:120]}); copy it again") from error


def clip_facts(path: Path) -> tuple[int, float | None]:
    """Return how many frames `read_clip_file` will give, and the stated frames per second.

    Frames are counted without decoding them; a gif is decoded, since its holds repeat frames.

    Raises:
        DatasetError: for a file that is empty or cannot be opened.
    """
    import av

    if path.stat().st_size == 0:
        raise DatasetError(f"{path}: the file is empty (0 bytes); copy it again")
    if path.suffix.lower() == ".gif":
        frames, stated = _read_gif(path)
        return len(frames), stated
    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            if not container.streams.video:
                raise DatasetError(f"{path}: holds no moving images; give an mp4, avi or gif")
            stream = container.streams.video[0]
            # The head of a clip that was cut without encoding it again counts what was cut off.
            count = sum(1 for part in container.demux(stream) if part.size and not part.is_discard)
            rate = stream.average_rate or stream.guessed_rate
    except (av.FFmpegError, ValueError, OSError) as error:
        reason = " ".join((getattr(error, "strerror", None) or str(error)).split())
        raise DatasetError(f"{path}: cannot be decoded ({reason[:120]}); copy it again") from error
    return count, float(rate) if rate else None


def read_driving(
    path: Path | str, fps: float | None = None, notes: list[str] | None = None
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
        frames, stated = read_clip_file(path)
        return frames, float(fps or stated)
    images = list(index_folder(path).values())
    if not images:
        raise DatasetError(
            f"{path}: no numbered images (such as img001.jpg) in this folder; give another folder"
        )
    if fps is None:
        tell(notes, f"{path}: frame rate not stated, {DEFAULT_FPS:g} per second taken; give --fps")
    return read_frames(images), float(fps or DEFAULT_FPS)


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


def tell(notes: list[str] | None, message: str) -> None:
    """Append a remark to `notes`, or log it when nobody collects notes."""
    if notes is None:
        _LOG.warning(message)
    else:
        notes.append(message)


def _read_av(path: Path) -> tuple[Frames, float]:
    import av

    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            if not container.streams.video:
                raise DatasetError(f"{path}: holds no moving images; give an mp4, avi or gif")
            stream = container.streams.video[0]
            frames = _collect(path, (_av_image(frame) for frame in container.decode(stream)))
            rate = stream.average_rate or stream.guessed_rate
    except (av.FFmpegError, ValueError) as error:
        reason = " ".join((getattr(error, "strerror", None) or str(error)).split())
        raise DatasetError(f"{path}: cannot be decoded ({reason[:120]}); copy it again") from error
    return frames, float(rate) if rate else DEFAULT_FPS


def _av_image(frame: Any) -> Image:
    image: Image = frame.to_ndarray(format="rgb24")
    quarter_turns = round((getattr(frame, "rotation", 0) or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


def _read_gif(path: Path) -> tuple[Frames, float]:
    try:
        with Pil.open(path, formats=("GIF",)) as gif:
            durations: list[int] = []
            frames = _collect(path, _gif_images(gif, durations))
    except DAMAGE_ERRORS as error:
        reason = " ".join(str(error).split())
        raise DatasetError(f"{path}: cannot be decoded ({reason[:120]}); copy it again") from error
    durations = [duration if duration > 0 else 100 for duration in durations]
    shortest = min(durations)
    repeats = [max(1, round(duration / shortest)) for duration in durations]
    if repeats[-1] >= _HOLD:
        repeats[-1], durations[-1] = 1, median_low(durations)
    if sum(repeats) > MAX_FRAMES:
        raise DatasetError(f"{path}: more than {MAX_FRAMES} frames; cut the clip")
    return np.repeat(frames, repeats, axis=0), 1000.0 * sum(repeats) / sum(durations)


def _gif_images(gif: Pil.Image, durations: list[int]) -> Iterator[Image]:
    for image in ImageSequence.Iterator(gif):
        durations.append(int(image.info.get("duration", 0)))
        yield np.array(image.convert("RGB"), dtype=np.uint8)


def _collect(path: Path, images: Iterator[Image]) -> Frames:
    kept: list[Image] = []
    for image in images:
        kept.append(image)
        if len(kept) > MAX_FRAMES or len(kept) * image.nbytes > MAX_CLIP_BYTES:
            raise DatasetError(
                f"{path}: longer than {MAX_FRAMES} frames or {MAX_CLIP_BYTES >> 30} GiB decoded; "
                "cut the clip to one micro-expression"
            )
        if image.shape != kept[0].shape:
            raise DatasetError(f"{path}: frame {len(kept) - 1} has another size than frame 0")
    if not kept:
        raise DatasetError(f"{path}: holds no frames that can be decoded; copy it again")
    return np.stack(kept)
