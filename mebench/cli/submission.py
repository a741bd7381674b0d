"""``mebench submission``: what a participant does before sending."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mebench.cli.options import data_roots, job_count
from mebench.cli.progress import console_progress

if TYPE_CHECKING:
    from mebench.protocol.data import ProtocolData
    from mebench.submission.convert import Conversion
    from mebench.submission.manifest import Manifest
    from mebench.submission.validate import Requirement, Submission

_PATH = click.Path(path_type=Path)


def _of_protocol(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--data", multiple=True, metavar="DATASET=ROOT", help="Data root; repeatable."
        ),
        click.option("--protocol", default="synthme", show_default=True, help="Id or YAML."),
    ):
        command = option(command)
    return command


def _by_method(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--notes", default="", help="Free text of the manifest."),
        click.option("--url", default="", help="https:// link of the method."),
        click.option("--authors", default="", help="Who made it."),
        click.option("--title", help="Name in tables; default: the id."),
        click.option("--id", "method", help="Id of the method, such as mylab/mymethod."),
    ):
        command = option(command)
    return command


@click.group()
def submission() -> None:
    """Begin, convert, validate and pack submissions."""


@submission.command()
@click.option("-o", "--out", required=True, type=_PATH, help="The folder to make.")
@_of_protocol
@_by_method
def init(out: Path, protocol: str, data: tuple[str, ...], **about: str | None) -> None:
    """Write an empty submission: manifest, folders, and the list of expected outputs."""
    from mebench.submission.skeleton import write_skeleton

    manifest = _manifest(protocol, {**about, "method": about["method"] or "my-method"})
    wanted = _requirement(protocol, data)
    listed = write_skeleton(out, wanted, manifest)
    click.echo(f"{len(wanted.n_frames)} outputs to fill in {out}, listed in {listed}")


@submission.command()
@click.option("-o", "--out", type=_PATH, help="Write here instead of stdout.")
def schema(out: Path | None) -> None:
    """Print the JSON Schema of manifest.json."""
    from mebench.io.files import write_json
    from mebench.submission.manifest import json_schema

    if out is None:
        click.echo(json.dumps(json_schema(), indent=2, sort_keys=True))
    else:
        write_json(out, json_schema())
        click.echo(f"schema: {out}")


@submission.command()
@click.argument("source", type=_PATH)
@click.option("-o", "--out", required=True, type=_PATH, help="The submission folder to make.")
@_of_protocol
@_by_method
@click.option("--mapping", type=_PATH, help="CSV or YAML: source, template, driving.")
@click.option("--resample", is_flag=True, help="Take the nearest frames where counts differ.")
@click.option("--partial", is_flag=True, help="Go on although outputs are missing.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be matched to what.")
@click.option("--report", type=_PATH, help="JSON report; default: <OUT>-conversion.json.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def convert(
    source: Path,
    out: Path,
    protocol: str,
    data: tuple[str, ...],
    mapping: Path | None,
    resample: bool,
    partial: bool,
    dry_run: bool,
    report: Path | None,
    as_json: bool,
    **about: str | None,
) -> None:
    """Turn SOURCE (mp4, avi, mov, gif, folders of images) into a submission folder.

    Driving clips and comparisons beside the results are left out. Names that fit two outputs are
    refused, never guessed, and a table to fill in is written: <OUT>-mapping.csv.
    """
    from mebench import scoring
    from mebench.errors import UsageError
    from mebench.submission import convert as room
    from mebench.submission.manifest import id_from

    rows = room.read_mapping(mapping) if mapping is not None else {}
    opened = _opened(protocol, data)
    wanted = scoring.requirement_of(opened)
    if dry_run:
        _show(room.plan(source, wanted, rows), as_json)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: is not empty; choose another place")
    manifest = _manifest(protocol, {**about, "method": about["method"] or id_from(source)})
    place = report or out.with_name(f"{out.name}-conversion.json")
    done = room.convert(
        source,
        out,
        wanted,
        manifest,
        mapping=rows,
        resample=resample,
        partial=partial,
        report=place,
        driving=lambda pair: opened.driving[pair.driving].frames,
    )
    _show(done, as_json)
    if not as_json:
        if not about["method"]:
            click.echo(f"id: {manifest.method.id}, after the folder; --id gives another")
        click.echo(f"submission: {out}, report: {place}; next: mebench submission validate")


@submission.command()
@click.argument("path", type=_PATH)
@_of_protocol
@click.option("--report", type=_PATH, help="Also write all problems to this JSON file.")
@click.option("--sheet", type=_PATH, help="Write a PNG that shows how each output lies.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def validate(
    path: Path,
    protocol: str,
    data: tuple[str, ...],
    report: Path | None,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Check PATH (folder or zip) against a protocol; lists every problem at once.

    Tells of each output how it lies on its template; --sheet draws it.
    """
    from mebench import scoring
    from mebench.errors import SubmissionError
    from mebench.io.files import ways_to, write_json
    from mebench.submission.text import plain
    from mebench.submission.validate import check_submission

    if not path.exists():
        raise SubmissionError(f"{path}: no such folder or zip; give a submission")
    name = plain(ways_to(path)[0].name)
    opened = _opened(protocol, data)
    wanted = scoring.requirement_of(opened)
    found, problems = check_submission(path, wanted, decode=False)
    views: dict[str, Any] = {}
    if found is not None:
        problems = [f"{name}: output {pair.key} is missing" for pair in found.missing]
        views, misplaced = _views(found, opened, sheet)
        problems += misplaced
    else:
        _, problems = check_submission(path, wanted)
    result = {"submission": name, "valid": not problems, "problems": problems, "views": views}
    if report is not None:
        write_json(report, {**result, "protocol": wanted.protocol})
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        for key, row in views.items():
            click.echo(_lie(key, row))
        if len(problems) > 1:
            for problem in problems:
                click.echo(problem)
    if len(problems) == 1:
        raise SubmissionError(problems[0])
    if problems:
        raise SubmissionError(f"{name}: {len(problems)} problems, mend all in the list")
    if not as_json:
        click.echo(f"{name}: valid, {len(wanted.n_frames)} outputs for '{wanted.protocol}'")


