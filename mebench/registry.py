"""Finds things by id: specs on disk, classes by ``"module:Class"``, other packages' specs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mebench.content import Kind, content_folder
from mebench.errors import UsageError, did_you_mean

_FILE_OF_KIND = {"baselines": "baseline.yaml", "protocols": None}


def load_object(entry: str) -> Any:
    """Return what ``"module:Name"`` names.

    Raises:
        UsageError: when the module or the name does not exist.
    """
    module, _, name = entry.partition(":")
    if not module or not name:
        raise UsageError(f"entry '{entry}' is not of the form 'module:Class'")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise UsageError(f"entry '{entry}': no module named '{error.name}'") from error
    except AttributeError as error:
        raise UsageError(f"entry '{entry}': module '{module}' has no '{name}'") from error


def choose(kind: str, name: str, known: Mapping[str, Any]) -> Any:
    """Return ``known[name]``.

    Raises:
        UsageError: for an unknown name, with the nearest known one.
    """
    if name in known:
        return known[name]
    raise UsageError(f"unknown {kind} '{name}'.{did_you_mean(name, known)}")


def spec_files(kind: Kind) -> dict[str, Path]:
    """Return ``{id: spec file}`` of a kind: shipped, from ``MEBENCH_PATH``, and from entry points.

    Raises:
        UsageError: when a foreign spec takes a shipped id.
    """
    found = dict(_specs_in(content_folder(kind), kind))
    for folder in _foreign_folders():
        for name, path in _specs_in(folder / kind, kind):
            if name in found:
                raise UsageError(
                    f"{path}: id '{name}' is taken by {found[name]}; use 'vendor/{name}'"
                )
            found[name] = path
    return found


def find_spec(kind: Kind, name: str) -> Path:
    """Return the spec file of an id, or the path itself when `name` is one.

    Raises:
        UsageError: for an unknown id, with the nearest known one.
    """
    as_path = Path(name)
    if as_path.suffix in {".yaml", ".yml", ".json"}:
        if as_path.is_file():
            return as_path
        raise UsageError(f"{name}: no such file")
    path: Path = choose(kind.removesuffix("s"), name, spec_files(kind))
    return path


def _specs_in(folder: Path, kind: str) -> Iterable[tuple[str, Path]]:
    if not folder.is_dir():
        return
    fixed = _FILE_OF_KIND.get(kind)
    pattern = f"**/{fixed}" if fixed else "**/*.yaml"
    for path in sorted(folder.glob(pattern)):
        name = path.parent if fixed else path.with_suffix("")
        yield name.relative_to(folder).as_posix(), path


def _foreign_folders() -> list[Path]:
    folders = [Path(p) for p in os.environ.get("MEBENCH_PATH", "").split(os.pathsep) if p]
    for point in entry_points(group="mebench.specs"):
        location = getattr(point.load(), "__path__", None)
        folders.extend(Path(p) for p in location or ())
    return folders
