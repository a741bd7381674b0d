"""``mebench doctor``: what works here, what is missing, and how to get it."""

from __future__ import annotations

import json
from typing import Any

import click

from mebench import environment, settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def doctor(as_json: bool) -> None:
    """Tell what works here, what is missing, and how to get it."""
    report = {
        "environment": environment.describe(environment.choose_device("auto")),
        "cache": str(settings.cache_folder()),
        "data": _data(),
        "weights": _weights(),
        "extras": _extras(),
    }
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    for section, rows in report.items():
        click.echo(f"{section}:" if isinstance(rows, dict) else f"{section}: {rows}")
        for key, value in rows.items() if isinstance(rows, dict) else ():
            if isinstance(value, dict):
                value = ", ".join(f"{name} {version}" for name, version in value.items())
            click.echo(f"  {key}: {value}")


def _data() -> dict[str, str]:
    from mebench.datasets.base import DATASETS

    found = {}
    for name in DATASETS:
        root = settings.data_root(name)
        if root is None:
            found[name] = f"no root; set it with: mebench config set data.{name} PATH"
        else:
            found[name] = str(root) if root.is_dir() else f"{root} does not exist"
    return found


def _weights() -> dict[str, str]:
    from mebench import weights

    return {
        name: "present" if weights.is_present(name) else f"missing: mebench weights fetch {name}"
        for name in weights.TABLE
    }


def _extras() -> dict[str, Any]:
    from importlib.util import find_spec

    there = find_spec("dlib") is not None and find_spec("face_recognition_models") is not None
    return {"dlib": "present" if there else "missing: pip install 'mebench[dlib]'"}
