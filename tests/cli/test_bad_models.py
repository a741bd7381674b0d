"""Checkpoints, photos, clips and devices that do not fit: one line, the right code, or a result."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mebench.cli.main import _run
from mebench.io.frames import read_image, write_png
from mebench.methods.catalogue import load_baseline
from mebench.methods.fomm.networks import build
from tests.makers import tiny_protocol

USAGE, DATA, WEIGHTS = 2, 4, 5
FACE = Path(__file__).parents[1] / "data" / "faces" / "synthetic.jpg"
SMALL = {
    "model.size": "64", "model.motion_width": "4", "model.motion_max": "8",
    "model.motion_blocks": "2", "model.generator_width": "4", "model.generator_max": "8",
    "model.generator_residual": "1", "model.detector_width": "4", "model.detector_max": "8",
    "model.detector_blocks": "2",
}  # fmt: skip
SHAPES = " ".join(f"-s {key}={value}" for key, value in SMALL.items())


class Touches:
    """A pickle that runs code when it is loaded the careless way."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def saved(name: str, path: Path) -> dict:
    method = load_baseline(name, overrides=SMALL)
    method.initialise(device="cpu", seed=0)
    method.save(path)
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of checkpoints of which one, fomm.pt, is in order."""
    folder = tmp_path_factory.mktemp("models")
    good = saved("fomm", folder / "fomm.pt")
    for name in ("mraa", "fomm-prior"):
        saved(name, folder / f"{name}.pt")
    load_baseline("mismatched").save(folder / "mismatched.npz")
    raw = (folder / "mismatched.npz").read_bytes()
    (folder / "cut.npz").write_bytes(raw[: len(raw) // 2])
    (folder / "flipped.npz").write_bytes(raw.replace(b"subjects", b"sXbjects", 1))
    raw = (folder / "fomm.pt").read_bytes()
    (folder / "cut.pt").write_bytes(raw[: len(raw) // 2])
    (folder / "end.pt").write_bytes(raw[:-100])
    (folder / "empty.pt").touch()
    with zipfile.ZipFile(folder / "zip.pt", "w") as archive:
        archive.writestr("notes.txt", "x")
    state = good["generator"]
    torch.save(state, folder / "plain.pt")
    torch.save([1, 2], folder / "list.pt")
    torch.save({**good, "x": Touches(folder / "touched")}, folder / "code.pt")
    torch.save(torch.nn.Linear(2, 2), folder / "object.pt")
    torch.save({"kind": "other/3"}, folder / "kind.pt")
    less = {key: value for key, value in state.items() if key != "final.weight"}
    torch.save({**good, "generator": less}, folder / "missing.pt")
    torch.save({**good, "generator": {**state, "more": state["final.bias"]}}, folder / "more.pt")
    lost = torch.full_like(state["final.bias"], float("nan"))
    torch.save({**good, "generator": {**state, "final.bias": lost}}, folder / "nan.pt")
    torch.save({key: good[key] for key in good if key != "generator"}, folder / "half.pt")
    model = good["configuration"]["model"]
    for name, change in (("wide", {"generator_width": 8}), ("key", {"colour": 1})):
        configuration = {**good["configuration"], "model": {**model, **change}}
        torch.save({**good, "configuration": configuration}, folder / f"{name}.pt")
    published = {
        name: module.state_dict()
        for name, module in build(load_baseline("fomm", overrides=SMALL).config, 0)
        .modules()
        .items()
    }
    torch.save(published, folder / "theirs.pt")
    torch.save({**published, "x": Touches(folder / "touched")}, folder / "their_code.pt")
    torch.save({**published, "generator": less}, folder / "their_missing.pt")
    lost_state = {**published["generator"], "final.bias": lost}
    torch.save({**published, "generator": lost_state}, folder / "their_nan.pt")
    return folder


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("fomm", "mraa.pt", r"mraa\.pt: holds the networks of 'mraa', expected 'fomm'; name the"),
        ("fomm", "fomm-prior.pt", r"holds the networks of 'fomm-prior', expected 'fomm'"),
        ("mraa", "fomm.pt", r"fomm\.pt: holds the networks of 'fomm', expected 'mraa'"),
        ("fomm", "mismatched.npz", r"mismatched\.npz: .*another kind of file\); copy it again or"),
        ("mismatched", "fomm.pt", r"fomm\.pt: not a checkpoint of 'mismatched'.*train it again"),
        ("mismatched", "cut.npz", r"cut\.npz: not a checkpoint of 'mismatched'.*train it again"),
        ("mismatched", "flipped.npz", r"flipped\.npz: not a checkpoint of 'mismatched'"),
        ("fomm", "plain.pt", r"plain\.pt: .*bare tensors of one network, \d+ .*weights import"),
        ("fomm", "theirs.pt", r"theirs\.pt: .*holds generator, kp_detector.*weights import --as"),
        ("fomm", "kind.pt", r"kind\.pt: .*kind 'other/3', expected 'mebench-fomm/1'"),
        ("fomm", "list.pt", r"list\.pt: not a checkpoint of mebench \(it holds a list\)"),
        ("fomm", "missing.pt", r"generator\.final\.weight: expected \(3, 4, 7, 7\), got nothing"),
        ("fomm", "more.pt", r"generator holds unknown 'more' \(1 in all\)"),
        ("fomm", "half.pt", r"half\.pt: holds no 'generator'"),
        ("fomm", "nan.pt", r"generator\.final\.bias has numbers that are not finite; take an"),
        ("fomm", "wide.pt", r"generator\.first\.\S+: expected \(8, .* got \(4, .*trained with"),
        ("fomm", "key.pt", r"key\.pt: .*'model\.colour'.*another version, train again"),
        ("fomm", "cut.pt", r"cut\.pt: .*truncated.*copy it again or train again"),
        ("fomm", "end.pt", r"end\.pt: .*truncated.*copy it again or train again"),
        ("fomm", "empty.pt", r"empty\.pt: .*another kind of file\); copy it again"),
        ("fomm", "zip.pt", r"zip\.pt: .*another kind of file\); copy it again"),
        ("fomm", "code.pt", r"code\.pt: holds more than numbers.*refused, .*could run code"),
        ("fomm", "object.pt", r"object\.pt: holds more than numbers.*refused"),
        ("fomm", "none.pt", r"none\.pt: no such checkpoint; train first"),
        ("fomm", "", r": is a folder; give the checkpoint file in it"),
    ],
)
def test_checkpoints_to_generate_with(name, file, message, w, refused, tmp_path):
    code, line = refused(
        f"generate {name} --checkpoint {w}/{file} --template {FACE} --driving {w}/none.mp4 "
        f"--device cpu --out {tmp_path}/out"
    )
    assert code == WEIGHTS, line
    assert re.search(message, line), line
    assert list(tmp_path.iterdir()) == []
    assert not (w / "touched").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("--as fomm {w}/fomm.pt", WEIGHTS, r"fomm\.pt: is a checkpoint of mebench already; give"),
        ("--as fomm {w}/plain.pt", WEIGHTS, r"plain\.pt: no 'generator' in it"),
        ("--as fomm {w}/list.pt", WEIGHTS, r"list\.pt: expected a checkpoint .* got list"),
        ("--as fomm {w}/cut.pt", WEIGHTS, r"cut\.pt: .*truncated.*download it again"),
        ("--as fomm {w}/empty.pt", WEIGHTS, r"empty\.pt: .*download it again"),
        ("--as fomm {w}/zip.pt", WEIGHTS, r"zip\.pt: .*download it again"),
        ("--as fomm {w}/none.pt", WEIGHTS, r"none\.pt: no such checkpoint; give the"),
        ("--as fomm {w}", WEIGHTS, r": is a folder; give the checkpoint file"),
        ("--as fomm {w}/their_code.pt", WEIGHTS, r"holds more than numbers.*could run code"),
        (
            "--as fomm {w}/theirs.pt",
            WEIGHTS,
            r"expected \(\d+, .* \(and \d+ more\); it is of another method or configuration",
        ),
        (
            "--as fomm-prior --preset scratch {s} {w}/theirs.pt",
            WEIGHTS,
            r"it is of another method or configuration, try another --as",
        ),
        (
            "--as fomm --preset quick {s} {w}/their_missing.pt",
            WEIGHTS,
            r"generator\.final\.weight: expected \(3, 4, 7, 7\), got nothing",
        ),
        (
            "--as fomm --preset quick {s} {w}/their_nan.pt",
            WEIGHTS,
            r"generator\.final\.bias has numbers that are not finite",
        ),
        ("--as mraa {w}/theirs.pt", USAGE, r"published checkpoints of mraa have another layout"),
        ("--as linear-warp {w}/theirs.pt", USAGE, r"LinearWarp has no published checkpoints"),
        ("--as fom {w}/theirs.pt", USAGE, r"unknown baseline 'fom'\. Did you mean 'fomm'"),
    ],
)
def test_checkpoints_to_import(arguments, code, message, w, refused, tmp_path):
    found, line = refused(
        f"weights import {arguments.format(w=w, s=SHAPES)} --out {tmp_path}/imported.pt"
    )
    assert found == code, line
    assert re.search(message, line), line
    assert list(tmp_path.iterdir()) == []
    assert not (w / "touched").exists()


def test_a_published_checkpoint_of_these_shapes_is_imported_and_read(w, refused, tmp_path):
    file = tmp_path / "imported.pt"
    command = f"weights import --as fomm --preset quick {SHAPES} {w}/theirs.pt --out {file}"
    assert _run(command.split(), debug=False) == 0
    code, line = refused(
        f"generate fomm --checkpoint {file} --template {FACE} --driving {w}/none.mp4 "
        f"--out {tmp_path}/out"
    )
    assert (code, "none.mp4: no such file" in line) == (DATA, True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:9"])
@pytest.mark.parametrize(
    "command",
    [
        "run baseline fomm --protocol {w}/tiny.yaml --out {out}",
        "run baseline linear-warp --protocol {w}/tiny.yaml --out {out}",
        "generate fomm --checkpoint {w}/fomm.pt --template {face} --driving {w}/none.mp4 "
        "--out {out}",
        "generate linear-warp --template {face} --driving {w}/none.mp4 --out {out}",
        "train fomm --protocol {w}/tiny.yaml --out {out}",
    ],
)
def test_cuda_asked_for_and_absent(command, device, w, refused, tmp_path):
    (w / "tiny.yaml").write_text(tiny_protocol("pixel", "psnr_db"))
    words = command.format(w=w, out=tmp_path / "out", face=FACE)
    code, line = refused(f"{words} --device {device}")
    assert code == USAGE
    assert f"device '{device}' is not here (0 CUDA devices found); use --device cpu" in line
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_learns_nothing_takes_no_checkpoint(w, refused, tmp_path):
    code, line = refused(
        f"generate linear-warp --checkpoint {w}/fomm.pt --template {FACE} --driving {w}/none.mp4 "
        f"--out {tmp_path}/out"
    )
    assert (code, "takes no --checkpoint; leave it out" in line) == (USAGE, True)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return photos and clips of one face, in colour and in grey, and what is no clip."""
    folder = tmp_path_factory.mktemp("pictures")
    colour = read_image(FACE)
    gray = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    write_png(folder / "colour.png", colour)
    cv2.imwrite(str(folder / "gray.png"), gray)
    cv2.imwrite(str(folder / "small.png"), cv2.resize(colour, None, fx=0.6, fy=0.6)[..., ::-1])
    three = np.repeat(gray[..., None], 3, axis=2)
    for name, image in (("clip", colour), ("gray_clip", three)):
        for number, shift in enumerate((0.0, 0.8, 1.6)):
            move = np.array([[1, 0, 0], [0, 1, shift]], np.float32)
            frame = cv2.warpAffine(image, move, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
            write_png(folder / name / f"img{number}.png", frame)
    write_png(folder / "one" / "img0.png", colour)
    write_png(folder / "noface.png", np.full((128, 128, 3), 128, np.uint8))
    (folder / "notes.txt").write_text("x")
    return folder


@pytest.mark.parametrize(
    ("template", "driving", "code", "message"),
    [
        ("colour.png", "one", USAGE, r"one: one frame only; a driving clip needs at least two"),
        ("colour.png", "colour.png", USAGE, r"colour\.png: one frame only"),
        ("colour.png", "notes.txt", DATA, r"notes\.txt: cannot be decoded"),
        ("colour.png", "absent.mp4", DATA, r"absent\.mp4: no such file; give"),
        ("noface.png", "clip", DATA, r"noface\.png: no face found.*take a photo that shows"),
        ("absent.png", "clip", DATA, r"absent\.png: no such file; give"),
    ],
)
def test_photos_and_clips(template, driving, code, message, pictures, w, refused, tmp_path):
    found, line = refused(
        f"generate fomm --checkpoint {w}/fomm.pt --template {pictures}/{template} --fps 100 "
        f"--driving {pictures}/{driving} --device cpu --out {tmp_path}/out"
    )
    assert found == code, line
    assert re.search(message, line), line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("template", "driving", "coloured", "crop"),
    [
        ("gray.png", "clip", False, "--crop head"),
        ("colour.png", "gray_clip", True, "--crop head"),
        ("small.png", "clip", True, "--crop face"),
        ("gray.png", "clip", False, ""),
        ("small.png", "clip", True, ""),
    ],
)
@pytest.mark.parametrize("name", ["fomm", "linear-warp"])
def test_the_generated_clip_has_the_colour_of_the_template(
    name, template, driving, coloured, crop, pictures, w, tmp_path, monkeypatch
):
    """Template and driving clip may differ in colour and size; the networks see 64 pixels.

    Without a crop the frames are the photo itself, moved.
    """
    monkeypatch.setattr("mebench.generate.measure", lambda result, cache: {})
    given = f"--checkpoint {w}/fomm.pt" if name == "fomm" else ""
    command = (
        f"generate {name} {given} --template {pictures}/{template} --driving {pictures}/{driving} "
        f"--fps 100 --size 96 {crop} --device cpu --out {tmp_path}/out"
    )
    assert _run(command.split(), debug=False) == 0
    files = sorted((tmp_path / "out" / "frames").iterdir())
    frames = np.stack([read_image(file) for file in files]).astype(int)
    own = read_image(pictures / template)
    assert frames.shape[1:] == ((96, 96, 3) if crop else own.shape)
    assert crop or (frames[0] == own).all()
    spread = np.ptp(frames, axis=-1)
    assert (spread.max() == 0) != coloured
    assert frames[0].std() > 10
    tint = frames.mean(axis=(1, 2))
    assert np.abs(tint - tint[0]).max() < 3


