"""Composites of the recognition challenges, rebuilt from the annotation files of their parts."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from mebench import settings
from mebench.datasets.base import Dataset, OnMissing, Options, load_dataset
from mebench.datasets.composite_report import CompositeReport
from mebench.errors import DatasetError, UsageError
from mebench.registry import choose, load_object
from mebench.types import Annotation, Clip

COMPOSITES: dict[str, str] = {
    "megc2018": "mebench.datasets.megc2019:Megc2018",
    "megc2019": "mebench.datasets.megc2019:Megc2019",
}
"""Composite id and the class that rebuilds it, loaded when asked for."""


@dataclass(frozen=True, order=True)
class Member:
    """One clip of a composite, names as the challenge spells them.

    Attributes:
        part: data set id.
        subject: the challenge's spelling, such as ``sub01``, ``006``, ``s01``.
        clip: the challenge's spelling, such as ``EP02_01f``, ``006_1_2``, ``s01_ne_01``.
        label: the class; its meaning is the composite's.
        key: the clip's key in mebench, ``dataset.subject.clip``.
    """

    part: str
    subject: str
    clip: str
    label: int
    key: str

    @property
    def line(self) -> str:
        """``dataset,subject,clip,label``."""
        return f"{self.part},{self.subject},{self.clip},{self.label}"


class Composite:
    """Clips of several data sets under one label set.

    Args:
        root: a folder in which the parts lie, in folders of their own or all together; None takes
            each part from the user's settings.
        options: how the parts are read; their corrections never decide who is a member.
        places: roots of parts by data set id, before all else.

    Attributes:
        id: what commands call it.
        parts: data set ids.
        labels: names of the classes, in order of their numbers.
        published: (part, what) and the published count.
        sha256: of the published list, or None.
        told: what a reader of its clips must know: which copy was taken, which file is missing.
        left_out: the members that are not among the clips returned last, each with the reason.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    parts: ClassVar[tuple[str, ...]]
    labels: ClassVar[tuple[str, ...]]
    published: ClassVar[Mapping[tuple[str, str], int]]
    sha256: ClassVar[str | None] = None

    def __init__(
        self,
        root: Path | str | None = None,
        options: Options | None = None,
        *,
        places: Mapping[str, Path] | None = None,
    ) -> None:
        self.places = dict(places or {})
        self.root = None if root is None else Path(root).expanduser()
        if self.root is not None and not self.root.is_dir():
            raise DatasetError(
                f"{self.root}: no such folder; give the folder that holds {', '.join(self.parts)}"
            )
        self.options = options or Options()
        self.notes: list[str] = []
        self.told: list[str] = []
        self.lacking: list[str] = []
        self.left_out: list[str] = []

    @abstractmethod
    def members_of(self, part: Dataset) -> Iterable[Member]:
        """Return the members of one part, read without corrections."""

    def lacks(self, part: Dataset) -> list[str]:
        """Return the files without which members of a part cannot be known."""
        return []

    @cached_property
    def members(self) -> list[Member]:
        """The members in order of part, subject and clip.

        Raises:
            DatasetError: when a part's annotation is missing or unreadable.
        """
        found: list[Member] = []
        for name in self.parts:
            part = load_dataset(name, self.place_of(name), Options(corrections="off"))
            found += sorted(self.members_of(part))
            self.lacking += [f"{name}: {line}" for line in self.lacks(part)]
            self._tell(f"{name}: {line}" for line in part.told)
            self.notes += [f"{name}: {note}" for note in part.notes]
        return found

    def place_of(self, part: str) -> Path:
        """Return the root of a part.

        Raises:
            UsageError: when there is no root and no setting.
        """
        if part in self.places:
            return self.places[part]
        if self.root is not None:
            taken, *others = part_folders(self.root, part)
            if others:
                self._tell_choice(part, taken, others)
            return taken
        place = settings.data_root(part)
        if place is None:
            raise UsageError(
                f"no folder known for {part}, a part of {self.id}; once: "
                f"mebench config set data.{part} DIR, or give --root with all parts"
            )
        return place

    def clips(self, *, on_missing: OnMissing = "fail") -> list[Clip]:
        """Return the members' clips, with the corrections asked for.

        Raises:
            DatasetError: for a member without frames unless `on_missing` is "skip".
        """
        parts = self._loaded()
        held = {c.key: c for part in parts for c in part.clips(on_missing=on_missing)}
        missing = [member.key for member in self.members if member.key not in held]
        if missing and on_missing == "fail":
            raise DatasetError(
                f"{missing[0]}: a clip of {self.id} is not in the copy (and {len(missing) - 1} "
                "more); copy it again, or go on without with --on-missing skip"
            )
        return self._kept(parts, held, "no frames in the copy")

    def listed(self) -> list[Clip]:
        """Return the members' clips from the annotation alone; `left_out` names those without."""
        parts = self._loaded()
        held = {clip.key: clip for part in parts for clip in part.listed()}
        why = "no annotation file has a row for it, so only its frames tell its interval"
        return self._kept(parts, held, why)

    def _loaded(self) -> list[Dataset]:
        return [load_dataset(name, self.place_of(name), self._part_options) for name in self.parts]

    def _kept(self, parts: Iterable[Dataset], held: Mapping[str, Clip], why: str) -> list[Clip]:
        """Return the members that are there, and remember each of the others by name."""
        self.left_out = [
            f"{member.key}: left out of {self.id}: {why}"
            for member in self.members
            if member.key not in held
        ]
        for part in parts:
            self._tell(f"{part.info.id}: {line}" for line in part.told)
        return [held[member.key] for member in self.members if member.key in held]

    def _tell(self, lines: Iterable[str]) -> None:
        self.told += [line for line in lines if line not in self.told]

    def _tell_choice(self, part: str, taken: Path, others: Sequence[Path]) -> None:
        names = ", ".join(path.name for path in others)
        line = (
            f"{part}: folder {taken.name} taken, not {names}; to choose, leave --root out and give "
            f"each part its folder: mebench config set data.{part} {others[0]}"
        )
        self._tell([line])

    def check(self, *, annotations_only: bool = False) -> CompositeReport:
        """Return the composite's counts beside the published ones.

        Raises:
            DatasetError: when a part's annotation is missing or unreadable.
        """
        members = self.members
        counts = self._counts()
        have = None if annotations_only else {c.key for c in self.clips(on_missing="skip")}
        missing = [m.key for m in members if have is not None and m.key not in have]
        digest = check_value(members)
        same = all(found == stated for _, _, found, stated in counts)
        return CompositeReport(
            dataset=self.id,
            places={name: str(self.place_of(name)) for name in self.parts},
            usable=bool(members),
            complete=same and self.sha256 in (None, digest) and not missing and not self.lacking,
            clips=len(members),
            counts=tuple(counts),
            sha256=digest,
            sha256_published=self.sha256,
            clips_with_frames=None if have is None else len(members) - len(missing),
            missing_clips=tuple(f"{key}: no frames" for key in missing),
            notes=(*self.told, *self.notes),
            lacking=tuple(self.lacking),
        )

    @property
    def _part_options(self) -> Options:
        return Options(layout=self.options.layout, corrections=self.options.corrections)

    def _counts(self) -> list[tuple[str, str, int, int]]:
        found: Counter[tuple[str, str]] = Counter()
        subjects: dict[str, set[str]] = {name: set() for name in self.parts}
        for member in self.members:
            found[member.part, "clips"] += 1
            found[member.part, self.labels[member.label]] += 1
            subjects[member.part].add(member.subject)
        for part, names in subjects.items():
            found[part, "subjects"] = len(names)
        return [(*where, found[where], stated) for where, stated in self.published.items()]


