"""``mebench data check|index``: look at a copy of a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mebench.cli.data_options import copy_options, load_any, missing_option
from mebench.cli.data_report import report_lines
from mebench.errors import DatasetError


@click.command()
@click.argument("dataset")
@copy_options
@click.option("--annotations-only", is_flag=True, help="Do not look at the frames.")
@click.option("--strict", is_flag=True, help="Exit 4 also when a single clip or frame is missing.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def check(dataset: str, annotations_only: bool, strict: bool, as_json: bool, **how: Any) -> None:
    """Compare a copy of DATASET with what was published; exit 4 when it cannot be used."""
    report = load_any(dataset, how.pop("root"), **how).check(annotations_only=annotations_only)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2, sort_keys=True, ensure_ascii=False))
    else:
        click.echo("\n".join(report_lines(report)))
    if not report.usable or (strict and not report.complete):
        problems = report.problems or ["no clip found"]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        advice = "" if ";" in problems[0] else "; copy it again from the original"
        raise DatasetError(problems[0] + more + advice)


@click.command()
@click.argument("dataset")
@copy_options
@click.option("--out", type=click.Path(path_type=Path), help="CSV file; default: stdout.")
@click.option("--annotations-only", is_flag=True, help="Do not look at the frames.")
@missing_option
def index(
    dataset: str, out: Path | None, annotations_only: bool, on_missing: Any, **how: Any
) -> None:
    """Write the canonical index of DATASET: one row a clip."""
    from mebench.datasets.composite import Composite
    from mebench.datasets.index import index_csv, index_digest, write_index

    loaded = load_any(dataset, how.pop("root"), **how)
    clips = loaded.listed() if annotations_only else loaded.clips(on_missing=on_missing)
    if out is None:
        click.echo(index_csv(clips), nl=False)
    else:
        write_index(clips, out)
        click.echo(f"{len(clips)} clips written to {out}", err=True)
    lacking = loaded.lacking if isinstance(loaded, Composite) else ()
    for line in (*loaded.told, *lacking, *loaded.left_out):
        click.echo(line, err=True)
    click.echo(f"index digest {index_digest(clips)}", err=True)
