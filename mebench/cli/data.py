"""``mebench data check|index``: look at a copy of a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mebench.cli.data_options import load, missing_option, root_option
from mebench.errors import DatasetError

if TYPE_CHECKING:
    from mebench.datasets.base import CheckReport

_SHOWN = 5


@click.command()
@click.argument("dataset")
@root_option
@click.option("--annotations-only", is_flag=True, help="Do not look at the frames.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def check(dataset: str, root: Path | None, annotations_only: bool, as_json: bool) -> None:
    """Compare a copy of DATASET with what was published; exit 4 when it cannot be used."""
    report = load(dataset, root).check(annotations_only=annotations_only)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2, sort_keys=True, ensure_ascii=False))
    else:
        click.echo("\n".join(_report_lines(report, annotations_only)))
    if not report.usable:
        problems = [*report.missing_clips, *report.damaged_frames] or ["no clip found"]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        advice = "" if ";" in problems[0] else "; copy it again from the original"
        raise DatasetError(problems[0] + more + advice)


@click.command()
@click.argument("dataset")
@root_option
@click.option("--out", type=click.Path(path_type=Path), help="CSV file; default: stdout.")
@missing_option
def index(dataset: str, root: Path | None, out: Path | None, on_missing: Any) -> None:
    """Write the canonical index of DATASET: one row a clip."""
    from mebench.datasets.index import index_csv, index_digest, write_index

    clips = load(dataset, root).clips(on_missing=on_missing)
    if out is None:
        click.echo(index_csv(clips), nl=False)
    else:
        write_index(clips, out)
        click.echo(f"{len(clips)} clips written to {out}", err=True)
    click.echo(f"index digest {index_digest(clips)}", err=True)


def _report_lines(report: CheckReport, annotations_only: bool) -> list[str]:
    expected = " or ".join(map(str, report.clips_expected))
    lines = [f"{report.dataset} at {report.root}" + (" (SynthME)" if report.synthetic else "")]
    lines += [f"  {name:<13}{path}" for name, path in report.places.items()]
    word = "expected" if report.synthetic else "published"
    lines.append(f"  rows         {report.clips_annotated} ({word}: {expected})")
    if not annotations_only:
        lines.append(f"  clips        {report.clips_found} with {report.frames_found} frames")
    lines.append(f"  subjects     {report.subjects_found} ({word}: {report.subjects_expected})")
    for emotion in sorted({*report.emotions_found, *report.emotions_expected}):
        found = report.emotions_found.get(emotion, 0)
        published = report.emotions_expected.get(emotion)
        beside = "" if published is None else f" (published: {published})"
        lines.append(f"    {emotion:<11}{found}{beside}")
    gaps = [f"{key}: {len(frames)} frames" for key, frames in report.missing_frames.items()]
    for title, items in (
        ("missing clips", report.missing_clips),
        ("missing frames", gaps),
        ("damaged frames", report.damaged_frames),
        ("rows refused", report.refused_rows),
        ("action units not readable", report.unreadable_action_units),
        ("corrections", report.corrections),
        ("notes", report.notes),
    ):
        lines += _section(title, items)
    lines.append("usable" if report.usable else "NOT usable as it is")
    return lines


def _section(title: str, items: Any) -> list[str]:
    if not items:
        return []
    shown = [f"    {item}" for item in items[:_SHOWN]]
    if len(items) > _SHOWN:
        shown.append(f"    ... {len(items) - _SHOWN} more (all with --json)")
    return [f"  {title}: {len(items)}", *shown]
