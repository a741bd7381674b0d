"""A pack of tight pictures and a cropped release: what is prepared, drawn on and told."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from mebench.cli.main import cli
from mebench.methods.copying import CopyDriving, CopyTemplate
from mebench.methods.warp import LinearWarp
from mebench.preprocess.crop import HEAD, outside_fraction
from mebench.preprocess.framing import crop_in
from mebench.protocol.data import ProtocolData
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.synthme.export import _write_template
from mebench.synthme.plan import make_plan
from mebench.types import FaceClip

SMALL = {"size": 64, "metrics": ("pixel",), "rank_by": "onset_fidelity"}


@pytest.fixture(scope="module")
def pack(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny export with tight templates in its pack."""
    root = tmp_path_factory.mktemp("tight")
    for name in ("MEGC2021_generation", "truth", "synthme.json"):
        if (tiny / name).is_dir():
            shutil.copytree(tiny / name, root / name)
        else:
            shutil.copy(tiny / name, root / name)
    plan = make_plan("tiny", 0, tight_templates=True)
    folder = root / "MEGC2021_generation" / "target_template_face"
    for name, person, camera in plan.templates:
        (folder / f"{name}.jpg").unlink()
        _write_template(root, person, camera, folder / f"{name}{plan.template_suffix}")
    return root


@pytest.fixture(scope="module")
def data(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> ProtocolData:
    spec = load_protocol("megc2021").model_copy(update=SMALL)
    return open_protocol(spec, {"megc2021": pack}, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def cropped(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return CASME II of the tiny export, every frame cut to its face."""
    root = tmp_path_factory.mktemp("cropped")
    shutil.copytree(tiny / "casme2", root / "casme2")
    shutil.copytree(tiny / "truth", root / "truth")
    shutil.copy(tiny / "synthme.json", root / "synthme.json")
    for clip in (root / "casme2" / "CASME2_RAW_selected").glob("sub*/*"):
        subject = clip.parent.name.removeprefix("sub")
        file = root / "truth" / "landmarks" / f"casme2.{subject}.{clip.name}.npy"
        points = np.load(file)
        iod = np.linalg.norm(points[0, 36:42].mean(0) - points[0, 42:48].mean(0))
        eyes = points[0, 36:48].mean(axis=0)
        left, top = (int(v) for v in eyes - iod * np.array([1.12, 0.84]))
        right, bottom = (int(v) for v in eyes + iod * np.array([1.12, 1.88]))
        np.save(file, points - np.array([left, top], points.dtype))
        for frame in clip.iterdir():
            image = cv2.imread(str(frame))
            cv2.imwrite(str(frame), image[top:bottom, left:right])
    return root


def outside(clip: FaceClip, shape: tuple[int, ...]) -> float:
    assert clip.to_source is not None
    return outside_fraction(clip.to_source, clip.frames.shape[2], shape)


def test_the_usual_export_keeps_its_plan():
    assert make_plan("tiny", 0).digest != make_plan("tiny", 0, tight_templates=True).digest
    assert "template_suffix" not in make_plan("tiny", 0).record()


def test_templates_of_a_tight_pack_are_cropped_by_what_they_show(data, pack):
    for name, face in data.templates.items():
        picture = data.picture(name)
        height, width = picture.image.shape[:2]
        assert (height, width) == (192, 160)
        assert outside_fraction(picture.to_source, 64, picture.image.shape) <= 0.03
        assert crop_in(face.landmarks, 64).share == 0.50
        (note,) = (note for note in data.notes if name in note)
        assert note.endswith("eye distance 0.50 of the side")
    assert {crop_in(clip.landmarks, 64) for clip in data.driving.values()} == {HEAD}


def test_a_template_of_a_pack_is_drawn_on_in_its_own_pixels(data):
    pair = data.pairs[0]
    face, driving = data.canvas(pair.template), data.driving[pair.driving]
    driving = replace(driving, frames=np.asarray(driving.frames[:6]))
    picture = data.picture(pair.template)
    assert face.image is picture.image
    np.testing.assert_array_equal(face.landmarks, picture.landmarks)
    assert (CopyTemplate().generate(face, driving) == face.image).all()
    np.testing.assert_array_equal(CopyDriving().generate(face, driving), driving.frames)
    moved = LinearWarp().generate(face, driving)
    assert moved.shape == (len(driving.frames), 192, 160, 3)
    assert (moved != face.image).any()


def test_frames_of_recordings_are_drawn_on_in_their_alignment(tiny, tmp_path):
    spec = load_protocol("reconstruction").model_copy(update={**SMALL, "dataset": ("casme2",)})
    data = open_protocol(spec, {"casme2": tiny / "casme2"}, cache=tmp_path)
    name = data.pairs[0].template
    assert data.canvas(name) is data.templates[name]
    assert data.notes == ()


def test_a_cropped_release_gets_one_larger_eye_distance(cropped, tmp_path):
    spec = load_protocol("reconstruction").model_copy(update={**SMALL, "dataset": ("casme2",)})
    root = {"casme2": cropped / "casme2"}
    data = open_protocol(spec, root, cache=tmp_path)
    crops = {crop_in(clip.landmarks, 64) for clip in data.clips()}
    (crop,) = crops
    assert crop.share == 0.45
    assert data.notes == ("crop of casme2: eye distance 0.45 of the side",)
    for clip in data.driving.values():
        picture = data.picture(clip.key)
        assert outside(clip, picture.image.shape) <= 0.03
    head = open_protocol(spec.model_copy(update={"crop": "head"}), root, cache=tmp_path)
    assert {crop_in(clip.landmarks, 64) for clip in head.clips()} == {HEAD}
    assert spec.model_copy(update={"crop": "head"}).digest != spec.digest


@pytest.mark.parametrize(("word", "share"), [(None, 0.45), ("head", 0.3), ("face", 0.5)])
def test_data_prepare_says_the_eye_distance(cropped, tmp_path, monkeypatch, word, share):
    monkeypatch.setenv("MEBENCH_CACHE", str(tmp_path / "cache"))
    index = tmp_path / "index.csv"
    command = ["data", "prepare", "casme2", "--root", str(cropped / "casme2"), "--size", "48"]
    command += ["--index", str(index), *(["--crop", word] if word else [])]
    said = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert said.output.splitlines()[-1].endswith(f"; eye distance {share:.2f} of the side")
    with index.open(encoding="utf-8", newline="") as handle:
        assert {row["eye_share"] for row in csv.DictReader(handle)} == {str(share)}
    told = CliRunner().invoke(cli, [*command, "--json"], catch_exceptions=False)
    assert json.loads(told.stdout)["eye_share"] == share


def test_data_show_draws_the_crop_that_is_asked_for(cropped, tmp_path):
    clip = sorted((cropped / "casme2" / "CASME2_RAW_selected").glob("sub*/*"))[0]
    name = f"{clip.parent.name.removeprefix('sub')}/{clip.name}"
    drawn = []
    for more in ([], ["--crop", "face"]):
        out = tmp_path / f"sheet{len(more)}.png"
        command = ["data", "show", "casme2", name, "--root", str(cropped / "casme2")]
        CliRunner().invoke(cli, [*command, "-o", str(out), *more], catch_exceptions=False)
        drawn.append(out.read_bytes())
    assert drawn[0] != drawn[1]
