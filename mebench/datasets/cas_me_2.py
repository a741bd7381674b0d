"""CAS(ME)^2: 57 micro- and 300 macro-expressions in long recordings, 30 frames per second."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property

from mebench.datasets.base import DatasetInfo, Release
from mebench.datasets.corrections import Draft
from mebench.datasets.layout import Layout, Place
from mebench.datasets.table_dataset import TableDataset, apex_for_offset
from mebench.datasets.tables import Row, Sheet, Table, placed_table, read_sheets
from mebench.errors import DatasetError
from mebench.facs.codes import cell_text
from mebench.types import Annotation

BIBTEX = """@article{qu2018casme,
  title = {{CAS(ME)$^2$}: A Database for Spontaneous Macro-Expression and Micro-Expression Spotting
           and Recognition},
  author = {Qu, Fangbing and Wang, Su-Jing and Yan, Wen-Jing and Li, He and Wu, Shuhang
            and Fu, Xiaolan},
  journal = {IEEE Transactions on Affective Computing},
  volume = {9},
  number = {4},
  pages = {424--436},
  year = {2018},
  doi = {10.1109/TAFFC.2017.2654440}
}"""
LICENCE = "Research use under a signed agreement; no redistribution of frames or clips."
REQUEST = "Institute of Psychology, Chinese Academy of Sciences: http://casme.psych.ac.cn/casme/e3"
TREE = """CAS(ME)^2code_final(Updated).xlsx                or code_final.xls; three sheets
selectedpic/s15/anger1_1/img572.jpg              onset..offset, 640x480
rawpic/s15/15_0101disgustingteeth/img001.jpg     whole recordings
cropped/15/anger1_1/img572.jpg                   cropped faces
rawvideo/s15/15_0101disgustingteeth.avi"""
COLUMNS = (
    "participant", "filename", "onset", "apex", "offset", "au", "emotion", "expression", "report",
)  # fmt: skip
_CODES = {
    "disgust1": "0101", "disgust2": "0102", "anger1": "0401", "anger2": "0402", "happy1": "0502",
    "happy2": "0503", "happy3": "0505", "happy4": "0507", "happy5": "0508",
}  # fmt: skip
"""Code of a recording's stimulus by its name, as sheet 3 has it."""
_SUBJECTS = (15, 16, *range(19, 28), *range(29, 39), 40)
"""Subjects by participant index from 1, as sheet 2 has them; for copies without that sheet."""
_NAME = re.compile(r"[a-z]+[0-9]+_[0-9]+", re.IGNORECASE)
_CLIPS = re.compile(r"s?0*(?P<subject>[0-9]{1,3})/(?P<clip>[a-z]+[0-9]+_[0-9]+)")
_RECORDING = r"0*(?P<subject>[0-9]{1,3})_(?P<clip>[0-9]{4})[^/]*"
_BY_SUBJECT = re.compile(rf"s0*(?P<folder>[0-9]{{1,3}})/{_RECORDING}")


class CasMe2(TableDataset):
    """CAS(ME)^2: its table has no header, its further sheets say who and what is meant."""

    info = DatasetInfo(
        id="cas-me-2",
        title="CAS(ME)^2",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=30.0,
        colour="rgb",
        clips=(57,),
        subjects=22,
        emotions={},
        releases=(Release("code_final", 357, {}, macro=300),),
    )
    subject_pattern = re.compile(r"s?0*([0-9]{1,3})", re.IGNORECASE)
    subject_form = "s{}"
    layouts = (
        Layout("selected", _CLIPS, re.compile(r"selected")),
        Layout("recordings", _BY_SUBJECT, whole=True),
        Layout("cropped", _CLIPS, re.compile(r"crop")),
        Layout("frames", _CLIPS),
        Layout("recording-files", _BY_SUBJECT, media="file", whole=True),
        Layout("recording-files-flat", re.compile(_RECORDING), media="file", whole=True),
    )
    clip_name = _NAME

    @classmethod
    def table_rank(cls, name: str) -> int | None:
        """Prefer the updated book."""
        if "code_final" not in name and not re.search(r"cas\(me\)\W?2", name):
            return None
        return 0 if "updated" in name else 1

    @cached_property
    def content(self) -> Table:
        """The rows of the first sheet, which has no header.

        Raises:
            DatasetError: when the file cannot be read or holds no such rows.
        """
        table = placed_table(self._sheets[0], COLUMNS, self._is_row)
        if not table.rows:
            raise DatasetError(
                f"{self.table}: no rows such as '1, anger1_1, 557, 572, 608, ...' on the first "
                "sheet; use the annotation file as published"
            )
        return table

    def subject_of(self, row: Row) -> str:
        """Return the subject that a participant index stands for.

        Raises:
            DatasetError: for an index that no sheet names.
        """
        index = row.whole("participant")
        if index not in self._subjects:
            raise DatasetError(
                f"participant {index} is on no sheet; copy the annotation file again"
            )
        return self._subjects[index]

    def draft(self, row: Row) -> Draft:
        """Return a row; the apex stands for an offset 0."""
        draft = apex_for_offset(super().draft(row))
        draft = replace(draft, clip_id=draft.clip_id.lower())
        macro = row.text("expression").lower().startswith("macro")
        return replace(draft, expression="macro") if macro else draft

    def row_key(self, annotation: Annotation) -> tuple[str, str]:
        """Return subject and clip, or the recording's code where whole recordings are read."""
        clip = annotation.clip_id
        if self.found is not None and self.found.layout.whole:
            clip = self._codes.get(clip.partition("_")[0], "")
        return annotation.subject, clip

    def place_key(self, place: Place) -> tuple[str, str] | None:
        """Return subject and clip; a recording belongs to whom its own name says."""
        key, folder = super().place_key(place), place.groups.get("folder", "")
        if key is not None and folder and self.subject_id(folder) != key[0]:
            self.notes.append(
                f"{place.path}: lies below s{folder}, its name says {key[0]}; taken as {key[0]}"
            )
        return key

    @cached_property
    def _sheets(self) -> list[Sheet]:
        return read_sheets(self.table)

    @cached_property
    def _subjects(self) -> dict[int, str]:
        """Sheet 2: the last number of a row is the index, before it stands the subject."""
        named = {index: f"s{number}" for index, number in enumerate(_SUBJECTS, 1)}
        for cells in self._sheets[1].rows if len(self._sheets) > 1 else ():
            texts = [text for text in map(cell_text, cells) if text]
            numbers = [place for place, text in enumerate(texts) if text.isdigit()]
            spelled = [text for text in texts if re.fullmatch(r"[sS][0-9]{1,3}", text)]
            if not numbers or not (spelled or len(numbers) > 1):
                continue
            subject = self.subject_id(spelled[0] if spelled else texts[numbers[-2]])
            if subject:
                named[int(texts[numbers[-1]])] = subject
        return named

    @cached_property
    def _codes(self) -> dict[str, str]:
        """Sheet 3: a stimulus by its name, and its code of four digits."""
        codes = dict(_CODES)
        for cells in self._sheets[2].rows if len(self._sheets) > 2 else ():
            texts = [cell_text(cell).lower() for cell in cells]
            names = [text for text in texts if re.fullmatch(r"[a-z]+[0-9]+", text)]
            numbers = [text for text in texts if re.fullmatch(r"[0-9]{3,4}", text)]
            if names and numbers:
                codes[names[0]] = numbers[0].zfill(4)
        return codes

    @staticmethod
    def _is_row(row: Row) -> bool:
        named = _NAME.fullmatch(row.text("filename")) is not None
        return named and row.whole("participant") is not None
