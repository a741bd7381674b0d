"""What a data set is: facts about it, its annotation rows, its clips, and a check of a copy."""

from __future__ import annotations

import re
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from mebench.datasets.clips import build_clip
from mebench.datasets.corrections import MODES, Applied, Mode
from mebench.datasets.folders import TABLE_SUFFIXES, synthme_keys
from mebench.datasets.layout import Found, Layout, Place, find_clips
from mebench.datasets.media import FrameFiles, NoFrames
from mebench.errors import DatasetError, UsageError, did_you_mean
from mebench.io.files import below
from mebench.registry import choose, load_object
from mebench.types import Annotation, Clip, Colour

if TYPE_CHECKING:
    from mebench.datasets.check import CheckReport

__all__ = ["DATASETS", "Dataset", "DatasetInfo", "FrameFiles", "OnMissing", "Options", "Release"]

DATASETS: dict[str, str] = {
    "casme2": "mebench.datasets.casme2:Casme2",
    "samm": "mebench.datasets.samm:Samm",
    "megc2021": "mebench.datasets.megc:Megc2021",
    "megc2022": "mebench.datasets.megc:Megc2022",
    "smic": "mebench.datasets.smic:Smic",
    "smic-vis": "mebench.datasets.smic:SmicVis",
    "smic-nir": "mebench.datasets.smic:SmicNir",
    "smic-e": "mebench.datasets.smic_e:SmicE",
    "smic-e-vis": "mebench.datasets.smic_e:SmicEVis",
    "smic-e-nir": "mebench.datasets.smic_e:SmicENir",
    "casme3": "mebench.datasets.casme3:Casme3",
    "casme3-c": "mebench.datasets.casme3:Casme3C",
    "mmew": "mebench.datasets.mmew:Mmew",
    "casme": "mebench.datasets.casme:Casme",
    "cas-me-2": "mebench.datasets.cas_me_2:CasMe2",
    "samm-long": "mebench.datasets.samm_long:SammLong",
    "fourd-me": "mebench.datasets.fourd_me:FourdMe",
    "dfme": "mebench.datasets.dfme:Dfme",
    "clips": "mebench.datasets.own:OwnClips",
}
"""Data set id and the class that reads it, loaded when asked for."""

OnMissing = Literal["fail", "skip"]


