"""Fixtures every room may use."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_places(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's config and cache out of the tests, and the tests out of them."""
    home = tmp_path_factory.mktemp("home")
    os.environ["MEBENCH_CACHE"] = str(home / "cache")
    os.environ["MEBENCH_CONFIG"] = str(home / "config.yaml")
    os.environ.pop("MEBENCH_WEIGHTS", None)
