"""The other side of `guard`: works on strangers' pixels where little harm can be done.

Reads orders from its standard input, writes frames and fits to its standard output, and may write
no file.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pickle
import struct
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mebench.errors import SubmissionError
from mebench.submission.decode import Order, decoded
from mebench.submission.source import Source, open_source
from mebench.submission.work import FitOrder

if TYPE_CHECKING:
    from mebench.views.fit import Fit

READY, SHAPE, FRAME, FITTED, DONE, REFUSED = b"R", b"S", b"F", b"V", b"D", b"X"
LENGTH = struct.Struct("<I")
SIDES = struct.Struct("<II")
_OPEN_FILES = 64
_UNKNOWN_MEMORY = 4 << 30


def main() -> None:
    """Serve orders until the parent closes its end."""
    commands, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    # A library that prints must not reach the parent's answers.
    os.dup2(2, 1)
    limiter = _Limiter()
    answers.write(READY)
    answers.flush()
    held = _Held()
    while True:
        try:
            order, memory, cpu = pickle.load(commands)
        except EOFError:
            return
        limiter.set(memory, cpu)
        try:
            if isinstance(order, FitOrder):
                _answer_fit(answers, limiter, order, (memory, cpu))
            else:
                _answer(answers, held, order)
        except SubmissionError as error:
            _refuse(answers, str(error))
        except MemoryError:
            _refuse(answers, f"{_where(order)}: {order.work} takes more than {memory >> 20} MiB")
        except Exception as error:  # noqa: BLE001 - whatever a library raises refuses one clip
            _refuse(answers, f"{_where(order)}: {order.work} failed ({type(error).__name__})")
        answers.flush()


class _Held:
    """The zip of the last order, so that its list of entries is read once."""

    def __init__(self) -> None:
        self._source: Source | None = None
        self._mark: tuple[Any, ...] = ()

    def source(self, path: Path) -> Source:
        state = path.stat()
        mark = (path, state.st_ino, state.st_size, state.st_mtime_ns)
        if self._source is None or mark != self._mark or path.is_dir():
            self._source, self._mark = open_source(path), mark
        return self._source


def _answer(answers: BinaryIO, held: _Held, order: Order) -> None:
    for number, frame in enumerate(decoded(held.source(Path(order.path)), order)):
        if number == 0:
            answers.write(SHAPE + SIDES.pack(*frame.shape[:2]))
        answers.write(FRAME)
        answers.write(frame.tobytes())
    answers.write(DONE)


def _answer_fit(
    answers: BinaryIO, limiter: _Limiter, order: FitOrder, bounds: tuple[int, int]
) -> None:
    limiter.load()
    limiter.set(*bounds)
    data = json.dumps(_plain(order.run())).encode("ascii")
    answers.write(FITTED + LENGTH.pack(len(data)) + data + DONE)


def _plain(found: Fit) -> dict[str, Any]:
    return {**asdict(found), "to_picture": found.to_picture.tolist()}


def _refuse(answers: BinaryIO, message: str) -> None:
    data = message.encode("utf-8", "backslashreplace")
    answers.write(REFUSED + LENGTH.pack(len(data)) + data)


def _where(order: Order | FitOrder) -> str:
    return f"{Path(order.path).name}/frames/{order.key}"


class _Limiter:
    """Limits of this process, where the platform has them."""

    def __init__(self) -> None:
        from PIL import Image

        Image.preinit()  # no module is looked for once files are out of reach
        self._resource: Any = None
        self._before = _address_space()
        self._loaded = False
        with contextlib.suppress(ImportError):
            self._resource = importlib.import_module("resource")
        self._lower("RLIMIT_CORE", 0)
        self._lower("RLIMIT_FSIZE", 0)
        self._lower("RLIMIT_NOFILE", _OPEN_FILES)

    def load(self) -> None:
        """Load, once, the libraries that a fit needs, which count as the idle process's own."""
        if self._loaded:
            return
        self._loaded = True
        self._lower("RLIMIT_AS", sys.maxsize)
        import cv2

        import mebench.views.fit  # noqa: F401 - that no order pays for it

        cv2.setNumThreads(1)
        self._before = _address_space()

    def set(self, memory: int, cpu: int) -> None:
        """Allow `memory` bytes and `cpu` seconds more than this process took so far."""
        self._lower("RLIMIT_AS", self._before + memory)
        self._lower("RLIMIT_CPU", int(time.process_time()) + 1 + cpu)

    def _lower(self, name: str, value: int) -> None:
        if self._resource is None or not hasattr(self._resource, name):
            return
        which = getattr(self._resource, name)
        _, hard = self._resource.getrlimit(which)
        if hard != self._resource.RLIM_INFINITY:
            value = min(value, hard)
        with contextlib.suppress(ValueError, OSError):
            self._resource.setrlimit(which, (value, hard))


def _address_space() -> int:
    """Return the bytes of address space in use; a generous guess where nobody says."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return _UNKNOWN_MEMORY
    return pages * os.sysconf("SC_PAGE_SIZE")
