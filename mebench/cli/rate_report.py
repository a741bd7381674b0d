"""``mebench rate report``: from collected ratings to scores, agreement and records."""

from __future__ import annotations

from pathlib import Path

import click

from mebench.cli.record import record_files
from mebench.cli.table import format_of
from mebench.errors import UsageError

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("ratings", type=_PATH, metavar="RATINGS")
@click.option("--key", "key_file", required=True, type=_PATH, help="key.json of 'rate make'.")
@click.option(
    "--records",
    multiple=True,
    type=_PATH,
    help="Record of a rated method, its run folder, or a folder of records; repeatable.",
)
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write copies of --records with the experts' scores into this folder.",
)
@click.option("--without", multiple=True, metavar="RATER", help="Leave a rater out; repeatable.")
@click.option(
    "--format",
    "form",
    help="text, markdown, latex, csv, json or html; default: as --out ends, else text.",
)
@click.option(
    "--table", help="One only: scores, datasets, raters, agreement, a check list, bridge."
)
@click.option("--resamples", type=click.IntRange(100), default=2000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of every bootstrap.")
@click.option(
    "--out", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file."
)
def report(
    ratings: Path,
    key_file: Path,
    records: tuple[Path, ...],
    into: Path | None,
    without: tuple[str, ...],
    form: str | None,
    table: str | None,
    resamples: int,
    seed: int,
    out: Path | None,
) -> None:
    """Turn RATINGS (of 'rate collect') into scores, places, agreement and a look at each rater.

    Intervals resample driving subjects and raters. With --records it also says how far each
    objective metric ranks as the experts do.
    """
    from mebench.io.files import write_text
    from mebench.rating.model import Key, Ratings
    from mebench.rating.report import build_report, render
    from mebench.record import Record

    if into is not None and not records:
        raise UsageError("--into writes copies of records; name them with --records")
    chosen = format_of(form, out)
    files = record_files(records) if records else []
    loaded = [Record.load(file) for file in files]
    built = build_report(
        Key.load(key_file),
        Ratings.load(ratings),
        records=loaded,
        without=without,
        resamples=resamples,
        seed=seed,
    )
    text = render(built, chosen, table)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)
        click.echo(f"report: {out}", err=True)
    if into is not None:
        from mebench.board import file_name
        from mebench.rating.rated import with_scores

        into.mkdir(parents=True, exist_ok=True)
        for record in with_scores(loaded, built.panel, built.scores):
            place = into / f"{file_name(record.result.id)}.json"
            if place.resolve() in {file.resolve() for file in files}:
                raise UsageError(f"{place}: is one of the records to read; choose another --into")
            record.save(place)
            click.echo(f"record: {place}", err=True)
