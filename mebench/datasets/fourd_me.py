"""4DME: 267 micro-expressions of the grey camera at 60 frames per second; 4D is not read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from mebench.datasets.base import DatasetInfo
from mebench.datasets.corrections import Draft
from mebench.datasets.layout import Layout
from mebench.datasets.table_dataset import TableDataset
from mebench.datasets.tables import Row
from mebench.errors import DatasetError
from mebench.facs.emotions import UNKNOWN, combined_emotion

BIBTEX = """@article{li2023fourdme,
  title = {{4DME}: A Spontaneous {4D} Micro-Expression Dataset With Multimodalities},
  author = {Li, Xiaobai and Cheng, Shiyang and Li, Yante and Behzad, Muzammil and Shen, Jie
            and Zafeiriou, Stefanos and Pantic, Maja and Zhao, Guoying},
  journal = {IEEE Transactions on Affective Computing},
  volume = {14},
  number = {4},
  pages = {3031--3047},
  year = {2023},
  doi = {10.1109/TAFFC.2022.3182342}
}"""
LICENCE = "Research use under a signed agreement; no redistribution of frames or clips."
REQUEST = "Center for Machine Vision and Signal Analysis, University of Oulu"
TREE = """4DME_Labelling_Micro_release v1.xlsx
gray_micro/S13/S13_1st_001_01/Frame_000001826.jpg     by sub_ID and fold_name"""
_EMOTIONS = ("positive", "negative", "surprise", "repression", "others")
_UNITS = range(1, 70)
_ONE_HOT = {
    **{f"is {word}": frozenset({word, word.removesuffix("s")}) for word in _EMOTIONS},
    **{f"AU{number}": frozenset({f"au{number}"}) for number in _UNITS},
}
_CLIPS = re.compile(r"(s|sub)?0*(?P<subject>[0-9]{1,3})/(?P<clip>[^/]+)")


class FourdMe(TableDataset):
    """4DME's micro-expressions; a row may name several emotions."""

    info = DatasetInfo(
        id="fourd-me",
        title="4DME",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=60.0,
        colour="gray",
        clips=(267,),
        subjects=41,
        emotions={},
    )
    subject_pattern = re.compile(r"(?:s|sub)?0*([0-9]{1,3})", re.IGNORECASE)
    subject_form = "S{:02d}"
    layouts = (
        Layout("gray-micro", _CLIPS, re.compile(r"gray[ _-]?micro$")),
        Layout("cropped", _CLIPS, re.compile(r"gray[ _-]?micro[^/]+$")),
    )
    required = ("subject", "filename", "onset", "apex", "offset")
    spellings: ClassVar[Mapping[str, frozenset[str]]] = _ONE_HOT

    @classmethod
    def table_rank(cls, name: str) -> int | None:
        """Know the labels of the micro-expressions, not those of the long recordings."""
        plain = re.sub(r"[\W_]+", "", name)
        if "4dme" not in plain or "macro" in plain:
            return None
        return 0 if "micro" in plain else 1

    def draft(self, row: Row) -> Draft:
        """Return a row; emotion and units come from the one-hot columns where no text is."""
        draft = super().draft(row)
        if not re.search("[A-Za-z]", draft.emotion):
            words = [word for word in _EMOTIONS if row.text(f"is {word}") == "1"]
            draft = replace(draft, emotion="+".join(words) or draft.emotion)
        if draft.au is None or not row.text("au"):
            units = [f"AU{number}" for number in _UNITS if row.text(f"AU{number}") == "1"]
            draft = replace(draft, au="+".join(units) or None)
        return draft

    def emotion_of(self, draft: Draft) -> str:
        """Return the canonical emotions, `UNKNOWN` for none or for a word nobody listed."""
        try:
            return combined_emotion(draft.emotion)
        except DatasetError:
            return UNKNOWN

    def row_checks(self) -> list[str]:
        """Return rows with an unknown emotion."""
        return self.unlisted_emotions()
