"""Hands out the batches of a training run, drawn ahead."""

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

    On a CPU a thread draws the next one. For a GPU, threads draw some ahead into pinned memory, so
    that it never waits for them; a batch depends on its step alone, so they are the same.
    """
    on_gpu = device.type == "cuda"
    threads, ahead = (_THREADS, _AHEAD) if on_gpu else (1, 2)

    def drawn(step: int) -> Batch:
        return draw(step).pinned() if on_gpu else draw(step)

    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Batch]] = deque()
        for step in range(start, total):
            while len(waiting) < ahead and step + len(waiting) < total:
                waiting.append(pool.submit(drawn, step + len(waiting)))
            yield waiting.popleft().result()
