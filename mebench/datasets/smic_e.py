"""SMIC-E: the long clips around SMIC's micro-expressions; 157 long clips of 16 people (HS)."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from mebench.datasets.base import DatasetInfo, Release
from mebench.datasets.corrections import Draft
from mebench.datasets.layout import Layout, Place
from mebench.datasets.smic import BIBTEX, LICENCE, REQUEST, SmicNir, SmicVis
from mebench.datasets.smic_table import (
    HOSTS,
    NAME,
    Part,
    SmicTable,
    find_table,
    host_of,
    label_of,
    table_rank,
)
from mebench.datasets.table_dataset import TableDataset
from mebench.datasets.tables import Row, Table
from mebench.errors import DatasetError
from mebench.facs.emotions import canonical_emotion
from mebench.types import Annotation

TREE = """SMIC-HS-E_annotation_orig.xlsx     or SMIC-HS-E_annotation.xlsx
SMIC-E_raw image/HS_long/SMIC-HS-E/s01/s1_ne_01/image559740.jpg"""
_CLIPS = re.compile(r"s0*(?P<subject>[0-9]{1,2})/(?P<clip>s0*[0-9]{1,2}_(ne|po|sur)_[0-9]+)")
_BY_NAME = {"negative": 72, "happiness": 51, "surprise": 44}


class SmicE(TableDataset):
    """SMIC-E-HS: the micro-expressions cut from the long clips.

    A long clip may hold several: those with a name of their own keep it, a further one is named
    after the clip, as in ``s20_ne_06_2``.
    """

    part: ClassVar[Part] = "HS"
    info = DatasetInfo(
        id="smic-e",
        title="SMIC-E",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=100.0,
        colour="rgb",
        clips=(167, 166),
        subjects=16,
        emotions=_BY_NAME,
        releases=(
            Release("SMIC-HS-E_annotation_orig", 162, _BY_NAME),
            Release(
                "SMIC-HS-E_annotation (one row a long clip)", 157, {**_BY_NAME, "negative": 71}
            ),
        ),
    )
    subject_pattern = re.compile(r"s?0*([0-9]{1,2})", re.IGNORECASE)
    subject_form = "s{}"
    layouts = (
        Layout(
            "long",
            _CLIPS,
            re.compile(r"^(?!.*/(smic[-_])?(vis|nir)([-_][^/]*)?$)"),
            whole=True,
        ),
    )
    known_absent: ClassVar[dict[str, str]] = {
        "s3/s3_ne_20": "its long clip is lost (FirstF 'MISSING <-426679')"
    }

    @classmethod
    def table_rank(cls, name: str) -> int | None:
        """Prefer the original sheet to the edited one."""
        return table_rank(name, cls.part)

    @cached_property
    def table(self) -> Path:
        """The annotation file at or near the root.

        Raises:
            DatasetError: when there is none.
        """
        if self.options.table is not None:
            return self._given_table(self.options.table)
        found = find_table(self.root, self.part)
        if found is None:
            raise DatasetError(
                f"{self.root}: no annotation file; put {self.info.examples[0]} here, "
                f"or name it with --table{self._other_tables()}"
            )
        return found

    @cached_property
    def content(self) -> Table:
        """The rows of the annotation file as they are."""
        return self._book.content

    @cached_property
    def _book(self) -> SmicTable:
        return SmicTable(self.table, self.part)

    def drafts_of(self, row: Row) -> list[Draft]:
        """Return the micro-expressions of a long clip."""
        return self._book.events(row)

    def row_key(self, annotation: Annotation) -> tuple[str, str]:
        """Return the long clip that holds a micro-expression."""
        return annotation.subject, host_of(annotation.clip_id)

    def place_key(self, place: Place) -> tuple[str, str] | None:
        """Return subject and clip with the padding removed."""
        match = NAME.fullmatch(place.groups["clip"])
        if match is None:
            return None
        return f"s{int(match[1])}", f"s{int(match[1])}_{match[2]}_{match[3]}"

    def emotion_of(self, draft: Draft) -> str:
        """Return the label of the clip's name; the column is wrong in places."""
        return canonical_emotion(label_of(draft.clip_id))

    def row_checks(self) -> list[str]:
        """Return where the table contradicts itself."""
        return self._book.checks()

    def table_remarks(self) -> list[str]:
        """Return in what the table differs from the original."""
        edited = "onset3" in self.content.columns
        held = sum(len(names) for names in HOSTS.values())
        words = f"an edited copy: a third interval, {held} clips inside others have no row"
        return [words] if edited else []


class SmicEVis(SmicE):
    """SMIC-E-VIS: the visual camera at 25 frames per second."""

    part = "VIS"
    info = replace(
        SmicVis.info,
        id="smic-e-vis",
        title="SMIC-E-VIS",
        tree="""SMIC-HS-E_annotation_orig.xlsx       its sheet VIS, or SMIC_VIS_E_annotation.xlsx
SMIC-E_raw image/VIS_long/SMIC-VIS-E/VIS/s11/s11_ne_01/07750.jpg""",
    )
    layouts = (Layout("long", _CLIPS, re.compile(r"(^|/)(smic[-_])?vis([-_][^/]*)?$"), whole=True),)
    known_absent: ClassVar[dict[str, str]] = {}


class SmicENir(SmicE):
    """SMIC-E-NIR: the near-infrared camera at 25 frames per second."""

    part = "NIR"
    info = replace(
        SmicNir.info,
        id="smic-e-nir",
        title="SMIC-E-NIR",
        tree="""SMIC-NIR-E_annotation.xlsx
SMIC-E_raw image/NIR_long/SMIC-NIR-E/NIR/s11/s11_ne_01/07750.jpg""",
    )
    layouts = (Layout("long", _CLIPS, re.compile(r"(^|/)(smic[-_])?nir([-_][^/]*)?$"), whole=True),)
    known_absent: ClassVar[dict[str, str]] = {}