def load_composite(
    composite_id: str,
    root: Path | str | None = None,
    options: Options | None = None,
    *,
    places: Mapping[str, Path] | None = None,
) -> Composite:
    """Return a composite, its parts at `places`, below `root`, or where the user's settings say.

    Raises:
        UsageError: for an unknown id.
        DatasetError: when `root` is no folder.
    """
    loaded: type[Composite] = load_object(choose("composite", composite_id, COMPOSITES))
    return loaded(root, options, places=places)


def check_value(members: Iterable[Member]) -> str:
    """Return the sha256 of the sorted lines ``dataset,subject,clip,label``, joined by LF."""
    return hashlib.sha256("\n".join(sorted(m.line for m in members)).encode()).hexdigest()


def part_folders(root: Path, part: str) -> list[Path]:
    """Return the folders in `root` whose names tell the part, the taken one first, or `root`."""
    word = {"casme2": ("casme2", "casmeii")}.get(part, (part,))
    found = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        plain = "".join(letter for letter in folder.name.lower() if letter.isalnum())
        if plain.startswith(word):
            found.append(folder)
    return found or [root]


def named(part: str, row: Annotation) -> tuple[str, str]:
    """Return subject and clip as the MEGC lists spell them.

    >>> row = Annotation("s1", "s1_ne_01", 1, None, "none", 2, (), "", "negative", "negative")
    >>> named("smic", row)
    ('s01', 's01_ne_01')
    """
    if part == "casme2":
        return f"sub{row.subject}", row.clip_id
    if part == "smic":
        number = f"s{int(row.subject[1:]):02d}"
        return number, number + row.clip_id[row.clip_id.index("_") :]
    return row.subject, row.clip_id