@pytest.mark.parametrize(
    ("name", "more", "code", "message"),
    [
        ("fomm", "mraa.pt", WEIGHTS, r"mraa\.pt: holds the networks of 'mraa', expected 'fomm'"),
        ("fomm", "missing.pt", WEIGHTS, r"generator\.final\.weight: expected"),
        ("fomm", "plain.pt", WEIGHTS, r"plain\.pt: .*bare tensors"),
        ("fomm", "code.pt", WEIGHTS, r"code\.pt: holds more than numbers"),
        ("fomm", "none.pt", WEIGHTS, r"none\.pt: no such checkpoint"),
        (
            "fomm",
            "fomm.pt -s model.size=128",
            WEIGHTS,
            r"fomm\.pt: was made with model\.size 64, -s asks for 128; leave the setting out",
        ),
        ("linear-warp", "fomm.pt", USAGE, r"'linear-warp' learns nothing and takes no --checkpo"),
    ],
)
def test_checkpoints_to_run_with(name, more, code, message, tiny, w, refused, tmp_path):
    (w / "tiny.yaml").write_text(tiny_protocol("pixel", "psnr_db"))
    found, line = refused(
        f"run baseline {name} --protocol {w}/tiny.yaml --data synthme={tiny} --device cpu "
        f"--jobs 1 --out {tmp_path}/run --checkpoint {w}/{more}"
    )
    assert found == code, line
    assert re.search(message, line), line
    assert list(tmp_path.iterdir()) == []
    assert not (w / "touched").exists()


