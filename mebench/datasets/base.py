"""What a data set is: facts about it, its annotation rows, its clips, and a check of a copy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from mebench.datasets.folders import synthme_keys
from mebench.errors import DatasetError
from mebench.io.frames import damage, index_folder, iter_frames, read_frames
from mebench.registry import choose, load_object
from mebench.types import Annotation, Clip, Colour, Frames, Image

DATASETS: dict[str, str] = {
    "casme2": "mebench.datasets.casme2:Casme2",
    "samm": "mebench.datasets.samm:Samm",
    "smic": "mebench.datasets.smic:Smic",
}
"""Data set id and the class that reads it, loaded when asked for."""

OnMissing = Literal["fail", "skip"]


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
        subjects: number of subjects.
        emotions: published clip counts per canonical emotion.
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
    redistribute: bool = False


@dataclass(frozen=True)
class FrameFiles:
    """Reads a clip from its image files; small and picklable."""

    paths: tuple[Path, ...]

    def __call__(self) -> Frames:
        """Return all frames (T, H, W, 3)."""
        return read_frames(self.paths)

    def stream(self) -> Iterator[Image]:
        """Yield the frames one by one."""
        return iter_frames(self.paths)


@dataclass(frozen=True)
class CheckReport:
    """What a copy of a data set holds, beside what was published; every field is JSON-able.

    Attributes:
        usable: False when `clips` of this copy would fail: no clips, missing clips, damaged frames.
    """

    dataset: str
    root: str
    synthetic: bool
    places: dict[str, str]
    usable: bool
    clips_found: int
    clips_annotated: int
    clips_expected: tuple[int, ...]
    subjects_found: int
    subjects_expected: int
    emotions_found: dict[str, int]
    emotions_expected: dict[str, int]
    frames_found: int
    missing_clips: tuple[str, ...]
    missing_frames: dict[str, tuple[int, ...]]
    damaged_frames: tuple[str, ...]
    refused_rows: tuple[str, ...]
    unreadable_action_units: tuple[str, ...]
    corrections: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        plain = asdict(self)
        plain["missing_frames"] = {key: list(value) for key, value in self.missing_frames.items()}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in plain.items()}


@dataclass
class _Found:
    clips: list[Clip] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    gaps: dict[str, tuple[int, ...]] = field(default_factory=dict)


class Dataset(ABC):
    """One data set on this disk; nothing is decoded until a clip's frames are asked for."""

    info: ClassVar[DatasetInfo]

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            what = "is a file, not a folder" if self.root.exists() else "no such folder"
            raise DatasetError(
                f"{self.root}: {what}; give the folder that holds {self.info.title} "
                f"(expected {self.info.tree.split(chr(10))[-1].strip()})"
            )
        synthme_keys(self.root)
        self.notes: list[str] = []
        self.refused: list[str] = []
        self.unreadable: list[str] = []

    @abstractmethod
    def annotations(self) -> list[Annotation]:
        """Return the annotation rows that can be used, in the file's order.

        Raises:
            DatasetError: when there is no annotation file or no row of it can be used.
        """

    @abstractmethod
    def clip_folder(self, annotation: Annotation) -> Path | None:
        """Return the folder that holds a row's frames, or None."""

    @abstractmethod
    def places(self) -> dict[str, Path]:
        """Return which annotation file and which frame folder were found."""

    def intervals(self, annotation: Annotation) -> list[Annotation]:
        """Return the row and its published variants; the frames on disk decide between them."""
        return [annotation]

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
        found = self._found
        if found.missing and (on_missing == "fail" or not found.clips):
            more = f" (and {len(found.missing) - 1} more clips)" if len(found.missing) > 1 else ""
            raise DatasetError(found.missing[0] + more)
        return list(found.clips)

    def check(self, *, annotations_only: bool = False) -> CheckReport:
        """Return how this copy compares with the published counts, and what is missing in it."""
        rows = self.annotations()
        found = _Found() if annotations_only else self._found
        used = rows if annotations_only else [clip.annotation for clip in found.clips]
        files = [path for clip in found.clips for path in _paths(clip)]
        broken = [f"{path}: {why}" for path in files if (why := damage(path))]
        usable = bool(used) and not found.missing and not broken
        synthetic = self.synthetic
        return CheckReport(
            dataset=self.info.id,
            root=str(self.root),
            synthetic=synthetic,
            places={name: str(path) for name, path in self.places().items()},
            usable=usable,
            clips_found=len(found.clips),
            clips_annotated=len(rows),
            clips_expected=(len(rows),) if synthetic else self.info.clips,
            subjects_found=len({row.subject for row in used}),
            subjects_expected=len({r.subject for r in rows}) if synthetic else self.info.subjects,
            emotions_found=dict(sorted(Counter(row.emotion for row in used).items())),
            emotions_expected={} if synthetic else dict(self.info.emotions),
            frames_found=len(files),
            missing_clips=tuple(found.missing),
            missing_frames=found.gaps,
            damaged_frames=tuple(broken),
            refused_rows=tuple(self.refused),
            unreadable_action_units=tuple(self.unreadable),
            corrections=tuple(
                f"{row.subject}/{row.clip_id}: {words}" for row in used for words in row.corrections
            ),
            notes=tuple(self.notes),
        )

    @cached_property
    def _found(self) -> _Found:
        found = _Found()
        for annotation in self.annotations():
            try:
                clip = self._clip(annotation)
            except DatasetError as error:
                found.missing.append(str(error))
                continue
            row = clip.annotation
            wanted = range(row.onset, row.offset + 1)
            gaps = tuple(sorted(set(wanted) - set(clip.frame_numbers)))
            if gaps:
                found.gaps[clip.key] = gaps
            found.clips.append(clip)
        return found

    def _clip(self, annotation: Annotation) -> Clip:
        name = f"{annotation.subject}/{annotation.clip_id}"
        folder = self.clip_folder(annotation)
        if folder is None:
            where = self.places().get("frames", self.root)
            raise DatasetError(
                f"{where}: no folder for clip {name}; copy it again from the original, "
                "or go on without it with --on-missing skip"
            )
        files = index_folder(folder)
        if not files:
            raise DatasetError(
                f"{folder}: clip {name} has no numbered images; copy it again, "
                "or go on without it with --on-missing skip"
            )
        row = self._fitting(annotation, files)
        numbers = tuple(number for number in files if row.onset <= number <= row.offset)
        if len(numbers) < 2:
            raise DatasetError(
                f"{folder}: frames {min(files)}..{max(files)}, but clip {name} is annotated "
                f"{row.onset}..{row.offset}; use the original frame numbers (not a resampled copy)"
            )
        paths = tuple(files[number] for number in numbers)
        return Clip(self.info.id, row, self.info.fps, self.info.colour, numbers, FrameFiles(paths))

    def _fitting(self, annotation: Annotation, files: Mapping[int, Path]) -> Annotation:
        """Return the first variant whose end frames exist, else the one with most of its frames."""

        def fit(row: Annotation) -> tuple[bool, float]:
            wanted = range(row.onset, row.offset + 1)
            share = sum(number in files for number in wanted) / len(wanted)
            return row.onset in files and row.offset in files, share

        variants = self.intervals(annotation)
        complete = [variant for variant in variants if fit(variant)[0]]
        return complete[0] if complete else max(variants, key=fit)


def dataset_class(dataset_id: str) -> type[Dataset]:
    """Return the class of a data set.

    Raises:
        UsageError: for an unknown id, with the nearest known one.
    """
    loaded: type[Dataset] = load_object(choose("dataset", dataset_id, DATASETS))
    return loaded


def load_dataset(dataset_id: str, root: Path | str) -> Dataset:
    """Return a data set found at `root`, which may be one folder too high or too low.

    Raises:
        UsageError: for an unknown id.
        DatasetError: when `root` is no folder.
    """
    return dataset_class(dataset_id)(root)


def _paths(clip: Clip) -> tuple[Path, ...]:
    return clip.reader.paths if isinstance(clip.reader, FrameFiles) else ()
