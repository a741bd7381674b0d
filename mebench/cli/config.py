"""``mebench config``: data roots and defaults of this user."""

from __future__ import annotations

import click

from mebench import settings
from mebench.errors import UsageError


@click.group()
def config() -> None:
    """Data roots and defaults of this user."""


@config.command("set")
@click.argument("key")
@click.argument("value")
def set_(key: str, value: str) -> None:
    """Set KEY (data.<dataset>, cache, weights, jobs, device) to VALUE."""
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
