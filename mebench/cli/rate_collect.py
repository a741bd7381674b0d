"""``mebench rate collect``: from raters' files to one file of checked ratings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from mebench.rating.model import Key, Ratings

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=_PATH, metavar="FILES...")
@click.option(
    "--key",
    "key_file",
    required=True,
    type=_PATH,
    help="key.json of 'rate make'.",
)
@click.option(
    "-o", "--out", type=_PATH, default=Path("ratings.json"), show_default=True, help="The ratings."
)
@click.option("--csv", "table", type=_PATH, help="Also a flat table, one row an answer.")
@click.option("--unblind", is_flag=True, help="Join methods and clips to the rows of --csv.")
@click.option(
    "--conflict",
    type=click.Choice(["refuse", "newest", "first"]),
    default="refuse",
    show_default=True,
    help="Two files of a rater that answer differently: which one counts.",
)
@click.option(
    "--partial",
    type=click.Choice(["keep", "refuse"]),
    default="keep",
    show_default=True,
    help="Ratings in which required answers are missing.",
)
@click.option("--skip-bad", is_flag=True, help="Leave files out that are refused.")
@click.option("--replace", is_flag=True, help="Write over --out even where answers get lost.")
def collect(
    files: tuple[Path, ...],
    key_file: Path,
    out: Path,
    table: Path | None,
    unblind: bool,
    conflict: Literal["refuse", "newest", "first"],
    partial: Literal["keep", "refuse"],
    skip_bad: bool,
    replace: bool,
) -> None:
    """Check what raters sent back and put it together.

    FILES are exports of the page (.json) and filled-in ratings.xlsx, in any order, several a rater
    too. Every problem is told with file, sheet, row and column (exit 3); --out is written only when
    all is well, and stays blinded.
    """
    from mebench.errors import SubmissionError, UsageError
    from mebench.rating.collect import collect as collected
    from mebench.rating.export import save_ratings, write_csv
    from mebench.rating.given import CollectError
    from mebench.rating.model import Key

    if unblind and table is None:
        raise UsageError("--unblind is about the table; give one with --csv FILE")
    if table is not None and table.resolve() == out.resolve():
        raise UsageError(f"{table}: --csv and --out are the same file; choose another place")
    taken = {path.resolve() for path in (*files, key_file)}
    for target in (out, table):
        if target is not None and target.resolve() in taken:
            raise UsageError(f"{target}: is one of the files to read; choose another place")
    key = Key.load(key_file)
    try:
        ratings = collected(files, key, on_conflict=conflict, partial=partial, skip_bad=skip_bad)
    except CollectError as error:
        for line in error.lines:
            click.echo(f"refused: {line}", err=True)
        many = f"{len(error.lines)} problems" if len(error.lines) > 1 else "1 problem"
        raise SubmissionError(
            f"{many}; nothing was written. Mend the files, or leave bad ones out: --skip-bad"
        ) from error
    save_ratings(out, ratings, replace=replace)
    _tell(ratings, key)
    click.echo(f"ratings: {out}")
    if table is not None:
        rows = write_csv(table, ratings, key, unblind=unblind)
        click.echo(f"table: {table} ({rows} rows{', not blinded' if unblind else ''})")


def _tell(ratings: Ratings, key: Key) -> None:
    from tabulate import tabulate

    from mebench.rating.export import summaries

    rows = [
        {
            "rater": one.rater,
            "files": ", ".join(dict.fromkeys(one.files)) or "--",
            "complete": f"{one.complete} of {one.items}",
            "seconds (median)": "--" if one.seconds is None else f"{one.seconds:.1f}",
            "repeats": f"{one.repeats} of {one.all_repeats}",
        }
        for one in summaries(ratings, key)
    ]
    click.echo(tabulate(rows, headers="keys", disable_numparse=True))
    for note in ratings.notes:
        click.echo(f"note: {note}", err=True)
