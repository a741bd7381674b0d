"""Pictures and curves of a site's players: each clip as one sheet of frames."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from mebench.board import file_name
from mebench.errors import SubmissionError, UsageError
from mebench.io.files import atomic_path
from mebench.protocol.data import ProtocolData
from mebench.record import Record
from mebench.scoring import (
    ScoringOptions,
    curves_of,
    frames_digest,
    outputs_digest,
    requirement_of,
)
from mebench.submission.placing import place_output
from mebench.submission.validate import Submission, open_submission
from mebench.types import Frames, Pair, Progress

SIDE = 160
"""Pixels of a frame in a sheet."""
_COLUMNS = 12
_QUALITY = 82
_LOSSLESS = {"quality": 20, "method": 2}
"""More effort takes much longer and saves little of noisy frames."""
_LONGEST = 16383
"""Pixels of a WebP's longest side."""
_CURVES = 4
_WIDTH, _HEIGHT, _EDGE = 460.0, 170.0, 26.0


@dataclass(frozen=True)
class Sheet:
    """One clip: its file beside the page, and how its frames lie in it."""

    title: str
    file: str
    frames: int
    columns: int
    side: int


@dataclass(frozen=True)
class Line:
    """One AU curve as an SVG polyline."""

    name: str
    clip: str
    points: str
    colour: int


@dataclass(frozen=True)
class Chart:
    """AU curves of both clips, in one drawing of `width` by `height`."""

    lines: tuple[Line, ...]
    width: float
    height: float
    edge: float
    top: str
    bottom: str
    end_ms: str


@dataclass(frozen=True)
class Player:
    """One pair on a method's page; no sheets where its pixels may not be shown."""

    key: str
    units: str
    fps: float
    frames: int
    sheets: tuple[Sheet, ...]
    chart: Chart | None
    values: dict[str, str] = field(default_factory=dict)


