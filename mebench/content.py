"""Finds the shipped content: baselines, protocols and the leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mebench.errors import UsageError

Kind = Literal["baselines", "protocols", "leaderboard"]


def content_folder(kind: Kind) -> Path:
    """Return the folder of a kind of content, in the installed package or in a checkout.

    Raises:
        UsageError: when neither place has it; both are named.
    """
    package = Path(__file__).resolve().parent
    installed = package / "_content" / kind
    if installed.is_dir():
        return installed
    checkout = package.parent / kind
    if (package.parent / "pyproject.toml").is_file() and checkout.is_dir():
        return checkout
    raise UsageError(
        f"the shipped '{kind}' folder is missing: neither in the package nor in a checkout "
        "beside it; install mebench again"
    )
