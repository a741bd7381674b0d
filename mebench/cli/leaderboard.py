"""``mebench leaderboard``: records onto the board, scored again, and made into a site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mebench.cli.options import data_roots, device_of, job_count
from mebench.cli.progress import console_progress
from mebench.cli.record import record_files

if TYPE_CHECKING:
    from mebench.board import Entry
    from mebench.protocol.data import ProtocolData
    from mebench.protocol.spec import Protocol
    from mebench.report.site import Group
    from mebench.report.site_media import PlayerMaker

_BOARD = click.option(
    "--board",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("leaderboard"),
    show_default=True,
    help="Folder that holds records/<protocol>/<method>.json.",
)
_SUBMISSIONS = click.option(
    "--submissions",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder with the methods' submissions, <id> or <id>.zip.",
)
_DATA = click.option("--data", multiple=True, metavar="DATASET=ROOT", help="Data root; repeatable.")
_PROTOCOLS = click.option(
    "--protocol",
    "protocols",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="YAML of a protocol of your own that rows were scored with; repeatable.",
)
_JOBS = click.option("--jobs", type=click.IntRange(min=1), help="Worker processes.")


class _Protocols:
    """The protocols that rows name: those of the user's own files, then the known ones."""

    def __init__(self, own: tuple[Path, ...], data: tuple[str, ...], jobs: int) -> None:
        from mebench.protocol.spec import load_protocol

        self._own = {spec.id: spec for spec in (load_protocol(str(path)) for path in own)}
        self._data = data
        self._jobs = jobs

    def load(self, name: str) -> Protocol:
        from mebench.protocol.spec import load_protocol

        return self._own.get(name) or load_protocol(name)

    def opened(self, spec: Protocol) -> ProtocolData:
        from mebench import settings
        from mebench.protocol.opening import open_protocol

        return open_protocol(
            spec,
            data_roots(self._data, spec.sources),
            cache=settings.cache_folder(),
            jobs=self._jobs,
            progress=console_progress(),
        )


@click.group()
def leaderboard() -> None:
    """Take records in, score them again, and build the site."""


@leaderboard.command()
@click.argument("records", nargs=-1, required=True, type=click.Path(path_type=Path))
@_BOARD
@click.option("--replace", is_flag=True, help="Replace the row of a method that is there already.")
def add(records: tuple[Path, ...], board: Path, replace: bool) -> None:
    """Take RECORDS (files, run folders, folders of records) onto the board, self-reported."""
    from mebench.board import add as take_in

    for path in record_files(records):
        place = take_in(board, path, replace=replace)
        click.echo(f"added {place}")


@leaderboard.command()
@_BOARD
@_SUBMISSIONS
@_DATA
@_PROTOCOLS
@_JOBS
@click.option("--device", help="auto, cpu or cuda:N; default: config or auto.")
def check(
    board: Path,
    submissions: Path | None,
    data: tuple[str, ...],
    protocols: tuple[Path, ...],
    jobs: int | None,
    device: str | None,
) -> None:
    """Check every row, and score again those whose submission is there: they become verified."""
    from mebench.board import read
    from mebench.errors import SubmissionError

    entries, problems = read(board)
    for text in problems.values():
        click.echo(f"refused {text}", err=True)
    wrong = len(problems)
    folder = submissions or board / "submissions"
    known = _Protocols(protocols, data, job_count(jobs))
    wrong += _score_again(entries, folder, known, job_count(jobs), device_of(device))
    if wrong:
        raise SubmissionError(f"{wrong} rows of {board} are not what they claim; see above")


