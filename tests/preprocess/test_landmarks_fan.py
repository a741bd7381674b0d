"""The adapter of face-alignment, with stand-in weights in the published files' form."""

from __future__ import annotations

import hashlib
import os
import pickle
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.nn import functional

from mebench import weights
from mebench.cli.generate import generate
from mebench.errors import DatasetError, UsageError, WeightsError
from mebench.io.frames import read_image
from mebench.preprocess import landmarks_fan
from mebench.preprocess.landmarks import METHODS, GivenBoxes, choose_landmarker
from mebench.preprocess.landmarks_fan import FanLandmarks, decode_heatmaps

FACES = Path(__file__).parents[1] / "data" / "faces"
COMPILED = ("transform_np", "_get_preds_fromhm")
"""What the library would compile for many seconds; the plain functions do the same."""
BOX = (100.0, 60.0, 220.0, 200.0)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return read_image(FACES / "synthetic.jpg")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeded tensors under the published names: one hourglass, and a detector that sees nothing."""
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN

    folder = tmp_path_factory.mktemp("stand-ins")
    torch.save(weights.seeded_state(FAN(1), 1), folder / weights.entry("2dfan4").file)
    state = weights.seeded_state(s3fd(), 1)
    for key in state:
        if key.endswith("conf.weight"):
            state[key].zero_()
        if key.endswith("conf.bias"):
            state[key][0] = 9.0
    torch.save(state, folder / weights.entry("s3fd").file)
    return folder


@pytest.fixture
def store(files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEBENCH_WEIGHTS", str(files))
    for name in ("2dfan4", "s3fd"):
        entry = weights.entry(name)
        digest = hashlib.sha256((files / entry.file).read_bytes()).hexdigest()
        changed = {**weights.TABLE, name: replace(entry, title="stand-in", sha256=digest)}
        monkeypatch.setattr(weights, "TABLE", changed)
    return files


@pytest.fixture
def boxes(tmp_path: Path) -> GivenBoxes:
    np.save(tmp_path / "clip.npy", np.array(BOX))
    return GivenBoxes(tmp_path)


class Brightness(torch.nn.Module):
    """A stand-in for FAN that knows one thing: every point is where the crop is brightest."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [functional.avg_pool2d(x.mean(1, keepdim=True), 4).repeat(1, 68, 1, 1)]


