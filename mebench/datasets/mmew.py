"""MMEW: 300 micro-expressions of 30 people at 90 frames per second, colour."""

from __future__ import annotations

import re
from dataclasses import replace

from mebench.datasets.base import DatasetInfo, Release
from mebench.datasets.corrections import Draft
from mebench.datasets.layout import Layout, Place
from mebench.datasets.table_dataset import TableDataset
from mebench.datasets.tables import Row
from mebench.errors import DatasetError
from mebench.facs.emotions import canonical_emotion
from mebench.io.frames import index_folder

BIBTEX = """@article{ben2022mmew,
  title = {Video-Based Facial Micro-Expression Analysis: A Survey of Datasets, Features and
           Algorithms},
  author = {Ben, Xianye and Ren, Yi and Zhang, Junping and Wang, Su-Jing and Kpalma, Kidiyo
            and Meng, Weixiao and Liu, Yong-Jin},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume = {44},
  number = {9},
  pages = {5826--5846},
  year = {2022},
  doi = {10.1109/TPAMI.2021.3067464}
}"""
LICENCE = "Research use under a signed agreement; no redistribution of frames or clips."
REQUEST = "Shandong University: http://www.dpailab.com/database.html"
TREE = """MMEW_Micro_Exp.xlsx                                  also _v2
Micro_Expression/happiness/S01-01-001/15.jpg         231x231, numbers count from 1
Micro_Expression/S01/happiness/S01-01-001/15.jpg     class others lies in 'repression'"""
_EMOTIONS = {
    "surprise": 89, "disgust": 72, "others": 66, "happiness": 36, "fear": 16, "sadness": 13,
    "anger": 8,
}  # fmt: skip
_BY_INDEX = {
    1: "happiness", 2: "surprise", 3: "disgust", 4: "others", 5: "fear", 6: "sadness", 7: "anger",
}  # fmt: skip
_NAME = re.compile(r"S0*([0-9]{1,2})-0*([0-9]{1,2})-([0-9]{1,3})", re.IGNORECASE)
_CLIP = r"(?P<clip>s0*(?P<subject>[0-9]{1,2})-[0-9]{1,2}-[0-9]{1,3})"
_MICRO = re.compile(r"^(?!.*/macro[^/]*$)")


class Mmew(TableDataset):
    """MMEW's micro-expressions, below their class or below subject and class."""

    info = DatasetInfo(
        id="mmew",
        title="MMEW",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=90.0,
        colour="rgb",
        clips=(300, 234),
        subjects=30,
        emotions=_EMOTIONS,
        releases=(
            Release("MMEW_Micro_Exp", 300, _EMOTIONS),
            Release(
                "MMEW_Micro_Exp without class others",
                234,
                {name: count for name, count in _EMOTIONS.items() if name != "others"},
                clips=234,
                subjects=0,
            ),
        ),
    )
    subject_pattern = re.compile(r"S?0*([0-9]{1,2})", re.IGNORECASE)
    subject_form = "S{:02d}"
    layouts = (
        Layout("by-subject", re.compile(rf"s[0-9]{{1,2}}/[a-z]+/{_CLIP}"), _MICRO),
        Layout("by-class", re.compile(rf"[a-z]+/{_CLIP}"), _MICRO),
    )
    clip_name = _NAME

    @classmethod
    def table_rank(cls, name: str) -> int | None:
        """Know ``MMEW_Micro_Exp`` and its later copies; the macro part has none that is read."""
        plain = re.sub(r"[\W_]+", "", name)
        if "mmew" not in plain or "macro" in plain:
            return None
        return 0 if "microexp" in plain else 1

    def place_key(self, place: Place) -> tuple[str, str] | None:
        """Return subject and clip."""
        return self.subject_id(place.groups["subject"]) or "", place.groups["clip"]

    def draft(self, row: Row) -> Draft:
        """Return a row; an offset that is none is the clip's length, counted from its frames."""
        draft = super().draft(row)
        if draft.ordered:
            return draft
        place = self.clip_places.get((draft.subject, draft.clip_id.lower())) if self.found else None
        last = max(index_folder(place.path), default=0) if place else 0
        if last < 2:
            return draft
        word = f"offset {last}, the last frame on disk, instead of '{row.text('offset')[:40]}'"
        return replace(draft, onset=draft.onset or 1, offset=last, words=(*draft.words, word))

    def judge(self, draft: Draft) -> None:
        """Refuse a row without an offset, and say what would help.

        Raises:
            DatasetError: when neither the row nor frames tell the clip's length.
        """
        if not draft.ordered:
            raise DatasetError(
                f"{draft.name}: no interval ({draft.onset}..{draft.offset}); put its frames beside "
                "the annotation file, then their number is taken"
            )

    def emotion_of(self, draft: Draft) -> str:
        """Return the emotion of the row, where it is empty that of the clip's name."""
        return canonical_emotion(draft.emotion) if draft.emotion else _by_name(draft.clip_id)

    def row_checks(self) -> list[str]:
        """Return rows whose name contradicts subject or emotion, or that do not start at 1."""
        remarks = []
        for draft in self.drafts_by_name.values():
            where = f"{self.table.name} row {draft.row}: {draft.clip_id}"
            subject = self.subject_id(draft.clip_id.partition("-")[0])
            if subject != draft.subject:
                remarks.append(f"{where}: stands under subject {draft.subject}")
            word = self._word(draft)
            if word and word != _by_name(draft.clip_id):
                remarks.append(f"{where}: labelled '{word}', by name '{_by_name(draft.clip_id)}'")
            if draft.onset not in (None, 1):
                remarks.append(f"{where}: onset {draft.onset}, but numbers count from 1")
        return remarks

    def _word(self, draft: Draft) -> str:
        try:
            return self.emotion_of(draft)
        except DatasetError:
            return ""


def _by_name(clip_id: str) -> str:
    match = _NAME.fullmatch(clip_id)
    found = _BY_INDEX.get(int(match[2])) if match else None
    if found is None:
        raise DatasetError(f"'{clip_id}' holds no emotion index 01..07")
    return found
