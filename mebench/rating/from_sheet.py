"""Reads a filled-in ratings.xlsx, cell by cell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from mebench.rating.answers import Entry, normal, refusal, shown, split_units, unit
from mebench.rating.cells import Sheet, Value, letters, place_of, read_book
from mebench.rating.form import Choice, Question, Scale, Units, YesNo
from mebench.rating.given import CollectError, Given, Lacking, Lines, check_owner
from mebench.rating.layout import (
    ABOUT,
    ABOUT_ROWS,
    CLIP,
    HEAD_ROWS,
    LISTS,
    RATINGS,
    REQUIRED,
    TARGET,
    TARGETS,
    TICK,
    UNITS,
    Column,
    Head,
    columns,
    has_units,
    one_line,
)
from mebench.rating.model import Key
from mebench.submission.text import plain

_AS_SENT = "put it back as it was sent"
_WHOLE = re.compile(r"([0-9]{1,9})(?:\.0+)?")
_LINE_ENDS = re.compile("\r\n?")
Row = tuple[str, str]
"""What a row is known by: clip and target AU(s)."""


def read_sheets(data: bytes, label: str, name: str, sha256: str, key: Key) -> Given:
    """Return the answers of a workbook.

    Whole numbers may be stored as 4, 4.0 or the text "4"; 3.5 is refused, and so is any formula,
    whatever value is stored with it. Rows and columns may stand in any order.

    Raises:
        CollectError: a line for each thing that is wrong, with sheet, row and column.
    """
    book = read_book(data, label)
    lines = Lines()
    wanted = [RATINGS, *([UNITS] if has_units(key.form) else []), ABOUT]
    for lacking in [one for one in wanted if one not in book]:
        there = ", ".join(f"'{plain(one, 30)}'" for one in book)
        lines.add(f"{label}: sheet '{lacking}' is missing or renamed, there is {there}; {_AS_SENT}")
    for extra in [one for one in book if one not in (*wanted, LISTS) and book[one].values]:
        place = letters(min(book[extra].values)[1]) + str(min(book[extra].values)[0])
        lines.add(
            f"{label}: sheet '{plain(extra, 30)}' is not of the form (cell {place} holds "
            "something); move what it says into Comment and delete it"
        )
    lines.settle(label)
    rater = _owner(book[ABOUT], label, key)
    given = Given(label, name, sha256, rater)
    items = key.raters[rater]
    tables = [
        _Table(
            book[RATINGS], label, RATINGS, (CLIP, TARGETS), columns(key.form, per_au=False),
            [(item.id, "+".join(item.aus)) for item in items], lines,
        )
    ]  # fmt: skip
    if UNITS in wanted:
        tables.append(
            _Table(
                book[UNITS], label, UNITS, (CLIP, TARGET), columns(key.form, per_au=True),
                [(item.id, au) for item in items for au in item.aus], lines,
            )
        )  # fmt: skip
    for table in tables:
        table.read(given.entries)
    lines.settle(label)
    given.entries = {item: entry for item, entry in given.entries.items() if entry.answers}
    given.places = lambda item, lacking: [
        line for table in tables for line in table.places(item, lacking)
    ]
    return given


def _owner(about: Sheet, label: str, key: Key) -> str:
    said: dict[str, Value] = {}
    for (row, column), value in sorted(about.values.items()):
        if column == 1 and value in ABOUT_ROWS.values():
            where = f"{label}: sheet '{ABOUT}', row {row}, column B ({value})"
            if (row, 2) in about.formulas:
                raise CollectError([f"{where}: a formula; {_AS_SENT}"])
            found = about.values.get((row, 2))
            said.setdefault(str(value), found.strip() if isinstance(found, str) else found)
    for text in ABOUT_ROWS.values():
        if said.get(text) is None:
            raise CollectError([f"{label}: sheet '{ABOUT}' does not say '{text}'; {_AS_SENT}"])
    return check_owner(label, key, said[ABOUT_ROWS["bundle"]], said[ABOUT_ROWS["rater"]])


class _Table:
    """One sheet of answers."""

    def __init__(
        self,
        sheet: Sheet,
        label: str,
        name: str,
        heads: tuple[Head, Head],
        asked: Sequence[Column],
        rows: Sequence[Row],
        lines: Lines,
    ) -> None:
        self._sheet, self._lines = sheet, lines
        self._where = f"{label}: sheet '{name}'"
        self._heads, self._asked = heads, {column.id: column for column in asked}
        self._expected = rows
        self._columns: dict[str, int] = {}
        self._rows: dict[Row, int] = {}
        self._per_au = heads[1] is TARGET

    def read(self, entries: dict[str, Entry]) -> None:
        """Add the answers to `entries` by item."""
        good = self._find_columns()
        for cells in self._sheet.merged:
            at = self._at(*(place_of(cells.split(":")[0]) or (0, 0)))
            self._lines.add(f"{at}: cells {cells} are merged; unmerge them")
        for row, column in self._sheet.formulas:
            self._lines.add(f"{self._at(row, column)}: a formula; type the value itself")
        if good:
            self._find_rows()
            for (item, target), row in self._rows.items():
                entry = entries.setdefault(item, Entry())
                self._answers(entry, row, target if self._per_au else None)

    def places(self, item: str, lacking: Lacking) -> list[str]:
        """Return a line for each row of this sheet in which answers of `item` are missing."""
        found = []
        for (clip, target), row in self._rows.items():
            mine = [
                f"{letters(self._columns[name])} ({self._asked[name].title})"
                for question, au in lacking
                if clip == item and question.per_au is self._per_au and au in (None, target)
                for name in [self._first_column(question.id)]
            ]
            if mine:
                found.append(f"{self._where}, row {row}, column {', '.join(mine)}: missing")
        return found

    def _first_column(self, question: str) -> str:
        return next(name for name, one in self._asked.items() if one.question.id == question)

    def _find_columns(self) -> bool:
        """Learn which column is which; tell what is renamed, missing, doubled or added."""
        values = self._sheet.values
        heads = {name: head for head, name in self._heads}
        heads |= {name: column.head[0] for name, column in self._asked.items()}
        good = True
        tops = {column: row for row, column in sorted(values, reverse=True)}
        for at in sorted(tops):
            name = one_line(_plain_text(values.get((HEAD_ROWS, at))))
            said = _plain_text(values.get((1, at)))
            problem, row = "", HEAD_ROWS
            if name in self._columns:
                problem = f"column '{name}' stands twice"
            elif name in heads:
                self._columns[name] = at
                if not _same_head(said, heads[name]):
                    problem, row = f"expected '{_first_line(heads[name])}'", 1
            elif name:
                expected = ", ".join(one for one in heads if one not in self._columns)
                problem = f"unknown column '{plain(name, 40)}', expected {expected or 'no more'}"
            else:
                row = tops[at]
                problem = f"{shown(values[row, at])} stands outside the form"
            if problem:
                head = plain(_first_line(said), 40) or "no header"
                where = f"{self._where}, row {row}, column {letters(at)} ({head})"
                self._lines.add(f"{where}: {problem}; {_AS_SENT}")
                good = False
        for name in [one for one in heads if one not in self._columns]:
            self._lines.add(
                f"{self._where}, row {HEAD_ROWS}: column '{name}' ({_first_line(heads[name])}) "
                f"is missing; {_AS_SENT}"
            )
            good = False
        return good

    def _find_rows(self) -> None:
        """Learn which row is which; tell unknown, doubled and missing ones."""
        first, second = (self._columns[head[1]] for head in self._heads)
        expected, clips = set(self._expected), {clip for clip, _ in self._expected}
        unknown: list[str] = []
        filled = sorted({row for row, _ in self._sheet.values if row > HEAD_ROWS})
        for row in filled:
            known = (self._text(row, first), self._text(row, second))
            where = f"{self._at(row, first)}"
            if known in self._rows:
                unknown.append(
                    f"{where}: {_row_name(known)} stands twice, first in row "
                    f"{self._rows[known]}; keep one"
                )
            elif known in expected:
                self._rows[known] = row
            elif known[0] in clips:
                targets = " or ".join(t for clip, t in self._expected if clip == known[0])
                unknown.append(
                    f"{self._at(row, second)}: clip {known[0]} is of AU {targets or 'none'}, "
                    f"got {shown(known[1])}; {_AS_SENT}"
                )
            else:
                unknown.append(f"{where}: unknown clip {shown(known[0])}; {_AS_SENT}")
        lost = [known for known in self._expected if known not in self._rows]
        for line in unknown:
            self._lines.add(line)
        for known in lost:
            self._lines.add(f"{self._where}: no row for {_row_name(known)}; {_AS_SENT}")

    def _answers(self, entry: Entry, row: int, au: str | None) -> None:
        ticked: dict[str, list[str]] = {}
        for name, column in self._asked.items():
            value = self._sheet.values.get((row, self._columns[name]))
            if value is None or (row, self._columns[name]) in self._sheet.formulas:
                continue
            question = column.question
            if column.box is not None:
                text = _plain_text(value).strip().lower()
                if text in (TICK, "×", "1"):
                    ticked.setdefault(question.id, []).append(column.box.id)
                else:
                    self._wrong(row, name, f"expected {TICK} or an empty cell, got {shown(value)}")
                continue
            if isinstance(question, Units):
                words = split_units(_plain_text(value))
                bad = [word for word in words if unit(word) is None]
                if bad:
                    self._wrong(
                        row,
                        name,
                        f"{shown(bad[0])} is no action unit; expected codes such as "
                        "4 or L12, without intensity, or an empty cell",
                    )
                    continue
                answer: Any = list(dict.fromkeys(unit(word) for word in words))
            else:
                answer = normal(question, _typed(question, value))
            if answer in ("", []):
                continue
            if why := refusal(question, answer):
                self._wrong(row, name, why)
            else:
                entry.answers[au, question.id] = answer
        for question_id, boxes in ticked.items():
            entry.answers[au, question_id] = boxes

    def _wrong(self, row: int, name: str, why: str) -> None:
        self._lines.add(f"{self._at(row, self._columns[name])}: {why}; correct the cell")

    def _at(self, row: int, column: int) -> str:
        title = next((self._title(n) for n, at in self._columns.items() if at == column), "")
        if not title:
            title = one_line(str(self._sheet.values.get((1, column), ""))) or "no header"
        return f"{self._where}, row {row}, column {letters(column)} ({plain(title, 40)})"

    def _title(self, name: str) -> str:
        known = self._asked.get(name)
        return known.title if known else next(_first_line(h) for h, n in self._heads if n == name)

    def _text(self, row: int, column: int) -> str:
        return one_line(_plain_text(self._sheet.values.get((row, column))))


def _same_head(said: str, head: str) -> bool:
    """Return whether a header still has its title; hints below it may change."""
    return _first_line(said) == _first_line(head) or one_line(said) == one_line(head)


def _first_line(head: str) -> str:
    return one_line(head.split("\n")[0]).removesuffix(REQUIRED).strip()


def _row_name(known: Row) -> str:
    return f"clip {known[0]}" + (f", AU {known[1]}" if known[1] else "")


def _typed(question: Question, value: Value) -> Any:
    """Return a cell's value as the kind of answer it is meant to be, or as it stands."""
    if isinstance(question, (YesNo, Scale)):
        if isinstance(value, str):
            found = _WHOLE.fullmatch(unicodedata.normalize("NFKC", value).strip())
            return int(found[1]) if found else value.strip()
        return value
    text = _plain_text(value).strip()
    if isinstance(question, Choice):
        alike = [choice for choice in question.choices if choice.casefold() == text.casefold()]
        return alike[0] if len(alike) == 1 else text
    return text


def _plain_text(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return _LINE_ENDS.sub("\n", value)