def _views(
    submission: Submission, data: ProtocolData, sheet: Path | None
) -> tuple[dict[str, Any], list[str]]:
    """Return how each output lies on its template, and what is wrong; draw it where asked."""
    from mebench import settings
    from mebench.errors import SubmissionError
    from mebench.io.frames import write_png
    from mebench.report.view_sheet import Lying, view_sheet
    from mebench.scoring import outputs_of
    from mebench.submission.placing import lie_of, misplaced

    views: dict[str, Any] = {}
    problems: list[str] = []
    drawn: list[Lying] = []
    for pair in outputs_of(submission, data):
        try:
            frames = submission.frames(pair)
            placed = lie_of(submission, pair, frames, data, settings.cache_folder())
        except SubmissionError as error:
            problems.append(str(error))
            continue
        views[pair.key] = placed.view.row()
        problems += misplaced(submission, pair, placed)
        drawn.append(Lying(placed.face.image, frames[0], placed.face.landmarks))
    if sheet is not None and drawn:
        write_png(sheet, view_sheet(drawn))
    return views, problems


def _lie(key: str, row: dict[str, Any]) -> str:
    width, height = row["size"]
    return (
        f"{key}: {width}x{height}, {row['found']}, scale {row['scale']:g}, "
        f"rotation {row['rotation']:g} degrees, correlation {row['correlation']:.3f}, "
        f"{row['seen']:.0%} of the face seen"
    )


@submission.command()
@click.argument("folder", type=_PATH)
@click.option("-o", "--out", required=True, type=_PATH, help="The zip.")
def pack(folder: Path, out: Path) -> None:
    """Pack FOLDER as a zip whose bytes depend only on its content."""
    from mebench.submission.pack import pack as pack_folder

    count = pack_folder(folder, out)
    click.echo(f"packed {count} files: {out}")


def _requirement(protocol: str, data: tuple[str, ...]) -> Requirement:
    from mebench import scoring

    return scoring.requirement_of(_opened(protocol, data))


def _opened(protocol: str, data: tuple[str, ...]) -> ProtocolData:
    from mebench import settings
    from mebench.protocol.opening import open_protocol
    from mebench.protocol.spec import load_protocol

    spec = load_protocol(protocol)
    return open_protocol(
        spec,
        data_roots(data, spec.sources),
        cache=settings.cache_folder(),
        jobs=job_count(None),
        progress=console_progress(),
    )


def _manifest(protocol: str, about: dict[str, Any]) -> Manifest:
    from mebench.errors import UsageError
    from mebench.protocol.spec import load_protocol
    from mebench.spec import explain
    from mebench.submission.manifest import Manifest, ValidationError

    method = {"id": about["method"], "title": about["title"] or about["method"]}
    method |= {"authors": about["authors"], "url": about["url"]}
    value = {"protocol": load_protocol(protocol).id, "method": method, "notes": about["notes"]}
    try:
        return Manifest.model_validate(value)
    except ValidationError as error:
        raise UsageError(explain(Manifest, error)) from error


def _show(done: Conversion, as_json: bool) -> None:
    from dataclasses import asdict

    from mebench.submission.telling import lines

    if as_json:
        rows = [asdict(one) for one in done.taken]
        document = {"sources": rows, "missing": done.missing, "lossy": done.lossy}
        click.echo(json.dumps(document, indent=2))
        return
    for line in lines(done):
        click.echo(line)
