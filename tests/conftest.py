"""Fixtures every room may use."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before torch is imported: two workers share two cores, and a run in this process and one in a
# process of its own must add up in the same order. Another number may be asked for from outside.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from mebench.synthme.export import export


@pytest.fixture(autouse=True, scope="session")
def _own_places(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's config and cache out of the tests, and the tests out of them."""
    home = tmp_path_factory.mktemp("home")
    os.environ["MEBENCH_CACHE"] = str(home / "cache")
    os.environ["MEBENCH_CONFIG"] = str(home / "config.yaml")
    os.environ.pop("MEBENCH_WEIGHTS", None)


@pytest.fixture(autouse=True)
def _no_settings_of_other_tests() -> Iterator[None]:
    """Leave what a test sets to that test."""
    yield
    Path(os.environ["MEBENCH_CONFIG"]).unlink(missing_ok=True)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny SynthME export, made once for all workers; copy it before changing it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with (shared / "tiny.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return export(shared / "tiny", preset="tiny", seed=0)


def browser() -> str | None:
    """Return the Chromium that tests marked ``browser`` drive, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def office() -> str | None:
    """Return the LibreOffice that tests marked ``office`` drive, or None."""
    return shutil.which("soffice")


def pytest_report_header() -> list[str]:
    """Say which browser and office are driven, or that none is here."""
    none = "none, tests marked so stay out (apt-get install {})"
    return [
        f"browser: {browser() or none.format('chromium')}",
        f"office: {office() or none.format('libreoffice-calc')}",
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked ``browser`` or ``office`` out where there is none."""
    for marker, program in (("browser", browser()), ("office", office())):
        if program is None:
            left_out = [item for item in items if item.get_closest_marker(marker)]
            items[:] = [item for item in items if item not in left_out]
            config.hook.pytest_deselected(items=left_out)
