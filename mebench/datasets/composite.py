"""Composites of the recognition challenges, rebuilt from the annotation files of their parts."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from mebench import settings
from mebench.datasets.base import Dataset, OnMissing, Options, load_dataset
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


@dataclass(frozen=True)
class CompositeReport:
    """A rebuilt composite beside the published one; every field is JSON-able.

    Attributes:
        counts: [part, what, found, published].
        sha256: of the sorted lines `Member.line`, joined by LF.
        sha256_published: of the published list, or None where none is known.
    """

    dataset: str
    places: dict[str, str]
    usable: bool
    complete: bool
    clips: int
    counts: tuple[tuple[str, str, int, int], ...]
    sha256: str
    sha256_published: str | None
    clips_with_frames: int | None
    missing_clips: tuple[str, ...]
    notes: tuple[str, ...]
    kind: Literal["composite"] = "composite"

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @property
    def problems(self) -> list[str]:
        """What makes it differ from the published composite, one line each."""
        found = [
            f"{self.dataset}: {part}: {what} {held}, published {stated}"
            for part, what, held, stated in self.counts
            if held != stated
        ]
        if not found and self.sha256_published not in (None, self.sha256):
            found = [
                f"{self.dataset}: names or labels differ from the published list: sha256 "
                f"{self.sha256[:12]}, published {str(self.sha256_published)[:12]}"
            ]
        return [*found, *self.missing_clips]


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

    @abstractmethod
    def members_of(self, part: Dataset) -> Iterable[Member]:
        """Return the members of one part, read without corrections."""

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
            return part_folder(self.root, part)
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
        held = {
            clip.key: clip
            for name in self.parts
            for clip in load_dataset(name, self.place_of(name), self._part_options).clips(
                on_missing=on_missing
            )
        }
        missing = [member.key for member in self.members if member.key not in held]
        if missing and on_missing == "fail":
            raise DatasetError(
                f"{missing[0]}: a clip of {self.id} is not in the copy (and {len(missing) - 1} "
                "more); copy it again, or go on without with --on-missing skip"
            )
        return [held[member.key] for member in self.members if member.key in held]

    def listed(self) -> list[Clip]:
        """Return the members' clips from the annotation alone."""
        held = {
            clip.key: clip
            for name in self.parts
            for clip in load_dataset(name, self.place_of(name), self._part_options).listed()
        }
        return [held[member.key] for member in self.members if member.key in held]

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
            complete=same and self.sha256 in (None, digest) and not missing,
            clips=len(members),
            counts=tuple(counts),
            sha256=digest,
            sha256_published=self.sha256,
            clips_with_frames=None if have is None else len(members) - len(missing),
            missing_clips=tuple(f"{key}: no frames" for key in missing),
            notes=tuple(self.notes),
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


def part_folder(root: Path, part: str) -> Path:
    """Return the folder in `root` whose name tells the part, or `root` itself."""
    word = {"casme2": ("casme2", "casmeii")}.get(part, (part,))
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        plain = "".join(letter for letter in folder.name.lower() if letter.isalnum())
        if plain.startswith(word):
            return folder
    return root


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


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
