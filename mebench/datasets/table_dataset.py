"""A data set with one spreadsheet row a clip: finds the table, reads it, corrects it."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from mebench.datasets.base import DATASETS, Dataset
from mebench.datasets.corrections import Applied, Draft, added, corrected, dropped, variants
from mebench.datasets.folders import find_tables
from mebench.datasets.tables import Row, Table, read_table
from mebench.errors import DatasetError
from mebench.facs.codes import ParsedCell, cell_text, parse_cell
from mebench.facs.emotions import UNKNOWN, canonical_emotion
from mebench.facs.objective import read_class
from mebench.io.files import below
from mebench.registry import load_object
from mebench.types import Annotation, ApexSource

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\- ]{0,60}")


class TableDataset(Dataset):
    """A data set with an annotation table.

    Attributes:
        required: columns without which a table is not one of this data set.
        spellings: columns of this data set beside those of `tables.COLUMNS`.
        sheet: the sheet that holds the rows, None for the first that fits.
        prefer: lower-case names of sheets to look at first.
        keep: a row without this cell is blank.
        clip_name: what a clip's name looks like; another data set's table has other names.
    """

    required: ClassVar[tuple[str, ...]] = (
        "subject", "filename", "onset", "apex", "offset", "au", "emotion",
    )  # fmt: skip
    spellings: ClassVar[Mapping[str, frozenset[str]]] = {}
    sheet: ClassVar[str | None] = None
    prefer: ClassVar[tuple[str, ...]] = ()
    keep: ClassVar[str] = "filename"
    clip_name: ClassVar[re.Pattern[str]] = _SAFE_NAME

    @classmethod
    @abstractmethod
    def table_rank(cls, name: str) -> int | None:
        """Return how well a lower-case file name fits the annotation file (0 best), or None."""

    @cached_property
    def table(self) -> Path:
        """The annotation file: the one asked for, else the best by name at or near the root.

        Raises:
            DatasetError: when there is none.
        """
        if self.options.table is not None:
            return self._given_table(self.options.table)
        found = find_tables(self.root, lambda name: self.table_rank(name) is not None)
        if not found:
            raise DatasetError(
                f"{self.root}: no annotation file; put {self.info.examples[0]} here, "
                f"or name it with --table{self._other_tables()}"
            )
        best = min(found, key=lambda path: (self.table_rank(path.name.lower()), len(path.parts)))
        if len(found) > 1:
            others = ", ".join(sorted(self.shown(path) for path in found if path != best))
            self.told.append(
                f"annotation file {self.shown(best)} taken, not {others}; to read another give "
                "--table FILE, or its folder as the root"
            )
        if below(best, self.root) is None:
            self.notes.append(f"annotation file found outside the root: {best}")
        return best

    @cached_property
    def content(self) -> Table:
        """The rows of the annotation file as they are."""
        return read_table(
            self.table,
            self.required,
            spellings=self.spellings,
            sheet=self.sheet,
            prefer=self.prefer,
            keep=self.keep,
        )

    def places(self) -> dict[str, Path]:
        """Return the annotation file and the frame folder, where they were found."""
        found = {"annotations": self.table}
        try:
            found["frames"] = self.frames_root
        except DatasetError as error:
            if str(error) not in self.notes:
                self.notes.append(str(error))
        return found

    def annotations(self) -> list[Annotation]:
        """Return the rows of micro-expressions that can be used; the others are in `refused`.

        Raises:
            DatasetError: when the file is missing or unreadable, or no row can be used.
        """
        return [row for row in self.all_annotations if row.expression == "micro"]

    @cached_property
    def all_annotations(self) -> list[Annotation]:
        """The rows that can be used, macro-expressions too, which need no name of their own."""
        rows: list[Annotation] = []
        seen: dict[str, Draft] = {}
        for draft in self._drafts:
            try:
                if draft.expression == "micro" and draft.name in seen:
                    raise DatasetError(
                        f"clip {draft.name} stands twice, first in row {seen[draft.name].row}; "
                        "keep one of them"
                    )
                rows.append(self._annotation(draft))
            except DatasetError as error:
                self._refuse(draft, error)
                continue
            if draft.expression == "micro":
                seen[draft.name] = draft
        for name, item in added(self.info.id, set(seen), self.options.corrections):
            subject, clip_id = name.split("/", 1)
            values = {key: value for key, value in item.values.items()}
            empty = Draft(subject, clip_id, None, None, None)
            draft = replace(empty, **values)  # type: ignore[arg-type]
            self.applied.append(Applied(name, {"row": (None, "added")}, item))
            rows.append(self._annotation(draft))
        self.refused.sort(key=_row_number)
        if not rows:
            first = f"; first: {self.refused[0]}" if self.refused else ""
            raise DatasetError(
                f"{self.table}: none of {len(self.refused)} rows can be used{first}; "
                f"use the annotation file of {self.info.title} as published"
            )
        return rows

    def drafts_of(self, row: Row) -> list[Draft]:
        """Return the clips of a row as the file holds them; mostly one.

        Raises:
            DatasetError: for a subject or a clip that cannot be named.
        """
        return [self.draft(row)]

    def draft(self, row: Row) -> Draft:
        """Return a row of one clip as the file holds it.

        Raises:
            DatasetError: for a subject or a clip that cannot be named.
        """
        return Draft(
            subject=self.subject_of(row),
            clip_id=self.clip_id_of(row),
            onset=row.whole("onset"),
            apex=row.whole("apex"),
            offset=row.whole("offset"),
            au=row.cells.get("au"),
            emotion=row.text("emotion"),
            objective_class=read_class(row.text("objective")),
            apex_text=row.text("apex"),
            row=row.number,
            file=row.file,
        )

    def subject_of(self, row: Row) -> str:
        """Return the canonical subject of a row.

        Raises:
            DatasetError: when the cell holds none.
        """
        subject = self.subject_id(row.text("subject"))
        if subject is None:
            raise DatasetError(f"subject '{row.text('subject')[:40]}' holds no number")
        return subject

    def clip_id_of(self, row: Row) -> str:
        """Return the clip's name.

        Raises:
            DatasetError: for a name that cannot be one of this data set.
        """
        name = row.text("filename")
        if not _SAFE_NAME.fullmatch(name):
            raise DatasetError(f"file name {name[:60]!r} cannot be a clip's name")
        if not self.clip_name.fullmatch(name):
            raise DatasetError(f"file name {name[:60]!r} is none of {self.info.title}")
        return name

    def emotion_of(self, draft: Draft) -> str:
        """Return the canonical emotion of a row, `UNKNOWN` where the table has none.

        Raises:
            DatasetError: for an unknown word.
        """
        if not draft.emotion and "emotion" not in self.content.columns:
            return UNKNOWN
        return canonical_emotion(draft.emotion)

    def unlisted_emotions(self) -> list[str]:
        """Return a remark for every row whose emotion is taken as `UNKNOWN`."""
        return [
            f"{self.table.name} row {draft.row}: {draft.name}: emotion '{draft.emotion[:40]}' is "
            f"taken as {UNKNOWN}"
            for draft in self.drafts_by_name.values()
            if self.emotion_of(draft) == UNKNOWN
        ]

    def judge(self, draft: Draft) -> None:
        """Look at a corrected row before its interval is judged.

        Raises:
            DatasetError: for a row that is not to be used.
        """

    def row_checks(self) -> list[str]:
        """Return what contradicts itself inside the table: remarks of one data set."""
        return []

    def table_remarks(self) -> list[str]:
        """Return in what the table differs from the one its publisher gave out."""
        return []

    def intervals(self, annotation: Annotation) -> list[Annotation]:
        """Return the row and its other published intervals."""
        draft = self.drafts_by_name.get(annotation.name)
        if draft is None:
            return [annotation]
        others = variants(self.info.id, draft, self.options.corrections)
        return [annotation, *(self._variant(annotation, *other) for other in others)]

    @cached_property
    def drafts_by_name(self) -> dict[str, Draft]:
        """The rows of micro-expressions as the file holds them, by ``subject/clip``."""
        found: dict[str, Draft] = {}
        for draft in self._drafts:
            if draft.expression == "micro":
                found.setdefault(draft.name, draft)
        return found

    @property
    def macro_rows(self) -> int:
        """How many rows are macro-expressions, those that cannot be used too."""
        return sum(draft.expression == "macro" for draft in self._drafts)

    @cached_property
    def _drafts(self) -> list[Draft]:
        drafts: list[Draft] = []
        for row in self.content.rows:
            try:
                drafts += self.drafts_of(row)
            except DatasetError as error:
                self._refuse(Draft("", "", None, None, None, row=row.number, file=row.file), error)
        return drafts

    def _annotation(self, held: Draft) -> Annotation:
        draft, applied = corrected(self.info.id, held, self.options.corrections)
        left_out = dropped(self.info.id, draft, self.options.corrections)
        if left_out:
            raise DatasetError(f"{draft.name}: left out as asked for: {left_out.reason}")
        self.judge(draft)
        if draft.onset is None or draft.offset is None:
            shown = f"'{_shown(draft.onset)}'..'{_shown(draft.offset)}'"
            raise DatasetError(f"{draft.name}: onset and offset must be frame numbers, got {shown}")
        if not 0 <= draft.onset <= draft.offset:
            raise DatasetError(
                f"{draft.name}: onset {draft.onset} must not lie after offset {draft.offset}"
            )
        self.applied += applied
        words = [*held.words, *(item.words() for item in applied)]
        apex = draft.apex if draft.has_apex else None
        if apex is None and "apex" in self.content.columns:
            why = "" if draft.apex is None else f", outside {draft.onset}..{draft.offset}"
            words.append(f"no apex: the cell holds '{draft.apex_text[:40]}'{why}")
        cell = self._action_units(draft)
        return Annotation(
            subject=draft.subject,
            clip_id=draft.clip_id,
            onset=draft.onset,
            apex=apex,
            apex_source=_apex_source(apex, held.apex),
            offset=draft.offset,
            action_units=cell.action_units,
            au_raw=cell_text(held.au),
            emotion=self.emotion_of(draft),
            emotion_raw=held.emotion,
            au_unknown=cell.unknown,
            corrections=tuple(words),
            objective_class=draft.objective_class,
            fps=draft.fps,
            expression=draft.expression,
            row=draft.row,
        )

    def _variant(self, annotation: Annotation, other: Draft, item: Applied) -> Annotation:
        apex = other.apex if other.has_apex else None
        return replace(
            annotation,
            onset=other.onset or annotation.onset,
            apex=apex,
            apex_source=_apex_source(apex, annotation.apex),
            offset=other.offset or annotation.offset,
            corrections=(*annotation.corrections, f"{item.words()}, as the frames on disk show"),
        )

    def _action_units(self, draft: Draft) -> ParsedCell:
        try:
            return parse_cell(draft.au)
        except DatasetError as error:
            file = draft.file or self.table.name
            self.unreadable.append(f"{file} row {draft.row}: {draft.name}: {error}")
            return ParsedCell(unknown=True)

    def _refuse(self, draft: Draft, error: DatasetError) -> None:
        self.refused.append(f"{draft.file or self.table.name} row {draft.row}: {error}")

    def _given_table(self, path: Path) -> Path:
        given = path.expanduser()
        if not given.is_file() and (self.root / given).is_file():
            given = self.root / given
        if not given.is_file():
            raise DatasetError(f"{given}: no such file; give the annotation file with --table")
        return given

    def _other_tables(self) -> str:
        """Return a remark on the annotation files that are there and belong to another data set."""
        for path in find_tables(self.root, lambda _: True):
            for dataset, entry in DATASETS.items():
                loader = load_object(entry)
                if dataset == self.info.id or not issubclass(loader, TableDataset):
                    continue
                if loader.table_rank(path.name.lower()) is not None:
                    return f" ({path.name} there is the one of {dataset})"
        return ""


def apex_for_offset(draft: Draft) -> Draft:
    """Return a row with the apex in the place of an offset 0, as spotting papers take it."""
    if draft.offset not in (0, None) or None in (draft.onset, draft.apex):
        return draft
    held = "an empty cell" if draft.offset is None else "0"
    word = f"offset {draft.apex}, which is the apex, instead of {held}"
    return replace(draft, offset=draft.apex, words=(*draft.words, word))


def _apex_source(apex: int | None, held: int | None) -> ApexSource:
    if apex is None:
        return "none"
    return "annotated" if apex == held else "corrected"


def _row_number(line: str) -> int:
    found = re.search(r" row ([0-9]+):", line)
    return int(found[1]) if found else 0


def _shown(value: int | None) -> str:
    return "no number" if value is None else str(value)
