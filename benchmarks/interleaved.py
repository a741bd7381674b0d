"""Runs ways of doing one thing in turn, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import torch

Make = Callable[..., Callable[[], Any]]


@dataclass
class Measured:
    """What one way cost.

    Attributes:
        seconds: CPU seconds of each pass after the first, which warms up.
        first: what the first pass returned.
        peak_mb: most memory the process held, PyTorch's own included.
    """

    seconds: list[float] = field(default_factory=list)
    first: Any = None
    peak_mb: float = 0.0

    @property
    def best(self) -> float:
        """Least CPU seconds of a pass: what other work on the machine adds is left out."""
        return min(self.seconds)


def measure(ways: Mapping[str, Make], passes: int, **options: Any) -> dict[str, Measured]:
    """Return what each way costs; `make(**options)` is called in its process and returns a pass.

    Memory settings and peaks are those of a process, so ways must not share one.
    """
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    workers = []
    for name, make in ways.items():
        pipes[name], theirs = context.Pipe()
        workers.append(context.Process(target=_serve, args=(theirs, make, options), daemon=True))
        workers[-1].start()
        theirs.close()
    found = {name: Measured() for name in ways}
    for index in range(passes + 1):
        for name, pipe in pipes.items():
            pipe.send(True)
            seconds, result, peak = pipe.recv()
            one = found[name]
            one.peak_mb = peak
            if index:
                one.seconds.append(seconds)
            else:
                one.first = result
    for pipe in pipes.values():
        pipe.send(False)
    for worker in workers:
        worker.join()
    return found


def _serve(pipe: Connection, make: Make, options: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    run = make(**options)
    while pipe.recv():
        start = time.process_time()
        result = run()
        seconds = time.process_time() - start
        pipe.send((seconds, result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
