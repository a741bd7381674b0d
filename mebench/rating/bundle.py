"""Makes the folders that raters get, and the key that stays with the organiser."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mebench import __version__
from mebench.errors import UsageError
from mebench.facs.codes import format_units
from mebench.io.files import atomic_folder, write_text
from mebench.protocol.data import ProtocolData
from mebench.rating.blinding import RatedPair, plan_panel
from mebench.rating.form import Form
from mebench.rating.model import Item, Key, RatedMethod
from mebench.rating.page import instructions_page, player_page
from mebench.rating.reals import RealClips
from mebench.rating.sheets import Sheets, shown_by
from mebench.rating.workbook import write_workbook
from mebench.record import ProtocolStamp
from mebench.scoring import frames_digest, outputs_digest
from mebench.spec import digest
from mebench.submission.validate import Submission
from mebench.types import ActionUnit, Pair, Progress, SilentProgress

KEY = "key.json"
_RATER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_MOST_RATERS = 1000
_OF_RATER = ("index.html", "instructions.html", "media", "ratings.xlsx")
_THE_TIME = 946684800
"""Of every file, seconds: when a folder was made says nothing."""


@dataclass(frozen=True)
class Settings:
    """How a panel is made up.

    Attributes:
        form: what is asked.
        raters: pseudonyms.
        clips: at most so many pairs; None for all.
        repeats: share of the entries that are shown again, unannounced.
        reals: real clips among them, as a share of the entries.
        seed: of every order and name; None draws one that nobody can guess.
        private: whether pixels of gated data may go in.
        side: pixels of a frame at most; None for the protocol's own size.
        zipped: whether each folder is packed too.
    """

    form: Form
    raters: tuple[str, ...]
    clips: int | None = None
    repeats: float = 0.1
    reals: float = 0.1
    seed: int | None = None
    private: bool = False
    side: int | None = None
    zipped: bool = False


def raters_of(text: str) -> tuple[str, ...]:
    """Return the pseudonyms in ``3`` (R1, R2, R3) or ``anna,b7``.

    Raises:
        UsageError: for a name that is none, or stands twice.
    """
    names = [name.strip() for name in text.split(",")]
    if text.strip().isdecimal():
        if int(text) > _MOST_RATERS:
            raise UsageError(f"raters '{text}': at most {_MOST_RATERS} in a panel")
        names = [f"R{number}" for number in range(1, int(text) + 1)]
    bad = next((name for name in names if not _RATER.fullmatch(name)), None)
    if bad is not None or not names:
        raise UsageError(
            f"rater '{bad or text}': expected a number, or names of letters, digits, '_' and '-'"
        )
    if len({name.casefold() for name in names}) < len(names):
        raise UsageError(f"raters '{text}': a name stands twice")
    return tuple(names)


def check_place(out: Path, *, replace: bool) -> None:
    """Make sure that a panel may be written to `out`.

    Raises:
        UsageError: when a panel is there, or with `replace` anything that is not part of one.
    """
    if not os.path.lexists(out):
        return
    if not replace:
        raise UsageError(
            f"{out}: is there already, and ratings by its {KEY} may be under way; give another "
            "folder, or --replace it"
        )
    if out.is_symlink() or not out.is_dir():
        raise UsageError(f"{out}: is not a folder of mebench rate make; give another place")
    inside = sorted(path.name for path in out.iterdir())
    if not inside:
        return
    if KEY not in inside:
        raise UsageError(
            f"{out}: holds no {KEY}, so --replace leaves it alone; give another folder"
        )
    raters = Key.load(out / KEY).raters
    own = {KEY, *raters, *(f"{rater}.zip" for rater in raters)}
    foreign = [name for name in inside if name not in own]
    for rater in raters:
        # What a rater sent back may have been put there.
        names = sorted(path.name for path in out.glob(f"{rater}/*"))
        foreign += [f"{rater}/{name}" for name in names if name not in _OF_RATER]
    if foreign:
        raise UsageError(
            f"{out / foreign[0]}: is not of the panel and would go with --replace; move it away"
        )


def make_bundles(
    out: Path,
    submissions: Sequence[Submission],
    data: ProtocolData,
    settings: Settings,
    *,
    cache: Path,
    progress: Progress | None = None,
) -> Key:
    """Write a folder a rater below `out`, and key.json beside them; return the key.

    Each clip is shown in the view its method drew in; where outputs lie is kept in `cache`.

    Raises:
        UsageError: for gated data without `private`, or two submissions of one method.
        SubmissionError: for a submission that cannot be read, or an output that does not show
            its template.
    """
    if data.gated and not settings.private:
        raise UsageError(
            f"{', '.join(data.gated)} may not be passed on, and raters would get its frames: with "
            "--private you say that your licence lets these raters see them"
        )
    seed = secrets.randbits(48) if settings.seed is None else settings.seed
    pairs = spread(data, settings.clips)
    progress = progress or SilentProgress()
    methods, entrants = _entrants(submissions, data, progress)
    reals = RealClips(data)
    plan = plan_panel(
        tuple(methods),
        [_rated(pair, data, reals) for pair in pairs],
        settings.raters,
        repeats=settings.repeats,
        reals=settings.reals,
        seed=seed,
    )
    key = Key(
        bundle="",
        protocol=ProtocolStamp(id=data.protocol.id, digest=data.protocol.digest),
        index_digest=data.index_digest,
        form=settings.form,
        seed=seed,
        private=bool(data.gated),
        gated=data.gated,
        methods=methods,
        raters=plan,
        mebench=__version__,
    )
    key.bundle = digest(key)[:16]
    with (
        atomic_folder(out) as folder,
        tempfile.TemporaryDirectory(dir=folder) as pool,
        progress.task("rate", total=len(shown_by(plan)) + len(plan)) as task,
    ):
        store = Sheets(Path(pool), data, entrants, reals, settings.side, cache, task)
        store.fill(plan)
        for number, (rater, items) in enumerate(plan.items()):
            _write_rater(folder / rater, number, rater, items, key, store)
            if settings.zipped:
                _pack(folder / rater, folder / f"{rater}.zip")
            task.advance(note=rater)
        key.save(folder / KEY)
        (folder / KEY).chmod(0o600)
    return key


def spread(data: ProtocolData, most: int | None) -> tuple[Pair, ...]:
    """Return at most so many pairs, spread over data sets, driving subjects and templates."""
    if most is None or len(data.pairs) <= most:
        return data.pairs
    taken: Counter[str] = Counter()
    chosen: set[Pair] = set()
    while len(chosen) < most:
        left = [pair for pair in data.pairs if pair not in chosen]
        best = min(left, key=lambda pair: [taken[name] for name in _names(data, pair)])
        taken.update(_names(data, best))
        chosen.add(best)
    return tuple(pair for pair in data.pairs if pair in chosen)


def _names(data: ProtocolData, pair: Pair) -> list[str]:
    return [data.part(pair), data.group(pair), f"clip {pair.driving}", f"face {pair.template}"]


def _entrants(
    submissions: Sequence[Submission], data: ProtocolData, progress: Progress
) -> tuple[dict[str, RatedMethod], dict[str, Submission]]:
    """Return what is rated, each method known by the pixels of all its outputs."""
    methods: dict[str, RatedMethod] = {}
    entrants: dict[str, Submission] = {}
    with progress.task("read submissions", total=len(submissions)) as task:
        for submission in submissions:
            method = submission.manifest.method
            if method.id in methods:
                raise UsageError(
                    f"{submission.path.name} and {entrants[method.id].path.name} are both of "
                    f"method '{method.id}'; leave one out"
                )
            digests = {pair: frames_digest(submission.frames(pair)) for pair in data.pairs}
            methods[method.id] = RatedMethod(
                title=method.title, pixel_digest=outputs_digest(digests)
            )
            entrants[method.id] = submission
            task.advance(note=submission.path.name)
    return methods, entrants


def _rated(pair: Pair, data: ProtocolData, reals: RealClips) -> RatedPair:
    driving = data.driving[pair.driving]
    return RatedPair(
        key=pair.key,
        dataset=data.part(pair),
        subject=data.group(pair),
        aus=tuple(dict.fromkeys(_target(unit) for unit in driving.action_units)),
        real=reals.name(pair),
    )


def _target(unit: ActionUnit) -> str:
    """Return a target AU as raters see it: without the intensity that they are to judge."""
    return format_units([ActionUnit(unit.au, unit.side, unit.half)])


def _write_rater(
    folder: Path, number: int, rater: str, items: Sequence[Item], key: Key, store: Sheets
) -> None:
    rng = np.random.default_rng([key.seed, 3, number])
    stamp = stamp_of(key)
    (folder / "media").mkdir(parents=True)
    told = []
    for item in items:
        made = store.made[item.pair, item.method, item.real]
        sheets = {}
        for name, sheet in made["sheets"].items():
            opaque = f"media/{int(rng.integers(1 << 48)):012x}.webp"
            shutil.copyfile(store.pool / sheet["file"], folder / opaque)
            sheets[name] = {**sheet, "file": opaque}
        told.append({"id": item.id, "aus": list(item.aus), **made, "sheets": sheets})
    page = player_page(key.form, told, bundle=key.bundle, rater=rater, stamp=stamp)
    write_text(folder / "index.html", page)
    write_workbook(
        folder / "ratings.xlsx",
        form=key.form,
        items=items,
        bundle=key.bundle,
        rater=rater,
        stamp=stamp,
    )
    page = instructions_page(
        key.form, clips=len(items), bundle=key.bundle, rater=rater, stamp=stamp, sheet=True
    )
    write_text(folder / "instructions.html", page)
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (_THE_TIME, _THE_TIME))


def stamp_of(key: Key) -> str:
    """Return what stands above a bundle that may not be passed on, else nothing."""
    if not key.gated:
        return ""
    return (
        f"PRIVATE: contains frames of {', '.join(key.gated)}. Do not pass on; delete after rating."
    )


def _pack(folder: Path, target: Path) -> None:
    """Zip a rater's folder; the same files give the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder.parent).as_posix()
            info = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            small = path.suffix != ".webp"
            info.compress_type = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
            archive.writestr(info, path.read_bytes())
