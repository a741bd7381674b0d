"""Checks a submission against a protocol and reads its frames."""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mebench.errors import SubmissionError
from mebench.protocol.spec import Limits
from mebench.submission.decode import Order, decoded
from mebench.submission.guard import guarded_frames
from mebench.submission.manifest import MANIFEST, MAX_BYTES, Manifest, read_manifest
from mebench.submission.source import Source, open_source
from mebench.submission.text import plain
from mebench.types import Frames, Pair

_FRAME = re.compile(r"(\d{5})\.png")


@dataclass(frozen=True)
class Requirement:
    """What a protocol asks of a submission.

    Attributes:
        protocol: protocol id.
        n_frames: number of frames by pair.
        size: side of an aligned frame, pixels; outputs may be of any size.
        limits: upper bounds.
        tolerance: frames by which an output may be longer or shorter.
    """

    protocol: str
    n_frames: Mapping[Pair, int]
    size: int
    limits: Limits = field(default_factory=Limits)
    tolerance: int = 0


@dataclass(frozen=True)
class Submission:
    """An opened submission whose names and counts were checked; frames are decoded on demand."""

    path: Path
    manifest: Manifest
    requirement: Requirement
    missing: tuple[Pair, ...] = ()
    guarded: bool = True

    def frames(self, pair: Pair) -> Frames:
        """Decode and return the frames (T, H, W, 3) of a pair.

        Raises:
            SubmissionError: for a damaged frame or one of another kind or size.
        """
        return _frames(self.path, pair, self.requirement, self.guarded)

    def pixel_digest(self) -> str:
        """Return the sha256 over the decoded pixels of every pair, in order of the pairs.

        The same for a folder, its zip, and PNGs compressed again.
        """
        digest = hashlib.sha256()
        for pair in sorted(self.requirement.n_frames, key=lambda p: p.key):
            if pair not in self.missing:
                frames = self.frames(pair)
                digest.update(f"{pair.key}:{frames.shape}".encode())
                digest.update(np.ascontiguousarray(frames).tobytes())
        return digest.hexdigest()


def check_submission(
    path: Path, requirement: Requirement, *, decode: bool = True, guarded: bool = True
) -> tuple[Submission | None, list[str]]:
    """Return the submission (None when refused) and all problems found, not only the first.

    Missing outputs alone do not refuse it here; they are listed in `Submission.missing`. Frames are
    decoded in a child process with limits, unless `guarded` is False: for frames made here.
    """
    try:
        source = open_source(path)
    except SubmissionError as error:
        return None, [str(error)]
    problems: list[str] = []
    manifest = _manifest(source, requirement, problems)
    missing, uneven = _check_outputs(source, requirement, problems)
    if decode:
        for pair in requirement.n_frames:
            if pair not in missing and pair not in uneven:
                try:
                    _frames(path, pair, requirement, guarded)
                except SubmissionError as error:
                    problems.append(str(error))
    if manifest is None or problems:
        return None, problems
    return Submission(path, manifest, requirement, tuple(missing), guarded), []


def open_submission(
    path: Path, requirement: Requirement, *, allow_missing: bool = False, guarded: bool = True
) -> Submission:
    """Return a checked submission; `guarded` as in `check_submission`.

    Raises:
        SubmissionError: with the first problem and the number of the others.
    """
    submission, problems = check_submission(path, requirement, decode=False, guarded=guarded)
    if submission is not None and submission.missing and not allow_missing:
        problems = [f"{path.name}: output {pair.key} is missing" for pair in submission.missing]
    if submission is None or problems:
        more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
        raise SubmissionError(problems[0] + more)
    return submission


def _manifest(source: Source, requirement: Requirement, problems: list[str]) -> Manifest | None:
    where = f"{source.label}/{MANIFEST}"
    if MANIFEST not in source.names():
        problems.append(f"{where}: missing; it must stand at the top of the submission")
        return None
    try:
        manifest = read_manifest(source.read(MANIFEST, MAX_BYTES), where)
    except SubmissionError as error:
        problems.append(str(error))
        return None
    if manifest.protocol != requirement.protocol:
        problems.append(
            f"{where}: made for protocol '{plain(manifest.protocol, 60)}', "
            f"expected '{requirement.protocol}'"
        )
    return manifest


def _check_outputs(
    source: Source, requirement: Requirement, problems: list[str]
) -> tuple[list[Pair], set[Pair]]:
    """Return the outputs without any frame, and those with a wrong number or gaps."""
    uneven: set[Pair] = set()
    numbers: dict[Pair, list[int]] = defaultdict(list)
    for name in source.names():
        if name == MANIFEST:
            continue
        parts = name.split("/")
        match = _FRAME.fullmatch(parts[-1])
        if len(parts) != 4 or parts[0] != "frames" or match is None:
            problems.append(
                f"{source.label}/{name}: not expected; frames are frames/TEMPLATE/DRIVING/00000.png"
            )
            continue
        pair = Pair(parts[1], parts[2])
        if pair not in requirement.n_frames:
            problems.append(
                f"{source.label}/frames/{pair.key}: not an output of '{requirement.protocol}'"
            )
            continue
        numbers[pair].append(int(match[1]))
    problems[:] = list(dict.fromkeys(problems))
    spare = f" (give or take {requirement.tolerance})" if requirement.tolerance else ""
    for pair, wanted in requirement.n_frames.items():
        found = sorted(numbers.get(pair, []))
        whole = found == list(range(len(found)))
        if found and not (whole and abs(len(found) - wanted) <= requirement.tolerance):
            uneven.add(pair)
            gaps = sorted(set(range(wanted)) - set(found))
            hint = f", first missing {gaps[0]:05d}.png" if gaps else ""
            problems.append(
                f"{source.label}/frames/{pair.key}: {len(found)} frames, "
                f"expected {wanted}{spare} numbered from 00000{hint}"
            )
    return [pair for pair in requirement.n_frames if pair not in numbers], uneven


def _frames(path: Path, pair: Pair, requirement: Requirement, guarded: bool) -> Frames:
    order = Order(
        path=os.path.abspath(path),
        key=pair.key,
        wanted=requirement.n_frames[pair],
        tolerance=requirement.tolerance,
        max_side=requirement.limits.max_side,
        max_frame_bytes=requirement.limits.max_frame_bytes,
    )
    if guarded:
        return guarded_frames(order)
    return np.stack(list(decoded(open_source(path), order)))
