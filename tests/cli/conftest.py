"""What tests of the command line share."""

from __future__ import annotations

import re

import pytest

from mebench.cli.main import _run


@pytest.fixture
def refused(capsys):
    """Return a function that runs a command and gives back its exit code and its one line."""

    def call(command: str) -> tuple[int, str]:
        capsys.readouterr()
        code = _run(command.split(), debug=False)
        told = capsys.readouterr().err
        assert "Traceback" not in told
        assert "--debug" not in told
        lines = [
            line for line in told.splitlines() if not re.match(r"\w[\w -]*: \d+(/\d+)? ?", line)
        ]
        assert len(lines) == 1, told
        return code, lines[0]

    return call
