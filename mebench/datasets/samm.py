"""SAMM: 159 spontaneous micro-movements of 29 people, 200 frames per second, grey."""

from __future__ import annotations

import re
from pathlib import Path

from mebench.datasets.base import DatasetInfo
from mebench.datasets.coded import CodedDataset
from mebench.datasets.folders import subfolders

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
TREE = """SAMM_Micro_FACS_Codes_v2.xlsx
006/006_1_2/006_05562.jpg"""


class Samm(CodedDataset):
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
        emotions={
            "anger": 57,
            "happiness": 26,
            "others": 26,
            "surprise": 15,
            "contempt": 12,
            "disgust": 9,
            "fear": 8,
            "sadness": 6,
        },
    )
    subject_folder = re.compile(r"[0-9]{3}")
    subject_format = "{:03d}"

    def table_rank(self, name: str) -> int | None:
        """Prefer the file of FACS codes, version 2; the long recordings have other columns."""
        plain = re.sub(r"[\W_]+", "", name)
        if "samm" not in plain or "long" in plain:
            return None
        return 0 if "facscodesv2" in plain else 1 if "facs" in plain else 2

    def frames_rank(self, folder: Path) -> int:
        """Prefer camera frames to crops."""
        return 1 if "crop" in folder.name.lower() else 0

    def _holds_clips(self, subject: Path) -> bool:
        wanted = re.compile(rf"0*{int(subject.name)}_[0-9]+_[0-9]+")
        return any(wanted.fullmatch(folder.name) for folder in subfolders(subject))
