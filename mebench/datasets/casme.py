"""CASME: 195 spontaneous micro-expressions at 60 frames per second, colour."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

from mebench.datasets.base import DatasetInfo
from mebench.datasets.corrections import Draft
from mebench.datasets.layout import Layout
from mebench.datasets.table_dataset import TableDataset
from mebench.datasets.tables import Row
from mebench.errors import DatasetError
from mebench.facs.emotions import UNKNOWN, canonical_emotion

BIBTEX = """@inproceedings{yan2013casme,
  title = {{CASME} Database: A Dataset of Spontaneous Micro-Expressions Collected From Neutralized
           Faces},
  author = {Yan, Wen-Jing and Wu, Qi and Liu, Yong-Jin and Wang, Su-Jing and Fu, Xiaolan},
  booktitle = {IEEE International Conference on Automatic Face and Gesture Recognition (FG)},
  year = {2013},
  doi = {10.1109/FG.2013.6553799}
}"""
LICENCE = "Research use under a signed agreement; no redistribution of frames or clips."
REQUEST = "Institute of Psychology, Chinese Academy of Sciences: http://casme.psych.ac.cn"
TREE = """casme.xlsx                                       any name with CASME in it
raw/sub01/EP01_5/EP01_5-46.jpg                   numbers unpadded or of 3 digits
Cropped/sub01/EP01_5/reg_EP01_5-046.jpg          registered faces"""
_CLIPS = re.compile(r"sub0*(?P<subject>[0-9]+)/(?P<clip>ep[0-9][^/]*)")


class Casme(TableDataset):
    """CASME, sets A (1280x720) and B (640x480); its words for emotions are not all known."""

    info = DatasetInfo(
        id="casme",
        title="CASME",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=60.0,
        colour="rgb",
        clips=(189, 195),
        subjects=19,
        emotions={},
    )
    subject_pattern = re.compile(r"(?:sub)?0*([0-9]{1,3})", re.IGNORECASE)
    subject_form = "{:02d}"
    layouts = (
        Layout("raw", _CLIPS, re.compile(r"^(?!.*crop[^/]*$)")),
        Layout("cropped", _CLIPS),
    )
    clip_name = re.compile(r"EP[0-9].*", re.IGNORECASE)
    spellings: ClassVar[dict[str, frozenset[str]]] = {"apex2": frozenset({"apexf2"})}

    @classmethod
    def table_rank(cls, name: str) -> int | None:
        """Know a table of CASME, none of its successors."""
        plain = re.sub(r"[\W_]+", "", name)
        later = re.search(r"casme(2|ii|3|sq|cube)|codefinal|part[abc]|objective", plain)
        return 0 if "casme" in plain and not later and "cas(me)" not in name else None

    def draft(self, row: Row) -> Draft:
        """Return a row; of its two apexes the first, the second where the first is none."""
        draft = super().draft(row)
        second = replace(draft, apex=row.whole("apex2"), apex_text=row.text("apex2"))
        if draft.has_apex or not second.has_apex:
            return draft
        word = f"apex {second.apex} of ApexF2: ApexF1 holds '{draft.apex_text[:40]}'"
        return replace(second, words=(*draft.words, word))

    def emotion_of(self, draft: Draft) -> str:
        """Return the canonical emotion, `UNKNOWN` for a word nobody listed."""
        try:
            return canonical_emotion(draft.emotion)
        except DatasetError:
            return UNKNOWN

    def row_checks(self) -> list[str]:
        """Return rows with an unknown emotion."""
        return self.unlisted_emotions()
