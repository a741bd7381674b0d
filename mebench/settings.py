"""Where things are for this user: command line over environment over config file over default."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs
import yaml

from mebench.errors import UsageError, did_you_mean
from mebench.io.files import write_text
from mebench.spec import read_mapping

_LOG = logging.getLogger("mebench")
KNOWN_KEYS = ("cache", "weights", "jobs", "device")
"""Plain keys; ``data.<dataset>`` and ``landmarks.<dataset>`` are known too."""


def config_file() -> Path:
    """Return the user's config file (``MEBENCH_CONFIG`` or the platform's place)."""
    named = os.environ.get("MEBENCH_CONFIG")
    return Path(named) if named else platformdirs.user_config_path("mebench") / "config.yaml"


def cache_folder() -> Path:
    """Return a cache folder that can be written: `cache_place`, else one for this run alone.

    The latter is told once, before any work is done.
    """
    place = cache_place()
    why = _unwritable(place)
    return place if why is None else _for_this_run(place, why)


@cache
def _for_this_run(place: Path, why: str) -> Path:
    made = Path(tempfile.mkdtemp(prefix="mebench-cache-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    _LOG.warning(
        "%s: the cache cannot be written (%s); this run keeps nothing for the next one. "
        "Set MEBENCH_CACHE to a folder that can be written",
        place,
        why,
    )
    return made


@cache
def _unwritable(place: Path) -> str | None:
    """Return why nothing can be written below a folder, or None."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__


def cache_place() -> Path:
    """Return where the cache should be: ``MEBENCH_CACHE``, the config's ``cache``, or the usual."""
    named = os.environ.get("MEBENCH_CACHE") or get("cache")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("mebench")


def data_root(dataset: str) -> Path | None:
    """Return a data set's root: ``MEBENCH_<ID>_ROOT``, then the config's ``data.<id>``, or None."""
    variable = f"MEBENCH_{dataset.upper().replace('-', '_').replace('/', '_')}_ROOT"
    named = os.environ.get(variable) or get(f"data.{dataset}")
    return Path(named).expanduser() if named else None


def load() -> dict[str, Any]:
    """Return the user's config, empty when there is none."""
    path = config_file()
    return read_mapping(path) if path.is_file() and path.stat().st_size else {}


def get(key: str) -> str | None:
    """Return a config value by dotted key, or None."""
    node: Any = load()
    for part in key.split(".", 1) if key.startswith(("data.", "landmarks.")) else [key]:
        if not isinstance(node, dict) or part not in node:
            return None
        node = node[part]
    return str(node)


def set_value(key: str, value: str) -> Path:
    """Set a config value and return the file it was written to.

    Raises:
        UsageError: for an unknown key.
    """
    if key not in KNOWN_KEYS and not key.startswith(("data.", "landmarks.")):
        hint = did_you_mean(key, [*KNOWN_KEYS, "data.<dataset>"])
        raise UsageError(f"unknown setting '{key}'.{hint}")
    data = load()
    node = data
    parts = key.split(".", 1)
    for part in parts[:-1]:
        node = node.setdefault(part, {})
    node[parts[-1]] = value
    write_text(config_file(), yaml.safe_dump(data, sort_keys=True, allow_unicode=True))
    return config_file()
