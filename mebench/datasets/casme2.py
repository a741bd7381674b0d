"""CASME II: 255 spontaneous micro-expressions of 26 people, 200 frames per second, colour."""

from __future__ import annotations

import re
from pathlib import Path

from mebench.datasets.base import DatasetInfo
from mebench.datasets.coded import CodedDataset

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
TREE = """CASME2-coding-20140508.xlsx
CASME2_RAW_selected/sub01/EP02_01f/img46.jpg"""


class Casme2(CodedDataset):
    """CASME II with the 20140508 or 20190701 coding, raw or cropped frames."""

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
        emotions={
            "others": 99,
            "disgust": 63,
            "happiness": 32,
            "repression": 27,
            "surprise": 25,
            "sadness": 7,
            "fear": 2,
        },
    )
    subject_folder = re.compile(r"sub[0-9]+", re.IGNORECASE)
    subject_format = "{:02d}"

    def table_rank(self, name: str) -> int | None:
        """Prefer the 20140508 coding, on which MEGC2019 rests."""
        plain = re.sub(r"[\W_]+", "", name)
        if "casme2" not in plain or "objective" in plain:
            return None
        ranks = ("20140508", "20190701", "coding")
        return next((rank for rank, word in enumerate(ranks) if word in plain), len(ranks))

    def frames_rank(self, folder: Path) -> int:
        """Prefer the selected raw frames, then other raw frames, then crops."""
        name = "/".join(folder.parts[-2:]).lower()
        return 0 if "raw_selected" in name else 1 if "raw" in name else 2
