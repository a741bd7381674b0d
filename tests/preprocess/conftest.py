"""Three small clips of one drawn face with given landmarks, and how they are prepared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mebench.datasets.media import FrameFiles
from mebench.io.frames import read_image, write_png
from mebench.preprocess.landmarks import GivenLandmarks
from mebench.preprocess.prepare import PreparedSet, prepare
from mebench.types import Annotation, ApexSource, Clip

FACES = Path(__file__).parents[1] / "data" / "faces"
N_FRAMES = 4

MakeClip = Callable[..., Clip]
FilesOf = Callable[[Path], dict[str, bytes]]


@pytest.fixture(scope="session")
def recording() -> np.ndarray:
    face = read_image(FACES / "synthetic.jpg")
    return np.stack([np.roll(face, shift, axis=1) for shift in range(N_FRAMES)])


@pytest.fixture(scope="session")
def true_points() -> np.ndarray:
    return np.loadtxt(FACES / "synthetic.csv", delimiter=",").astype(np.float32)


@pytest.fixture
def make_clip(tmp_path: Path, true_points: np.ndarray) -> MakeClip:
    """Write frames, numbered from 10, and landmarks, and return the clip."""

    def make(
        clip_id: str,
        frames: np.ndarray,
        apex: int | None = 12,
        source: ApexSource = "annotated",
        emotion: str = "others",
    ) -> Clip:
        numbers = tuple(range(10, 10 + len(frames)))
        paths = [tmp_path / "frames" / clip_id / f"img{number}.png" for number in numbers]
        for path, frame in zip(paths, frames, strict=True):
            write_png(path, frame)
        (tmp_path / "points").mkdir(exist_ok=True)
        np.save(tmp_path / "points" / f"casme2.01.{clip_id}.npy", true_points)
        row = Annotation("01", clip_id, 10, apex, source, numbers[-1], (), "", emotion, emotion)
        return Clip("casme2", row, 200.0, "rgb", numbers, FrameFiles.of(paths))

    return make


@pytest.fixture
def clips(make_clip: MakeClip, recording: np.ndarray) -> list[Clip]:
    return [
        make_clip("EP01", recording),
        make_clip("EP02", recording[::-1]),
        make_clip("EP03", recording),
    ]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., PreparedSet]:
    def call(clips: list[Clip], **options: object) -> PreparedSet:
        arguments = {
            "size": 48,
            "landmarker": GivenLandmarks(tmp_path / "points"),
            "cache": tmp_path / "cache",
        }
        return prepare(clips, **{**arguments, **options})

    return call


@pytest.fixture
def files_of() -> FilesOf:
    """Return the bytes of every file below a folder, by its relative path."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read


@pytest.fixture
def still_mapped(tmp_path: Path) -> Callable[[], list[str]]:
    """Return the files of this test that its process still maps; none where Linux does not say.

    Other tests' fixtures may keep maps of files of their own.
    """

    def find() -> list[str]:
        maps = Path("/proc/self/maps")
        lines = maps.read_text().splitlines() if maps.exists() else []
        return [line for line in lines if str(tmp_path) in line]

    return find
