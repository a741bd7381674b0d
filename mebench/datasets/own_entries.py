"""Joins clips of one's own with the rows of their CSV: ids, intervals, and what cannot be true."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mebench.datasets.media import ClipFile, FrameFiles
from mebench.datasets.own_files import OwnFile, safe_names, subject_depth
from mebench.datasets.own_table import OwnRow, OwnTable, listing
from mebench.errors import DatasetError
from mebench.facs.codes import ParsedCell, parse_cell
from mebench.facs.emotions import UNKNOWN, canonical_emotion
from mebench.io.frames import index_folder
from mebench.io.video import DEFAULT_FPS, clip_facts
from mebench.types import Annotation

_SKIP = "or go on without it with --on-missing skip"


@dataclass(frozen=True)
class Entry:
    """A clip that is to be read: its row, its frames, and why it cannot be read, if so."""

    annotation: Annotation
    file: OwnFile | None = None
    numbers: tuple[int, ...] = ()
    reader: FrameFiles | None = None
    problem: str = ""


@dataclass
class Entries:
    """All clips, and what is to be told of how they were read.

    Attributes:
        ids: subject and clip of every file, those without a row too.
        assumed: what nobody states and was assumed.
    """

    ids: dict[OwnFile, tuple[str, str]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Held:
    """Frame numbers and files of a clip on disk, and the rate it states."""

    numbers: tuple[int, ...]
    files: tuple[Path, ...]
    fps: float | None


def join(root: Path, files: Sequence[OwnFile], table: OwnTable | None) -> Entries:
    """Return the clips that a CSV lists, or without one all of them.

    Raises:
        DatasetError: for a row that cannot be true, naming file and row.
    """
    found = Entries()
    wrong: list[str] = [*table.wrong] if table else []
    pairs = _paired(files, table, wrong)
    names = _named(files, pairs)
    found.ids = {file: names[file] for file in files}
    unknown: Counter[str] = Counter()
    without_rate: list[str] = []
    for row, file in pairs:
        subject, clip = names[file or row]  # type: ignore[index]
        annotation = _annotation(subject, clip, row, found, unknown)
        if file is None:
            found.entries.append(_lost(root, annotation, row))
            continue
        try:
            held = _held(file)
        except DatasetError as error:
            problem = f"clip {annotation.name}: {error}"
            found.entries.append(Entry(annotation, file, problem=problem))
            continue
        if annotation.fps is None and held.fps is None:
            without_rate.append(file.name)
        try:
            found.entries.append(_entry(annotation, row, file, held))
        except DatasetError as error:
            wrong.append(str(error))
    _refuse(wrong)
    _tell(found, table, without_rate, unknown)
    alone = sum(not (row and row.subject) for row, _ in pairs)
    if alone > 1 and subject_depth(files) is None:
        found.assumed.append(
            f"{alone} of {len(pairs)} clips are taken for subjects of their own, since the clips "
            "do not lie one level below folders of subjects; say who is shown in a column subject "
            "of clips.csv"
        )
    return found


def _refuse(wrong: Sequence[str]) -> None:
    if wrong:
        more = f" (and {len(wrong) - 1} more rows)" if len(wrong) > 1 else ""
        raise DatasetError(wrong[0] + more)


def _tell(
    found: Entries, table: OwnTable | None, without_rate: Sequence[str], unknown: Counter[str]
) -> None:
    if without_rate:
        named = ", ".join(listing(without_rate))
        found.assumed.append(
            f"{DEFAULT_FPS:g} frames per second assumed for {len(without_rate)} of "
            f"{len(found.entries)} clips, which state no rate ({named}); "
            "say it in a column fps of clips.csv"
        )
    if table is not None and table.unknown:
        found.notes.append(
            f"{table.path.name}: columns ignored: {', '.join(listing(table.unknown, 8))}"
        )
    for word, count in sorted(unknown.items()):
        held = f"{count} of {len(found.entries)} clips"
        found.notes.append(f"emotion '{word[:40]}' counts as {UNKNOWN} ({held})")


def _paired(
    files: Sequence[OwnFile], table: OwnTable | None, wrong: list[str]
) -> list[tuple[OwnRow | None, OwnFile | None]]:
    """Return the file of every row, None for one that is not there."""
    if table is None:
        return [(None, file) for file in files]
    look_up = _LookUp(files)
    pairs: list[tuple[OwnRow | None, OwnFile | None]] = []
    first: dict[Hashable, OwnRow] = {}
    for row in table.rows:
        fitting = look_up.find(row)
        if len(fitting) > 1:
            which = ", ".join(listing([file.name for file in fitting]))
            wrong.append(f"{row.where}: clip '{row.clip}' may be {which}; write its whole path")
            continue
        file = fitting[0] if fitting else None
        name = file or _folded(row.clip)
        if name in first:
            wrong.append(
                f"{row.where}: clip '{row.clip}' stands twice, first in row {first[name].number}; "
                "keep one of them"
            )
            continue
        first[name] = row
        pairs.append((row, file))
    return pairs


class _LookUp:
    """Finds clips by their path, or by its last parts where those are clear."""

    def __init__(self, files: Sequence[OwnFile]) -> None:
        self._whole: dict[str, list[OwnFile]] = defaultdict(list)
        self._tails: dict[str, list[OwnFile]] = defaultdict(list)
        for file in files:
            for name in {file.name, file.title}:
                self._whole[_folded(name)].append(file)
                parts = name.split("/")
                for start in range(1, len(parts)):
                    self._tails[_folded("/".join(parts[start:]))].append(file)

    def find(self, row: OwnRow) -> list[OwnFile]:
        """Return the clips that a row may mean."""
        name = _folded(row.clip)
        fitting = self._whole.get(name) or self._tails.get(name, [])
        if len(fitting) > 1:
            exact = [file for file in fitting if row.clip in (file.name, file.title)]
            own = [f for f in fitting if len(f.parts) > 1 and f.parts[-2] == row.subject]
            fitting = next((few for few in (exact, own) if len(few) == 1), fitting)
        return fitting


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _named(
    files: Sequence[OwnFile], pairs: Sequence[tuple[OwnRow | None, OwnFile | None]]
) -> dict[OwnFile | OwnRow, tuple[str, str]]:
    """Return subject and clip of every file, and of every row without one."""
    row_of = {file: row for row, file in pairs if file is not None}
    lost = [row for row, file in pairs if file is None and row is not None]
    depth = subject_depth(files)
    people: dict[OwnFile | OwnRow, tuple[str, ...]] = {}
    texts: dict[OwnFile | OwnRow, str] = {}
    for file in files:
        row = row_of.get(file)
        folder = None if depth is None else file.parts[depth]
        said = (row.subject if row else "") or folder
        people[file] = ("subject", said) if said else ("clip", file.name, file.title)
        texts[file] = file.parts[-1] if folder and said == folder else file.title
    for row in lost:
        people[row] = ("subject", row.subject) if row.subject else ("clip", row.clip)
        texts[row] = row.clip
    subjects = safe_names({each: each[-1] for each in people.values()})
    of_subject: dict[tuple[str, ...], dict[OwnFile | OwnRow, str]] = defaultdict(dict)
    for one, each in people.items():
        of_subject[each][one] = texts[one]
    clips = {one: clip for each in of_subject.values() for one, clip in safe_names(each).items()}
    return {one: (subjects[people[one]], clips[one]) for one in people}


def _lost(root: Path, annotation: Annotation, row: OwnRow | None) -> Entry:
    where = f"{row.where}: " if row else ""
    asked = f" ('{row.clip}')" if row and row.clip != annotation.name else ""
    return Entry(
        annotation,
        problem=f"{where}clip {annotation.name}{asked} does not lie below {root}; correct the "
        f"name, {_SKIP}",
    )


def _annotation(
    subject: str, clip: str, row: OwnRow | None, found: Entries, unknown: Counter[str]
) -> Annotation:
    """Return what a row says, without its interval."""
    emotion, cell = UNKNOWN, ParsedCell(unknown=True)
    if row is not None and row.emotion:
        try:
            emotion = canonical_emotion(row.emotion)
        except DatasetError:
            unknown[row.emotion] += 1
    if row is not None:
        try:
            cell = parse_cell(row.au)
        except DatasetError as error:
            found.unreadable.append(f"{row.where}: {error}")
    return Annotation(
        subject=subject,
        clip_id=clip,
        onset=0,
        apex=None,
        apex_source="none",
        offset=0,
        action_units=cell.action_units,
        au_raw=row.au if row else "",
        emotion=emotion,
        emotion_raw=row.emotion if row else "",
        au_unknown=cell.unknown,
        fps=row.fps if row else None,
        row=row.number if row else None,
    )


def _held(file: OwnFile) -> _Held:
    """Return what lies on disk; frames of a clip file count from 1.

    Raises:
        DatasetError: for a clip that cannot be read, or of fewer than two frames.
    """
    if file.media == "frames":
        images = index_folder(file.path)
        return _Held(tuple(images), tuple(images.values()), None)
    count, fps = clip_facts(file.path)
    if count < 2:
        raise DatasetError(f"{file.path}: {count} frames; a clip needs two or more")
    return _Held(tuple(range(1, count + 1)), (), fps)


def _entry(annotation: Annotation, row: OwnRow | None, file: OwnFile, held: _Held) -> Entry:
    """Return a clip with its interval and frames.

    Raises:
        DatasetError: for frame numbers in the row that cannot be true.
    """
    onset, apex, offset = (row.onset, row.apex, row.offset) if row else (None, None, None)
    first, last = held.numbers[0], held.numbers[-1]
    for name, number in (("onset", onset), ("offset", offset)):
        if row and number is not None and not first <= number <= last:
            counted = "by the images' names" if file.media == "frames" else "counted from 1"
            raise DatasetError(
                f"{row.where}: {name} {number} lies outside the clip's frames {first}..{last} "
                f"({counted}); correct it, or leave it empty"
            )
    onset, offset = first if onset is None else onset, last if offset is None else offset
    numbers = tuple(number for number in held.numbers if onset <= number <= offset)
    if row and (onset >= offset or len(numbers) < 2):
        raise DatasetError(
            f"{row.where}: onset {onset} must lie before offset {offset}, with two frames or more "
            "between; correct one of them"
        )
    if row and apex is not None and not onset <= apex <= offset:
        raise DatasetError(
            f"{row.where}: apex {apex} lies outside onset..offset, {onset}..{offset}; correct it, "
            "or leave it empty"
        )
    if file.media == "file":
        reader: FrameFiles = ClipFile.part(file.path, range(onset - 1, offset))
    else:
        path_of = dict(zip(held.numbers, held.files, strict=True))
        reader = FrameFiles.of([path_of[number] for number in numbers])
    full = replace(
        annotation,
        onset=onset,
        apex=apex,
        apex_source="none" if apex is None else "annotated",
        offset=offset,
        fps=annotation.fps or held.fps,
    )
    return Entry(full, file, numbers, reader)
