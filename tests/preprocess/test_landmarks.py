"""Given landmarks in every form, and dlib on a drawn face."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from mebench import settings
from mebench.datasets.base import FrameFiles
from mebench.errors import DatasetError, UsageError
from mebench.io.frames import read_image, write_png
from mebench.preprocess import landmarks_dlib
from mebench.preprocess.landmarks import DlibLandmarks, GivenLandmarks, choose_landmarker
from mebench.preprocess.landmarks_boxes import consensus
from mebench.preprocess.prepare import prepare
from mebench.types import Annotation, Clip

FACES = Path(__file__).parents[1] / "data" / "faces"
BLANK = np.zeros((240, 320, 3), np.uint8)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return read_image(FACES / "synthetic.jpg")


@pytest.fixture(scope="module")
def true_points() -> np.ndarray:
    return np.loadtxt(FACES / "synthetic.csv", delimiter=",")


@pytest.fixture(scope="module")
def dlib_landmarks() -> DlibLandmarks:
    return DlibLandmarks()


def in_iod(points: np.ndarray, truth: np.ndarray) -> float:
    iod = np.linalg.norm(truth[36:42].mean(axis=0) - truth[42:48].mean(axis=0))
    return float(np.linalg.norm(points - truth, axis=1).mean() / iod)


def test_given_points_of_frame_zero_in_every_form(tmp_path: Path, true_points: np.ndarray) -> None:
    moving = np.stack([true_points, true_points + 3])
    np.save(tmp_path / "still.npy", true_points)
    np.save(tmp_path / "moving.npy", moving.astype(np.float32))
    np.savetxt(tmp_path / "table.csv", true_points, delimiter=",")
    given = GivenLandmarks(tmp_path)
    for key in ("still", "moving", "table"):
        points = given.points(key, BLANK)
        assert points.dtype == np.float32
        assert points == pytest.approx(true_points, abs=1e-4)


def test_a_third_column_is_a_confidence_and_never_a_depth(
    tmp_path: Path, true_points: np.ndarray
) -> None:
    sure = np.linspace(0.2, 0.8, 68)[:, None]
    np.save(tmp_path / "with.npy", np.hstack([true_points, sure]))
    np.savetxt(tmp_path / "table.csv", np.hstack([true_points, sure]), delimiter=",")
    np.save(tmp_path / "without.npy", true_points)
    np.save(tmp_path / "depth.npy", np.hstack([true_points, 40 * sure]))
    given = GivenLandmarks(tmp_path)
    for key, expected in (("with", 0.5), ("table", 0.5), ("without", 1.0)):
        found = given.find(key, BLANK)
        assert found.points == pytest.approx(true_points, abs=1e-4)
        assert found.confidence == pytest.approx(expected)
    with pytest.raises(DatasetError, match=r"depth\.npy: frame 0: .* expected 0 to 1, got 8 to 32"):
        given.find("depth", BLANK)


def test_given_points_of_all_frames(tmp_path: Path, true_points: np.ndarray) -> None:
    moving = np.stack([true_points, true_points + 3])
    np.save(tmp_path / "clip.npy", moving)
    np.save(tmp_path / "still.npy", true_points)
    given = GivenLandmarks(tmp_path)
    points, sure = given.track("clip", [BLANK, BLANK])
    assert points == pytest.approx(moving, abs=1e-4)
    assert sure.tolist() == [1, 1]
    with pytest.raises(DatasetError, match=r"clip\.npy: expected landmarks of 3 frames .* got 2"):
        given.track("clip", [BLANK] * 3)
    with pytest.raises(DatasetError, match=r"of 2 frames of still, got frame 0 alone"):
        given.track("still", [BLANK] * 2)


def test_digest_follows_the_content(tmp_path: Path, true_points: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", true_points)
    np.save(tmp_path / "b.npy", true_points)
    given = GivenLandmarks(tmp_path)
    assert given.digest("a") == given.digest("b")
    np.save(tmp_path / "a.npy", true_points + 1)
    assert given.digest("a") != given.digest("b")


def test_missing_and_damaged_given_points_are_named(tmp_path: Path) -> None:
    given = GivenLandmarks(tmp_path)
    with pytest.raises(DatasetError, match=r"no landmarks for clip; add clip\.npy"):
        given.points("clip", BLANK)
    np.save(tmp_path / "five.npy", np.zeros((5, 2)))
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "words.csv").write_text("x,y\n1,2\n")
    for key, words in (("five", r"got \(5, 2\)"), ("cut", "cannot be"), ("words", "cannot be")):
        with pytest.raises(DatasetError, match=rf"{key}\.\w+: .*{words}"):
            given.points(key, BLANK)
    with pytest.raises(DatasetError, match="no such folder"):
        GivenLandmarks(tmp_path / "nowhere")


def test_dlib_finds_the_points(
    dlib_landmarks: DlibLandmarks, image: np.ndarray, true_points: np.ndarray
) -> None:
    points = dlib_landmarks.points("clip", image)
    assert in_iod(points, true_points) < 0.09
    assert np.array_equal(pickle.loads(pickle.dumps(dlib_landmarks)).points("clip", image), points)


def test_dlib_points_lie_between_pixels_and_darkness_costs_confidence(
    dlib_landmarks: DlibLandmarks, image: np.ndarray
) -> None:
    notes: list[str] = []
    clear = dlib_landmarks.find("clip", image, notes)
    assert notes == []
    assert np.abs(clear.points - clear.points.round()).mean() > 0.1
    unsure = dlib_landmarks.find("clip", (image * 0.12).astype(np.uint8), notes)
    assert 0 <= unsure.confidence < 0.5
    assert 0.8 < clear.confidence <= 1
    (note,) = notes
    assert note.startswith(f"clip: the landmarks are unsure (confidence {unsure.confidence:.2f})")


def test_dlib_follows_half_a_pixel(dlib_landmarks: DlibLandmarks, image: np.ndarray) -> None:
    half = (image.astype(np.uint16) + np.roll(image, 1, axis=1) + 1) // 2
    moved = dlib_landmarks.points("clip", half.astype(np.uint8))
    step = moved - dlib_landmarks.points("clip", image)
    assert np.median(step, axis=0) == pytest.approx((0.5, 0), abs=0.2)


def test_dlib_tracks_in_the_box_of_frame_zero(
    dlib_landmarks: DlibLandmarks, image: np.ndarray
) -> None:
    frames = [image, np.roll(image, 2, axis=1), image]
    points, sure = dlib_landmarks.track("clip", iter(frames))
    assert np.array_equal(points[0], dlib_landmarks.points("clip", image))
    assert np.array_equal(points[2], points[0])
    assert (points[1] - points[0]).mean(axis=0) == pytest.approx((2, 0), abs=0.5)
    assert sure.shape == (3,)


def test_votes_agree_on_their_median_and_their_spread() -> None:
    truth = np.zeros((68, 2))
    truth[36:42], truth[42:48] = (40, 50), (90, 50)
    step = np.array([3.0, 4.0])
    votes = np.stack([truth, truth + step, truth - step, truth + 1000])
    points, spread = consensus(votes)
    assert points == pytest.approx(truth + step / 2)
    assert spread == pytest.approx((2.5 + 7.5) / 2 / 50)
    assert consensus(votes[:1])[1] == 0


def test_a_clip_without_a_face_is_a_recorded_failure_not_a_mean_face(
    dlib_landmarks: DlibLandmarks, image: np.ndarray, tmp_path: Path
) -> None:
    clips = []
    for clip_id, frame in (("EP01", image), ("EP02", BLANK)):
        write_png(tmp_path / clip_id / "img1.png", frame)
        row = Annotation("01", clip_id, 1, 1, "annotated", 1, (), "", "others", "others")
        files = FrameFiles.of([tmp_path / clip_id / "img1.png"])
        clips.append(Clip("casme2", row, 200.0, "rgb", (1,), files))
    done = prepare(
        clips, size=32, landmarker=dlib_landmarks, cache=tmp_path / "cache", on_missing="skip"
    )
    assert done.keys == ("casme2.01.EP01",)
    ((key, reason),) = [(failure.key, failure.reason) for failure in done.failures]
    assert key == "casme2.01.EP02"
    assert reason.startswith("casme2.01.EP02: no face found")


def test_dlib_finds_small_and_very_large_faces(
    dlib_landmarks: DlibLandmarks, image: np.ndarray, true_points: np.ndarray
) -> None:
    small = np.ascontiguousarray(image[::2, ::2])
    large = image.repeat(8, axis=0).repeat(8, axis=1)
    assert in_iod(dlib_landmarks.points("small", small), true_points / 2) < 0.10
    assert in_iod(dlib_landmarks.points("large", large), true_points * 8) < 0.10


def test_no_face_names_the_clip(dlib_landmarks: DlibLandmarks) -> None:
    with pytest.raises(DatasetError, match=r"casme2\.01\.EP02_01f: no face found"):
        dlib_landmarks.points("casme2.01.EP02_01f", BLANK)


def test_several_faces_are_told_and_can_be_chosen(
    dlib_landmarks: DlibLandmarks, image: np.ndarray, true_points: np.ndarray
) -> None:
    two = np.hstack([image[::2, ::2].repeat(2, 0).repeat(2, 1), image])
    notes: list[str] = []
    taken = dlib_landmarks.points("clip", two, notes)
    assert "2 faces" in notes[0]
    left, right = (DlibLandmarks(face=n).points("clip", two, notes) for n in (0, 1))
    assert len(notes) == 1
    assert in_iod(left, true_points) < 0.10
    assert in_iod(right, true_points + np.array([320, 0])) < 0.09
    assert any(np.array_equal(taken, points) for points in (left, right))
    with pytest.raises(DatasetError, match="face 2 asked for, found 2"):
        DlibLandmarks(face=2).points("clip", two)


def test_the_false_face_in_a_photograph_is_told_not_taken(dlib_landmarks: DlibLandmarks) -> None:
    from skimage.data import astronaut

    notes: list[str] = []
    points = dlib_landmarks.points("photo", astronaut(), notes)
    assert 170 < points[:, 0].min() < points[:, 0].max() < 290
    assert points[:, 1].max() < 190
    (note,) = notes
    assert note.startswith("photo: ")
    assert "faces, number" in note
    assert "--face" in note
    other = DlibLandmarks(face=0).points("photo", astronaut())
    assert np.abs(other.mean(0) - points.mean(0)).max() > 50


def test_without_the_extra_the_command_to_install_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(landmarks_dlib.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'mebench\[dlib\]'"):
        DlibLandmarks()


def test_who_finds_the_landmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "export" / "casme2"
    root.mkdir(parents=True)
    assert choose_landmarker("casme2", root).name == "dlib"
    truth = tmp_path / "export" / "truth" / "landmarks"
    truth.mkdir(parents=True)
    (truth.parent / "clips.json").write_text("{}")
    chosen = choose_landmarker("casme2", root)
    assert isinstance(chosen, GivenLandmarks)
    assert chosen.folder == truth
    assert choose_landmarker("casme2", root, how="dlib").name == "dlib"
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("MEBENCH_CONFIG", str(tmp_path / "config.yaml"))
    settings.set_value("landmarks.casme2", str(own))
    assert getattr(choose_landmarker("casme2", root), "folder", None) == own
    with pytest.raises(UsageError, match="no folder of landmarks for samm"):
        choose_landmarker("samm", tmp_path, how="given")
    with pytest.raises(UsageError, match="Did you mean 'given'"):
        choose_landmarker("samm", tmp_path, how="givn")
