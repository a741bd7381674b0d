"""One loop over clips, in this process, in local workers, or on a Dask or Ray cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, Literal, TypeVar

from mebench.errors import UsageError

Backend = Literal["loky", "dask", "ray"]
BACKENDS: tuple[Backend, ...] = ("loky", "dask", "ray")

_SLICE = 16
"""Items a job in one slice, where results come in slices."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int = 1, backend: str = "loky"
) -> Iterator[Result]:
    """Yield ``work(item)`` in the order of `items`; `work`, items and results must be picklable.

    Raises:
        UsageError: for an unknown backend, a missing package, or a job count of 0.
    """
    if backend not in BACKENDS:
        raise UsageError(f"unknown backend '{backend}'; known: {', '.join(BACKENDS)}")
    if jobs == 0 or jobs < -1:
        raise UsageError(f"jobs must be 1 or more, or -1 for all cores, got {jobs}")
    if backend == "loky" and (jobs == 1 or len(items) < 2):
        yield from map(work, items)
        return
    import joblib

    with _connected(backend, jobs), joblib.parallel_config(backend=backend, n_jobs=jobs):
        try:
            if backend == "ray":
                yield from _in_slices(work, items, _SLICE * _count(jobs))
            else:
                calls = (joblib.delayed(work)(item) for item in items)
                yield from joblib.Parallel(return_as="generator")(calls)
        except _lost_worker(backend) as error:
            raise UsageError(
                "a worker process was killed, most often for want of memory; run again with fewer "
                f"--jobs (now {jobs}): what is finished is kept"
            ) from error


def _count(jobs: int) -> int:
    return jobs if jobs > 0 else os.cpu_count() or 1


def _in_slices(
    work: Callable[[Item], Result], items: Sequence[Item], size: int
) -> Iterator[Result]:
    """Yield results of one slice after the other: Ray's joblib backend returns whole lists only."""
    import joblib

    with joblib.Parallel() as parallel:
        for start in range(0, len(items), size):
            yield from parallel(joblib.delayed(work)(i) for i in items[start : start + size])


@contextmanager
def _connected(backend: str, jobs: int) -> Iterator[None]:
    """Register Ray, or connect to Dask; a Dask cluster started here is closed again."""
    client = None
    try:
        if backend == "ray":
            import_module("ray.util.joblib").register_ray()
        elif backend == "dask":
            client = _dask_client(jobs)
    except ImportError as error:
        package = {"ray": "ray", "dask": "distributed"}[backend]
        raise UsageError(f"backend '{backend}' needs a package: pip install {package}") from error
    if client is None:
        yield
        return
    with client:
        yield


def _dask_client(jobs: int) -> AbstractContextManager[object] | None:
    """Return None when there is a client at hand, else one that is to be closed.

    It connects to ``DASK_SCHEDULER_ADDRESS`` where that is set, else to workers on this machine.
    """
    distributed: Any = import_module("distributed")
    try:
        distributed.get_client()
    except ValueError:
        pass
    else:
        return None
    address = import_module("dask").config.get("scheduler-address", None)
    if address is not None:
        client: AbstractContextManager[object] = distributed.Client(address)
        return client
    # It would tell every connection of every worker, however quiet its own cluster option is.
    logging.getLogger("distributed").setLevel(logging.WARNING)
    client = distributed.Client(
        n_workers=None if jobs < 1 else jobs, threads_per_worker=1, dashboard_address=None
    )
    return client


def _lost_worker(backend: str) -> tuple[type[Exception], ...]:
    if backend == "dask":
        return (import_module("distributed").KilledWorker,)
    return (BrokenProcessPool,)
