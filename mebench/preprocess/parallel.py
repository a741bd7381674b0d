"""One loop over clips, in this process, in local workers, or on a Dask or Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Literal, TypeVar

from mebench.errors import UsageError

Backend = Literal["loky", "dask", "ray"]
BACKENDS: tuple[Backend, ...] = ("loky", "dask", "ray")

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

    _connect(backend)
    with joblib.parallel_config(backend=backend, n_jobs=jobs):
        yield from joblib.Parallel(return_as="generator")(joblib.delayed(work)(i) for i in items)


def _connect(backend: str) -> None:
    """Register Ray, or use the Dask client at hand, else the one of ``DASK_SCHEDULER_ADDRESS``."""
    try:
        if backend == "ray":
            import_module("ray.util.joblib").register_ray()
        elif backend == "dask":
            distributed = import_module("distributed")
            try:
                distributed.get_client()
            except ValueError:
                distributed.Client()
    except ImportError as error:
        package = {"ray": "ray", "dask": "distributed"}[backend]
        raise UsageError(f"backend '{backend}' needs a package: pip install {package}") from error
