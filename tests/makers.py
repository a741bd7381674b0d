"""Small whole objects for tests of the rooms that pass them on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mebench.record import DatasetStamp, MethodRow, MetricResult, ProtocolStamp, Record
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import write_manifest, write_output
from mebench.submission.placing import Placed
from mebench.submission.validate import Requirement, Submission
from mebench.types import Face, Frames, Pair
from mebench.views.view import View

PAIRS = (Pair("casme2.01", "samm.006.006_1_2"), Pair("samm.006", "casme2.01.EP02_01f"))
SIZE = 64


def make_row(name: str = "mine", values: Mapping[str, float | None] | None = None) -> MethodRow:
    chosen = {"au_consistency": 0.8, "psnr_db": 30.0} if values is None else values
    return MethodRow(
        id=name,
        title=name.title(),
        pixel_digest=f"digest-of-{name}",
        metrics={
            key: MetricResult(
                title=key,
                higher_is_better=True,
                headline=True,
                value=value,
                ci95=None if value is None else (value - 0.1, value + 0.1),
                n=2,
                failed={"*": "no motion"} if value is None else {},
            )
            for key, value in chosen.items()
        },
        per_clip={pair.key: dict(chosen) for pair in PAIRS},
    )


def make_record(
    name: str = "mine",
    values: Mapping[str, float | None] | None = None,
    controls: tuple[MethodRow, ...] = (),
) -> Record:
    return Record(
        result=make_row(name, values),
        controls=list(controls),
        protocol=ProtocolStamp(id="synthme", digest="p"),
        dataset=DatasetStamp(
            id="synthme", index_digest="i", clips=4, subjects=3, driving_subjects=2, pairs=2
        ),
    )


def requirement(n_frames: int = 3) -> Requirement:
    return Requirement("synthme", {pair: n_frames for pair in PAIRS}, SIZE)


def write_submission(root: Path, n_frames: int = 3, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for pair in PAIRS:
        frames = rng.integers(0, 256, (n_frames, SIZE, SIZE, 3), dtype=np.uint8)
        write_output(root, pair, frames)
    write_manifest(root, Manifest(protocol="synthme", method=Method(id="mine", title="Mine")))
    return root


def lie_anywhere(
    submission: Submission, pair: Pair, frames: Frames, data: object, cache: Path
) -> Placed:
    """Stand in for the fit: frames of these tests are noise and show no face."""
    view = View(np.eye(2, 3), frames.shape[1:3], "aligned", 1.0, 1.0)
    return Placed(view, Face(frames[0], np.zeros((68, 2), np.float32)))


def tiny_protocol(metrics: str, rank_by: str, controls: str = "", more: str = "") -> str:
    """Return a protocol on the tiny SynthME export as YAML."""
    return (
        "id: tiny\ntitle: SynthME, tiny\ndataset: synthme\nsynth: {preset: tiny, seed: 0}\n"
        f"reference: truth\nsize: 64\n{more}"
        f"metrics: [{metrics}]\nrank_by: {rank_by}\ncontrols: [{controls}]\n"
    )
