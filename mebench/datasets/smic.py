"""SMIC: 164 spontaneous micro-expressions at 100 frames per second (HS); VIS and NIR at 25."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from mebench.datasets.base import Dataset, DatasetInfo
from mebench.datasets.corrections import Draft
from mebench.datasets.layout import Layout, Place, find_clips
from mebench.datasets.smic_table import NAME, SmicTable, find_table, label_of
from mebench.errors import DatasetError
from mebench.facs.emotions import canonical_emotion
from mebench.io.frames import index_folder
from mebench.types import Annotation

BIBTEX = """@inproceedings{li2013smic,
  title = {A Spontaneous Micro-Expression Database: Inducement, Collection and Baseline},
  author = {Li, Xiaobai and Pfister, Tomas and Huang, Xiaohua and Zhao, Guoying
            and Pietik{\\"a}inen, Matti},
  booktitle = {IEEE International Conference on Automatic Face and Gesture Recognition (FG)},
  year = {2013},
  doi = {10.1109/FG.2013.6553717}
}"""
LICENCE = "Research use under a signed agreement; no redistribution of frames or clips."
REQUEST = "CMVS, University of Oulu: https://www.oulu.fi/cmvs/node/41319"
TREE = """SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image559740.bmp       640x480
SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image559740.bmp   registered faces
SMIC_all_raw/VIS/s11/micro/negative/s11_ne_01/07750.bmp              NIR alike
SMIC-HS-E_annotation.xlsx                                            optional, of SMIC-E"""
_CLIPS = re.compile(
    r"s0*(?P<subject>[0-9]{1,2})/micro/(?P<label>[a-z]+)/(?P<clip>s0*[0-9]{1,2}_(ne|po|sur)_[0-9]+)"
)
_PER_SUBJECT = {
    1: 6, 2: 6, 3: 39, 4: 19, 5: 2, 6: 4, 8: 13, 9: 4, 11: 7, 12: 9, 13: 10, 14: 10, 15: 4, 18: 7,
    19: 2, 20: 22,
}  # fmt: skip


def _layouts(part: Literal["hs", "vis", "nir"]) -> tuple[Layout, ...]:
    """HS is also taken from a folder without the part's name; VIS and NIR never are."""
    own = rf".*(^|/){part}[^/]*$" if part != "hs" else r"(?!.*/(vis|nir)[^/]*$)"
    return (
        Layout("raw", _CLIPS, re.compile(rf"^(?!.*crop){own}")),
        Layout("cropped", _CLIPS, re.compile(f"^{own}")),
    )


class Smic(Dataset):
    """SMIC-HS, read from its folders: it comes without a table and without apex frames.

    Without frames the rows come from the table of SMIC-E, which lacks two of the clips.
    """

    part: ClassVar[Literal["HS", "VIS", "NIR"]] = "HS"
    info = DatasetInfo(
        id="smic",
        title="SMIC",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=100.0,
        colour="rgb",
        clips=(164,),
        subjects=16,
        emotions={"negative": 70, "happiness": 51, "surprise": 43},
        per_subject={f"s{number}": count for number, count in _PER_SUBJECT.items()},
    )
    subject_pattern = re.compile(r"s?0*([0-9]{1,2})", re.IGNORECASE)
    subject_form = "s{}"
    layouts = _layouts("hs")

    def places(self) -> dict[str, Path]:
        """Return the frame folder, and the table of SMIC-E where there is one."""
        found = {"frames": self.frames_root} if self.found is not None else {}
        if self.table is not None:
            found["annotations"] = self.table.path
        return found

    def place_key(self, place: Place) -> tuple[str, str] | None:
        """Return subject and clip with the padding removed."""
        match = NAME.fullmatch(place.groups["clip"])
        if match is None or int(match[1]) != int(place.groups["subject"]):
            self.refused.append(
                f"{place.path}: lies in the folder of subject s{int(place.groups['subject'])}"
            )
            return None
        return f"s{int(match[1])}", f"s{int(match[1])}_{match[2]}_{match[3]}"

    def annotations(self) -> list[Annotation]:
        """Return one row a clip: label from its name, interval from its frame numbers.

        Raises:
            DatasetError: when no clip can be used.
        """
        return [*self._rows]

    @staticmethod
    def bare_row(clip_id: str) -> Annotation:
        """Return the row of a clip of which only the name is known."""
        return _row(clip_id.partition("_")[0], clip_id, 0, 0)

    def row_checks(self) -> list[str]:
        """Return where the table of SMIC-E contradicts itself or the folders."""
        if self.table is None:
            return []
        remarks = self.table.checks()
        if self.found is None:
            return remarks
        held = {draft.name: draft for draft in self.table.drafts()}
        for row in self._rows:
            draft = held.get(row.name)
            if draft and (draft.onset, draft.offset) != (row.onset, row.offset):
                remarks.append(
                    f"{row.name}: frames {row.onset}..{row.offset} on disk, {self.table.path.name} "
                    f"row {draft.row} says {draft.onset}..{draft.offset}"
                )
        return remarks

    @cached_property
    def table(self) -> SmicTable | None:
        """The table of SMIC-E at or near the root, or None."""
        path = self.options.table or find_table(self.root, self.part)
        return None if path is None else SmicTable(path, self.part)

    @property
    def frames_root(self) -> Path:
        """The folder above the clips.

        Raises:
            DatasetError: when there are none; says so when another part lies there.
        """
        if self.found is None:
            for other in (Smic, SmicVis, SmicNir):
                if other.part != self.part and find_clips(self.root, other.layouts):
                    raise DatasetError(
                        f"{self.root}: no {self.part} part of SMIC; the {other.part} part lies "
                        f"there: use {other.info.id}"
                    )
        return super().frames_root

    @cached_property
    def _rows(self) -> list[Annotation]:
        if self.found is None and self.table is not None:
            self.notes.append(f"no frames; rows of {self.table.path.name}, which is of SMIC-E")
            rows = [
                _tabled(draft) for draft in self.table.drafts() if NAME.fullmatch(draft.clip_id)
            ]
            return sorted(rows, key=_order)
        rows = []
        self.frames_root  # noqa: B018  (raises when there is none)
        for (subject, clip_id), place in self.clip_places.items():
            try:
                rows.append(_annotation(subject, clip_id, place))
            except DatasetError as error:
                self.refused.append(f"{place.path}: {error}")
        if not rows:
            first = f"; first: {self.refused[0]}" if self.refused else ""
            raise DatasetError(
                f"{self.frames_root}: no clip folder can be used, expected "
                f"{self.info.examples[1]}{first}"
            )
        return sorted(rows, key=_order)


class SmicVis(Smic):
    """SMIC-VIS: the visual camera at 25 frames per second, 8 people."""

    part = "VIS"
    info = DatasetInfo(
        id="smic-vis",
        title="SMIC-VIS",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree="""SMIC_all_raw/VIS/s11/micro/negative/s11_ne_01/07750.bmp
SMIC_all_cropped/VIS/s11/micro/negative/s11_ne_01/reg_07750.bmp""",
        fps=25.0,
        colour="rgb",
        clips=(71,),
        subjects=8,
        emotions={"negative": 23, "happiness": 28, "surprise": 20},
    )
    layouts = _layouts("vis")


class SmicNir(Smic):
    """SMIC-NIR: the near-infrared camera at 25 frames per second, 8 people."""

    part = "NIR"
    info = replace(
        SmicVis.info,
        id="smic-nir",
        title="SMIC-NIR",
        tree=SmicVis.info.tree.replace("VIS", "NIR"),
        colour="gray",
    )
    layouts = _layouts("nir")


def _annotation(subject: str, clip_id: str, place: Place) -> Annotation:
    numbers = list(index_folder(place.path)) or [0, 0]
    word, label = label_of(clip_id), place.groups["label"]
    words = () if label == word else (f"label '{word}' by the clip's name, folder says '{label}'",)
    return replace(_row(subject, clip_id, numbers[0], numbers[-1]), corrections=words)


def _tabled(draft: Draft) -> Annotation:
    row = _row(draft.subject, draft.clip_id, draft.onset or 0, draft.offset or 0)
    return replace(row, row=draft.row)


def _row(subject: str, clip_id: str, onset: int, offset: int) -> Annotation:
    word = label_of(clip_id)
    return Annotation(
        subject=subject,
        clip_id=clip_id,
        onset=onset,
        apex=None,
        apex_source="none",
        offset=offset,
        action_units=(),
        au_raw="",
        emotion=canonical_emotion(word),
        emotion_raw=word,
        au_unknown=True,
    )


def _order(row: Annotation) -> tuple[int, str]:
    return int(row.subject[1:]), row.clip_id
