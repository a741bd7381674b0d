"""What is left of the error when the truth is fed in, joint by joint.

Usage: python -m benchmarks.ceilings RUN

RUN is a finished `mebench run baseline fomm-prior` on protocol synthme. Its own rows are read from
its record. More are made: its networks with parts switched off, its networks moved by the true
motion of the points, and the template moved by the true flow with the true change of shading added.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import torch

from mebench import settings
from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm.baseline import FommPrior
from mebench.methods.fomm.blocks import coordinate_grid
from mebench.methods.fomm.exact import flow_at
from mebench.methods.fomm.inference import FaceAnimator
from mebench.methods.fomm.lessons import backward_flow
from mebench.methods.fomm.model import to_frames, to_tensor
from mebench.methods.fomm.painter import face_prior
from mebench.methods.fomm.points import pick
from mebench.methods.fomm.spline import sharp_warp
from mebench.methods.fomm.tracks import Tracks, local_affine
from mebench.preprocess.canonical import eye_distance
from mebench.preprocess.known_flow import moved_by
from mebench.protocol.data import ProtocolData
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.record import MethodRow, Record
from mebench.scoring import ScoringOptions, requirement_of, score_submission
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import write_manifest, write_output
from mebench.submission.validate import open_submission
from mebench.types import Flow, Frames, Pair

KEYS = ("au_consistency", "au_concordance", "au_amplitude", "flow_epe_px", "au_curve_rmse_iod",
        "psnr_db", "change_explained", "appearance_gain", "appearance_gain_skin")  # fmt: skip
FAMILIES = ("action_units", "motion", "pixel", "appearance")


def known(data: ProtocolData, pair: Pair) -> tuple[Frames, Flow]:
    """Return the frames and the flow of the right answer."""
    reference = data.reference(pair)
    if reference is None or reference.flow is None:
        raise SystemExit(f"{pair.key}: has no right answer; this needs protocol synthme")
    return reference.frames, reference.flow


def without(path: Path, off: tuple[str, ...], cache: Path) -> FommPrior:
    """Return trained networks with parts switched off: correction, field, appearance."""
    method = cast(FommPrior, load_baseline("fomm-prior"))
    method.load(path)
    method.cache = cache
    if "eyes" in off:
        still = {"lids": False, "gaze": False}
        inference = method.config.inference.model_copy(update=still)
        method.config = method.config.model_copy(update={"inference": inference})
    if "correction" in off:
        for known in method.networks.detector.parameters():
            known.data.zero_()
    out = method.networks.generator.painter.out
    # Each of the painter's six outputs has four channels: motion, then appearance.
    for part, channels in (("field", slice(0, 8)), ("appearance", slice(8, 24))):
        if part in off:
            out.weight.data[channels] = 0
            out.bias.data[channels] = 0
    return method


def with_true_points(method: FommPrior, data: ProtocolData, pair: Pair) -> Frames:
    """Return what the networks draw when their points move as they truly do."""
    face, config = data.templates[pair.template], method.config
    flow = np.asarray(known(data, pair)[1], np.float32)
    start = pick(face.landmarks, config.points.point_set)
    iod = eye_distance(face.landmarks)
    whole = np.ones(flow.shape[1:3], np.float32)
    _, jacobians = local_affine(flow, whole, start, config.points.radius * iod)
    motion = flow_at(flow, start)
    tracks = Tracks(start, motion, jacobians, np.zeros_like(motion), iod)
    animator = FaceAnimator(method._networks, config)
    return animator.generate(face, data.driving[pair.driving], tracks)


def with_true_flow(method: FommPrior, data: ProtocolData, pair: Pair) -> Frames:
    """Return what the painter adds to the template moved by the true flow."""
    face, generator = data.templates[pair.template], method.networks.generator.eval()
    template = to_tensor(face.image[None])
    size = template.shape[-1]
    prior = face_prior(face.landmarks, size)
    still = coordinate_grid((size, size), template)
    made = []
    for flow in np.asarray(known(data, pair)[1], np.float32):
        field = still + backward_flow(torch.from_numpy(flow)) * (2 / (size - 1))
        warped = sharp_warp(template, field[None], align_corners=True)
        with torch.inference_mode():
            painting = generator.painter(field[None], warped, prior)
        made.append(to_frames(warped + painting.correction))
    return np.concatenate(made)


def with_true_shading(data: ProtocolData, pair: Pair) -> Frames:
    """Return the template moved by the true flow, with what the answer shows besides moving."""
    frames, flow = known(data, pair)
    moved = moved_by(data.templates[pair.template].image, flow).astype(np.int16)
    plain = moved_by(np.asarray(frames[0]), flow).astype(np.int16)
    return np.clip(moved + frames - plain, 0, 255).astype(np.uint8)


def scored(
    name: str,
    made: dict[Pair, Frames],
    data: ProtocolData,
    place: Path,
    families: tuple[str, ...] = FAMILIES,
) -> MethodRow:
    folder = place / name
    for pair, frames in made.items():
        write_output(folder, pair, frames)
    method = Method(id=name, title=name)
    write_manifest(folder, Manifest(protocol=data.protocol.id, method=method))
    submission = open_submission(folder, requirement_of(data), guarded=False)
    return score_submission(submission, data, ScoringOptions(families, settings.cache_folder()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    cache = settings.cache_folder()
    data = open_protocol(load_protocol("synthme"), {"synthme": run / "data"}, cache=cache)
    record = Record.load(run / "record.json")
    rows = {row.id: row for row in (record.result, *record.controls)}

    def drawn(*off: str) -> Callable[[Pair], Frames]:
        method = without(run / "training" / "model.pt", off, cache)
        return lambda pair: method.generate(
            data.templates[pair.template], data.driving[pair.driving]
        )

    exact = without(run / "training" / "model.pt", ("correction",), cache)
    rows_made: dict[str, Callable[[Pair], Frames]] = {
        "tracks as found, no painter": drawn("correction", "field", "appearance", "eyes"),
        "corrected tracks, no painter": drawn("field", "appearance", "eyes"),
        "corrected tracks, refined field": drawn("appearance", "eyes"),
        "eyes by the networks": drawn("eyes"),
        "true motion of the points": lambda pair: with_true_points(exact, data, pair),
        "true flow, our painter": lambda pair: with_true_flow(exact, data, pair),
        "true flow and true shading": lambda pair: with_true_shading(data, pair),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, make in rows_made.items():
            made = {pair: make(pair) for pair in data.pairs}
            rows[name] = scored(name.replace(" ", "-").replace(",", ""), made, data, Path(folder))
    print("| drawn | " + " | ".join(KEYS) + " |\n|---|" + "--:|" * len(KEYS))
    for name in ("copy-template", "linear-warp", *list(rows_made)[:4], "fomm-prior",
                 "true motion of the points", "true-warp", "true flow, our painter",
                 "true flow and true shading", "oracle"):  # fmt: skip
        values = (rows[name].metrics[key].value for key in KEYS)
        print(f"| {name} | " + " | ".join("--" if v is None else f"{v:.3f}" for v in values) + " |")


if __name__ == "__main__":
    main()
