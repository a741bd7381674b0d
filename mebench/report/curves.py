"""AU curves of every pair as one table, for plots of the reader's own."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from mebench.io.files import atomic_path
from mebench.protocol.data import ProtocolData
from mebench.scoring import ScoringOptions, curves_of
from mebench.submission.validate import Submission
from mebench.types import Pair

HEADER = ("template", "driving", "clip", "curve", "frame", "ms", "value")


def write_curves(
    path: Path, submission: Submission, data: ProtocolData, options: ScoringOptions
) -> None:
    """Write a CSV with a row a frame of each curve of each pair the submission holds.

    ``clip`` is ``driving`` or ``generated``; ``curve`` an AU such as ``12L``, in % of the
    inter-ocular distance from frame 0, or ``epe_px``. Empty where a value is not defined.
    """
    pairs = [pair for pair in data.pairs if pair not in submission.missing]
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as handle,
    ):
        writer = csv.writer(handle)
        writer.writerow(HEADER)
        for pair in pairs:
            writer.writerows(_rows(pair, submission, data, options))


def _rows(
    pair: Pair, submission: Submission, data: ProtocolData, options: ScoringOptions
) -> list[tuple[object, ...]]:
    fps = data.driving[pair.driving].fps
    rows: list[tuple[object, ...]] = []
    for name, values in curves_of(submission, pair, data, options).items():
        clip, _, curve = name.partition("/")
        for frame, value in enumerate(np.asarray(values, float).tolist()):
            text = f"{value:.5f}" if np.isfinite(value) else ""
            time = f"{1000.0 * frame / fps:.2f}"
            rows.append((pair.template, pair.driving, clip, curve, frame, time, text))
    return rows
