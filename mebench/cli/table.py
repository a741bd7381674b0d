"""``mebench table``: records into a table for people and papers."""

from __future__ import annotations

from pathlib import Path

import click

from mebench.errors import UsageError, did_you_mean


@click.command()
@click.argument("records", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", default="text", help="text, markdown, latex, csv or json.")
@click.option("--metrics", help="Metric keys, comma separated; default: the headline ones.")
@click.option("--sort", help="Metric key to order methods by.")
@click.option("--caption", help="Caption in place of the default one.")
@click.option("--ci/--no-ci", default=True, help="Show 95 % intervals.")
@click.option("--controls/--no-controls", default=True, help="Show the control rows.")
@click.option("--out", type=click.Path(path_type=Path), help="Write to a file.")
def table(
    records: tuple[Path, ...],
    form: str,
    metrics: str | None,
    sort: str | None,
    caption: str | None,
    ci: bool,
    controls: bool,
    out: Path | None,
) -> None:
    """Turn RECORDS (files, or run folders that hold record.json) into one table."""
    from mebench.io.files import write_text
    from mebench.record import Record
    from mebench.report.formats import FORMATS, render
    from mebench.report.rows import build_table

    if form not in FORMATS:
        raise UsageError(f"unknown format '{form}'.{did_you_mean(form, FORMATS)}")
    loaded = [Record.load(_record_file(path)) for path in records]
    keys = [key.strip() for key in metrics.split(",")] if metrics else None
    built = build_table(loaded, metrics=keys, sort=sort, caption=caption, controls=controls)
    text = render(built, form, ci=ci)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)
        click.echo(f"table: {out}", err=True)


def _record_file(path: Path) -> Path:
    file = path / "record.json" if path.is_dir() else path
    if not file.is_file():
        raise UsageError(
            f"{file}: cannot be read, there is no such file; give a run's folder or record.json"
        )
    return file
