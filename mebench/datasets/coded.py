"""What CASME II and SAMM share: a coded spreadsheet beside ``<subject>/<clip>/`` frame folders."""

from __future__ import annotations

import re
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from mebench.datasets.base import Dataset
from mebench.datasets.corrections import Interval, corrected, variants
from mebench.datasets.folders import find_frame_roots, find_tables, matching_subfolders, subfolders
from mebench.datasets.tables import Row, read_rows
from mebench.errors import DatasetError
from mebench.facs.codes import ParsedCell, parse_cell
from mebench.facs.emotions import canonical_emotion
from mebench.types import Annotation, ApexSource

_REQUIRED = ("subject", "filename", "onset", "apex", "offset", "au", "emotion")
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\- ]{0,60}")


class CodedDataset(Dataset):
    """A data set with one spreadsheet row a clip.

    Attributes:
        subject_folder: matches a subject's folder name; group 1 is the number.
        subject_format: makes a subject id of the number.
    """

    subject_folder: ClassVar[re.Pattern[str]]
    subject_format: ClassVar[str]

    @abstractmethod
    def table_rank(self, name: str) -> int | None:
        """Return how well a lower-case file name fits the annotation file (0 best), or None."""

    @abstractmethod
    def frames_rank(self, folder: Path) -> int:
        """Return how well a folder of subjects fits (0 best)."""

    @cached_property
    def table(self) -> Path:
        """The annotation file.

        Raises:
            DatasetError: when there is none at or near the root.
        """
        found = find_tables(self.root, lambda name: self.table_rank(name) is not None)
        if not found:
            raise DatasetError(
                f"{self.root}: no annotation file; put {self.info.tree.splitlines()[0]} here"
            )
        best = min(found, key=lambda path: (self.table_rank(path.name.lower()), len(path.parts)))
        if len(found) > 1:
            others = ", ".join(sorted(path.name for path in found if path != best))
            self.notes.append(f"annotation file {best.name} taken (also there: {others})")
        if self.root.resolve() not in best.resolve().parents:
            self.notes.append(f"annotation file found outside the root: {best}")
        return best

    @cached_property
    def frames_root(self) -> Path:
        """The folder of subject folders.

        Raises:
            DatasetError: when there is none at or near the root.
        """
        found = find_frame_roots(self.root, self._holds_subjects)
        if not found:
            raise DatasetError(
                f"{self.root}: no folder of frames; expected "
                f"{self.info.tree.splitlines()[-1].strip()} here or one folder up or down"
            )
        best = min(found, key=lambda path: (self.frames_rank(path), len(path.parts), path))
        if len(found) > 1:
            others = ", ".join(str(path) for path in found if path != best)
            self.notes.append(f"frames of {best} taken (also there: {others})")
        if (
            best.resolve() != self.root.resolve()
            and self.root.resolve() not in best.resolve().parents
        ):
            self.notes.append(f"frames found outside the root: {best}")
        return best

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
        """Return the rows of the spreadsheet that can be used; the others are in `refused`.

        Raises:
            DatasetError: when the file is missing or unreadable, or no row can be used.
        """
        return list(self._annotations)

    def clip_folder(self, annotation: Annotation) -> Path | None:
        """Return ``<frames>/<subject>/<clip>``, whatever the padding and letter case."""
        clips = self._clip_folders.get(annotation.subject, {})
        return clips.get(annotation.clip_id) or clips.get(annotation.clip_id.lower())

    def intervals(self, annotation: Annotation) -> list[Annotation]:
        """Return the row and its other published intervals."""
        return variants(self.info.id, annotation)

    @cached_property
    def _clip_folders(self) -> dict[str, dict[str, Path]]:
        found: dict[str, dict[str, Path]] = {}
        for folder in matching_subfolders(self.frames_root, self.subject_folder):
            subject = self._subject(folder.name)
            for clip in subfolders(folder) if subject else ():
                names = found.setdefault(subject or "", {})
                names.setdefault(clip.name.lower(), clip)
                names[clip.name] = clip
        return found

    @cached_property
    def _annotations(self) -> list[Annotation]:
        rows: list[Annotation] = []
        seen: set[tuple[str, str]] = set()
        for row in read_rows(self.table, _REQUIRED):
            try:
                annotation = self._annotation(row)
                name = (annotation.subject, annotation.clip_id)
                if name in seen:
                    raise DatasetError(f"clip {'/'.join(name)} stands twice")
            except DatasetError as error:
                self.refused.append(f"row {row.number}: {error}")
                continue
            seen.add(name)
            rows.append(annotation)
        if not rows:
            first = f"; first: {self.refused[0]}" if self.refused else ""
            raise DatasetError(
                f"{self.table}: none of {len(self.refused)} rows can be used{first}; "
                "use the annotation file as published"
            )
        return rows

    def _annotation(self, row: Row) -> Annotation:
        subject = self._subject(row.text("subject"))
        clip_id = row.text("filename")
        if subject is None:
            raise DatasetError(f"subject '{row.text('subject')}' holds no number")
        if not _SAFE_NAME.fullmatch(clip_id):
            raise DatasetError(f"file name {clip_id[:60]!r} cannot be a clip's name")
        name = f"{subject}/{clip_id}"
        onset, offset = row.whole("onset"), row.whole("offset")
        if onset is None or offset is None:
            shown = f"'{row.text('onset')}'..'{row.text('offset')}'"
            raise DatasetError(f"{name}: onset and offset must be frame numbers, got {shown}")
        interval, words = corrected(
            self.info.id, name, Interval(onset, row.whole("apex") or None, offset)
        )
        if not 0 <= interval.onset < interval.offset:
            raise DatasetError(f"{name}: onset {onset} must lie before offset {offset}")
        apex = interval.apex if interval.valid else None
        if apex is None:
            words = (*words, f"no apex: the cell holds '{row.text('apex')}'")
        cell = self._action_units(name, row)
        return Annotation(
            subject=subject,
            clip_id=clip_id,
            onset=interval.onset,
            apex=apex,
            apex_source=_apex_source(apex, row.whole("apex")),
            offset=interval.offset,
            action_units=cell.action_units,
            au_raw=row.text("au"),
            emotion=canonical_emotion(row.text("emotion")),
            emotion_raw=row.text("emotion"),
            au_unknown=cell.unknown,
            corrections=words,
        )

    def _action_units(self, name: str, row: Row) -> ParsedCell:
        try:
            return parse_cell(row.cells.get("au"))
        except DatasetError as error:
            self.unreadable.append(f"{name}: {error}")
            return ParsedCell(unknown=True)

    def _subject(self, text: str) -> str | None:
        match = re.search(r"[0-9]{1,6}", text)
        return self.subject_format.format(int(match[0])) if match else None

    def _holds_subjects(self, folder: Path) -> bool:
        subjects = matching_subfolders(folder, self.subject_folder)
        return any(self._holds_clips(subject) for subject in subjects)

    def _holds_clips(self, subject: Path) -> bool:
        return bool(subfolders(subject))


def _apex_source(apex: int | None, raw: int | None) -> ApexSource:
    if apex is None:
        return "none"
    return "annotated" if apex == raw else "corrected"
