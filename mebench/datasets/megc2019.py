"""The composites MEGC2019 (442 clips, three classes) and MEGC2018 (253, objective classes).

Cite: See, Yap, Li, Hong and Wang 2019, "MEGC 2019 - The Second Facial Micro-Expressions Grand
Challenge", IEEE FG; Yap, See, Hong and Wang 2018, "Facial Micro-Expressions Grand Challenge 2018
Summary", IEEE FG, doi 10.1109/FG.2018.00106.
Licence and where to ask: those of the parts. Nothing of the lists is shipped: they are rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mebench.datasets.base import Dataset
from mebench.datasets.composite import Composite, Member, named
from mebench.datasets.smic import Smic
from mebench.datasets.table_dataset import TableDataset
from mebench.facs.emotions import three_class
from mebench.facs.objective import CLASSES
from mebench.types import Annotation

CHECK_VALUE = "5d6880266f090ac13002a57abbc8b18b6eeb362605dd19fea929bb9bf890deed"
_LABELS = ("negative", "positive", "surprise")
_NO_APEX = frozenset({"04/EP12_01f", "05/EP09_05f"})
"""CASME II: the apex is no number, or equals the onset; some copies have it filled in."""
_SADNESS = frozenset({"24/EP07_01", "24/EP07_04f", "24/EP10_03"})
"""Relabelled surprise in 20190701; the composite rests on 20140508."""
_NOT_IN_SMIC_E = ("s1_ne_02", "s2_sur_05", "s3_ne_20")
"""Clips of SMIC-HS that a table of SMIC-E may lack."""
_CLASSES_IN = {
    "casme2": "CASME2-ObjectiveClasses.xlsx", "samm": "SAMM_Micro_FACS_Codes_v2.xlsx",
}  # fmt: skip
"""Which file of a part holds its objective classes."""


class Megc2019(Composite):
    """The 442 clips of MEGC2019 as negative 0, positive 1, surprise 2."""

    id = "megc2019"
    title = "MEGC2019 composite"
    parts = ("casme2", "samm", "smic")
    labels = _LABELS
    published: ClassVar[dict[tuple[str, str], int]] = {
        ("casme2", "clips"): 145,
        ("casme2", "subjects"): 24,
        ("casme2", "negative"): 88,
        ("casme2", "positive"): 32,
        ("casme2", "surprise"): 25,
        ("samm", "clips"): 133,
        ("samm", "subjects"): 28,
        ("samm", "negative"): 92,
        ("samm", "positive"): 26,
        ("samm", "surprise"): 15,
        ("smic", "clips"): 164,
        ("smic", "subjects"): 16,
        ("smic", "negative"): 70,
        ("smic", "positive"): 51,
        ("smic", "surprise"): 43,
    }
    sha256 = CHECK_VALUE

    def members_of(self, part: Dataset) -> Iterator[Member]:
        """Return the clips of a part with a three-class label, two of CASME II left out."""
        rows = _smic_rows(part) if isinstance(part, Smic) else part.annotations()
        for row in rows:
            label = three_class(part.info.id, row.emotion)
            if label is None or (part.info.id == "casme2" and _left_out(part, row)):
                continue
            subject, clip = named(part.info.id, row)
            key = f"{part.info.id}.{row.subject}.{row.clip_id}"
            yield Member(part.info.id, subject, clip, _LABELS.index(label), key)


class Megc2018(Composite):
    """The 253 clips of MEGC2018: objective classes I to V of CASME II and SAMM."""

    id = "megc2018"
    title = "MEGC2018 composite"
    parts = ("casme2", "samm")
    labels = CLASSES[:5]
    published: ClassVar[dict[tuple[str, str], int]] = {
        ("casme2", "clips"): 185,
        ("casme2", "subjects"): 26,
        ("casme2", "I"): 25,
        ("casme2", "II"): 15,
        ("casme2", "III"): 99,
        ("casme2", "IV"): 26,
        ("casme2", "V"): 20,
        ("samm", "clips"): 68,
        ("samm", "subjects"): 21,
        ("samm", "I"): 24,
        ("samm", "II"): 13,
        ("samm", "III"): 20,
        ("samm", "IV"): 8,
        ("samm", "V"): 3,
    }

    def members_of(self, part: Dataset) -> Iterator[Member]:
        """Return the clips of a part in classes I to V; CASME II's come with its 2014 codes."""
        for row in part.annotations():
            if row.objective_class not in self.labels:
                continue
            subject, clip = named(part.info.id, row)
            key = f"{part.info.id}.{row.subject}.{row.clip_id}"
            yield Member(part.info.id, subject, clip, self.labels.index(row.objective_class), key)

    def lacks(self, part: Dataset) -> list[str]:
        """Return the table of objective classes that a part needs, and where it is given out."""
        if not isinstance(part, TableDataset):
            return []
        table, name = part.table.name, _CLASSES_IN[part.info.id]
        own = "objective" in part.content.columns
        if part.info.id == "casme2" and own:
            return [
                f"{table} holds the classes of the later coding, MEGC2018 those of {name}; put it "
                f"and CASME2-coding-20140508.xlsx there, both of {part.info.request}"
            ]
        if any(row.objective_class for row in part.annotations()):
            return []
        return [
            f"no table of objective classes, {table} has none; put {name} into {part.root}, it is "
            f"given out with {part.info.title} ({part.info.request})"
        ]


def _left_out(part: Dataset, row: Annotation) -> bool:
    if row.name in _NO_APEX | _SADNESS:
        return True
    # The first release has no apex in 21 rows and a row more; only its names can decide.
    whole = isinstance(part, TableDataset) and len(part.content.rows) == part.info.releases[0].rows
    return (whole and (row.apex is None or row.apex == row.onset)) or row.name == "24/EP02_07"


def _smic_rows(part: Smic) -> list[Annotation]:
    """Return the rows of SMIC-HS; without its frames, those of SMIC-E's table and the rest."""
    rows = part.annotations()
    if part.found is not None:
        return rows
    held = {row.clip_id for row in rows}
    return [*rows, *(part.bare_row(name) for name in _NOT_IN_SMIC_E if name not in held)]
