"""SAMM Long Videos: SAMM's recordings, 159 micro- and 343 macro-expressions at 200 fps."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property

from mebench.datasets.base import DatasetInfo, Release
from mebench.datasets.corrections import Draft
from mebench.datasets.folders import find_tables
from mebench.datasets.layout import Layout, Place
from mebench.datasets.samm import LICENCE, REQUEST, Samm
from mebench.datasets.table_dataset import TableDataset, apex_for_offset
from mebench.datasets.tables import Row, Table, placed_table, read_sheets, read_table
from mebench.errors import DatasetError
from mebench.facs.objective import read_class
from mebench.types import Annotation

BIBTEX = """@inproceedings{yap2020sammlong,
  title = {{SAMM} Long Videos: A Spontaneous Facial Micro- and Macro-Expressions Dataset},
  author = {Yap, Chuin Hong and Kendrick, Connah and Yap, Moi Hoon},
  booktitle = {IEEE International Conference on Automatic Face and Gesture Recognition (FG)},
  year = {2020},
  eprint = {1911.01519},
  archiveprefix = {arXiv}
}"""
TREE = """SAMM_LongVideos_V3_Release.xlsx               or V1, V2, .xls
SAMM_longvideos/009_4/009_4_0007.jpg          whole recordings, grey, 2040x1088
SAMM_Micro_FACS_Codes_v2.xlsx                 optional, of SAMM: the emotions"""
COLUMNS = (
    "subject", "filename", "inducement", "onset", "apex", "offset", "duration", "expression", "au",
    "notes",
)  # fmt: skip
_NAME = re.compile(r"[0-9]{1,3}_[0-9]_[0-9]{1,2}")


class SammLong(TableDataset):
    """SAMM Long Videos; emotions come from the micro FACS file where it lies there."""

    info = DatasetInfo(
        id="samm-long",
        title="SAMM Long Videos",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=200.0,
        colour="gray",
        clips=(159,),
        subjects=30,
        emotions={},
        releases=(Release("SAMM_LongVideos", 502, {}, macro=343),),
    )
    subject_pattern = re.compile(r"0*([0-9]{1,3})", re.IGNORECASE)
    subject_form = "{:03d}"
    layouts = (
        Layout(
            "recordings",
            re.compile(r"(?P<clip>0*(?P<subject>[0-9]{1,3})_[0-9]{1,2})"),
            whole=True,
        ),
    )
    clip_name = _NAME

    @classmethod
    def table_rank(cls, name: str) -> int | None:
        """Prefer the third release."""
        plain = re.sub(r"[\W_]+", "", name)
        if "samm" not in plain or "long" not in plain:
            return None
        ranks = ("v3", "v2", "v1")
        return next((rank for rank, word in enumerate(ranks) if word in plain), len(ranks))

    @cached_property
    def content(self) -> Table:
        """The rows of the first sheet that has any; notes stand above them and no usable header.

        Raises:
            DatasetError: when the file cannot be read or holds no such rows.
        """
        for sheet in read_sheets(self.table):
            table = placed_table(sheet, COLUMNS, self._is_row)
            if table.rows:
                return table
        raise DatasetError(
            f"{self.table}: no rows such as '006, 006_1_1, 1, ...' on any sheet; use the "
            "annotation file as published"
        )

    def draft(self, row: Row) -> Draft:
        """Return a row; the apex stands for an offset 0, the emotion comes from SAMM."""
        draft = apex_for_offset(super().draft(row))
        if row.text("expression").lower().startswith("macro"):
            return replace(draft, expression="macro")
        emotion, objective = self._emotions.get(draft.clip_id, ("", None))
        return replace(draft, emotion=emotion, objective_class=objective)

    def judge(self, draft: Draft) -> None:
        """Refuse a macro-expression that starts with its recording, as spotting papers do.

        Raises:
            DatasetError: for such a row.
        """
        if draft.expression == "macro" and draft.onset == 1:
            raise DatasetError(
                f"{draft.name}: a macro-expression from frame 1 on, left out as spotting papers do"
            )

    def row_key(self, annotation: Annotation) -> tuple[str, str]:
        """Return subject and recording."""
        return annotation.subject, _recording(annotation.clip_id)

    def place_key(self, place: Place) -> tuple[str, str] | None:
        """Return subject and recording with the padding as in the table."""
        subject = self.subject_id(place.groups["subject"])
        return None if subject is None else (subject, _recording(place.groups["clip"]))

    def row_checks(self) -> list[str]:
        """Return rows whose duration contradicts the interval."""
        remarks = []
        for row in self.content.rows:
            onset, offset, stated = (row.whole(name) for name in ("onset", "offset", "duration"))
            if onset is None or not offset or stated in (None, offset - onset + 1):
                continue
            remarks.append(
                f"{self.table.name} row {row.number}: {row.text('filename')}: duration {stated}, "
                f"but {onset}..{offset} are {offset - onset + 1} frames"
            )
        return remarks

    def table_remarks(self) -> list[str]:
        """Return where the emotions come from."""
        if self._emotions:
            return ["emotions and objective classes taken from the micro FACS file of SAMM"]
        return [f"{self.table.name} holds no emotions: put SAMM_Micro_FACS_Codes_v2.xlsx beside it"]

    @cached_property
    def _emotions(self) -> dict[str, tuple[str, str | None]]:
        """Emotion and objective class of SAMM's micro-movements by file name."""
        found = find_tables(self.root, lambda name: Samm.table_rank(name) is not None)
        if not found:
            return {}
        best = min(found, key=lambda path: Samm.table_rank(path.name.lower()) or 0)
        try:
            rows = read_table(best, ("subject", "filename", "emotion")).rows
        except DatasetError as error:
            self.notes.append(str(error))
            return {}
        return {
            row.text("filename"): (row.text("emotion"), read_class(row.text("objective")))
            for row in rows
        }

    @staticmethod
    def _is_row(row: Row) -> bool:
        subject = re.fullmatch(r"[0-9]{1,3}", row.text("subject"))
        return subject is not None and _NAME.fullmatch(row.text("filename")) is not None


def _recording(name: str) -> str:
    """Return ``009_4`` for ``009_4_2``, ``9_4``."""
    subject, inducement = name.split("_")[:2]
    return f"{int(subject):03d}_{int(inducement)}"
