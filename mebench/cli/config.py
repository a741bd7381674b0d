"""``mebench config``: data roots and defaults of this user."""

from __future__ import annotations

import re
from pathlib import Path

import click

from mebench import settings
from mebench.errors import UsageError, did_you_mean

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


@click.group()
def config() -> None:
    """Data roots and defaults of this user."""


@config.command("set")
@click.argument("key")
@click.argument("value")
def set_(key: str, value: str) -> None:
    """Set KEY (data.<dataset>, cache, weights, jobs, device) to VALUE."""
    value = _checked(key, value)
    click.echo(f"{key} = {value}  in {settings.set_value(key, value)}")


@config.command("get")
@click.argument("key")
def get(key: str) -> None:
    """Print the value of KEY."""
    value = settings.get(key)
    if value is None:
        raise UsageError(f"'{key}' is not set; set it with: mebench config set {key} VALUE")
    click.echo(value)


@config.command("list")
def list_() -> None:
    """Print every setting."""
    for key, value in settings.load().items():
        rows = value.items() if isinstance(value, dict) else [("", value)]
        for sub, entry in rows:
            click.echo(f"{key}{'.' if sub else ''}{sub} = {entry}")


def _checked(key: str, value: str) -> str:
    """Return the value as it is kept: places as absolute paths, so that any folder may be left."""
    if key == "jobs":
        if not (value.isdigit() and int(value) > 0):
            raise UsageError(f"jobs: expected a whole number from 1, got '{value}'")
    elif key == "device":
        if not _DEVICE.fullmatch(value):
            raise UsageError(f"device: expected auto, cpu, cuda or cuda:N, got '{value}'")
    elif key in settings.KNOWN_KEYS:
        return str(Path(value).expanduser().absolute())
    elif key.startswith(("data.", "landmarks.")):
        from mebench.datasets.base import DATASETS
        from mebench.datasets.composite import COMPOSITES

        dataset = key.partition(".")[2]
        known = {"synthme", *DATASETS, *COMPOSITES}
        if dataset not in known and "/" not in dataset:
            raise UsageError(f"unknown data set '{dataset}'.{did_you_mean(dataset, known)}")
        folder = Path(value).expanduser().absolute()
        if not folder.is_dir():
            raise UsageError(f"{key}: {folder}: no such folder; give the folder of the copy")
        return str(folder)
    return value