@dataclass(frozen=True)
class Release:
    """What is known of one release of an annotation file.

    Attributes:
        name: what the check calls it.
        rows: number of data rows.
        emotions: clip counts per canonical emotion, empty where not known.
        objective: clip counts per objective class, empty where not known; None when the file has
            no such column.
        frames: sum of onset..offset over all rows, or None.
        sha256: of the published file, where its publisher states one.
        macro: how many of the rows are macro-expressions.
        clips: how many are micro-expressions, None for those of the data set.
        subjects: number of subjects, None for those of the data set, 0 where not known.
    """

    name: str
    rows: int
    emotions: Mapping[str, int]
    objective: Mapping[str, int] | None = None
    frames: int | None = None
    sha256: str | None = None
    macro: int = 0
    clips: int | None = None
    subjects: int | None = None


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a data set that need no copy of it.

    Attributes:
        id: the id commands take.
        title: the name papers use.
        bibtex: the entry to cite.
        licence: what the holder may do with it, in a sentence.
        request: where to ask for a copy.
        tree: the folders and files a copy has.
        fps: frames per second of the recordings.
        colour: colour mode of the recordings.
        clips: clip counts of known good copies.
        subjects: number of subjects, those with macro-expressions alone too.
        emotions: published clip counts per canonical emotion, empty where not known.
        per_subject: published clip counts per subject, empty where not known.
        releases: known releases of the annotation file, the one to prefer first.
        redistribute: whether pixels may be passed on.
    """

    id: str
    title: str
    bibtex: str
    licence: str
    request: str
    tree: str
    fps: float
    colour: Colour
    clips: tuple[int, ...]
    subjects: int
    emotions: Mapping[str, int]
    per_subject: Mapping[str, int] = field(default_factory=dict)
    releases: tuple[Release, ...] = ()
    redistribute: bool = False

    @property
    def examples(self) -> tuple[str, str]:
        """An annotation file and a frame or clip file, as `tree` names them first."""
        names = [re.split(r" {2,}", line.strip())[0] for line in self.tree.splitlines()]
        table = next((name for name in names if Path(name).suffix in TABLE_SUFFIXES), names[0])
        return table, next(name for name in names if Path(name).suffix not in TABLE_SUFFIXES)


@dataclass(frozen=True)
class Options:
    """How a copy is to be read.

    Attributes:
        table: the annotation file, where the one found is not the one wanted.
        layout: the name of a layout, where a copy has several.
        corrections: "default", "off" or "all" (the optional ones too).
    """

    table: Path | None = None
    layout: str | None = None
    corrections: Mode = "default"


@dataclass
class Collected:
    """The clips of a copy, and what is wrong with the others; messages name clip and file."""

    clips: list[Clip] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    gaps: dict[str, tuple[int, ...]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


class Dataset(ABC):
    """One data set on this disk; nothing is decoded until a clip's frames are asked for.

    Attributes:
        layouts: how its clips lie on disk, the preferred way first.
        subject_pattern: what tables and folders call a subject; group 1 is the number.
        subject_form: makes the canonical id of the number.
        known_absent: clips (``subject/clip``) whose frames no copy has, and why.
        notes: remarks on how the copy was read.
        refused: rows that cannot be used, with file and row.
        unreadable: action-unit cells outside the grammar.
        applied: corrections that were applied to rows, in their order.
        told: what a reader of its clips must know: what was assumed, which of two copies was taken.
        left_out: why rows are not among the clips returned last.
    """

    info: ClassVar[DatasetInfo]
    layouts: ClassVar[tuple[Layout, ...]]
    subject_pattern: ClassVar[re.Pattern[str]]
    subject_form: ClassVar[str]
    known_absent: ClassVar[Mapping[str, str]] = {}

    def __init__(self, root: Path | str, options: Options | None = None) -> None:
        self.options = options or Options()
        if self.options.corrections not in MODES:
            hint = did_you_mean(self.options.corrections, MODES)
            raise UsageError(f"unknown corrections '{self.options.corrections}'.{hint}")
        self.root = Path(root).expanduser()
        self._check_root()
        synthme_keys(self.root)
        self.notes: list[str] = []
        self.refused: list[str] = []
        self.unreadable: list[str] = []
        self.applied: list[Applied] = []
        self.told: list[str] = []
        self.left_out: list[str] = []

    @abstractmethod
    def annotations(self) -> list[Annotation]:
        """Return the annotation rows of micro-expressions that can be used, in the file's order.

        Raises:
            DatasetError: when there is no annotation file or no row of it can be used.
        """

    @abstractmethod
    def places(self) -> dict[str, Path]:
        """Return which annotation file and which frame folder were found."""

    def place_of(self, annotation: Annotation) -> Place | None:
        """Return where a row's frames lie, or None; padding and letter case do not count."""
        return self.clip_places.get(self.row_key(annotation))

    def row_key(self, annotation: Annotation) -> tuple[str, str]:
        """Return what names the place of a row's frames, lower-case."""
        return annotation.subject, annotation.clip_id.lower()

    def place_key(self, place: Place) -> tuple[str, str] | None:
        """Return what names a place, as `row_key` does; None for one of no subject."""
        subject = self.subject_id(place.groups.get("subject", ""))
        return None if subject is None else (subject, place.groups.get("clip", ""))

    def subject_id(self, text: str) -> str | None:
        """Return the canonical id of a subject as a table or a folder spells it, or None."""
        match = self.subject_pattern.fullmatch(text.strip())
        return self.subject_form.format(int(match[1])) if match else None

    def intervals(self, annotation: Annotation) -> list[Annotation]:
        """Return the row and its published variants; the frames on disk decide between them."""
        return [annotation]

    @cached_property
    def found(self) -> Found | None:
        """The clips on disk, at, below or beside the root."""
        found = find_clips(self.root, self.layouts, self.options.layout)
        if found is None:
            return None
        if found.others:
            self.notes.append(
                f"frames of {found.base} taken ({found.layout.name}); also there, see --layout: "
                + ", ".join(found.others)
            )
        if found.rivals:
            rivals = ", ".join(self.shown(path) for path in found.rivals)
            self.told.append(
                f"frames of {self.shown(found.base)} taken, not those of {rivals}; to read another "
                "copy give its folder as the root"
            )
        if found.outside:
            self.notes.append(f"frames found outside the root: {found.base}")
        return found

    def shown(self, path: Path) -> str:
        """Return a path below the root as messages name it, which tells nobody's home folder."""
        inside = below(path, self.root)
        return str(path) if inside is None else inside.as_posix()

    @property
    def frames_root(self) -> Path:
        """The folder above the clips.

        Raises:
            DatasetError: when there are none at or near the root.
        """
        if self.found is None:
            raise DatasetError(
                f"{self.root}: no folder of frames; expected "
                f"{self.info.examples[1]} here or one folder up or down"
                f"{_packed(self.root)}"
            )
        return self.found.base

    @cached_property
    def synthetic(self) -> bool:
        """Whether every clip of this copy was drawn by SynthME, whose faces are nobody's."""
        drawn = synthme_keys(self.root)
        rows = self.annotations() if drawn else []
        keys = {f"{self.info.id}.{row.subject}.{row.clip_id}" for row in rows}
        return bool(keys) and keys <= drawn

    @property
    def redistribute(self) -> bool:
        """Whether this copy's pixels may be passed on."""
        return self.info.redistribute or self.synthetic

    def clips(self, *, on_missing: OnMissing = "fail") -> list[Clip]:
        """Return one clip a row, onset to offset.

        Raises:
            DatasetError: for a row without frames unless `on_missing` is "skip"; for no clip.
        """
        found = self.collected
        if found.missing and (on_missing == "fail" or not found.clips):
            more = f" (and {len(found.missing) - 1} more clips)" if len(found.missing) > 1 else ""
            raise DatasetError(found.missing[0] + more)
        self.left_out = list(found.missing)
        return list(found.clips)

    def listed(self) -> list[Clip]:
        """Return one clip a row, whether or not its frames are there; their frames are not read."""
        info = self.info
        return [
            Clip(info.id, row, row.fps or info.fps, info.colour, (), NoFrames(row.name))
            for row in self.annotations()
        ]

    def check(self, *, annotations_only: bool = False) -> CheckReport:
        """Return how this copy compares with the published counts, and what is wrong with it.

        Raises:
            DatasetError: when no row or, unless `annotations_only`, no frame folder is found.
        """
        from mebench.datasets.check import check

        return check(self, annotations_only=annotations_only)

    @cached_property
    def collected(self) -> Collected:
        """The clips whose frames are on disk, and the rows whose frames are not."""
        result = Collected()
        for annotation in self.annotations():
            if annotation.name in self.known_absent and self.place_of(annotation) is None:
                why = self.known_absent[annotation.name]
                result.remarks.append(f"{annotation.name}: no frames in any copy: {why}")
                continue
            try:
                clip = self._clip(annotation, result.remarks)
            except DatasetError as error:
                result.missing.append(str(error))
                continue
            row = clip.annotation
            wanted = range(row.onset, row.offset + 1)
            gaps = tuple(sorted(set(wanted) - set(clip.frame_numbers)))
            if gaps:
                result.gaps[clip.key] = gaps
            result.clips.append(clip)
        return result

    @cached_property
    def clip_places(self) -> dict[tuple[str, str], Place]:
        """The clips on disk by what names them."""
        base = self.frames_root
        places: dict[tuple[str, str], Place] = {}
        for place in self.found.places if self.found else ():
            key = self.place_key(place)
            if key is None:
                continue
            if key in places:
                self.notes.append(
                    f"{place.path}: clip {'/'.join(key)} is also in {places[key].path}; "
                    f"the latter is taken (below {base})"
                )
                continue
            places[key] = place
        return places

    def _clip(self, annotation: Annotation, remarks: list[str]) -> Clip:
        place = self.place_of(annotation)
        if place is None:
            where = f" (row {annotation.row} of the annotation)" if annotation.row else ""
            raise DatasetError(
                f"{self.frames_root}: no folder for clip {annotation.name}{where}; copy it again "
                "from the original, or go on without it with --on-missing skip"
            )
        return build_clip(self.info, self.root, place, self.intervals(annotation), remarks)

    def _check_root(self) -> None:
        root, title = self.root, self.info.title
        if root.is_dir():
            if not _listable(root):
                raise DatasetError(
                    f"{root}: permission denied; allow reading the folder: chmod -R u+rX"
                )
            return
        if root.is_file() and zipfile.is_zipfile(root) and root.suffix.lower() == ".zip":
            raise DatasetError(
                f"{root}: is a zip, not a folder; unpack it first: unzip '{root.name}' -d DIR"
            )
        if root.is_file() and root.suffix.lower() in TABLE_SUFFIXES:
            raise DatasetError(
                f"{root}: is a file, not a folder; give --root {root.parent} --table {root}"
            )
        what = "is a file, not a folder" if root.exists() else "no such folder"
        raise DatasetError(
            f"{root}: {what}; give the folder that holds {title} (expected {self.info.examples[1]})"
        )


def dataset_class(dataset_id: str) -> type[Dataset]:
    """Return the class of a data set.

    Raises:
        UsageError: for an unknown id, with the nearest known one.
    """
    loaded: type[Dataset] = load_object(choose("dataset", dataset_id, DATASETS))
    return loaded


def load_dataset(dataset_id: str, root: Path | str, options: Options | None = None) -> Dataset:
    """Return a data set found at `root`, which may be one folder too high or too low.

    Raises:
        UsageError: for an unknown id.
        DatasetError: when `root` is no folder.
    """
    return dataset_class(dataset_id)(root, options)


def _listable(folder: Path) -> bool:
    try:
        next(folder.iterdir(), None)
    except OSError:
        return False
    return True


def _packed(root: Path) -> str:
    """Return a remark on archives that lie in `root` and were not unpacked."""
    suffixes = {".zip", ".rar", ".7z", ".tar", ".gz"}
    names = sorted(path.name for path in root.iterdir() if path.suffix.lower() in suffixes)
    return f" ({names[0]} lies there, not unpacked; unpack it)" if names else ""
