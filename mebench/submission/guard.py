"""Works on strangers' pixels in a child process with limits on memory, CPU and wall time per clip.

One child a submission and process: it is started at the first clip and again after it was killed.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn, TypeVar

import numpy as np

from mebench.errors import MebenchError, SubmissionError
from mebench.submission.child import (
    DONE,
    FITTED,
    FRAME,
    LENGTH,
    READY,
    REFUSED,
    SHAPE,
    SIDES,
)
from mebench.submission.decode import Order
from mebench.submission.png import MIN_SIDE
from mebench.submission.text import plain
from mebench.submission.work import FitOrder
from mebench.types import Frames

if TYPE_CHECKING:
    from mebench.views.fit import Fit

Answer = TypeVar("Answer")
_START_SECONDS = 120.0
_LONGEST_MESSAGE = 1 << 16
_MOST_BYTES = 1 << 30
"""Decoded frames of one output that this process will hold."""


@dataclass(frozen=True)
class Bounds:
    """What decoding one clip may take.

    Attributes:
        memory_bytes: more than the idle child holds (where the platform can limit it).
        cpu_seconds: of the child (where the platform can limit it).
        wall_seconds: until the child is killed.
    """

    memory_bytes: int = 512 << 20
    cpu_seconds: int = 60
    wall_seconds: float = 120.0


class Guard:
    """A child process that decodes clips of one submission after the other."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self._child: subprocess.Popen[bytes] | None = None
        self._path = ""
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The running child's process id, or None."""
        return self._child.pid if self._child is not None else None

    def frames(self, order: Order) -> Frames:
        """Return the frames (T, H, W, 3) of an output.

        Raises:
            SubmissionError: as `decoded`, and when the child broke a limit or died.
        """
        return self._asked(order, partial(self._read_frames, order))

    def fit(self, order: FitOrder) -> Fit:
        """Return where an output's frame 0 lies on its template.

        Raises:
            SubmissionError: when the child broke a limit or died.
        """
        return self._asked(order, self._read_fit)

    def _asked(self, order: Order | FitOrder, answer: Callable[[IO[bytes]], Answer]) -> Answer:
        with self._lock:
            if self._path != order.path or (self._child and self._child.poll() is not None):
                self.close()
            where = f"{Path(order.path).name}/frames/{order.key}"
            child = self._child or self._start()
            self._child, self._path = child, order.path
            late = threading.Event()
            timer = threading.Timer(self.bounds.wall_seconds, _kill, (child, late))
            timer.start()
            try:
                bounds = self.bounds
                commands = _pipe(child.stdin)
                pickle.dump((order, bounds.memory_bytes, bounds.cpu_seconds), commands)
                commands.flush()
                return answer(_pipe(child.stdout))
            except SubmissionError:
                raise
            except (EOFError, OSError) as error:
                self.close()
                why = self._why(order.work, late, child)
                raise SubmissionError(plain(f"{where}: {why}")) from error
            except BaseException:
                # Half an answer may be left in the pipe.
                self.close()
                raise
            finally:
                timer.cancel()

    def close(self) -> None:
        """End the child, if there is one."""
        child, self._child, self._path = self._child, None, ""
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        # Only absolute places: a stranger's numpy.py in the current folder must not be imported.
        places = [place for place in sys.path if os.path.isabs(place)]
        code = (
            f"import sys; sys.path[:] = {places!r}; import mebench.submission.child as c; c.main()"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        timer = threading.Timer(_START_SECONDS, child.kill)
        timer.start()
        try:
            ready = _pipe(child.stdout).read(1) == READY
        finally:
            timer.cancel()
        if not ready:
            child.kill()
            raise MebenchError(
                f"the process that decodes frames did not start (exit {child.wait()}); "
                "run: mebench doctor"
            )
        return child

    def _read_frames(self, order: Order, answers: IO[bytes]) -> Frames:
        frames = np.empty((0, 0, 0, 3), np.uint8)
        count = 0
        while (kind := _read(answers, 1)) != DONE:
            if kind == SHAPE and not len(frames):
                frames = self._room(order, SIDES.unpack(_read(answers, SIDES.size)))
            elif kind == FRAME and count < len(frames):
                _fill(answers, memoryview(frames[count]).cast("B"))
                count += 1
            else:
                _refused(kind, answers)
        if count < max(1, order.wanted - order.tolerance):
            raise EOFError("the child answers with too few frames")
        return frames[:count]

    def _room(self, order: Order, sides: tuple[int, int]) -> Frames:
        """Return space for the frames; the child's word on their size is not taken for granted."""
        if not all(MIN_SIDE <= side <= order.max_side for side in sides):
            raise EOFError("the child answers with a size that is not allowed")
        if order.longest * sides[0] * sides[1] * 3 > _MOST_BYTES:
            self.close()
            raise SubmissionError(
                f"{Path(order.path).name}/frames/{order.key}: {order.wanted} frames of "
                f"{sides[1]}x{sides[0]} pixels take more than {_MOST_BYTES >> 20} MiB; "
                "draw it smaller"
            )
        return np.empty((order.longest, *sides, 3), np.uint8)

    def _read_fit(self, answers: IO[bytes]) -> Fit:
        from mebench.views.fit import fit_from

        kind = _read(answers, 1)
        if kind != FITTED:
            _refused(kind, answers)
        (length,) = LENGTH.unpack(_read(answers, LENGTH.size))
        data = _read(answers, min(length, _LONGEST_MESSAGE))
        if _read(answers, 1) != DONE:
            raise EOFError("the child answers what was not asked")
        try:
            return fit_from(json.loads(data))
        except (ValueError, TypeError, KeyError) as error:
            raise EOFError("the child answers with no fit") from error

    def _why(self, work: str, late: threading.Event, child: subprocess.Popen[bytes]) -> str:
        if late.is_set():
            return (
                f"{work} took longer than {self.bounds.wall_seconds:g} s and was stopped; "
                "write its frames as plain PNG again"
            )
        return (
            f"{work} was killed (exit {child.returncode}; at most "
            f"{self.bounds.memory_bytes >> 20} MiB and {self.bounds.cpu_seconds} s of CPU); "
            "write its frames as plain PNG again"
        )


def guarded_fit(order: FitOrder) -> Fit:
    """Return where an output's frame 0 lies on its template, found in this process's own child.

    Raises:
        SubmissionError: as `Guard.fit`.
    """
    return _own().fit(order)


def guarded_frames(order: Order) -> Frames:
    """Return the frames of an output, decoded in this process's own child.

    Raises:
        SubmissionError: as `Guard.frames`.
    """
    return _own().frames(order)


_guards: dict[int, Guard] = {}


def _own() -> Guard:
    # A forked copy of this process must not talk to its parent's child.
    guard = _guards.get(os.getpid())
    if guard is None:
        guard = _guards[os.getpid()] = Guard()
        atexit.register(guard.close)
    return guard


def _kill(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise EOFError("no pipe")
    return pipe


def _refused(kind: bytes, answers: IO[bytes]) -> NoReturn:
    """Raise what the child says of an order that it refused."""
    if kind != REFUSED:
        raise EOFError("the child answers what was not asked")
    (length,) = LENGTH.unpack(_read(answers, LENGTH.size))
    message = _read(answers, min(length, _LONGEST_MESSAGE))
    raise SubmissionError(plain(message.decode("utf-8", "replace")))


def _read(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) != count:
        raise EOFError("the child has gone")
    return data


def _fill(pipe: IO[bytes], target: memoryview) -> None:
    place = 0
    while place < len(target):
        count = pipe.readinto(target[place:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError("the child has gone")
        place += count
