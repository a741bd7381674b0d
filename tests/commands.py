"""Commands as tests call them."""

from __future__ import annotations

import inspect

from click.testing import CliRunner


def runner() -> CliRunner:
    """Return one that keeps stdout and stderr apart; Click before 8.2 does so only when told."""
    told = "mix_stderr" in inspect.signature(CliRunner).parameters
    return CliRunner(mix_stderr=False) if told else CliRunner()
