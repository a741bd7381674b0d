"""CASME II: 255 spontaneous micro-expressions of 26 people, 200 frames per second, colour."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property

from mebench.datasets.base import DatasetInfo, Release
from mebench.datasets.corrections import Draft
from mebench.datasets.folders import find_tables
from mebench.datasets.layout import Layout
from mebench.datasets.table_dataset import TableDataset
from mebench.datasets.tables import Row, read_table
from mebench.facs.objective import read_class

BIBTEX = """@article{yan2014casme2,
  title = {{CASME II}: An Improved Spontaneous Micro-Expression Database and the Baseline
           Evaluation},
  author = {Yan, Wen-Jing and Li, Xiaobai and Wang, Su-Jing and Zhao, Guoying and Liu, Yong-Jin
            and Chen, Yu-Hsin and Fu, Xiaolan},
  journal = {PLoS ONE},
  volume = {9},
  number = {1},
  pages = {e86041},
  year = {2014},
  doi = {10.1371/journal.pone.0086041}
}"""
LICENCE = "Research use under a signed agreement; no redistribution of frames or clips."
REQUEST = "Institute of Psychology, Chinese Academy of Sciences: http://casme.psych.ac.cn/casme/e2"
TREE = """CASME2-coding-20140508.xlsx                      or 20190701
CASME2_RAW_selected/sub01/EP02_01f/img46.jpg     onset..offset, 640x480
CASME2-RAW/sub01/EP02_01f/img1.jpg               whole recordings
Cropped/sub01/EP02_01f/reg_img46.jpg             registered faces
CASME2_compressed/sub01/EP02_01f.avi"""
_EMOTIONS = {
    "others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7,
    "fear": 2,
}  # fmt: skip
_RELEASES = (
    Release("CASME2-coding-20140508", 255, _EMOTIONS, None, 17138),
    Release(
        "CASME2-coding-20190701",
        255,
        {**_EMOTIONS, "surprise": 28, "sadness": 4},
        {"I": 30, "II": 18, "III": 93, "IV": 15, "V": 18, "VI": 2, "VII": 79},
        17138,
    ),
    Release("CASME2-coding-updated (first release)", 256, {**_EMOTIONS, "disgust": 64}),
)
_PER_SUBJECT = (
    9, 13, 7, 5, 19, 5, 9, 3, 14, 14, 10, 12, 8, 4, 3, 4, 36, 3, 16, 11, 2, 2, 12, 10, 7, 17,
)  # fmt: skip
_CLIPS = re.compile(r"sub0*(?P<subject>[0-9]+)/(?P<clip>ep[0-9][^/]*)")
_NO_APEX = "04/EP12_01f"


class Casme2(TableDataset):
    """CASME II: both codings and the first release; raw, cropped or compressed recordings."""

    info = DatasetInfo(
        id="casme2",
        title="CASME II",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=200.0,
        colour="rgb",
        clips=(255, 256),
        subjects=26,
        emotions=_EMOTIONS,
        per_subject={f"{n:02d}": count for n, count in enumerate(_PER_SUBJECT, 1)},
        releases=_RELEASES,
    )
    subject_pattern = re.compile(r"(?:sub)?0*([0-9]{1,3})", re.IGNORECASE)
    subject_form = "{:02d}"
    layouts = (
        Layout("raw-selected", _CLIPS, re.compile(r"selected")),
        Layout("raw", _CLIPS, re.compile(r"(?<!c)raw"), whole=True),
        Layout("cropped", _CLIPS, re.compile(r"crop")),
        Layout("frames", _CLIPS),
        Layout("compressed", _CLIPS, media="file"),
    )
    clip_name = re.compile(r"EP[0-9].*", re.IGNORECASE)

    @classmethod
    def table_rank(cls, name: str) -> int | None:
        """Prefer the 20140508 coding, on which MEGC2019 rests."""
        plain = re.sub(r"[\W_]+", "", name)
        if not re.search(r"casme(2|ii)(?!i)", plain) or re.search("objective|codefinal", plain):
            return None
        ranks = ("20140508", "20190701", "coding")
        return next((rank for rank, word in enumerate(ranks) if word in plain), len(ranks))

    def draft(self, row: Row) -> Draft:
        """Return a row; its objective class comes from a table of its own where it has none."""
        draft = super().draft(row)
        if "objective" in self.content.columns:
            return draft
        return replace(draft, objective_class=self._objective_classes.get(draft.name))

    def table_remarks(self) -> list[str]:
        """Return what tells an edited copy from the published file."""
        columns, rows = self.content.columns, self.content.rows
        remarks = []
        if columns["onset"] == 2:
            remarks.append("the unnamed spacer columns were removed")
        if any(isinstance(row.cells["subject"], int | float) for row in rows):
            remarks.append("subjects are numbers instead of text such as '01'")
        odd = self.drafts_by_name.get(_NO_APEX)
        if odd is not None and odd.apex is not None:
            remarks.append(f"the apex of {_NO_APEX} was filled in with {odd.apex}")
        return remarks

    @cached_property
    def _objective_classes(self) -> dict[str, str]:
        found = find_tables(self.root, lambda name: "casme" in name and "objective" in name)
        classes: dict[str, str] = {}
        for row in read_table(found[0], ("subject", "filename", "objective")).rows if found else ():
            subject, name = self.subject_id(row.text("subject")), read_class(row.text("objective"))
            if subject and name:
                classes[f"{subject}/{row.text('filename')}"] = name
        if found:
            self.notes.append(f"objective classes of {found[0].name} taken")
        return classes
