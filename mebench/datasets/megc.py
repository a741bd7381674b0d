"""The packs of the generation task of MEGC2021 and MEGC2022: nine driving clips and the templates.

The clips are those of CASME II, SAMM and SMIC and keep their keys there, so a split knows them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mebench.datasets.base import Dataset, DatasetInfo
from mebench.datasets.folders import synthme_keys, walk
from mebench.datasets.layout import Layout, Place
from mebench.facs.codes import parse_cell
from mebench.facs.emotions import canonical_emotion
from mebench.io.files import ways_to
from mebench.io.frames import EXTENSIONS
from mebench.types import Annotation, Clip, Colour

if TYPE_CHECKING:
    from mebench.datasets.check import CheckReport

BIBTEX = """@proceedings{fme2021,
  title = {{FME'21}: Proceedings of the 1st Workshop on Facial Micro-Expression: Advanced
           Techniques for Facial Expressions Generation and Spotting},
  publisher = {ACM},
  year = {2021},
  url = {https://megc2021.github.io}
}"""
LICENCE = "The terms of CASME II, SAMM and SMIC hold for the clips; no redistribution."
REQUEST = "The organisers of MEGC; participants need the licences of CASME II, SAMM and SMIC."
TREE = """MEGC2021_generation/source_samples/casme2_challenge/Surprise_EP01_13/crop_img076.jpg
MEGC2021_generation/source_samples/SAMM_challenge/Surprise_007_7_1/007_7030.jpg
MEGC2021_generation/source_samples/Smic_challenge/Surprise_s20_sur_01/reg_image17597115.bmp
MEGC2021_generation/target_template_face/normalized_westernMale.jpg"""


@dataclass(frozen=True)
class _Entry:
    part: str
    subject: str
    clip: str
    onset: int
    apex: int | None
    offset: int
    au: str
    emotion: str


_ENTRIES = (
    _Entry("samm", "007", "007_7_1", 7030, 7056, 7070, "5B+24", "Surprise"),
    _Entry("samm", "022", "022_3_3", 3659, 3683, 3697, "7C+A12B", "Happiness"),
    _Entry("samm", "018", "018_3_1", 1405, 1456, 1500, "A9E+ref(10)", "Disgust"),
    _Entry("casme2", "17", "EP01_13", 76, 134, 166, "2", "surprise"),
    _Entry("casme2", "19", "EP01_01f", 121, 189, 220, "12", "happiness"),
    _Entry("casme2", "01", "EP19_06f", 36, 71, 161, "4+5+L10", "disgust"),
    _Entry("smic", "s20", "s20_sur_01", 17597115, None, 17597152, "", "surprise"),
    _Entry("smic", "s3", "s3_po_05", 304630, None, 304660, "", "positive"),
    _Entry("smic", "s11", "s11_ne_02", 514569, None, 514599, "", "negative"),
)
"""Intervals and labels of the annotation files (CASME II: the 20140508 coding)."""
_BY_CLIP = {entry.clip.lower(): entry for entry in _ENTRIES}
_NAMES = "|".join(re.escape(name) for name in _BY_CLIP)
_CLIP = rf"(?:(?:surprise|positive|negative)_)?(?:sub[0-9]+_)?(?P<clip>{_NAMES})"
_NESTED = re.compile(rf"(?:samm|casme2|smic)_challenge/{_CLIP}")
_FPS = {"casme2": 200.0, "samm": 200.0, "smic": 100.0}
_COLOURS: Mapping[str, Colour] = {"casme2": "rgb", "samm": "gray", "smic": "rgb"}
_SHORT = ("s3_po_05", 304659, "the last annotated frame is absent in one copy of the pack")


class MegcPack(Dataset):
    """A pack as teams have it: any padding, with or without emotion in the names, wrapped or not.

    Attributes:
        template_names: the templates the challenge gave, without their suffix.
    """

    template_names: ClassVar[tuple[str, ...]]
    layouts = (
        Layout("pack", _NESTED),
        Layout("flat", re.compile(_CLIP)),
        Layout("pack-files", _NESTED, media="file"),
        Layout("files", re.compile(_CLIP), media="file"),
    )

    def places(self) -> dict[str, Path]:
        """Return the folder above the clips' folders, and that of the templates."""
        found = {"frames": self.frames_root}
        if self.templates():
            found["templates"] = next(iter(self.templates().values())).parent
        return found

    def subject_id(self, text: str) -> str | None:
        """Return the text itself: the clips' names hold the subjects."""
        return text or None

    def place_key(self, place: Place) -> tuple[str, str] | None:
        """Return subject and clip of one of the nine."""
        entry = _BY_CLIP[place.groups["clip"]]
        return entry.subject, entry.clip.lower()

    def annotations(self) -> list[Annotation]:
        """Return the nine rows; the pack has no table."""
        return [_annotation(entry) for entry in _ENTRIES]

    def intervals(self, annotation: Annotation) -> list[Annotation]:
        """Return the row, and for one clip the interval without its last frame."""
        clip, offset, why = _SHORT
        if annotation.clip_id != clip:
            return [annotation]
        words = f"offset {offset} instead of {annotation.offset}: {why} [by_frames]"
        return [annotation, replace(annotation, offset=offset, corrections=(words,))]

    def templates(self) -> dict[str, Path]:
        """Return the template images by name without suffix, in order of name."""
        return dict(self._templates)

    def check(self, *, annotations_only: bool = False) -> CheckReport:
        """Return how the pack compares with the challenge's; a missing template is told.

        Raises:
            DatasetError: when no clip is found.
        """
        report = super().check(annotations_only=annotations_only)
        held = {name.lower() for name in self.templates()}
        missing = tuple(
            f"{self.root}: no template {name}; copy target_template_face again"
            for name in self.template_names
            if name.lower() not in held
        )
        if annotations_only or not missing:
            return report
        return replace(report, complete=False, missing_clips=(*report.missing_clips, *missing))

    @cached_property
    def synthetic(self) -> bool:
        """Whether every clip of this copy was drawn by SynthME."""
        keys = {f"{entry.part}.{entry.subject}.{entry.clip}" for entry in _ENTRIES}
        return keys <= synthme_keys(self.root)

    def listed(self) -> list[Clip]:
        """Return the nine clips without their frames, under the keys of their data sets."""
        return [_own(clip) for clip in super().listed()]

    @cached_property
    def _templates(self) -> dict[str, Path]:
        for start in (self.root, *(way.parent for way in ways_to(self.root))):
            for folder in walk(start, 3):
                if "template" not in folder.name.lower():
                    continue
                images = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in EXTENSIONS]
                if images:
                    return {path.stem: path for path in images}
        return {}

    def _clip(self, annotation: Annotation, remarks: list[str]) -> Clip:
        return _own(super()._clip(annotation, remarks))


class Megc2021(MegcPack):
    """MEGC2021: nine clips, two templates, 18 outputs."""

    info = DatasetInfo(
        id="megc2021",
        title="MEGC2021 generation pack",
        bibtex=BIBTEX,
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=200.0,
        colour="rgb",
        clips=(9,),
        subjects=9,
        emotions={"surprise": 3, "happiness": 3, "disgust": 2, "negative": 1},
    )
    template_names = ("normalized_westernMale", "normalized_asianFemale")


class Megc2022(MegcPack):
    """MEGC2022: the same nine clips, four templates, 36 outputs."""

    info = replace(
        Megc2021.info,
        id="megc2022",
        title="MEGC2022 generation pack",
        tree=TREE.replace("MEGC2021_generation", "megc2022-synthesis").replace(
            "normalized_westernMale.jpg", "Template_Male_Europe.JPG"
        ),
    )
    template_names = (
        "Template_Female_Asian",
        "Template_Female_Europe",
        "Template_Male_Asian",
        "Template_Male_Europe",
    )


def _own(clip: Clip) -> Clip:
    """Return a clip of the pack as one of the data set it was taken from."""
    part = _BY_CLIP[clip.clip_id.lower()].part
    return replace(clip, dataset=part, colour=_COLOURS[part])


def _annotation(entry: _Entry) -> Annotation:
    cell = parse_cell(entry.au)
    return Annotation(
        subject=entry.subject,
        clip_id=entry.clip,
        onset=entry.onset,
        apex=entry.apex,
        apex_source="none" if entry.apex is None else "annotated",
        offset=entry.offset,
        action_units=cell.action_units,
        au_raw=entry.au,
        emotion=canonical_emotion(entry.emotion),
        emotion_raw=entry.emotion,
        au_unknown=cell.unknown,
        fps=_FPS[entry.part],
    )
