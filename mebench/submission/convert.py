"""Turns what teams have (mp4, avi, mov, gif, folders of images) into a submission folder."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml
from PIL import Image as Pil

from mebench.errors import DatasetError, SubmissionError, UsageError, did_you_mean
from mebench.io.files import atomic_folder, write_json
from mebench.io.frames import EXTENSIONS, index_folder, read_frames
from mebench.io.video import read_clip_file
from mebench.submission.manifest import Manifest
from mebench.submission.names import Match, Matcher
from mebench.submission.pack import write_manifest, write_output
from mebench.submission.source import MAX_ENTRIES
from mebench.submission.validate import Requirement
from mebench.types import Frames, Pair

CLIP_FILES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".gif"})
_LOSSLESS = frozenset({".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"})
_COLUMNS = ("source", "template", "driving")


@dataclass
class Taken:
    """One source and what became of it.

    Attributes:
        source: file or folder, below the folder that was given.
        output: ``template/driving``, or empty.
        how: how it was recognised, or why not.
        notes: what was changed: size, number of frames, colour.
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
        lossy: whether pixels went through a lossy form or were resampled.
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
) -> Conversion:
    """Write the submission `out` from the clips in `source`; return what was matched to what.

    With `resample`, a clip of another length gets the protocol's by its nearest frames; with
    `partial`, outputs may be missing. The report is written even when the conversion is refused.

    Raises:
        SubmissionError: for ambiguous names, missing outputs, or clips that do not fit.
        UsageError: for a place that does not exist, or a mapping that does not fit it.
    """
    result = plan(source, requirement, mapping or {})
    try:
        _refuse_unclear(result, partial=partial)
        with atomic_folder(out) as folder:
            for one in result.taken:
                if one.output:
                    pair = Pair(*one.output.split("/"))
                    write_output(
                        folder, pair, _fitted(source, one, pair, requirement, result, resample)
                    )
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
    held = find_clips(source)
    for name, pair in mapping.items():
        if name not in held:
            raise UsageError(
                f"mapping: no clip '{name}' in {source.name}.{did_you_mean(name, held)}"
            )
        if pair is not None and pair not in requirement.n_frames:
            known = [one.key for one in requirement.n_frames]
            raise UsageError(
                f"mapping: '{pair.key}' is no output of '{requirement.protocol}'."
                f"{did_you_mean(pair.key, known)}"
            )
    matcher = Matcher(requirement.n_frames)
    taken = []
    for name in held:
        if name in mapping:
            pair = mapping[name]
            found = Match(pair, "mapping" if pair else "left out by the mapping")
        else:
            found = matcher.match(
                str(PurePosixPath(name).with_suffix("")) if (source / name).is_file() else name
            )
        key = found.pair.key if found.pair else ""
        taken.append(Taken(name, key, found.why, candidates=found.candidates))
    by_output: dict[str, list[Taken]] = defaultdict(list)
    for one in taken:
        if one.output:
            by_output[one.output].append(one)
    for key, rivals in by_output.items():
        if len(rivals) > 1:
            for one in rivals:
                others = ", ".join(other.source for other in rivals if other is not one)
                one.output, one.candidates = "", (key,)
                one.how = f"same output as {others}"
    missing = [pair.key for pair in requirement.n_frames if pair.key not in by_output]
    return Conversion(taken, missing)


def find_clips(source: Path) -> list[str]:
    """Return the clip files and the folders of images in `source`, below it, in order.

    Images that lie in `source` itself belong to no clip.

    Raises:
        UsageError: when the place does not exist or holds no clip.
    """
    if not source.is_dir():
        raise UsageError(f"{source}: no such folder; give the folder that holds your clips")
    found = []
    for count, (place, folders, files) in enumerate(os.walk(source)):
        if count > MAX_ENTRIES:
            raise UsageError(
                f"{source}: more than {MAX_ENTRIES} folders; give the one of your clips"
            )
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(place).relative_to(source)
        kinds = {name: os.path.splitext(name)[1].lower() for name in files if name[:1] != "."}
        found += [(below / name).as_posix() for name in kinds if kinds[name] in CLIP_FILES]
        if below.parts and any(kind in EXTENSIONS for kind in kinds.values()):
            found.append(below.as_posix())
    if not found:
        raise UsageError(f"{source}: holds no mp4, avi, mov, gif or folder of images; give another")
    return sorted(found)


