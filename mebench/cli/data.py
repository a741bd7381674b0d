"""``mebench data check|index|prepare``: look at a copy of a data set and make it ready."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mebench import settings
from mebench.cli.options import Choice
from mebench.errors import DatasetError, UsageError
from mebench.preprocess.parallel import BACKENDS

if TYPE_CHECKING:
    from mebench.datasets.base import CheckReport, Dataset

_SHOWN = 5

_root_option = click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="Folder of the copy; default: data.<DATASET> of 'mebench config'.",
)
_missing_option = click.option(
    "--on-missing",
    type=Choice(["fail", "skip"]),
    default="fail",
    show_default=True,
    help="What to do with clips that cannot be read.",
)


@click.command()
@click.argument("dataset")
@_root_option
@click.option("--annotations-only", is_flag=True, help="Do not look at the frames.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def check(dataset: str, root: Path | None, annotations_only: bool, as_json: bool) -> None:
    """Compare a copy of DATASET with what was published; exit 4 when it cannot be used."""
    report = _load(dataset, root).check(annotations_only=annotations_only)
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
@_root_option
@click.option("--out", type=click.Path(path_type=Path), help="CSV file; default: stdout.")
@_missing_option
def index(dataset: str, root: Path | None, out: Path | None, on_missing: Any) -> None:
    """Write the canonical index of DATASET: one row a clip."""
    from mebench.datasets.index import index_csv, index_digest, write_index

    clips = _load(dataset, root).clips(on_missing=on_missing)
    if out is None:
        click.echo(index_csv(clips), nl=False)
    else:
        write_index(clips, out)
        click.echo(f"{len(clips)} clips written to {out}", err=True)
    click.echo(f"index digest {index_digest(clips)}", err=True)


@click.command()
@click.argument("dataset")
@_root_option
@click.option(
    "--landmarks",
    type=Choice(["given", "dlib"]),
    help="Where landmarks come from; default: given where there are some, else dlib.",
)
@click.option(
    "--landmarks-root",
    type=click.Path(path_type=Path),
    help="Folder with <dataset>.<subject>.<clip>.npy or .csv, (68, 2) pixels of frame 0.",
)
@click.option("--face", type=int, help="With several faces: which one, 0 is the leftmost.")
@click.option("--size", type=int, default=256, show_default=True, help="Side of the crop.")
@click.option("--colour", type=Choice(["rgb", "gray"]), default="rgb", show_default=True)
@click.option("--jobs", type=int, help="Processes; -1 for all cores; default: config or 1.")
@click.option("--backend", type=Choice(BACKENDS), default="loky", show_default=True)
@_missing_option
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def prepare(
    dataset: str,
    root: Path | None,
    landmarks: str | None,
    landmarks_root: Path | None,
    face: int | None,
    size: int,
    colour: Any,
    jobs: int | None,
    backend: Any,
    on_missing: Any,
    as_json: bool,
) -> None:
    """Crop, align and cache the clips of DATASET; run again to go on after an interruption."""
    from mebench.cli.progress import console_progress
    from mebench.preprocess.landmarks import choose_landmarker
    from mebench.preprocess.prepare import prepare as prepare_clips

    source = _load(dataset, root)
    clips = source.clips(on_missing=on_missing)
    landmarker = choose_landmarker(
        dataset, source.root, how=landmarks, folder=landmarks_root, face=face
    )
    cache = settings.cache_folder()
    prepared = prepare_clips(
        clips,
        size=size,
        landmarker=landmarker,
        colour=colour,
        cache=cache,
        jobs=_jobs(jobs),
        backend=backend,
        progress=console_progress(),
        on_missing=on_missing,
    )
    for line in (*prepared.notes, *(failure.reason for failure in prepared.failures)):
        click.echo(line, err=True)
    if as_json:
        done = {
            "dataset": dataset,
            "clips": len(prepared),
            "made": prepared.made,
            "failures": {failure.key: failure.reason for failure in prepared.failures},
            "notes": list(prepared.notes),
            "landmarks": landmarker.name,
            "cache": str(cache),
        }
        click.echo(json.dumps(done, indent=2, sort_keys=True, ensure_ascii=False))
        return
    click.echo(
        f"{len(prepared)} clips ready at {size} px ({prepared.made} new, landmarks: "
        f"{landmarker.name}, {len(prepared.failures)} left out) in {cache}"
    )


def _load(dataset: str, root: Path | None) -> Dataset:
    from mebench.datasets.base import dataset_class, load_dataset

    dataset_class(dataset)
    place = root or settings.data_root(dataset)
    if place is None:
        raise UsageError(
            f"no folder known for {dataset}; give --root DIR, "
            f"or once: mebench config set data.{dataset} DIR"
        )
    return load_dataset(dataset, place)


def _jobs(given: int | None) -> int:
    if given is not None:
        return given
    stated = settings.get("jobs") or "1"
    try:
        return int(stated)
    except ValueError as error:
        raise UsageError(f"setting 'jobs' must be a whole number, got '{stated}'") from error


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
