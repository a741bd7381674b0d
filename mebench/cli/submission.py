"""``mebench submission``: what a participant does before sending."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mebench.cli.options import data_roots, job_count
from mebench.cli.progress import console_progress


@click.group()
def submission() -> None:
    """Validate and pack submissions."""


@submission.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--protocol", default="synthme", show_default=True, help="Protocol id or YAML.")
@click.option("--data", multiple=True, metavar="DATASET=ROOT", help="Data root; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def validate(path: Path, protocol: str, data: tuple[str, ...], as_json: bool) -> None:
    """Check PATH (folder or zip) against a protocol; lists every problem at once."""
    from mebench import settings
    from mebench.errors import SubmissionError
    from mebench.protocol.opening import open_protocol
    from mebench.protocol.spec import load_protocol
    from mebench.scoring import requirement_of
    from mebench.submission.validate import check_submission

    if not path.exists():
        raise SubmissionError(f"{path}: no such folder or zip; give a submission")
    spec = load_protocol(protocol)
    opened = open_protocol(
        spec,
        data_roots(data, spec.sources),
        cache=settings.cache_folder(),
        jobs=job_count(None),
        progress=console_progress(),
    )
    found, problems = check_submission(path, requirement_of(opened))
    if found is not None:
        problems = [f"{path.name}: output {pair.key} is missing" for pair in found.missing]
    if as_json:
        click.echo(json.dumps({"valid": not problems, "problems": problems}, indent=2))
    elif len(problems) > 1:
        for problem in problems:
            click.echo(problem)
    if len(problems) == 1:
        raise SubmissionError(problems[0])
    if problems:
        raise SubmissionError(f"{path.name}: {len(problems)} problems, mend all in the list")
    if not as_json:
        click.echo(f"{path.name}: valid, {len(opened.pairs)} outputs for '{spec.id}'")


@submission.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The zip.")
def pack(folder: Path, out: Path) -> None:
    """Pack FOLDER as a zip whose bytes depend only on its content."""
    from mebench.submission.pack import pack as pack_folder

    count = pack_folder(folder, out)
    click.echo(f"packed {count} files: {out}")
