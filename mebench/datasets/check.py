"""Compares a copy of a data set with what was published and names everything that is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mebench.datasets.base import Dataset, Release
from mebench.datasets.corrections import optional
from mebench.datasets.index import index_digest
from mebench.datasets.media import FrameFiles
from mebench.datasets.table_dataset import TableDataset
from mebench.facs.emotions import SPELLINGS
from mebench.facs.objective import CLASSES, objective_class
from mebench.io.files import sha256_file
from mebench.types import Annotation, Clip

_SPELLED = {word: name for name, words in SPELLINGS.items() for word in words}


@dataclass(frozen=True)
class CheckReport:
    """What a copy of a data set holds, beside what was published; every field is JSON-able.

    Attributes:
        usable: False when no clip (with `annotations_only`: no row) can be used.
        complete: whether every clip is there, whole and undamaged.
        release: the known release whose counts the annotation file has, or None.
        sha256: of the annotation file.
        counts: what was counted: [what, found, published or None].
        subjects_expected: 0 where not known.
        corrections: applied ones, see `corrections.Applied`.
        optional_corrections: those that fit and were left alone.
        contradictions: what disagrees inside the annotation file; warnings.
    """

    dataset: str
    root: str
    synthetic: bool
    annotations_only: bool
    places: dict[str, str]
    layout: str | None
    release: str | None
    sha256: str | None
    usable: bool
    complete: bool
    rows: int
    clips_found: int
    clips_annotated: int
    clips_expected: tuple[int, ...]
    macro_rows: int
    macro_expected: int | None
    subjects_found: int
    subjects_expected: int
    emotions_found: dict[str, int]
    emotions_expected: dict[str, int]
    emotion_spellings: dict[str, str]
    counts: tuple[tuple[str, int, int | None], ...]
    frames_found: int
    index_digest: str | None
    missing_clips: tuple[str, ...] = ()
    extra_clips: tuple[str, ...] = ()
    missing_frames: dict[str, tuple[int, ...]] = field(default_factory=dict)
    damaged_frames: tuple[str, ...] = ()
    refused_rows: tuple[str, ...] = ()
    unreadable_action_units: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    corrections: tuple[dict[str, Any], ...] = ()
    correction_lines: tuple[str, ...] = ()
    optional_corrections: tuple[str, ...] = ()
    frame_remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    kind: Literal["dataset"] = "dataset"

    @property
    def problems(self) -> list[str]:
        """What makes the copy incomplete, one line each."""
        gaps = [
            f"{key}: {len(frames)} frames missing" for key, frames in self.missing_frames.items()
        ]
        return [*self.missing_clips, *self.damaged_frames, *gaps]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def check(dataset: Dataset, *, annotations_only: bool = False) -> CheckReport:
    """Return how a copy compares with the published counts, and what is wrong with it.

    Raises:
        DatasetError: when no row or, unless `annotations_only`, no frame folder is found.
    """
    rows = dataset.annotations()
    if not annotations_only:
        dataset.frames_root  # noqa: B018  (raises when there is none)
    clips = [] if annotations_only else dataset.collected.clips
    missing = [] if annotations_only else dataset.collected.missing
    used = rows if annotations_only else [clip.annotation for clip in clips]
    broken = [lines for clip in clips if (lines := _damaged(clip))]
    damaged = [line for lines in broken for line in lines]
    usable = bool(rows) if annotations_only else len(broken) < len(clips)
    table = dataset if isinstance(dataset, TableDataset) else None
    only = {"annotations": table.table} if annotations_only and table else None
    places = {name: str(path) for name, path in (only or dataset.places()).items()}
    info = dataset.info
    release = _release(dataset, rows)
    gaps = {} if annotations_only else dataset.collected.gaps
    macro = [row for row in table.all_annotations if row.expression == "macro"] if table else []
    return CheckReport(
        dataset=info.id,
        root=str(dataset.root),
        synthetic=dataset.synthetic,
        annotations_only=annotations_only,
        places=places,
        layout=dataset.found.layout.name if dataset.found and not annotations_only else None,
        release=release.name if release else None,
        sha256=sha256_file(Path(places["annotations"])) if "annotations" in places else None,
        usable=usable,
        complete=usable and not missing and not damaged and not gaps,
        rows=len(table.content.rows) if table else len(rows),
        clips_found=len(clips),
        clips_annotated=len(rows),
        clips_expected=_clips(dataset, rows, release),
        macro_rows=table.macro_rows if table else 0,
        macro_expected=release.macro if release else None,
        subjects_found=len({row.subject for row in [*used, *macro]}),
        subjects_expected=_subjects(dataset, rows, release),
        emotions_found=_counted(row.emotion for row in used),
        emotions_expected={} if dataset.synthetic else dict(_published(dataset, release)),
        emotion_spellings=_spellings(rows),
        counts=tuple(_counts(dataset, rows, release)),
        frames_found=sum(len(clip.frame_numbers) for clip in clips),
        index_digest=index_digest(clips) if clips else None,
        missing_clips=tuple(missing),
        extra_clips=() if annotations_only else tuple(_extra(dataset, rows)),
        missing_frames=gaps,
        damaged_frames=tuple(damaged),
        refused_rows=tuple(dataset.refused),
        unreadable_action_units=tuple(dataset.unreadable),
        contradictions=tuple(_contradictions(dataset, rows)),
        corrections=tuple(item.to_json() for item in dataset.applied),
        correction_lines=tuple(f"{r.name}: {words}" for r in used for words in r.corrections),
        optional_corrections=tuple(_optional(table)),
        frame_remarks=() if annotations_only else tuple(dataset.collected.remarks),
        notes=tuple([*dataset.told, *dataset.notes, *(table.table_remarks() if table else ())]),
    )


def _release(dataset: Dataset, rows: Sequence[Annotation]) -> Release | None:
    """Return the known release with this many rows, these emotions and a class column or none."""
    emotions = Counter(row.emotion for row in rows)
    table = dataset if isinstance(dataset, TableDataset) else None
    count = len(table.content.rows) if table else len(rows)
    has_class = table is not None and "objective" in table.content.columns
    for release in dataset.info.releases:
        fits = release.rows == count and dict(release.emotions) in ({}, dict(emotions))
        fits &= release.macro == (table.macro_rows if table else 0)
        if fits and (release.objective == {} or has_class == (release.objective is not None)):
            return release
    return None


def _clips(
    dataset: Dataset, rows: Sequence[Annotation], release: Release | None
) -> tuple[int, ...]:
    if dataset.synthetic:
        return (len(rows),)
    return (release.clips,) if release and release.clips else dataset.info.clips


def _subjects(dataset: Dataset, rows: Sequence[Annotation], release: Release | None) -> int:
    if dataset.synthetic:
        return len({row.subject for row in rows})
    if release is None or release.subjects is None:
        return dataset.info.subjects
    return release.subjects


def _published(dataset: Dataset, release: Release | None) -> Mapping[str, int]:
    return release.emotions if release else dataset.info.emotions


def _counts(
    dataset: Dataset, rows: Sequence[Annotation], release: Release | None
) -> list[tuple[str, int, int | None]]:
    """Return what can be counted, beside the published number where there is one."""
    info = dataset.info
    known = release or (info.releases[0] if info.releases else None)
    counts: list[tuple[str, int, int | None]] = []
    synthetic = dataset.synthetic
    classes = Counter(row.objective_class for row in rows if row.objective_class)
    if classes:
        stated = dict(known.objective or {}) if known and not synthetic else {}
        counts += [
            (f"objective class {name}", classes.get(name, 0), stated.get(name)) for name in CLASSES
        ]
    frames = sum(row.offset - row.onset + 1 for row in rows)
    counts.append(("frames annotated", frames, None if synthetic or not known else known.frames))
    per_subject = Counter(row.subject for row in rows)
    for subject, count in ({} if synthetic else info.per_subject).items():
        if per_subject.get(subject, 0) != count:
            counts.append((f"clips of subject {subject}", per_subject.get(subject, 0), count))
    return counts


def _contradictions(dataset: Dataset, rows: Sequence[Annotation]) -> list[str]:
    found: list[str] = []
    for row in rows:
        where = f"row {row.row}: {row.name}" if row.row else row.name
        if row.apex is not None and row.apex in (row.onset, row.offset):
            end = "onset" if row.apex == row.onset else "offset"
            found.append(f"{where}: the apex {row.apex} equals the {end}, looks like a filler")
        by_rule = objective_class(row.action_units)
        if row.objective_class and not row.au_unknown and by_rule != row.objective_class:
            found.append(
                f"{where}: objective class {row.objective_class}, by rule {by_rule} "
                f"for AU {row.au_raw}"
            )
    checks: list[str] = getattr(dataset, "row_checks", list)()
    return [*checks, *found]


def _spellings(rows: Sequence[Annotation]) -> dict[str, str]:
    """Return emotions written with another word than the canonical one."""
    return {
        row.emotion_raw: row.emotion
        for row in rows
        if row.emotion_raw.strip().lower() != row.emotion
        and _SPELLED.get(row.emotion_raw.strip().lower()) == row.emotion
    }


def _optional(table: TableDataset | None) -> list[str]:
    if table is None or table.options.corrections != "default":
        return []
    drafts = table.drafts_by_name.values()
    fitting = (item for draft in drafts for item in optional(table.info.id, draft))
    return [f"{item.clip}: {item.words()}" for item in fitting]


def _extra(dataset: Dataset, rows: Sequence[Annotation]) -> list[str]:
    """Return clips on disk without a row, which releases of other years may have."""
    known = {dataset.row_key(row) for row in rows}
    if isinstance(dataset, TableDataset):
        known |= {dataset.row_key(row) for row in dataset.all_annotations}
    return [str(place.path) for key, place in dataset.clip_places.items() if key not in known]


def _damaged(clip: Clip) -> list[str]:
    return clip.reader.damaged() if isinstance(clip.reader, FrameFiles) else []


def _counted(words: Any) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
