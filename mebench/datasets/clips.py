"""Joins an annotation row with the frames on disk: which numbers they have, which interval fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mebench.datasets.layout import Place
from mebench.datasets.media import ClipFile, FrameFiles
from mebench.errors import DatasetError
from mebench.io.files import below
from mebench.io.frames import index_folder
from mebench.io.video import count_frames
from mebench.types import Annotation, Clip

if TYPE_CHECKING:
    from mebench.datasets.base import DatasetInfo

_AGAIN = "copy it again, or go on without it with --on-missing skip"


@dataclass(frozen=True)
class _Fit:
    """How well a row fits the frame numbers on disk; a later value is better."""

    both_ends: bool
    share: float

    @classmethod
    def of(cls, row: Annotation, numbers: Iterable[int]) -> _Fit:
        held = set(numbers)
        wanted = range(row.onset, row.offset + 1)
        share = sum(number in held for number in wanted) / len(wanted)
        return cls(row.onset in held and row.offset in held, share)


def build_clip(
    info: DatasetInfo, root: Path, place: Place, rows: Sequence[Annotation], remarks: list[str]
) -> Clip:
    """Return the clip of the first row whose end frames exist, else of the one that fits best.

    Raises:
        DatasetError: when fewer than two of the frames are there.
    """
    if place.layout.media == "file":
        row, numbers, reader = _from_file(place.path, rows, remarks)
    else:
        row, numbers, reader = _from_folder(place, rows, remarks)
    return Clip(
        info.id,
        row,
        row.fps or info.fps,
        info.colour,
        numbers,
        reader,
        _relative(place.path, root),
    )


def _from_folder(
    place: Place, rows: Sequence[Annotation], remarks: list[str]
) -> tuple[Annotation, tuple[int, ...], FrameFiles]:
    name = rows[0].name
    files = index_folder(place.path)
    if not files:
        raise DatasetError(f"{place.path}: clip {name} has no numbered images; {_AGAIN}")
    row = _fitting(rows, files)
    numbers = tuple(number for number in files if row.onset <= number <= row.offset)
    if len(numbers) < 2 and _renumbered(row, files):
        remarks.append(
            f"{place.path}: numbers restart at {min(files)}; as many as annotated, so taken as "
            f"{row.onset}..{row.offset}"
        )
        files = dict(zip(range(row.onset, row.offset + 1), files.values(), strict=True))
        numbers = tuple(files)
    if row.onset == row.offset:
        raise DatasetError(
            f"{place.path}: clip {name} is annotated as the single frame {row.onset}, no movement; "
            "go on without it with --on-missing skip"
        )
    if len(numbers) < 2:
        raise DatasetError(
            f"{place.path}: frames {min(files)}..{max(files)}, but clip {name} is annotated "
            f"{row.onset}..{row.offset}; use the original frame numbers (not a resampled copy)"
        )
    extra = len(files) - len(numbers)
    if extra and not place.layout.whole:
        remarks.append(
            f"{place.path}: {extra} frames outside {row.onset}..{row.offset} ({name}), left out"
        )
    return row, numbers, FrameFiles.of([files[number] for number in numbers])


def _from_file(
    path: Path, rows: Sequence[Annotation], remarks: list[str]
) -> tuple[Annotation, tuple[int, ...], FrameFiles]:
    """A file of as many frames as annotated starts at the onset; a longer one at frame 1."""
    count = count_frames(path)
    for row in rows:
        if count == row.offset - row.onset + 1:
            places = range(count)
            return row, tuple(range(row.onset, row.offset + 1)), ClipFile.part(path, places)
    row = rows[0]
    if count < row.offset:
        raise DatasetError(
            f"{path}: {count} frames, but clip {row.name} is annotated {row.onset}..{row.offset}; "
            "use the original recording (not a resampled copy)"
        )
    remarks.append(f"{path}: {count} frames, cut to {row.onset}..{row.offset} counted from 1")
    places = range(row.onset - 1, row.offset)
    return row, tuple(range(row.onset, row.offset + 1)), ClipFile.part(path, places)


def _fitting(rows: Sequence[Annotation], numbers: Iterable[int]) -> Annotation:
    held = list(numbers)
    fits = [_Fit.of(row, held) for row in rows]
    for row, fit in zip(rows, fits, strict=True):
        if fit.both_ends:
            return row
    return max(zip(rows, fits, strict=True), key=lambda pair: pair[1].share)[0]


def _renumbered(row: Annotation, files: Iterable[int]) -> bool:
    numbers = list(files)
    return min(numbers) in (0, 1) and len(numbers) == row.offset - row.onset + 1


def _relative(path: Path, root: Path) -> str:
    inside = below(path, root)
    return str(path) if inside is None else inside.as_posix()
