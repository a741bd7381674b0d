"""Progress on stderr: bars with an ETA on a terminal, sparse lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mebench.types import Task

_LINE_EVERY_SECONDS = 15.0


class _BarTask:
    def __init__(self, bars: Progress, task_id: TaskID) -> None:
        self._bars, self._id = bars, task_id

    def advance(self, n: int = 1, note: str = "") -> None:
        self._bars.update(self._id, advance=n)
        if note:
            self._bars.update(self._id, note=note)


class _LineTask:
    """One line at the start, one at the end, and one every few seconds between."""

    def __init__(self, name: str, total: int | None, done: int) -> None:
        self._name, self._total, self._done, self._first = name, total, done, done
        self._start = self._last = time.monotonic()

    def advance(self, n: int = 1, note: str = "") -> None:
        self._done += n
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY_SECONDS:
            self._last = now
            self.say(note)

    def say(self, note: str = "") -> None:
        spent = time.monotonic() - self._start
        text = f"{self._name}: {self._done}" + (f"/{self._total}" if self._total else "")
        moved = self._done - self._first
        if self._total and moved and self._done < self._total:
            left = spent / moved * (self._total - self._done)
            text += f", {left:.0f} s left"
        print(f"{text} ({spent:.0f} s) {note}".rstrip(), file=sys.stderr, flush=True)


class ConsoleProgress:
    """Draws tasks on a terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def task(self, name: str, total: int | None = None, done: int = 0) -> Iterator[Task]:
        """Open a task of `total` units of which `done` were finished before."""
        with Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
        ) as bars:
            yield _BarTask(bars, bars.add_task(name, total=total, completed=done, note=""))


class LineProgress:
    """Writes sparse lines, for logs and pipes."""

    @contextmanager
    def task(self, name: str, total: int | None = None, done: int = 0) -> Iterator[Task]:
        """Open a task of `total` units of which `done` were finished before."""
        task = _LineTask(name, total, done)
        yield task
        task.say("done")


def console_progress() -> ConsoleProgress | LineProgress:
    """Return bars when stderr is a terminal, else lines."""
    return ConsoleProgress() if sys.stderr.isatty() else LineProgress()
