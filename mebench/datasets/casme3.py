"""CAS(ME)^3: micro- and macro-expressions at 30 frames per second, colour (depth is not read)."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import ClassVar

from mebench.datasets.base import DatasetInfo, Release
from mebench.datasets.corrections import Draft
from mebench.datasets.folders import find_tables
from mebench.datasets.layout import Layout, Place
from mebench.datasets.table_dataset import TableDataset, apex_for_offset
from mebench.datasets.tables import Row, read_table
from mebench.errors import DatasetError
from mebench.facs.objective import read_class
from mebench.types import Annotation

BIBTEX = """@article{li2023casme3,
  title = {{CAS(ME)$^3$}: A Third Generation Facial Spontaneous Micro-Expression Database With
           Depth Information and High Ecological Validity},
  author = {Li, Jingting and Dong, Zizhao and Lu, Shaoyuan and Wang, Su-Jing and Yan, Wen-Jing
            and Ma, Yinhuan and Liu, Ye and Huang, Changbing and Fu, Xiaolan},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume = {45},
  number = {3},
  pages = {2782--2800},
  year = {2023},
  doi = {10.1109/TPAMI.2022.3174895}
}"""
LICENCE = "Research use under a signed agreement; no redistribution of frames or clips."
REQUEST = "Institute of Psychology, Chinese Academy of Sciences: http://casme.psych.ac.cn/casme/e4"
TREE = """cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx     or v1.xls; CAS(ME)3_part_A_v2.xls: macro too
Part_A_ME_clip/frame/spNO.1_a_355/355.jpg     folders named after the printed onset
part_A_split/part_A/spNO.1/a/color/355.jpg    whole recordings, 1280x720
Part_A_ME_clip/video/spNO.1_a_355.mp4"""
TREE_C = """CAS(ME)3_part_C_ME.xlsx
part_C/01/a/color/373.jpg                     whole recordings
ME_C/01/11/color/373.jpg                      clips, by subject and count"""
_EMOTIONS = {
    "disgust": 250, "surprise": 187, "others": 161, "fear": 86, "anger": 64, "sadness": 57,
    "happiness": 55,
}  # fmt: skip
_OBJECTIVE = {"I": 15, "II": 151, "III": 234, "IV": 37, "V": 47, "VI": 3, "VII": 373}
_POOR = ("sp214/b_5", "sp214/k_4", "sp215/e_7", "sp215/f_5")
"""Micro-expressions touched by the publisher's list of frames of low quality."""
_CLIP = r"spno\.? ?0*(?P<subject>[0-9]{1,3})_(?P<clip>[a-z]_[0-9]+)"
_MICRO = re.compile(r"^(?!.*(/depth$|_mae_clip))")
"""Neither depth nor the clips of macro-expressions, which are named alike."""


