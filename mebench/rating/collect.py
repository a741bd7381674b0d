"""Collects what raters send back: every file checked, files of one rater put together."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mebench.errors import SubmissionError
from mebench.rating.answers import Entry, Place, listed, missing, shown, title
from mebench.rating.from_page import read_export
from mebench.rating.from_sheet import read_sheets
from mebench.rating.given import CollectError, Given, Lines
from mebench.rating.model import Item, Key, Rating, Ratings, ReadFile
from mebench.submission.text import plain

OnConflict = Literal["refuse", "newest", "first"]
Partial = Literal["keep", "refuse"]
MAX_FILE_BYTES = 16 << 20
_OLE = b"\xd0\xcf\x11\xe0"
_SEND = "send the page's export (.json) or ratings.xlsx"


def collect(
    files: Sequence[Path],
    key: Key,
    *,
    on_conflict: OnConflict = "refuse",
    partial: Partial = "keep",
    skip_bad: bool = False,
) -> Ratings:
    """Return the answers in raters' files: exports of the page and filled-in sheets.

    Files of one rater are put together answer by answer. Two files conflict where both answer
    alike no more, or where both hold an item complete and only one has an optional answer (its
    absence is an answer there). `newest` settles that by the time of saving, or by the order given
    where a sheet does not tell one; `first` by the order given. Seconds are the longest told.

    Raises:
        CollectError: with a line for each problem of each file; with `skip_bad`, bad files are left
            out and noted instead, but conflicts still refuse.
    """
    given: list[Given] = []
    lines: list[str] = []
    notes: list[str] = []
    for path, label in zip(files, _labels(files), strict=True):
        try:
            given.append(read_file(path, label, key))
        except CollectError as error:
            lines += error.lines
            notes.append(f"{plain(path.name)} was left out: {_inside(error, path)}")
    if lines and not (skip_bad and given):
        raise CollectError(lines)
    panel = _Panel(key, on_conflict)
    for rater in key.raters:
        panel.add(rater, [one for one in given if one.rater == rater])
    if partial == "refuse":
        panel.refuse_partial()
    if panel.problems:
        raise CollectError(panel.problems)
    return Ratings(
        bundle=key.bundle,
        ratings=tuple(panel.ratings),
        files=tuple(
            ReadFile(name=one.name, sha256=one.sha256, rater=one.rater, ratings=len(one.entries))
            for one in given
        ),
        notes=tuple(notes + panel.notes),
    )


def read_file(path: Path, label: str, key: Key) -> Given:
    """Return what one file gives; its content decides what it is, not its suffix.

    Raises:
        CollectError: a line for each thing that is wrong with it.
    """
    data = _bytes(path, label)
    name, sha256 = plain(path.name), hashlib.sha256(data).hexdigest()
    try:
        if data.startswith(b"PK"):
            return read_sheets(data, label, name, sha256, key)
        if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
            return read_export(data, label, name, sha256, key)
    except CollectError:
        raise
    except SubmissionError as error:
        raise CollectError([str(error)]) from error
    raise CollectError([f"{label}: {_what(data)}; {_SEND}"])


class _Panel:
    """Answers of all raters, put together file by file."""

    def __init__(self, key: Key, on_conflict: OnConflict) -> None:
        self._key, self._on_conflict = key, on_conflict
        self._given: dict[str, list[Given]] = {}
        self.ratings: list[Rating] = []
        self.problems: list[str] = []
        self.notes: list[str] = []

    def add(self, rater: str, given: list[Given]) -> None:
        """Add a rater's files."""
        self._given[rater] = given
        if not given:
            self.notes.append(f"{rater}: no file")
            return
        merged = self._merged(rater, given)
        items = self._key.raters[rater]
        done = 0
        for item in items:
            if item.id not in merged:
                continue
            complete = not missing(self._key.form, item, merged[item.id])
            done += complete
            self.ratings.append(_rating(rater, item, merged[item.id], complete, self._key))
        if done < len(items):
            begun = len(merged) - done
            some = f", {begun} begun" if begun else ""
            names = listed(list(dict.fromkeys(one.name for one in given)))
            self.notes.append(
                f"{rater} stopped halfway ({names}): {done} of {len(items)} clips complete{some}"
            )

    def refuse_partial(self) -> None:
        """Note every required answer that is missing from a rater who sent a file."""
        for rater, given in self._given.items():
            rated = {one.item: one for one in self.ratings if one.rater == rater}
            lines = Lines()
            for item in self._key.raters[rater] if given else ():
                entry = _entry_of(rated[item.id]) if item.id in rated else None
                lacking = missing(self._key.form, item, entry)
                if lacking:
                    holder = next((g for g in reversed(given) if item.id in g.entries), given[-1])
                    for line in holder.places(item.id, lacking):
                        lines.add(f"{line}; ask rater {rater} for it, or: --partial keep")
            try:
                lines.settle(rater)
            except CollectError as error:
                self.problems += error.lines

    def _merged(self, rater: str, given: list[Given]) -> dict[str, Entry]:
        merged: dict[str, _Merged] = {}
        settled = 0
        for one in self._ordered(given):
            for item in self._key.raters[rater]:
                entry = one.entries.get(item.id)
                if entry is None:
                    continue
                held = merged.setdefault(item.id, _Merged())
                conflicts = held.take(entry, one.label, not missing(self._key.form, item, entry))
                settled += len(conflicts)
                if self._on_conflict == "refuse":
                    self.problems += [
                        f"{rater}: clip {item.id}, {self._named(place)}: {text}; leave one file "
                        "out, or: --conflict newest (or first)"
                        for place, text in conflicts
                    ]
        if settled and self._on_conflict != "refuse":
            self.notes.append(
                f"{rater}: {settled} answers differ between {listed([g.name for g in given])}; "
                f"the {self._winner(given)} counts"
            )
        order = [item.id for item in self._key.raters[rater]]
        return {item: merged[item].entry for item in order if item in merged}

    def _ordered(self, given: list[Given]) -> list[Given]:
        """Return files such that the later one counts."""
        if self._on_conflict == "first":
            return given[::-1]
        if self._on_conflict == "newest" and self._winner(given) == "newest":
            return sorted(given, key=lambda one: one.saved.timestamp() if one.saved else 0.0)
        return given

    def _winner(self, given: list[Given]) -> str:
        if self._on_conflict == "first":
            return "first given"
        return "newest" if all(one.saved for one in given) else "last given"

    def _named(self, place: Place) -> str:
        au, name = place
        question = next(one for one in self._key.form.fields if one.id == name)
        return f"{title(question)} [{name}]" + (f" of AU {au}" if au else "")


