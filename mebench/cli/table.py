"""``mebench table``: records into a table for people and papers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mebench.cli.record import record_files
from mebench.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from mebench.report.model import Table


@click.command()
@click.argument("records", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    help="text, markdown, latex, csv, json or html; default: as --out ends, else text.",
)
@click.option("--metrics", help="Metric keys, comma separated; default: the headline ones.")
@click.option(
    "--by-dataset",
    multiple=True,
    metavar="METRIC",
    help="A column a data set and their composite; repeatable.",
)
@click.option("--sort", help="Column to order methods by, such as fid or fid:composite.")
@click.option("--caption", help="Caption in place of the default one.")
@click.option("--label", help="LaTeX label; default tab:PROTOCOL.")
@click.option("--ci/--no-ci", default=True, help="Show how sure a mean is.")
@click.option(
    "--spread",
    type=click.Choice(["interval", "pm"]),
    default="interval",
    show_default=True,
    help="95 % interval, or plus and minus half its width.",
)
@click.option("--decimals", type=click.IntRange(0, 8), help="Digits after the point.")
@click.option("--controls/--no-controls", default=True, help="Show the control rows.")
@click.option("--siunitx", is_flag=True, help="LaTeX with S columns.")
@click.option("--wide", is_flag=True, help="LaTeX over both columns of a page (table*).")
@click.option("--fit", is_flag=True, help="LaTeX that shrinks a table wider than the line.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file.")
@click.option(
    "--bib",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the BibTeX of everything in the table.",
)
def table(
    records: tuple[Path, ...],
    form: str | None,
    metrics: str | None,
    by_dataset: tuple[str, ...],
    sort: str | None,
    caption: str | None,
    label: str | None,
    ci: bool,
    spread: Literal["interval", "pm"],
    decimals: int | None,
    controls: bool,
    siunitx: bool,
    wide: bool,
    fit: bool,
    out: Path | None,
    bib: Path | None,
) -> None:
    """Turn RECORDS (files, run folders, or folders of records) into one table."""
    from mebench.io.files import write_text
    from mebench.record import Record
    from mebench.report.rows import build_table

    chosen = format_of(form, out)
    if chosen != "latex" and (siunitx or wide or fit or label is not None):
        raise UsageError(f"--siunitx, --wide, --fit and --label are for LaTeX, not {chosen}")
    loaded = [Record.load(path) for path in record_files(records)]
    keys = [key.strip() for key in metrics.split(",")] if metrics else None
    built = build_table(
        loaded,
        metrics=keys,
        by_dataset=by_dataset,
        sort=sort,
        caption=caption,
        controls=controls,
        spread=spread if ci else "none",
        decimals=decimals,
    )
    text = _text(built, chosen, siunitx=siunitx, wide=wide, fit=fit, label=label)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)
        click.echo(f"table: {out}", err=True)
    if bib is not None:
        from mebench.report.bibliography import of_table

        write_text(bib, of_table(loaded, built))
        click.echo(f"references: {bib}", err=True)


def _text(
    built: Table, form: str, *, siunitx: bool, wide: bool, fit: bool, label: str | None
) -> str:
    from mebench.report.formats import render
    from mebench.report.latex import render_latex

    if form == "latex":
        return render_latex(built, siunitx=siunitx, wide=wide, fit=fit, label=label)
    return render(built, form)


def format_of(form: str | None, out: Path | None) -> str:
    """Return the format named by an option, else by how the file's name ends, else text."""
    from mebench.report.formats import FORMATS, SUFFIXES

    if form is None:
        return "text" if out is None else SUFFIXES.get(out.suffix.lower(), "text")
    if form not in FORMATS:
        raise UsageError(f"unknown format '{form}'.{did_you_mean(form, FORMATS)}")
    return form
