"""Options several commands share, and how their texts are read."""

from __future__ import annotations

from pathlib import Path

from mebench import settings
from mebench.errors import UsageError


def pairs_of(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """Return ``{"a": "b"}`` for ``("a=b",)``.

    Raises:
        UsageError: for a text without ``=``.
    """
    found = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise UsageError(f"{option} expects KEY=VALUE, got '{text}'")
        found[key.strip()] = value.strip()
    return found


def data_roots(texts: tuple[str, ...], dataset: str) -> dict[str, Path]:
    """Return data roots from ``--data DATASET=ROOT`` and, for `dataset`, from the user's config.

    Raises:
        UsageError: for a root that does not exist.
    """
    roots = {name: Path(value).expanduser() for name, value in pairs_of(texts, "--data").items()}
    if dataset not in roots:
        known = settings.data_root(dataset)
        if known is not None:
            roots[dataset] = known
    for name, root in roots.items():
        if not root.is_dir():
            raise UsageError(f"--data {name}={root}: no such folder")
    return roots


def job_count(jobs: int | None) -> int:
    """Return the number of worker processes: the option, the config, or the CPUs in reach."""
    import os

    if jobs is not None:
        return jobs
    named = settings.get("jobs")
    if named is not None and named.isdigit() and int(named) > 0:
        return int(named)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