@dataclass
class _Merged:
    """One item of one rater, from several files."""

    entry: Entry = field(default_factory=Entry)
    complete: bool = False
    sources: dict[Place, str] = field(default_factory=dict)
    last: str = ""

    def take(self, new: Entry, label: str, complete: bool) -> list[tuple[Place, str]]:
        """Take another file's answers over what is held; return where they conflict."""
        old = self.entry.answers
        both = complete and self.complete
        places = list(dict.fromkeys([*old, *new.answers])) if both else list(new.answers)
        conflicts = [
            (place, f"{self.sources.get(place, self.last)} says {_said(old, place)}, "
                    f"{label} says {_said(new.answers, place)}")
            for place in places
            if (place in old or both) and not _alike(old.get(place), new.answers.get(place))
        ]  # fmt: skip
        if both:
            self.entry.answers, self.sources = {}, {}
        self.entry.answers.update(new.answers)
        self.sources.update(dict.fromkeys(new.answers, label))
        self.complete = complete or self.complete
        self.last = label
        told = [one for one in (self.entry.seconds, new.seconds) if one is not None]
        self.entry.seconds = max(told, default=None)
        return conflicts


def _alike(one: Any, other: Any) -> bool:
    """Return whether two answers are the same; action units may be named in any order."""
    if isinstance(one, list) and isinstance(other, list):
        return set(one) == set(other)
    return bool(one == other)


def _said(answers: dict[Place, Any], place: Place) -> str:
    value = answers.get(place)
    if value is None:
        return "nothing"
    return listed([str(one) for one in value]) if isinstance(value, list) else shown(value)


def _rating(rater: str, item: Item, entry: Entry, complete: bool, key: Key) -> Rating:
    """Return an entry as it is stored: questions in the form's order, AUs in the item's."""
    order = [question.id for question in key.form.fields]
    values = {name: entry.answers[None, name] for name in order if (None, name) in entry.answers}
    units = {
        au: {name: entry.answers[au, name] for name in order if (au, name) in entry.answers}
        for au in item.aus
    }
    return Rating(
        rater=rater,
        item=item.id,
        values=values,
        aus={au: answers for au, answers in units.items() if answers},
        seconds=entry.seconds,
        complete=complete,
    )


def _entry_of(rating: Rating) -> Entry:
    answers: dict[Place, Any] = {(None, name): value for name, value in rating.values.items()}
    for au, values in rating.aus.items():
        answers |= {(au, name): value for name, value in values.items()}
    return Entry(answers)


def _labels(files: Sequence[Path]) -> list[str]:
    """Return names for messages: base names, or whole paths where two files are named alike."""
    names = [path.name for path in files]
    return [plain(str(p) if names.count(p.name) > 1 else p.name) for p in files]


def _inside(error: CollectError, path: Path) -> str:
    """Return what is wrong with a file, without the folder it lies in."""
    return str(error).replace(str(path), path.name).removeprefix(f"{plain(path.name)}: ")


def _bytes(path: Path, label: str) -> bytes:
    try:
        # A pipe put in a file's place must not hold us up.
        handle = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CollectError([f"{label}: no regular file; {_SEND}"])
            data = file.read(MAX_FILE_BYTES + 1)
    except IsADirectoryError as error:
        raise CollectError([f"{label}: a folder, expected a file; name the files in it"]) from error
    except OSError as error:
        raise CollectError(
            [f"{label}: cannot be read ({error.strerror}); check its name and rights"]
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise CollectError([f"{label}: larger than {MAX_FILE_BYTES >> 20} MiB; {_SEND}"])
    return data


def _what(data: bytes) -> str:
    """Return what a file is that is neither export nor sheet."""
    if not data.strip():
        return "empty"
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            return "protected by a password; save it without one"
        return "an old .xls workbook; save it as .xlsx"
    if data.lstrip()[:1] == b"<":
        return "a page or XML, not what the page exports"
    first = data[:2000].decode("utf-8", "replace").split("\n")[0]
    if any(first.count(sign) > 1 for sign in ",;\t"):
        return "CSV text, which loses sheets and types"
    return "neither an export nor an .xlsx workbook"
