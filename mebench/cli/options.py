"""Options several commands share, and how their texts are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mebench import settings
from mebench.errors import UsageError, did_you_mean


class Choice(click.Choice):  # type: ignore[type-arg, unused-ignore]
    """A choice whose refusal names the nearest known word."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the chosen word."""
        if value not in self.choices:
            name = param.name if param is not None else "value"
            raise UsageError(f"unknown {name} '{value}'.{did_you_mean(str(value), self.choices)}")
        return super().convert(value, param, ctx)


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


def data_roots(texts: tuple[str, ...], wanted: Sequence[str]) -> dict[str, Path]:
    """Return data roots from ``--data DATASET=ROOT`` and, for the rest, from the user's config.

    Raises:
        UsageError: for a root that does not exist, or one of a data set that is not wanted.
    """
    roots = {name: Path(value).expanduser() for name, value in pairs_of(texts, "--data").items()}
    for name, root in roots.items():
        if name not in wanted and name == "clips":
            raise UsageError(
                f"--data {name}={root}: the protocol uses '{', '.join(wanted)}'; for clips of your "
                "own: --protocol cross-identity-clips or reconstruction-clips, or a protocol file "
                "with dataset: clips"
            )
        if name not in wanted:
            raise UsageError(
                f"--data {name}={root}: the protocol uses '{', '.join(wanted)}'; "
                f"give --data {wanted[0]}=ROOT"
            )
    for name in wanted:
        known = None if name in roots else settings.data_root(name)
        if known is not None:
            roots[name] = known
    for name, root in roots.items():
        if not root.is_dir():
            raise UsageError(f"--data {name}={root}: no such folder; give the folder of the copy")
    return roots


def device_of(given: str | None) -> str:
    """Return the torch device of the option, else of the user's config, else the best one here.

    Raises:
        UsageError: for a device that is unknown or not here.
    """
    from mebench.environment import choose_device

    return choose_device(given or settings.get("device") or "auto")


def job_count(jobs: int | None, otherwise: int | None = None) -> int:
    """Return the number of worker processes: the option, the config, or `otherwise`.

    None for `otherwise` takes the CPUs in reach.

    Raises:
        UsageError: when the config holds no whole number from 1.
    """
    import os

    if jobs is not None:
        return jobs
    named = settings.get("jobs")
    if named is not None:
        if not (named.isdigit() and int(named) > 0):
            raise UsageError(f"setting 'jobs' must be a whole number from 1, got '{named}'")
        return int(named)
    if otherwise is not None:
        return otherwise
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
