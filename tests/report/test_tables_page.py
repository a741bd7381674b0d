"""The commands in docs/tables.md are commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from mebench.cli.main import cli

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"


def commands() -> list[list[str]]:
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line]


def test_every_command_of_the_page_parses():
    found = commands()
    assert len(found) > 10
    for words in found:
        assert words[0] == "mebench"
        command: click.Command = cli
        context = click.Context(cli)
        rest = words[1:]
        while isinstance(command, click.Group):
            command = command.get_command(context, rest[0])
            assert command is not None, words
            context, rest = click.Context(command, parent=context), rest[1:]
        command.make_parser(context).parse_args(list(rest))


def test_pictures_of_the_page_are_small():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(pictures) == 4
    assert all((PAGE.parent / name).stat().st_size < 100_000 for name in pictures)
