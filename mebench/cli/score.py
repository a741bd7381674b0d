"""``mebench score``: submissions into records and one table."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Literal

import click

from mebench.cli.options import data_roots, device_of, job_count
from mebench.cli.progress import console_progress


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--protocol", default="synthme", show_default=True, help="Protocol id or YAML.")
@click.option("--data", multiple=True, metavar="DATASET=ROOT", help="Data root; repeatable.")
@click.option("--metrics", help="Metric families, comma separated; default: the protocol's.")
@click.option("--device", help="auto, cpu or cuda:N; default: config or auto.")
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes; default: all CPUs.")
@click.option(
    "--flow",
    type=click.Choice(["farneback", "dis"]),
    default="farneback",
    show_default=True,
    help="Flow of the motion metrics; dis is faster and has columns of its own.",
)
@click.option("--curves", is_flag=True, help="Also write the AU curves of every pair as CSV.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("scores"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def score(
    paths: tuple[Path, ...],
    protocol: str,
    data: tuple[str, ...],
    metrics: str | None,
    device: str | None,
    jobs: int | None,
    flow: Literal["farneback", "dis"],
    curves: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Score PATHS: submissions (folder or zip), or folders that hold many."""
    from mebench import settings
    from mebench.errors import SubmissionError
    from mebench.metrics.catalogue import families_of
    from mebench.protocol.opening import open_protocol
    from mebench.protocol.spec import load_protocol
    from mebench.report.formats import render
    from mebench.report.rows import build_table
    from mebench.scorer import find_submissions, score_many

    found = find_submissions(paths)
    spec = load_protocol(protocol)
    families = tuple(name.strip() for name in metrics.split(",")) if metrics else spec.metrics
    families_of(families)  # an unknown one is told now, not after the preparation
    named = device or settings.get("device") or "auto"
    # torch is asked only when there is something to score.
    place = named if named == "auto" else device_of(named)
    progress = console_progress()
    opened = open_protocol(
        spec,
        data_roots(data, spec.sources),
        cache=settings.cache_folder(),
        jobs=job_count(jobs),
        progress=progress,
    )
    records, refused = score_many(
        found,
        opened,
        families=families,
        cache=settings.cache_folder(),
        device=place,
        jobs=job_count(jobs),
        flow=flow,
        curves=curves,
        out=out,
        progress=progress,
    )
    if as_json:
        rows = [record.model_dump(mode="json", by_alias=True) for record in records]
        click.echo(json.dumps({"records": rows, "refused": refused}, indent=2, allow_nan=False))
    elif records:
        keys = (spec.rank_by, f"{spec.rank_by}~{flow}")
        key = next((key for key in keys if key in records[0].result.metrics), None)
        click.echo(render(build_table(records, sort=key), "text"))
        click.echo(f"records: {out}")
    for method, count in Counter(record.result.id for record in records).items():
        if count > 1:
            click.echo(
                f"{count} submissions name their method '{method}'; a board takes one", err=True
            )
    if refused and len(found) == 1:
        raise SubmissionError(*refused.values())
    for name, problem in refused.items():
        click.echo(f"refused {name}: {problem}", err=True)
    if refused:
        raise SubmissionError(
            f"{len(refused)} of {len(found)} submissions refused; mend what stands above, "
            f"and in {out / 'report.json'}"
        )
