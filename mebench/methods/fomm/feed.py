"""Hands out the batches of a training run; for a GPU they are drawn ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from mebench.methods.fomm.sampling import Batch

_THREADS = 4
_AHEAD = 8


def batches(
    draw: Callable[[int], Batch], start: int, total: int, device: torch.device
) -> Iterator[Batch]:
    """Yield the batches of the steps from `start` to `total`, in order.

    On a CPU each is drawn when it is wanted. For a GPU, threads draw some ahead into pinned memory,
    so that it never waits for them; a batch depends on its step alone, so they are the same.
    """
    if device.type != "cuda":
        yield from map(draw, range(start, total))
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting: deque[Future[Batch]] = deque()
        for step in range(start, total):
            while len(waiting) < _AHEAD and step + len(waiting) < total:
                ahead = step + len(waiting)
                waiting.append(pool.submit(lambda at: draw(at).pinned(), ahead))
            yield waiting.popleft().result()
