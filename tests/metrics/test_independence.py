"""How a submission is stored and how the work is split changes no value of its record."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import motion_warps as toy
import numpy as np
import pytest
import torch

from mebench.metrics.inception import FidInception
from mebench.protocol.data import Fold, ProtocolData
from mebench.protocol.references import SelfReference
from mebench.protocol.spec import Protocol
from mebench.record import MethodRow
from mebench.scoring import ScoringOptions, requirement_of, score_submission
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import write_manifest, write_output
from mebench.submission.validate import open_submission
from mebench.types import Face, FaceClip, Pair

POINTS = toy.landmarks()
METRICS = (
    "action_units",
    "temporal",
    "pixel",
    "motion_distribution",
    "perceptual_squeeze",
)
PAIRS = (Pair("toy.01", "toy.01.a"), Pair("toy.02", "toy.02.b"))


@pytest.fixture(scope="module")
def data() -> ProtocolData:
    protocol = Protocol(
        id="toy",
        title="Toy",
        dataset=("casme2",),
        templates="self",
        reference="driving",
        metrics=METRICS,
        rank_by="au_consistency",
    )
    driving = {}
    for pair, moves in zip(PAIRS, (toy.SMILE, toy.BROWS), strict=True):
        frames = toy.moving(toy.texture(seed=len(driving)), POINTS, moves)[0][:6]
        driving[pair.driving] = FaceClip(
            pair.driving, pair.template, frames, POINTS, toy.FPS, apex_index=4
        )
    return ProtocolData(
        protocol=protocol,
        folds=(Fold("all", (), PAIRS),),
        templates={p.template: Face(driving[p.driving].frames[0], POINTS) for p in PAIRS},
        driving=driving,
        index_digest="toy",
        n_clips=2,
        n_subjects=2,
        reference=SelfReference(driving),
    )


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("submission")
    for seed, pair in enumerate(PAIRS):
        noise = np.random.default_rng(seed).normal(0, 2, data.driving[pair.driving].frames.shape)
        frames = np.clip(data.driving[pair.driving].frames + noise, 0, 255).astype(np.uint8)
        write_output(place, pair, frames)
    write_manifest(place, Manifest(protocol="toy", method=Method(id="mine", title="Mine")))
    return place


def row_of(path: Path, data: ProtocolData, cache: Path, jobs: int = 1) -> MethodRow:
    options = ScoringOptions(metrics=METRICS, cache=cache, jobs=jobs)
    return score_submission(open_submission(path, requirement_of(data)), data, options)


@pytest.mark.long
def test_zip_order_of_files_jobs_and_threads_change_no_value(data, folder, tmp_path):
    first = row_of(folder, data, tmp_path / "one")
    archive = tmp_path / "mine.zip"
    names = sorted((p for p in folder.rglob("*") if p.is_file()), reverse=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in names:
            packed.write(name, name.relative_to(folder).as_posix())
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(3)
    cv2.setNumThreads(3)
    try:
        second = row_of(archive, data, tmp_path / "two", jobs=2)
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
    assert len(first.metrics) > 15
    assert second.per_clip == first.per_clip
    assert second.pixel_digest == first.pixel_digest
    for key, one in first.metrics.items():
        other = second.metrics[key]
        assert other.failed == one.failed, key
        assert (other.value is None) == (one.value is None), key
        if one.value is not None:
            assert other.value == pytest.approx(one.value, rel=1e-9, abs=1e-9), key
    known = row_of(folder, data, tmp_path / "two")
    assert known.metrics == second.metrics, "and nothing is computed anew"


def test_a_picture_has_the_same_features_alone_and_beside_others():
    net = FidInception(3, "cpu")
    images = [toy.texture(64, seed) for seed in (1, 2)]
    with torch.inference_mode():
        alone = [net.features(image) for image in images]
        again = [net.features(image) for image in images[::-1]][::-1]
    np.testing.assert_array_equal(alone, again)


def test_threads_move_features_by_no_more_than_rounding():
    net = FidInception(3, "cpu")
    image, before = toy.texture(64, 1), torch.get_num_threads()
    try:
        found = []
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(net.features(image))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(*found, rtol=0, atol=1e-6 * np.abs(found[0]).max())