class Casme3(TableDataset):
    """CAS(ME)^3 part A: both ME labels and both books of all expressions; clips or recordings.

    A recording holds several expressions, so a clip is named after its letter and printed onset.
    """

    info = DatasetInfo(
        id="casme3",
        title="CAS(ME)^3 part A",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=30.0,
        colour="rgb",
        clips=(860, 921),
        subjects=94,
        emotions=_EMOTIONS,
        releases=(
            Release("part A, ME label v2", 860, _EMOTIONS, _OBJECTIVE),
            Release("part A, ME label v1", 921, {}, {}, clips=921, subjects=0),
            Release("part A v2, all expressions", 4206, {}, {}, macro=3346, clips=860, subjects=98),
            Release("part A v1, all expressions", 4206, {}, {}, macro=3285, clips=921, subjects=98),
        ),
    )
    subject_pattern = re.compile(r"(?:sp(?:no)?\.? ?)?0*([0-9]{1,3})", re.IGNORECASE)
    subject_form = "sp{}"
    layouts = (
        Layout("clips", re.compile(_CLIP), _MICRO),
        Layout(
            "recordings",
            re.compile(r"spno\.? ?0*(?P<subject>[0-9]{1,3})/(?P<clip>[a-z])/color"),
            whole=True,
        ),
        Layout("clip-files", re.compile(_CLIP), _MICRO, media="file"),
    )
    required = ("subject", "filename", "onset", "apex", "offset", "au")
    prefer = ("label", "au+emotion")
    clip_name = re.compile(r"[a-z]", re.IGNORECASE)

    @classmethod
    def table_rank(cls, name: str) -> int | None:
        """Prefer the ME label, version 2; the books of all expressions have no emotions."""
        plain = re.sub(r"[\W_]+", "", name)
        if "casme3" not in plain or re.search("part[bc]|error|wrong", plain):
            return None
        return (0 if "melabel" in plain else 2) + (0 if "v2" in plain else 1)

    def clip_id_of(self, row: Row) -> str:
        """Return the recording's letter and the printed onset, ``d_112``.

        Raises:
            DatasetError: for a name that is no letter.
        """
        return f"{super().clip_id_of(row).lower()}_{row.whole('onset')}"

    def draft(self, row: Row) -> Draft:
        """Return a row; what a book of all expressions lacks comes from the ME label."""
        draft = super().draft(row)
        letter = row.text("filename")
        if letter.isupper():
            words = (f"recording {letter.lower()} instead of {letter}: the only capital",)
            draft = replace(draft, words=words)
        if row.text("expression").lower().startswith("macro"):
            return replace(apex_for_offset(draft), expression="macro")
        if "emotion" in self.content.columns:
            return draft
        emotion, objective = self._labels.get(draft.name, ("", None))
        return replace(draft, emotion=emotion, objective_class=draft.objective_class or objective)

    def row_key(self, annotation: Annotation) -> tuple[str, str]:
        """Return subject and clip, or the recording where whole recordings are read."""
        clip = annotation.clip_id
        whole = self.found is not None and self.found.layout.whole
        return annotation.subject, clip.partition("_")[0] if whole else clip

    def place_key(self, place: Place) -> tuple[str, str] | None:
        """Return subject and clip with the padding removed."""
        letter, sign, onset = place.groups["clip"].partition("_")
        subject = self.subject_id(place.groups["subject"])
        return None if subject is None else (subject, f"{letter}{sign}{onset and int(onset)}")

    def row_checks(self) -> list[str]:
        """Return clips whose frames are partly of low quality."""
        return [
            f"{name}: some of its frames are of low quality (publisher's list)"
            for name in _POOR
            if name in self.drafts_by_name
        ]

    def table_remarks(self) -> list[str]:
        """Return where the emotions come from, and what every copy lacks."""
        remarks = []
        if "emotion" not in self.content.columns:
            where = "taken from the ME label beside it" if self._labels else "put the ME label here"
            remarks.append(f"{self.table.name} holds no emotions: {where}")
        collected = self.__dict__.get("collected")
        if collected is not None and collected.gaps:
            remarks.append("the published clips lack single frames in 83 of 860 clips")
        return remarks

    @cached_property
    def _labels(self) -> dict[str, tuple[str, str | None]]:
        """Emotion and objective class by ``subject/clip`` of the ME labels that lie there."""
        found = find_tables(self.root, lambda name: self.table_rank(name) in (0, 1))
        labels: dict[str, tuple[str, str | None]] = {}
        for path in sorted(found, key=lambda path: self.table_rank(path.name.lower()) or 0):
            columns = ("subject", "filename", "onset", "emotion")
            try:
                rows = read_table(path, columns, prefer=self.prefer).rows
            except DatasetError as error:
                self.notes.append(str(error))
                continue
            for row in rows:
                letter, onset = row.text("filename").lower(), row.whole("onset")
                name = f"{self.subject_id(row.text('subject'))}/{letter}_{onset}"
                labels.setdefault(name, (row.text("emotion"), read_class(row.text("objective"))))
        return labels


class Casme3C(TableDataset):
    """CAS(ME)^3 part C, the mock crime: no apexes; a clip is named after its count."""

    info = DatasetInfo(
        id="casme3-c",
        title="CAS(ME)^3 part C",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE_C,
        fps=30.0,
        colour="rgb",
        clips=(165,),
        subjects=30,
        emotions={"negative": 99, "surprise": 30, "others": 20, "happiness": 16},
        releases=(
            Release(
                "part C, ME", 165, {"negative": 99, "surprise": 30, "others": 20, "happiness": 16}
            ),
        ),
    )
    subject_pattern = re.compile(r"(?:sub|sp(?:no)?\.?)?0*([0-9]{1,3})", re.IGNORECASE)
    subject_form = "{}"
    layouts = (
        Layout(
            "clips",
            re.compile(r"(sub)?0*(?P<subject>[0-9]{1,3})/0*(?P<clip>[0-9]{1,3})/color"),
        ),
        Layout(
            "recordings",
            re.compile(r"(sub)?0*(?P<subject>[0-9]{1,3})/[a-z]/color"),
            whole=True,
        ),
    )
    required = ("subject", "filename", "onset", "offset", "au", "emotion")
    spellings: ClassVar[dict[str, frozenset[str]]] = {"filename": frozenset({"count"})}
    clip_name = re.compile(r"[0-9]{1,3}")

    @classmethod
    def table_rank(cls, name: str) -> int | None:
        """Know the ME label of part C."""
        plain = re.sub(r"[\W_]+", "", name)
        return 0 if "casme3partcme" in plain else None

    def row_key(self, annotation: Annotation) -> tuple[str, str]:
        """Return subject and count, or the subject where whole recordings are read."""
        whole = self.found is not None and self.found.layout.whole
        return annotation.subject, "" if whole else annotation.clip_id