def write_sheet(
    path: Path, frames: Frames, title: str, root: Path, *, side: int = SIDE, lossless: bool = False
) -> Sheet:
    """Write the frames of a clip, fitted into `side`, as one WebP sheet; return how to read it.

    A frame that is not square lies in the middle of a black square.

    Raises:
        UsageError: when so many frames of that size do not fit into a sheet.
    """
    longest = _LONGEST // side
    columns = max(min(_COLUMNS, len(frames)), math.ceil(len(frames) / longest))
    if columns > longest:
        raise UsageError(
            f"{len(frames)} frames of {side} px do not fit into a sheet of {_LONGEST} px; show "
            "them smaller"
        )
    rows = math.ceil(len(frames) / columns)
    sheet = Pillow.new("RGB", (columns * side, rows * side))
    for number, frame in enumerate(frames):
        picture = Pillow.fromarray(np.ascontiguousarray(frame))
        if max(picture.size) != side:
            scale = side / max(picture.size)
            wide, high = (max(round(n * scale), 1) for n in picture.size)
            picture = picture.resize((wide, high), Pillow.Resampling.LANCZOS)
        left, top = ((side - n) // 2 for n in picture.size)
        sheet.paste(picture, (number % columns * side + left, number // columns * side + top))
    out = io.BytesIO()
    how = {"lossless": True, **_LOSSLESS} if lossless else {"quality": _QUALITY, "method": 4}
    sheet.save(out, format="WEBP", **how)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(out.getvalue())
    return Sheet(title, path.relative_to(root).as_posix(), len(frames), columns, side)


@dataclass(frozen=True)
class PlayerMaker:
    """Makes the players of records whose submission is at hand.

    Attributes:
        folders: submission of each method, by protocol digest and method id.
        opened: the protocols, by digest.
        options: how curves are measured.
        private: whether pixels of gated data are shown.
        progress: where the work is told.
    """

    folders: Mapping[tuple[str, str], Path]
    opened: Mapping[str, ProtocolData]
    options: ScoringOptions
    private: bool
    progress: Progress

    def __call__(self, out: Path, record: Record) -> list[Player]:
        """Write the sheets of a record's clips below `out`; return its players.

        Raises:
            SubmissionError: for a submission that cannot be read, or is not what was scored.
        """
        data = self.opened.get(record.protocol.digest)
        place = self.folders.get((record.protocol.digest, record.result.id))
        if data is None or place is None or data.index_digest != record.dataset.index_digest:
            return []
        partial = data.protocol.missing_output == "partial"
        submission = open_submission(place, requirement_of(data), allow_missing=partial)
        shown = [pair for pair in data.pairs if pair not in submission.missing]
        pixels = self.private or not data.gated
        digests = {pair: frames_digest(submission.frames(pair)) for pair in shown}
        if outputs_digest(digests) != record.result.pixel_digest:
            raise SubmissionError(
                f"{place.name}: its frames are not those of the record of '{record.result.id}'; "
                "score it again and replace the row"
            )
        found = []
        with self.progress.task(f"site {record.result.id}", total=len(shown)) as task:
            for pair in shown:
                values = _values(record, pair)
                found.append(
                    player(out, pair, submission, data, self.options, values, pixels=pixels)
                )
                task.advance(note=pair.key)
        return found


def _values(record: Record, pair: Pair) -> dict[str, str]:
    values = record.result.per_clip.get(pair.key, {})
    return {
        metric.title: "--" if (value := values.get(key)) is None else f"{value:.3f}"
        for key, metric in record.result.metrics.items()
        if metric.headline and key in values
    }


def player(
    root: Path,
    pair: Pair,
    submission: Submission,
    data: ProtocolData,
    options: ScoringOptions,
    values: dict[str, str],
    *,
    pixels: bool,
) -> Player:
    """Return the player of one pair, its sheets written below `root` where pixels may be shown."""
    driving = data.driving[pair.driving]
    generated = submission.frames(pair)
    sheets: tuple[Sheet, ...] = ()
    if pixels:
        place = root / "media" / data.protocol.id
        clips = _clips(pair, submission, generated, data, options)
        sheets = tuple(
            write_sheet(place / f"{name}.webp", frames, title, root)
            for (title, name), frames in clips.items()
        )
    found = curves_of(submission, pair, data, options)
    return Player(
        key=pair.key,
        units=" + ".join(f"AU{unit.au}" for unit in driving.action_units),
        fps=driving.fps,
        frames=min(len(generated), len(driving.frames)),
        sheets=sheets,
        chart=_chart(found, driving.fps),
        values=values,
    )


def _clips(
    pair: Pair,
    submission: Submission,
    generated: Frames,
    data: ProtocolData,
    options: ScoringOptions,
) -> dict[tuple[str, str], Frames]:
    """Return what is shown side by side by title and file, all in the output's own view."""
    driving = data.driving[pair.driving]
    placed = place_output(submission, pair, generated, data, options.cache)
    own = f"{file_name(submission.manifest.method.id)}/{pair.key}"
    still, moving = f"templates/{pair.template}", f"driving/{pair.driving}"
    if not placed.view.aligned:
        still, moving = f"{own}-template", f"{own}-driving"
    return {
        ("template", still): placed.face.image[None],
        ("driving", moving): placed.brought(np.asarray(driving.frames), driving.landmarks),
        ("generated", own): generated,
    }


def _chart(curves: dict[str, np.ndarray], fps: float) -> Chart | None:
    sides = {
        side: {k.partition("/")[2]: v for k, v in curves.items() if k.startswith(f"{side}/")}
        for side in ("driving", "generated")
    }
    if not sides["driving"]:
        return None
    peaks = {name: float(np.abs(values).max()) for name, values in sides["driving"].items()}
    names = sorted(peaks, key=lambda name: -peaks[name])[:_CURVES]
    drawn = [
        (name, side, np.asarray(sides[side][name], float), number)
        for number, name in enumerate(names)
        for side in ("driving", "generated")
        if name in sides[side]
    ]
    low = min(0.0, *(float(values.min()) for _, _, values, _ in drawn))
    high = max(0.1, *(float(values.max()) for _, _, values, _ in drawn))
    length = max(len(values) for _, _, values, _ in drawn)
    lines = tuple(
        Line(name, side, _polyline(values, low, high, length), number)
        for name, side, values, number in drawn
    )
    end = f"{1000.0 * (length - 1) / fps:.0f}"
    return Chart(lines, _WIDTH, _HEIGHT, _EDGE, f"{high:.1f}", f"{low:.1f}", end)


def _polyline(values: np.ndarray, low: float, high: float, length: int) -> str:
    wide, tall = _WIDTH - 2 * _EDGE, _HEIGHT - 2 * _EDGE
    xs = _EDGE + wide * np.arange(len(values)) / max(length - 1, 1)
    ys = _EDGE + tall * (high - values) / (high - low)
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