def _score_again(
    entries: list[Entry], folder: Path, known: _Protocols, jobs: int, device: str
) -> int:
    """Score rows again by protocol; return how many differ from their record."""
    from mebench import settings
    from mebench.board import submissions_of, verify
    from mebench.scorer import score_many

    wrong = 0
    for name in dict.fromkeys(entry.record.protocol.id for entry in entries):
        rows = [entry for entry in entries if entry.record.protocol.id == name]
        there = submissions_of(folder / name, rows) or submissions_of(folder, rows)
        for entry in rows:
            if entry.record.result.id not in there:
                status = entry.record.status
                click.echo(f"{name}/{entry.record.result.id}: {status}, no submission here")
        if not there:
            continue
        opened = known.opened(known.load(name))
        records, refused = score_many(
            list(there.values()),
            opened,
            families=opened.protocol.metrics,
            cache=settings.cache_folder(),
            device=device,
            jobs=jobs,
            out=settings.cache_folder() / "board-check" / name,
            progress=console_progress(),
        )
        for problem in refused.values():
            click.echo(f"refused {problem}", err=True)
        wrong += len(refused)
        taken = (method for method, path in there.items() if path.name not in refused)
        scored = dict(zip(taken, records, strict=True))
        for entry in rows:
            again = scored.get(entry.record.result.id)
            if again is None:
                continue
            found = verify(entry, again)
            wrong += bool(found)
            told = "; ".join(found[:3]) + ("; ..." if len(found) > 3 else "")
            click.echo(f"{name}/{entry.record.result.id}: {told or entry.record.status}")
    return wrong


@leaderboard.command()
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The site.")
@_BOARD
@_SUBMISSIONS
@_DATA
@_PROTOCOLS
@_JOBS
@click.option("--private", is_flag=True, help="Show gated pixels too; the site says so.")
def build(
    out: Path,
    board: Path,
    submissions: Path | None,
    data: tuple[str, ...],
    protocols: tuple[Path, ...],
    jobs: int | None,
    private: bool,
) -> None:
    """Build a static site that opens from disk; with --submissions, with players and curves."""
    from mebench.board import by_protocol, read
    from mebench.content import content_folder
    from mebench.report.site import build_site

    entries, problems = read(board)
    for text in problems.values():
        click.echo(f"left out {text}", err=True)
    known = _Protocols(protocols, data, job_count(jobs))
    groups, opened = [], {}
    for name, rows in by_protocol(entries).items():
        group, ready = _group(name, rows, known, opens=submissions is not None)
        groups.append(group)
        if ready is not None:
            opened[group.name] = ready
    gated = sorted({name for ready in opened.values() for name in ready.gated})
    stamp = f"PRIVATE: shows pixels of {', '.join(gated)}, do not pass on." if gated else ""
    own = board / "published.csv"
    written = build_site(
        out,
        groups,
        own if own.is_file() else content_folder("leaderboard") / "published.csv",
        None if submissions is None else _players(submissions, groups, opened, private),
        stamp=stamp if private else "",
    )
    click.echo(f"site: {out / 'index.html'} ({len(written)} pages)")


def _group(
    name: str, rows: list[Entry], known: _Protocols, *, opens: bool
) -> tuple[Group, ProtocolData | None]:
    from mebench.errors import UsageError
    from mebench.report.site import Group

    records = [entry.record for entry in rows]
    try:
        protocol = known.load(records[0].protocol.id)
    except UsageError:
        return Group(name, records, None), None
    if protocol.digest != records[0].protocol.digest:
        return Group(name, records, None), None
    if not opens:
        return Group(name, records, protocol), None
    ready = known.opened(protocol)
    return Group(name, records, protocol, ready.gated), ready


def _players(
    folder: Path, groups: list[Group], opened: dict[str, ProtocolData], private: bool
) -> PlayerMaker:
    """Return what makes the players of the records whose submission is in `folder`."""
    from mebench import settings
    from mebench.board import file_name
    from mebench.report.site_media import PlayerMaker
    from mebench.scoring import ScoringOptions

    found: dict[tuple[str, str], Path] = {}
    for group in groups:
        if group.protocol is None:
            continue
        for record in group.records:
            name = file_name(record.result.id)
            for place in (folder / group.name / name, folder / name):
                for path in (place, place.with_name(f"{name}.zip")):
                    if path.exists():
                        found.setdefault((record.protocol.digest, record.result.id), path)
    options = ScoringOptions(metrics=("action_units",), cache=settings.cache_folder())
    by_digest = {ready.protocol.digest: ready for ready in opened.values()}
    return PlayerMaker(found, by_digest, options, private, console_progress())
