"""SMIC (HS part): 164 spontaneous micro-expressions of 16 people, 100 frames per second, colour."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from mebench.datasets.base import Dataset, DatasetInfo
from mebench.datasets.folders import find_frame_roots, matching_subfolders, subfolders
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
TREE = """SMIC_all_raw/HS/
SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image559740.bmp"""
_SUBJECT = re.compile(r"s[0-9]{1,2}", re.IGNORECASE)
_CLIP = re.compile(r"s0*([0-9]{1,2})_(ne|po|sur)_([0-9]+)", re.IGNORECASE)
_WORDS = {"ne": "negative", "po": "positive", "sur": "surprise"}


class Smic(Dataset):
    """SMIC-HS, read from its folders: it comes without a table and without apex frames."""

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
    )

    @cached_property
    def frames_root(self) -> Path:
        """The folder of subject folders ``s1``, ``s2``.

        Raises:
            DatasetError: when there is none at or near the root, or only VIS or NIR.
        """
        found = find_frame_roots(self.root, _holds_subjects)
        fitting = [folder for folder in found if folder.name.upper() not in {"VIS", "NIR"}]
        if found and not fitting:
            raise DatasetError(f"{found[0]}: only the HS part of SMIC is read; give its folder")
        if not fitting:
            raise DatasetError(
                f"{self.root}: no folder of frames; expected {TREE.splitlines()[-1]} "
                "here or one folder up or down"
            )
        best = min(fitting, key=lambda path: ("crop" in str(path).lower(), len(path.parts), path))
        if len(fitting) > 1:
            others = ", ".join(str(path) for path in fitting if path != best)
            self.notes.append(f"frames of {best} taken (also there: {others})")
        if (
            best.resolve() != self.root.resolve()
            and self.root.resolve() not in best.resolve().parents
        ):
            self.notes.append(f"frames found outside the root: {best}")
        return best

    def places(self) -> dict[str, Path]:
        """Return the frame folder; SMIC has no annotation file."""
        return {"frames": self.frames_root}

    def annotations(self) -> list[Annotation]:
        """Return one row a clip folder: label from its name, interval from its frame numbers.

        Raises:
            DatasetError: when no clip folder can be used.
        """
        return [row for row, _ in self._rows]

    def clip_folder(self, annotation: Annotation) -> Path | None:
        """Return the folder the row was read from."""
        return self._folders.get((annotation.subject, annotation.clip_id))

    @cached_property
    def _folders(self) -> dict[tuple[str, str], Path]:
        return {(row.subject, row.clip_id): folder for row, folder in self._rows}

    @cached_property
    def _rows(self) -> list[tuple[Annotation, Path]]:
        rows: dict[tuple[str, str], tuple[Annotation, Path]] = {}
        for folder in self._candidates():
            try:
                row = _annotation(folder)
                if (row.subject, row.clip_id) in rows:
                    raise DatasetError("this clip is there twice")
            except DatasetError as error:
                self.refused.append(f"{folder}: {error}")
                continue
            rows[row.subject, row.clip_id] = (row, folder)
        if not rows:
            first = f"; first: {self.refused[0]}" if self.refused else ""
            raise DatasetError(
                f"{self.frames_root}: no clip folder can be used, expected "
                f"{TREE.splitlines()[-1]}{first}"
            )
        return sorted(rows.values(), key=lambda item: _order(item[0]))

    def _candidates(self) -> list[Path]:
        micro = [
            part
            for subject in matching_subfolders(self.frames_root, _SUBJECT)
            for part in subfolders(subject)
            if part.name.lower() == "micro"
        ]
        return [clip for part in micro for label in subfolders(part) for clip in subfolders(label)]


def _annotation(folder: Path) -> Annotation:
    match = _CLIP.fullmatch(folder.name)
    if not match:
        raise DatasetError("expected a name such as s1_ne_01")
    subject, word = f"s{int(match[1])}", _WORDS[match[2].lower()]
    owner = folder.parents[2].name.lower()
    if int(owner[1:]) != int(match[1]):
        raise DatasetError(f"lies in the folder of subject {owner}")
    numbers = list(index_folder(folder)) or [0, 0]
    label = folder.parent.name.lower()
    words = () if label == word else (f"label '{word}' by the clip's name, folder says '{label}'",)
    return Annotation(
        subject=subject,
        clip_id=f"{subject}_{match[2].lower()}_{match[3]}",
        onset=numbers[0],
        apex=None,
        apex_source="none",
        offset=numbers[-1],
        action_units=(),
        au_raw="",
        emotion=canonical_emotion(word),
        emotion_raw=word,
        au_unknown=True,
        corrections=words,
    )


def _order(row: Annotation) -> tuple[int, str]:
    return int(row.subject[1:]), row.clip_id


def _holds_subjects(folder: Path) -> bool:
    return any(
        part.name.lower() == "micro"
        for subject in matching_subfolders(folder, _SUBJECT)
        for part in subfolders(subject)
    )
