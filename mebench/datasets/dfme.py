"""DFME: the challenge part, 2629 micro-expressions at 200, 300 or 500 frames per second."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from mebench.datasets.base import DatasetInfo, Release
from mebench.datasets.corrections import Draft
from mebench.datasets.folders import find_tables
from mebench.datasets.layout import Layout
from mebench.datasets.table_dataset import TableDataset
from mebench.datasets.tables import Row, Table, read_table
from mebench.facs.emotions import UNKNOWN, canonical_emotion

BIBTEX = """@article{zhao2024dfme,
  title = {{DFME}: A New Benchmark for Dynamic Facial Micro-Expression Recognition},
  author = {Zhao, Sirui and Tang, Huaying and Mao, Xinglong and Liu, Shifeng and Zhang, Yiming
            and Wang, Hao and Xu, Tong and Chen, Enhong},
  journal = {IEEE Transactions on Affective Computing},
  volume = {15},
  number = {3},
  pages = {1371--1386},
  year = {2024},
  doi = {10.1109/TAFFC.2023.3341918}
}"""
LICENCE = "Research use under a signed agreement; no redistribution of frames or clips."
REQUEST = "University of Science and Technology of China: https://mea-lab-421.github.io"
TREE = """DFME_training_full_with_AU.xlsx      and those of test parts A and B
DFME_train/sub0003_01/00109.png      numbers count from 0"""
_PARTS = {
    "train": re.compile(r"train"),
    "test A": re.compile(r"test[\W_]*(data[\W_]*)?a(?![a-z])"),
    "test B": re.compile(r"test[\W_]*(data[\W_]*)?b(?![a-z])"),
}
_CLIPS = re.compile(r"(?P<clip>(?P<subject>sub[0-9]{1,4})_[0-9]{1,3})")
_BY_ID = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")


class Dfme(TableDataset):
    """DFME: train, test A and test B read as one; their subjects are disjoint."""

    info = DatasetInfo(
        id="dfme",
        title="DFME",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=200.0,
        colour="rgb",
        clips=(2629, 1856, 474, 299),
        subjects=259,
        emotions={},
        releases=(
            Release("train, test A and test B", 2629, {}, clips=2629, subjects=259),
            Release("train", 1856, {}, clips=1856, subjects=176),
            Release("test A", 474, {}, clips=474, subjects=42),
            Release("test B", 299, {}, clips=299, subjects=41),
        ),
    )
    subject_pattern = re.compile(r"(?:sub)?0*([0-9]{1,4})", re.IGNORECASE)
    subject_form = "sub{:04d}"
    layouts = (
        Layout("frames", _CLIPS, re.compile(r"^(?!.*dfme_?crop)"), scattered=True),
        Layout("cropped", _CLIPS, re.compile(r"dfme_?crop"), scattered=True),
    )
    required = ("subject", "filename", "onset", "apex", "offset")
    spellings: ClassVar[dict[str, frozenset[str]]] = {"emotion_id": frozenset({"emotionid"})}
    clip_name = re.compile(r"sub[0-9]{1,4}_[0-9]{1,3}", re.IGNORECASE)

    @classmethod
    def table_rank(cls, name: str) -> int | None:
        """Return the part: 0 train, 1 test A, 2 test B, 3 what does not say."""
        if "dfme" not in name and "full_with_au" not in name:
            return None
        parts = enumerate(_PARTS.values())
        return next((rank for rank, part in parts if part.search(name)), len(_PARTS))

    @cached_property
    def tables(self) -> tuple[Path, ...]:
        """The annotation file asked for, else one of each part."""
        if self.options.table is not None:
            return (self._given_table(self.options.table),)
        found = find_tables(self.root, lambda name: self.table_rank(name) is not None)
        parts: dict[int, Path] = {}
        for path in sorted(found, key=lambda path: (len(path.parts), path)):
            parts.setdefault(self.table_rank(path.name.lower()) or 0, path)
        if len(parts) > 1:
            parts.pop(len(_PARTS), None)
        return tuple(parts[rank] for rank in sorted(parts))

    @cached_property
    def table(self) -> Path:
        """The first annotation file.

        Raises:
            DatasetError: when there is none.
        """
        return self.tables[0] if len(self.tables) > 1 else super().table

    @cached_property
    def content(self) -> Table:
        """The rows of all parts, each with the name of its file."""
        if len(self.tables) < 2:
            return super().content
        read = [read_table(path, self.required, spellings=self.spellings) for path in self.tables]
        names = ", ".join(path.name for path in self.tables)
        self.notes.append(f"annotation files {names} read as one")
        rows = tuple(
            replace(row, file=path.name)
            for path, table in zip(self.tables, read, strict=True)
            for row in table.rows
        )
        columns = {name: at for table in read for name, at in table.columns.items()}
        return Table("", columns, rows)

    def draft(self, row: Row) -> Draft:
        """Return a row with its own rate; an empty emotion comes from its number."""
        draft = super().draft(row)
        number = row.whole("emotion_id")
        named = number is not None and 0 <= number < len(_BY_ID)
        if not draft.emotion and named and number is not None:
            draft = replace(draft, emotion=_BY_ID[number])
        rate = re.match(r"[0-9]+(\.[0-9]+)?", row.text("fps"))
        return replace(draft, fps=float(rate[0]) if rate and float(rate[0]) > 0 else None)

    def emotion_of(self, draft: Draft) -> str:
        """Return the canonical emotion, `UNKNOWN` where none is given."""
        return canonical_emotion(draft.emotion) if draft.emotion else UNKNOWN

    def row_checks(self) -> list[str]:
        """Return rows whose number contradicts the emotion, and subjects with two rates."""
        remarks, rates = [], dict[str, float]()
        for row in self.content.rows:
            where = f"{row.file or self.table.name} row {row.number}: {row.text('filename')}"
            number, word = row.whole("emotion_id"), row.text("emotion").lower()
            if number in range(len(_BY_ID)) and word and word != _BY_ID[number or 0]:
                remarks.append(f"{where}: emotion '{word}', its number {number} says otherwise")
        for draft in self.drafts_by_name.values():
            if draft.fps and rates.setdefault(draft.subject, draft.fps) != draft.fps:
                remarks.append(f"{draft.name}: {draft.fps:g} fps, others of the subject differ")
        return remarks
