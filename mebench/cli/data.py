"""``mebench data check|index``: look at a copy of a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mebench.cli.data_options import copy_options, load, missing_option
from mebench.errors import DatasetError

if TYPE_CHECKING:
    from mebench.datasets.check import CheckReport

_SHOWN = 5


@click.command()
@click.argument("dataset")
@copy_options
@click.option("--annotations-only", is_flag=True, help="Do not look at the frames.")
@click.option("--strict", is_flag=True, help="Exit 4 also when a single clip or frame is missing.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def check(dataset: str, annotations_only: bool, strict: bool, as_json: bool, **how: Any) -> None:
    """Compare a copy of DATASET with what was published; exit 4 when it cannot be used."""
    report = load(dataset, how.pop("root"), **how).check(annotations_only=annotations_only)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2, sort_keys=True, ensure_ascii=False))
    else:
        click.echo("\n".join(_report_lines(report)))
    if not report.usable or (strict and not report.complete):
        gaps = [f"{key}: frames missing" for key in report.missing_frames]
        problems = [*report.missing_clips, *report.damaged_frames, *gaps] or ["no clip found"]
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
    from mebench.datasets.index import index_csv, index_digest, write_index

    loaded = load(dataset, how.pop("root"), **how)
    clips = loaded.listed() if annotations_only else loaded.clips(on_missing=on_missing)
    if out is None:
        click.echo(index_csv(clips), nl=False)
    else:
        write_index(clips, out)
        click.echo(f"{len(clips)} clips written to {out}", err=True)
    click.echo(f"index digest {index_digest(clips)}", err=True)


def _report_lines(report: CheckReport) -> list[str]:
    from tabulate import tabulate

    lines = [f"{report.dataset} at {report.root}" + (" (SynthME)" if report.synthetic else "")]
    lines += [f"  {name:<13}{path}" for name, path in report.places.items()]
    if report.layout:
        lines.append(f"  layout       {report.layout}")
    if report.sha256:
        release = report.release or "none of the known ones"
        lines += [f"  release      {release}", f"  sha256       {report.sha256}"]
    lines.append("")
    word = "expected" if report.synthetic else "published"
    table = tabulate(_table(report), headers=["", "found", word, ""], disable_numparse=True)
    lines += [f"  {line}".rstrip() for line in table.splitlines()]
    gaps = [f"{key}: {_runs(frames)}" for key, frames in report.missing_frames.items()]
    spellings = [f"'{raw}' is {name}" for raw, name in sorted(report.emotion_spellings.items())]
    for title, items in (
        ("missing clips", report.missing_clips),
        ("clips without a row", report.extra_clips),
        ("missing frames", gaps),
        ("damaged frames", report.damaged_frames),
        ("rows refused", report.refused_rows),
        ("action units not readable", report.unreadable_action_units),
        ("contradictions", report.contradictions),
        ("corrections", report.correction_lines),
        ("optional corrections, not applied (--corrections all)", report.optional_corrections),
        ("emotions spelled otherwise", spellings),
        ("frames", report.frame_remarks),
        ("notes", report.notes),
    ):
        lines += _section(title, items)
    verdict = "usable" if report.usable else "NOT usable as it is"
    if report.usable and not report.complete:
        verdict = "usable, but for the clips named above"
    return [*lines, "", verdict]


def _table(report: CheckReport) -> list[list[str]]:
    rows: list[list[str]] = []

    def add(name: str, found: int, published: tuple[int, ...] = ()) -> None:
        stated = " or ".join(str(number) for number in published)
        differs = bool(published) and found not in published
        rows.append([name, str(found), stated, "differs" if differs else ""])

    add("clips annotated", report.clips_annotated, report.clips_expected)
    if report.macro_rows:
        add("macro-expressions, left out", report.macro_rows)
    if not report.annotations_only:
        add("clips with frames", report.clips_found)
        add("frames", report.frames_found)
    add("subjects", report.subjects_found, (report.subjects_expected,))
    for emotion in sorted({*report.emotions_found, *report.emotions_expected}):
        stated = report.emotions_expected.get(emotion)
        found = report.emotions_found.get(emotion, 0)
        add(f"  {emotion}", found, (stated or 0,) if report.emotions_expected else ())
    subjects = [count for count in report.counts if "of subject" in count[0]]
    for name, found, number in [c for c in report.counts if c not in subjects] + subjects[:_SHOWN]:
        add(name, found, () if number is None else (number,))
    if len(subjects) > _SHOWN:
        rows.append([f"... {len(subjects) - _SHOWN} more subjects", "", "", "differs"])
    return rows


def _runs(frames: tuple[int, ...]) -> str:
    """Return frame numbers as runs: ``100..104, 107``."""
    runs: list[list[int]] = []
    for number in frames:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [f"{a}" if a == b else f"{a}..{b}" for a, b in runs[:_SHOWN]]
    return f"{len(frames)} frames ({', '.join(shown)}{', ...' if len(runs) > _SHOWN else ''})"


def _section(title: str, items: Any) -> list[str]:
    if not items:
        return []
    shown = [f"    {item}" for item in items[:_SHOWN]]
    if len(items) > _SHOWN:
        shown.append(f"    ... {len(items) - _SHOWN} more (all with --json)")
    return ["", f"  {title}: {len(items)}", *shown]