class OneBox(torch.nn.Module):
    """A stand-in for S3FD: a face of 128 px wherever a cell of 32 px is white."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        torch.backends.cudnn.benchmark = True  # as S3FD's code does on a GPU
        out = []
        for stride in (4, 8, 16, 32, 64, 128):
            sure = functional.avg_pool2d(x.mean(1, keepdim=True), stride, ceil_mode=True)
            seen = torch.full_like(sure, -9.0) if stride != 32 else sure / 10
            out += [torch.cat([torch.zeros_like(seen), seen], 1), seen.repeat(1, 4, 1, 1) * 0]
        return out


def blob(x: float, y: float, width: int = 320, height: int = 240, sigma: float = 9) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    bright = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return np.repeat(bright.round().astype(np.uint8)[..., None], 3, axis=-1)


def test_points_and_confidence_are_the_same_every_time_and_globals_stay(
    store: Path, boxes: GivenBoxes, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **rest: object) -> None:
        raise AssertionError("no network at run time")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(torch, "compile", refuse)
    threads = torch.get_num_threads()
    fan = FanLandmarks(boxes=boxes)
    found = fan.find("clip", image)
    assert found.points.shape == (68, 2)
    assert found.points.dtype == np.float32
    assert not np.array_equal(found.points, found.points.round())
    assert 0.0 <= found.confidence <= 1.0
    again = pickle.loads(pickle.dumps(fan)).find("clip", image)
    assert np.array_equal(again.points, found.points)
    assert again.confidence == found.confidence
    assert torch.get_num_threads() == threads
    assert torch.backends.cudnn.benchmark is False


@pytest.mark.parametrize("benchmark", [False, True])
def test_the_global_cudnn_flag_is_put_back(
    store: Path, monkeypatch: pytest.MonkeyPatch, benchmark: bool
) -> None:
    nets = {"s3fd": OneBox(), "2dfan4": Brightness()}
    monkeypatch.setattr(landmarks_fan, "_network", lambda name, *rest: nets[name])
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", benchmark)
    white = np.zeros((256, 256, 3), np.uint8)
    white[96:128, 128:160] = 255
    assert FanLandmarks().box("clip", white) == pytest.approx((80, 48, 208, 176))
    assert torch.backends.cudnn.benchmark is benchmark


def test_s3fd_finds_faces_of_large_images_in_their_own_pixels(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmarks_fan, "_network", lambda *rest: OneBox())
    white = np.zeros((960, 1280, 3), np.uint8)
    white[448:512, 320:384] = 255
    white[448:512, 960:1024] = 250
    notes: list[str] = []
    assert FanLandmarks().box("clip", white, notes) == pytest.approx((224, 352, 480, 608))
    assert "2 faces, number 0 from the left taken" in notes[0]
    assert FanLandmarks(face=1).box("clip", white) == pytest.approx((864, 352, 1120, 608))


def test_points_are_exact_between_pixels_and_near_those_of_the_library(
    store: Path, boxes: GivenBoxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from face_alignment import FaceAlignment, LandmarksType, utils

    for name in COMPILED:
        monkeypatch.setattr(utils, name, getattr(utils, name).py_func)
    monkeypatch.setattr(landmarks_fan, "_network", lambda *rest: Brightness())
    theirs = FaceAlignment.__new__(FaceAlignment)
    vars(theirs).update(
        device="cpu",
        dtype=torch.float32,
        flip_input=True,
        max_batch_size=1,
        landmarks_type=LandmarksType.TWO_D,
        face_detector=SimpleNamespace(reference_scale=195),
        face_alignment_net=Brightness(),
    )
    for x, y in ((150.3, 121.8), (140.0, 100.5), (171.7, 143.1)):
        found = FanLandmarks(boxes=boxes).find("clip", blob(x, y))
        assert np.abs(found.points - (x, y)).max() < 0.1
        assert found.confidence > 0.9
        (library,) = theirs.get_landmarks_from_image(blob(x, y), detected_faces=[BOX])
        assert np.abs(found.points - library).max() < 2.1  # half a pixel of its heat maps


def test_large_faces_are_averaged_not_thinned_out(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmarks_fan, "_network", lambda *rest: Brightness())
    np.savetxt(tmp_path / "clip.csv", np.array(BOX)[None] * 5, delimiter=",")
    large = blob(750.5, 610.2, 1600, 1200, sigma=45)
    large[::2] //= 2
    found = FanLandmarks(boxes=GivenBoxes(tmp_path)).find("clip", large)
    assert np.abs(found.points - (750.5, 610.2)).max() < 1.0  # a fifth of a pixel of the crop
    assert found.confidence == pytest.approx(0.73, abs=0.04)


def test_heat_map_peaks_are_found_between_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    from face_alignment import utils

    for name in COMPILED:
        monkeypatch.setattr(utils, name, getattr(utils, name).py_func)
    places = np.array([[20.3, 31.8], [5.0, 60.4], [40.5, 9.49], [0.2, 62.9]])
    rows, columns = np.mgrid[:64, :64]
    away = (columns - places[:, 0, None, None]) ** 2 + (rows - places[:, 1, None, None]) ** 2
    heat = 0.8 * np.exp(-away / (2 * 2.0**2))
    found, heights = decode_heatmaps(heat.astype(np.float32))
    assert np.abs(found - places)[:3].max() < 0.03
    assert np.abs(found - places)[3].max() < 0.5
    assert heights == pytest.approx([0.8] * 4, abs=0.06)
    library, _, _ = utils.get_preds_fromhm(heat[None].astype(np.float32))
    assert np.abs(found + 0.5 - library[0])[:3].max() < 0.3


def test_a_clip_is_tracked_in_the_box_of_its_first_frame(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nets = {"s3fd": OneBox(), "2dfan4": Brightness()}
    monkeypatch.setattr(landmarks_fan, "_network", lambda name, *rest: nets[name])
    first = blob(144, 112, 256, 256, sigma=12)
    first[96:128, 128:160] = 255
    moving = [blob(144 + 3 * t, 112.5, 256, 256) for t in range(1, 4)]
    points, sure = FanLandmarks(votes=1).track("clip", iter([first, *moving]))
    assert points.shape == (4, 68, 2)
    assert points[1:, 0, 0] == pytest.approx([147, 150, 153], abs=0.15)
    assert sure.shape == (4,)


def test_no_face_and_no_heat_maps_are_failures_that_name_the_clip(
    store: Path, boxes: GivenBoxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatasetError, match=r"casme2\.01\.EP02_01f: no face found"):
        FanLandmarks().find("casme2.01.EP02_01f", np.zeros((64, 96, 3), np.uint8))
    with pytest.raises(DatasetError, match=r"clip: the box .*outside the image of 96x64 pixels"):
        FanLandmarks(boxes=boxes).find("clip", np.zeros((64, 96, 3), np.uint8))
    broken = torch.nn.Conv2d(3, 68, 4, stride=4)
    torch.nn.init.constant_(broken.weight, float("nan"))
    monkeypatch.setattr(landmarks_fan, "_network", lambda *rest: broken)
    with pytest.raises(DatasetError, match="clip: FAN gave no finite heat maps"):
        FanLandmarks(boxes=boxes).find("clip", np.zeros((240, 320, 3), np.uint8))


def test_missing_weights_name_the_command_that_fetches_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEBENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"mebench weights fetch 2dfan4 s3fd$"):
        FanLandmarks()
    with pytest.raises(WeightsError, match=r"mebench weights fetch 2dfan4$"):
        choose_landmarker("casme2", tmp_path, how="fan-dlib")
    files = ["--template", "none.png", "--driving", "none.mp4", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(generate, ["linear-warp", *files, "--landmarks", "fan"])
    assert isinstance(result.exception, WeightsError)


def test_the_store_knows_the_files_this_version_of_the_library_loads() -> None:
    from face_alignment import api
    from face_alignment.detection.sfd import sfd_detector

    assert weights.entry("2dfan4").url == api.models_urls["2DFAN-4"]
    assert weights.entry("s3fd").url == sfd_detector.models_urls["s3fd"]


@pytest.mark.weights
def test_the_published_weights_find_the_points(
    image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MEBENCH_TEST_WEIGHTS=STORE pytest -m weights; the tests know nothing of the user's own store.
    monkeypatch.setenv("MEBENCH_WEIGHTS", os.environ["MEBENCH_TEST_WEIGHTS"])
    truth = np.loadtxt(FACES / "synthetic.csv", delimiter=",")
    eyes = np.linalg.norm(truth[36:42].mean(0) - truth[42:48].mean(0))
    for fan in (FanLandmarks(), FanLandmarks(boxes="dlib")):
        found = fan.find("clip", image)
        assert np.linalg.norm(found.points - truth, axis=1).mean() < 0.09 * eyes
        assert found.confidence > 0.5


def test_tensors_of_another_network_are_refused(
    tmp_path: Path, boxes: GivenBoxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEBENCH_WEIGHTS", str(tmp_path / "store"))
    (tmp_path / "store").mkdir()
    entry = replace(weights.entry("2dfan4"), sha256=None)
    monkeypatch.setattr(weights, "TABLE", {**weights.TABLE, "2dfan4": entry})
    torch.save({"layer.weight": torch.zeros(2, 3)}, tmp_path / "store" / entry.file)
    with pytest.raises(WeightsError, match=r"not the tensors of '2dfan4'; .* fetch 2dfan4"):
        FanLandmarks(boxes=boxes).find("clip", np.zeros((240, 320, 3), np.uint8))


def test_boxes_are_given_as_sides_or_spanned_by_points(tmp_path: Path) -> None:
    truth = np.loadtxt(FACES / "synthetic.csv", delimiter=",")
    np.save(tmp_path / "sides.npy", np.array([1.0, 2.0, 30.0, 40.0]))
    np.save(tmp_path / "points.npy", np.stack([truth, truth + 9]))
    given = GivenBoxes(tmp_path)
    assert given.box("sides") == (1, 2, 30, 40)
    assert given.box("points") == pytest.approx((*truth.min(axis=0), *truth.max(axis=0)))
    np.save(tmp_path / "flat.npy", np.array([1.0, 2.0, 1.0, 40.0]))
    np.save(tmp_path / "five.npy", np.zeros(5))
    for key, words in (("flat", "left < right"), ("five", r"got \(5,\)"), ("none", "no box for")):
        with pytest.raises(DatasetError, match=words):
            given.box(key)


def test_who_is_chosen_and_what_the_digest_follows(
    store: Path, tmp_path: Path, boxes: GivenBoxes
) -> None:
    fan = choose_landmarker("casme2", tmp_path, how="fan")
    assert fan.name == "fan"
    assert fan.digest("clip") != choose_landmarker("casme2", tmp_path, how="fan", face=1).digest("")
    own = choose_landmarker("casme2", tmp_path, how="fan", folder=boxes.folder)
    before = own.digest("clip")
    assert before not in {fan.digest("clip"), FanLandmarks(boxes=boxes, votes=1).digest("clip")}
    np.save(boxes.folder / "clip.npy", np.array(BOX) + 1)
    assert own.digest("clip") != before
    assert choose_landmarker("casme2", tmp_path, how="fan-dlib").name == "fan-dlib"
    with pytest.raises(UsageError, match="so was 'fan-dlib'"):
        choose_landmarker("casme2", tmp_path, how="fan-dlib", folder=tmp_path)
    with pytest.raises(UsageError, match="votes must be 1 to 9"):
        FanLandmarks(votes=0)


def test_the_command_line_offers_every_way() -> None:
    from mebench.cli.data_prepare import prepare

    (option,) = [p for p in prepare.params if p.name == "landmarks"]
    assert tuple(option.type.choices) == METHODS


def test_dlib_boxes_are_used_when_asked_for(
    store: Path, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmarks_fan, "_network", lambda *rest: Brightness())
    left, top, right, bottom = FanLandmarks(boxes="dlib").box("clip", image)
    truth = np.loadtxt(FACES / "synthetic.csv", delimiter=",")
    assert left < truth[:, 0].mean() < right
    assert top < truth[:, 1].mean() < bottom
    small = cv2.resize(image, None, fx=0.1, fy=0.1)
    with pytest.raises(DatasetError, match="clip: no face found"):
        FanLandmarks(boxes="dlib").find("clip", small)