@pytest.mark.parametrize(
    ("damage", "code", "message"),
    [
        ("cut", WEIGHTS, r"checkpoint\.pt: .*truncated.*train again"),
        ("empty", WEIGHTS, r"checkpoint\.pt: .*another kind of file\); copy it again or train"),
        ("plain", WEIGHTS, r"checkpoint\.pt: .*bare tensors of one network"),
        ("size", USAGE, r"checkpoint\.pt: was trained with another config; choose an empty folder"),
    ],
)
def test_a_run_that_cannot_go_on_from_its_checkpoint(damage, code, message, tiny, w, refused):
    (w / "tiny.yaml").write_text(tiny_protocol("pixel", "psnr_db"))
    out = w / f"train_{damage}"
    shapes = SHAPES.replace("model.size=64", "model.size=32").replace("blocks=2", "blocks=1")
    command = (
        f"train fomm --protocol {w}/tiny.yaml --data synthme={tiny} --preset quick --device cpu "
        f"--jobs 1 -s train.steps=1 -s train.batch=2 -s train.sample_every=0 --out {out} "
    )
    assert _run((command + shapes).split(), debug=False) == 0
    place = next(out.rglob("checkpoint.pt"))
    raw = place.read_bytes()
    if damage == "cut":
        place.write_bytes(raw[: len(raw) // 2])
    elif damage == "empty":
        place.write_bytes(b"")
    elif damage == "plain":
        torch.save(torch.load(place, weights_only=True)["generator"], place)
    else:
        shapes = shapes.replace("model.size=32", "model.size=48")
    before = place.read_bytes()
    found, line = refused(command + shapes)
    assert found == code, line
    assert re.search(message, line), line
    assert place.read_bytes() == before
