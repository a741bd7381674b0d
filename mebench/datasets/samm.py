"""SAMM: 159 spontaneous micro-movements of 29 people, 200 frames per second, grey."""

from __future__ import annotations

import re

from mebench.datasets.base import DatasetInfo, Release
from mebench.datasets.layout import Layout
from mebench.datasets.table_dataset import TableDataset

BIBTEX = """@article{davison2018samm,
  title = {{SAMM}: A Spontaneous Micro-Facial Movement Dataset},
  author = {Davison, Adrian K. and Lansley, Cliff and Costen, Nicholas and Tan, Kevin
            and Yap, Moi Hoon},
  journal = {IEEE Transactions on Affective Computing},
  volume = {9},
  number = {1},
  pages = {116--129},
  year = {2018},
  doi = {10.1109/TAFFC.2016.2573832}
}"""
LICENCE = "Research use under a signed agreement; no redistribution of frames or clips."
REQUEST = "Manchester Metropolitan University: https://helward.mmu.ac.uk/STAFF/M.Yap/dataset.php"
TREE = """SAMM_Micro_FACS_Codes_v2.xlsx                    or SAMM_20181215_...
006/006_1_2/006_05562.jpg                        960x650, grey
SAMM_CROP/006/006_1_2/006_05562.jpg              cropped faces"""
_EMOTIONS = {
    "anger": 57, "happiness": 26, "others": 26, "surprise": 15, "contempt": 12, "disgust": 9,
    "fear": 8, "sadness": 6,
}  # fmt: skip
_PER_SUBJECT = {
    6: 11, 7: 10, 9: 4, 10: 4, 11: 20, 12: 3, 13: 6, 14: 11, 15: 3, 16: 5, 17: 6, 18: 4, 19: 3,
    20: 9, 21: 2, 22: 5, 23: 1, 24: 1, 25: 4, 26: 13, 28: 3, 30: 3, 31: 1, 32: 6, 33: 5, 34: 3,
    35: 9, 36: 1, 37: 3,
}  # fmt: skip
_RELEASE = Release(
    "SAMM_Micro_FACS_Codes_v2",
    159,
    _EMOTIONS,
    {"I": 24, "II": 13, "III": 20, "IV": 8, "V": 3, "VI": 7, "VII": 84},
    11816,
)
_CLIPS = re.compile(r"0*(?P<subject>[0-9]{1,3})/(?P<clip>[0-9]{1,3}_[0-9]_[0-9]{1,2})")


class Samm(TableDataset):
    """SAMM with its FACS codes, camera frames or crops."""

    info = DatasetInfo(
        id="samm",
        title="SAMM",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=200.0,
        colour="gray",
        clips=(159,),
        subjects=29,
        emotions=_EMOTIONS,
        per_subject={f"{number:03d}": count for number, count in _PER_SUBJECT.items()},
        releases=(_RELEASE,),
    )
    subject_pattern = re.compile(r"0*([0-9]{1,3})", re.IGNORECASE)
    subject_form = "{:03d}"
    layouts = (
        Layout("frames", _CLIPS, re.compile(r"^(?!.*crop[^/]*$)")),
        Layout("cropped", _CLIPS),
    )
    clip_name = re.compile(r"[0-9]{1,3}_[0-9]_[0-9]{1,2}")

    @classmethod
    def table_rank(cls, name: str) -> int | None:
        """Prefer the file of FACS codes, version 2; the long recordings have other columns."""
        plain = re.sub(r"[\W_]+", "", name)
        if "samm" not in plain or "long" in plain:
            return None
        return 0 if "facscodesv2" in plain else 1 if "facs" in plain else 2

    def row_checks(self) -> list[str]:
        """Return rows whose duration, subject or inducement code contradicts the others."""
        remarks = []
        for row in self.content.rows:
            where = f"{self.table.name} row {row.number}: {row.text('filename')}"
            onset, offset, stated = (row.whole(name) for name in ("onset", "offset", "duration"))
            if None not in (onset, offset, stated) and stated != offset - onset + 1:  # type: ignore[operator]
                remarks.append(
                    f"{where}: duration {stated}, but {onset}..{offset} are "
                    f"{offset - onset + 1} frames"  # type: ignore[operator]
                )
            parts = row.text("filename").split("_")
            if self.subject_id(parts[0]) != self.subject_id(row.text("subject")):
                remarks.append(f"{where}: stands under subject {row.text('subject')}")
            code = row.text("inducement")
            if code and len(parts) == 3 and code != parts[1]:
                remarks.append(f"{where}: inducement code {code}, the name says {parts[1]}")
        return remarks
