"""Turns what teams have (mp4, avi, mov, gif, folders of images) into a submission folder."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from mebench.errors import DatasetError, SubmissionError, UsageError, did_you_mean
from mebench.io.files import atomic_folder, write_json
from mebench.io.frames import index_folder, read_frames
from mebench.io.video import read_clip_file
from mebench.submission.found import Held, find_held
from mebench.submission.found import find_clips as find_clips
from mebench.submission.images import check_frames, copy_images, is_lossy
from mebench.submission.lengths import (
    DRIVING_SHARE,
    Curves,
    Offset,
    best_offset,
    choose_frames,
    motion_curves,
)
from mebench.submission.manifest import Manifest
from mebench.submission.mapping import read_mapping as read_mapping
from mebench.submission.mapping import write_mapping
from mebench.submission.names import Match, Matcher
from mebench.submission.pack import write_manifest, write_output
from mebench.submission.roles import COMPARISON, DRIVING, roles, settle
from mebench.submission.validate import Requirement
from mebench.types import Frames, Pair

_NAMED = 3


@dataclass
class Taken:
    """One source and what became of it.

    Attributes:
        source: file or folder, below the folder that was given.
        output: ``template/driving``, or empty.
        how: how it was recognised, or why not.
        notes: what was changed: which frames were taken.
        candidates: outputs an ambiguous name fits.
    """

    source: str
    output: str = ""
    how: str = ""
    notes: list[str] = field(default_factory=list)
    candidates: tuple[str, ...] = ()


@dataclass
class Conversion:
    """What was matched to what, and what was not.

    Attributes:
        taken: one a source.
        missing: outputs that nothing was found for.
        lossy: whether pixels went through a lossy form, or frames were resampled in time.
    """

    taken: list[Taken]
    missing: list[str]
    lossy: bool = False

    @property
    def ambiguous(self) -> list[Taken]:
        """Sources whose name fits several outputs, or that share one output."""
        return [one for one in self.taken if one.candidates]

    def save(self, path: Path) -> None:
        """Write the report as JSON."""
        rows = [asdict(one) for one in self.taken]
        write_json(path, {"sources": rows, "missing": self.missing, "lossy": self.lossy})


def convert(
    source: Path,
    out: Path,
    requirement: Requirement,
    manifest: Manifest,
    *,
    mapping: Mapping[str, Pair | None] | None = None,
    resample: bool = False,
    partial: bool = False,
    report: Path | None = None,
    driving: Callable[[Pair], Frames] | None = None,
) -> Conversion:
    """Write the submission `out` from the clips in `source`; return what was matched to what.

    With `resample`, a clip of another length gets the protocol's by its nearest frames; with
    `partial`, outputs may be missing. `driving` returns the prepared frames of a driving clip, to
    tell which frames of a longer output are its. The report is written even when the conversion is
    refused, and then beside it a mapping to edit.

    Raises:
        SubmissionError: for ambiguous names, missing outputs, or clips that do not fit.
        UsageError: for a place that does not exist, or a mapping that does not fit it.
    """
    result = plan(source, requirement, mapping or {})
    table = report.with_name(f"{out.name}-mapping.csv") if report is not None else None
    try:
        _refuse_unclear(result, table, partial=partial)
        with atomic_folder(out) as folder:
            work = _Writer(source, folder, requirement, resample, driving)
            for one in result.taken:
                if one.output:
                    result.lossy |= work.write(one)
            write_manifest(folder, manifest.model_copy(update={"lossy": result.lossy}))
    finally:
        if report is not None:
            result.save(report)
    return result


def plan(source: Path, requirement: Requirement, mapping: Mapping[str, Pair | None]) -> Conversion:
    """Return what would be matched to what; no pixel is read.

    Raises:
        UsageError: for a place that does not exist, or a mapping that does not fit it.
    """
    held = {one.name: one for one in find_held(source)}
    mapping = _as_on_disk(mapping, held)
    _check_mapping(mapping, held, requirement, source.name)
    matcher = Matcher(requirement.n_frames)
    taken = []
    for name, one in held.items():
        if name in mapping:
            pair = mapping[name]
            found = Match(pair, "mapping" if pair else "left out by the mapping")
        else:
            found = matcher.match(one.title)
        key = found.pair.key if found.pair else ""
        taken.append(Taken(name, key, found.why, candidates=found.candidates))
    _settle_rivals(taken, held, mapping)
    _leave_others(taken, held, mapping)
    named = {one.output for one in taken} | {key for one in taken for key in one.candidates}
    return Conversion(taken, [pair.key for pair in requirement.n_frames if pair.key not in named])


def _as_on_disk(mapping: Mapping[str, Pair | None], held: Iterable[str]) -> dict[str, Pair | None]:
    """Return a mapping by the names on this disk: others write back-slashes, or join accents."""

    def alike(name: str) -> str:
        return unicodedata.normalize("NFC", name.replace("\\", "/"))

    known = {alike(name): name for name in held}
    return {known.get(alike(name), name): pair for name, pair in mapping.items()}


def _check_mapping(
    mapping: Mapping[str, Pair | None], held: Mapping[str, Held], wanted: Requirement, where: str
) -> None:
    for name, pair in mapping.items():
        if name not in held:
            raise UsageError(f"mapping: no clip '{name}' in {where}.{did_you_mean(name, held)}")
        if pair is not None and pair not in wanted.n_frames:
            known = [one.key for one in wanted.n_frames]
            raise UsageError(
                f"mapping: '{pair.key}' is no output of '{wanted.protocol}'."
                f"{did_you_mean(pair.key, known)}"
            )


def _settle_rivals(
    taken: list[Taken], held: Mapping[str, Held], mapping: Mapping[str, Pair | None]
) -> None:
    """Leave one source an output where names and kinds tell which is the result."""
    by_output: dict[str, list[Taken]] = defaultdict(list)
    for one in taken:
        if one.output:
            by_output[one.output].append(one)
    for key, rivals in by_output.items():
        if len(rivals) == 1:
            continue
        stated = [held[one.source] for one in rivals if one.source in mapping]
        remain, left = settle([held[one.source] for one in rivals])
        if stated:
            remain = stated
            left = {
                one.source: "left out: the mapping names another"
                for one in rivals
                if one.source not in mapping
            }
        for one in rivals:
            if one.source in left:
                one.output, one.how = "", left[one.source]
            elif len(remain) > 1:
                one.output, one.candidates = "", (key,)
                one.how = f"one of {len(remain)} that could be the same output"


def _leave_others(
    taken: list[Taken], held: Mapping[str, Held], mapping: Mapping[str, Pair | None]
) -> None:
    """Leave out driving clips and comparisons of several outputs; take none of them for a result.

    What a name says counts only where not all sources of the entry say it.
    """
    named = [
        one for one in taken if one.output or one.candidates or one.how in (DRIVING, COMPARISON)
    ]
    told = roles([held[one.source].title for one in named])
    have = {one.output for one in taken if one.output}
    for one in named:
        what = told[held[one.source].title]
        if one.source in mapping or what not in ("driving", "comparison"):
            continue
        if one.candidates and have >= set(one.candidates):
            one.candidates, one.how = (), DRIVING if what == "driving" else COMPARISON
        elif one.output:
            one.output, one.candidates = "", (one.output,)
            one.how = "called a driving clip" if what == "driving" else "called a comparison"
            one.how += ", and no other source of its output"


def _refuse_unclear(result: Conversion, table: Path | None, *, partial: bool) -> None:
    unclear = [f"{one.source} ({one.how})" for one in result.ambiguous]
    if not unclear and (partial or not result.missing):
        return
    advice = "say which is which in a --mapping file"
    if table is not None:
        missing = tuple(result.missing)
        known = {one.source: one.candidates or missing for one in result.taken if _open(one)}
        rows = [(one.source, one.output, known.get(one.source, ())) for one in result.taken]
        table = write_mapping(table, rows)
        advice = f"fill in {table} and give it with --mapping"
    if unclear:
        raise SubmissionError(
            f"{len(unclear)} sources are ambiguous, {advice}: {_some(unclear, '; ')}"
        )
    raise SubmissionError(
        f"no source for {len(result.missing)} outputs ({advice}, or go on without them by "
        f"--partial): {_some(result.missing, ', ')}"
    )


def _open(one: Taken) -> bool:
    """Return whether a person may still say that this source is an output."""
    return not one.output and not one.how.startswith("left out")


def _some(names: list[str], mark: str) -> str:
    more = len(names) - _NAMED
    return mark.join(names[:_NAMED]) + (f"{mark}and {more} more" if more > 0 else "")


@dataclass
class _Writer:
    """Writes the outputs of one conversion.

    Attributes:
        curves: motion of the driving clips that were asked for, by id.
    """

    source: Path
    folder: Path
    requirement: Requirement
    resample: bool
    driving: Callable[[Pair], Frames] | None
    curves: dict[str, Curves] = field(default_factory=dict)

    def write(self, one: Taken) -> bool:
        """Write the output of a source, tell what was changed, return whether it is lossy."""
        path = self.source / one.source
        try:
            return self._write(one, path, Pair(*one.output.split("/")))
        except DatasetError as error:
            raise SubmissionError(str(error).replace(str(path), one.source)) from error

    def _write(self, one: Taken, path: Path, pair: Pair) -> bool:
        if path.is_file():
            frames = read_clip_file(path)[0]
            check_frames(one.source, pair, frames)
            indices, _ = self._chosen(one, pair, len(frames), lambda: frames)
            write_output(self.folder, pair, frames[indices])
            return True
        images = list(index_folder(path).values())
        indices, resampled = self._chosen(one, pair, len(images), lambda: read_frames(images))
        images = [images[index] for index in indices]
        copy_images(self.folder, pair, images, one.source)
        return resampled or is_lossy(images)

    def _chosen(
        self, one: Taken, pair: Pair, got: int, frames: Callable[[], Frames]
    ) -> tuple[np.ndarray, bool]:
        """Return which frames are taken, and whether that resamples them in time.

        Raises:
            SubmissionError: when the length does not fit; one line that names the output.
        """

        def place(offsets: range) -> Offset | None:
            if self.driving is None:
                return None
            if pair.driving not in self.curves:
                shown = np.asarray(self.driving(pair))
                self.curves[pair.driving] = motion_curves(shown, DRIVING_SHARE)
            return best_offset(motion_curves(frames()), self.curves[pair.driving], offsets)

        wanted = self.requirement.n_frames[pair]
        tolerance = self.requirement.tolerance
        choice = choose_frames(
            got, wanted, tolerance=tolerance, resample=self.resample, place=place
        )
        if isinstance(choice, str):
            raise SubmissionError(
                f"{one.source}: {got} frames, '{pair.key}' has {wanted} ({choice}); make it again, "
                "or take its nearest frames with --resample"
            )
        if choice.note:
            one.notes.append(choice.note)
        return choice.indices, choice.resampled
