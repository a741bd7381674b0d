"""``mebench score``: submissions into records and one table."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mebench.cli.options import data_roots, job_count
from mebench.cli.progress import console_progress


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--protocol", default="synthme", show_default=True, help="Protocol id or YAML.")
@click.option("--data", multiple=True, metavar="DATASET=ROOT", help="Data root; repeatable.")
@click.option("--metrics", help="Metric families, comma separated; default: the protocol's.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda:N.")
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes; default: all CPUs.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("scores"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def score(
    paths: tuple[Path, ...],
    protocol: str,
    data: tuple[str, ...],
    metrics: str | None,
    device: str,
    jobs: int | None,
    out: Path,
    as_json: bool,
) -> None:
    """Score PATHS: submissions (folder or zip), or folders that hold many."""
    from mebench import settings
    from mebench.environment import choose_device
    from mebench.errors import SubmissionError
    from mebench.protocol import load_protocol, open_protocol
    from mebench.report.formats import render
    from mebench.report.rows import build_table
    from mebench.scorer import find_submissions, score_many

    found = find_submissions(paths)
    spec = load_protocol(protocol)
    progress = console_progress()
    opened = open_protocol(
        spec,
        data_roots(data, spec.dataset),
        cache=settings.cache_folder(),
        jobs=job_count(jobs),
        progress=progress,
    )
    families = tuple(name.strip() for name in metrics.split(",")) if metrics else spec.metrics
    records, refused = score_many(
        found,
        opened,
        families=families,
        cache=settings.cache_folder(),
        device=choose_device(device),
        jobs=job_count(jobs),
        out=out,
        progress=progress,
    )
    if as_json:
        rows = [record.model_dump(mode="json", by_alias=True) for record in records]
        click.echo(json.dumps({"records": rows, "refused": refused}, indent=2, allow_nan=False))
    elif records:
        key = spec.rank_by if spec.rank_by in records[0].result.metrics else None
        click.echo(render(build_table(records, sort=key), "text"))
        click.echo(f"records: {out}")
    for name, problem in refused.items():
        click.echo(f"refused {name}: {problem}", err=True)
    if refused:
        raise SubmissionError(f"{len(refused)} of {len(found)} submissions refused; see above")
