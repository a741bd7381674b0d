"""``mebench record``: are records whole, and where do two of them differ?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from mebench.errors import UsageError


def record_file(path: Path) -> Path:
    """Return the record a path names: the file itself, or the one of a run's folder.

    Raises:
        UsageError: when there is none.
    """
    file = path / "record.json" if path.is_dir() else path
    if not file.is_file():
        raise UsageError(
            f"{file}: cannot be read, there is no such file; give a run's folder or record.json"
        )
    return file


def record_files(paths: Sequence[Path]) -> list[Path]:
    """Return the records that paths name: files, runs' folders, and folders of records.

    The report that `mebench score` leaves beside its records is left out.

    Raises:
        UsageError: when a path names none.
    """
    found = []
    for path in paths:
        many = path.is_dir() and not (path / "record.json").is_file()
        files = sorted(path.glob("[!.]*.json")) if many else [record_file(path)]
        records = [file for file in files if not _is_report(file)]
        if not records and many:
            raise UsageError(f"{path}: holds no records; give files, or a folder that has some")
        found += records
    return found


def _is_report(file: Path) -> bool:
    from mebench.record import SCORE_REPORT

    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False  # whoever reads it as a record says what is wrong
    return isinstance(data, dict) and data.get("schema") == SCORE_REPORT


@click.group()
def record() -> None:
    """Check records, and tell where two of them differ."""


@record.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def verify(files: tuple[Path, ...], as_json: bool) -> None:
    """Check that each of FILES is whole: schema, keys, digest; exit code 2 when one is not."""
    from mebench.report.records import verify as check

    found = [check(path / "record.json" if path.is_dir() else path) for path in files]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2, allow_nan=False))
    else:
        for one in found:
            click.echo(one.line())
    bad = sum(not one.whole for one in found)
    if bad:
        raise UsageError(f"{bad} of {len(found)} records cannot be used; score them again")


@record.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Differences to print.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 where they differ, as diff does.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, all of them.")
def diff(a: Path, b: Path, most: int, exit_code: bool, as_json: bool) -> int:
    """Tell where records A and B differ; when and on what machine they were made counts not."""
    from tabulate import tabulate

    from mebench.record import Record
    from mebench.report.records import differences

    found = differences(Record.load(record_file(a)), Record.load(record_file(b)))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2, allow_nan=False))
    elif found:
        rows = [one.cells() for one in found[:most]]
        click.echo(tabulate(rows, headers=["key", "A", "B", "B - A"], disable_numparse=True))
        if len(found) > most:
            click.echo(f"and {len(found) - most} more; --most {len(found)} prints all", err=True)
    else:
        click.echo("no difference but time and place")
    return int(bool(found) and exit_code)
