"""Arithmetic where denormal numbers count as zero."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Result = TypeVar("Result")


def without_denormals(work: Callable[[], Result], stop: Callable[[], None] | None = None) -> Result:
    """Return what `work` returns, run in a thread where denormal numbers count as zero.

    The far tails of a softmax and of heat maps are denormal, on which a CPU is many times slower.
    The switch belongs to a thread and to the workers that it starts, so a fresh thread is needed,
    and the caller's arithmetic stays as it is. Ctrl-C calls `stop` and waits for `work` to end.
    """
    with ThreadPoolExecutor(1, initializer=torch.set_flush_denormal, initargs=(True,)) as pool:
        future = pool.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            if stop is not None:
                stop()
                future.result()
            raise