def read_mapping(path: Path) -> dict[str, Pair | None]:
    """Return ``{source: output}`` of a CSV or YAML file; None where a row names no output.

    Raises:
        UsageError: for a file that cannot be read or a row that does not fit.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() in {".yaml", ".yml"}:
            rows: Any = yaml.safe_load(text)
        else:
            rows = list(csv.DictReader(text.splitlines()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as CSV or YAML; {_WANTED}") from error
    found: dict[str, Pair | None] = {}
    if not isinstance(rows, list):
        raise UsageError(f"{path}: expected a list of rows; {_WANTED}")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or set(row) != set(_COLUMNS):
            raise UsageError(f"{path}: row {number}: {_WANTED}")
        name, template, driving = (str(row[column] or "").strip() for column in _COLUMNS)
        if not name or bool(template) != bool(driving) or name in found:
            raise UsageError(f"{path}: row {number}: incomplete, or the source stands twice")
        found[PurePosixPath(name).as_posix()] = Pair(template, driving) if template else None
    return found


_WANTED = "columns: source, template, driving (the last two empty: leave it out)"


def _refuse_unclear(result: Conversion, *, partial: bool) -> None:
    unclear = [
        f"{one.source} ({one.how}: {', '.join(one.candidates[:4])})" for one in result.ambiguous
    ]
    if unclear:
        raise SubmissionError(
            f"{len(unclear)} sources are ambiguous, say which is which in a --mapping file: "
            + "; ".join(unclear)
        )
    if result.missing and not partial:
        raise SubmissionError(
            f"no source for {len(result.missing)} outputs (a --mapping file helps, --partial goes "
            f"on without): {', '.join(result.missing)}"
        )


def _fitted(
    root: Path, one: Taken, pair: Pair, requirement: Requirement, result: Conversion, resample: bool
) -> Frames:
    """Return a source's frames in the protocol's size and, where asked, number."""
    path = root / one.source
    try:
        if path.is_file():
            frames, lossy = read_clip_file(path)[0], True
        else:
            images = list(index_folder(path).values())
            frames = read_frames(images)
            lossy = any(image.suffix.lower() not in _LOSSLESS for image in images)
    except DatasetError as error:
        reason = str(error).replace(str(path), one.source)
        raise SubmissionError(reason) from error
    wanted, got = requirement.n_frames[pair], len(frames)
    if got != wanted:
        one.notes.append(f"{got} frames, the driving clip has {wanted}")
    if abs(got - wanted) > requirement.tolerance:
        if not resample:
            raise SubmissionError(
                f"{one.source}: {got} frames, '{pair.key}' has {wanted}; make it again, or take "
                "its nearest frames with --resample"
            )
        frames = frames[np.linspace(0, got - 1, wanted).round().astype(int)]
        one.notes.append(f"nearest {wanted} of {got} frames taken")
        lossy = True
    height, width = frames.shape[1:3]
    if height != width:
        raise SubmissionError(f"{one.source}: {width}x{height} pixels; crop it to a square")
    if width != requirement.size:
        side = requirement.size
        frames = np.stack(
            [
                np.asarray(Pil.fromarray(f).resize((side, side), Pil.Resampling.LANCZOS))
                for f in frames
            ]
        )
        one.notes.append(f"resized from {width}x{height} to {side}x{side}")
        lossy = True
    if bool((frames == frames[..., :1]).all()):
        one.notes.append("grey")
    result.lossy |= lossy
    return frames
