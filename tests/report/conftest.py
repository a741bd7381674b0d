"""What tests of tables and figures share."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def _latex_is_here() -> bool:
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        return False
    found = subprocess.run(
        ["kpsewhich", "booktabs.sty", "siunitx.sty"], capture_output=True, text=True, check=False
    )
    return len(found.stdout.split()) == 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("latex")]
    if marked and not _latex_is_here():
        config.hook.pytest_deselected(items=marked)
        items[:] = [item for item in items if item not in marked]
