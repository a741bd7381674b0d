"""Bad input as a user meets it: one line with file and fix, its exit code, nothing lost."""

from __future__ import annotations

import errno
import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mebench import settings
from mebench.io import files
from mebench.io.frames import write_png
from mebench.io.video import write_mp4
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.runner.folder import RunSettings, claim
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import pack, write_manifest, write_output
from tests.makers import tiny_protocol

USAGE, REFUSED, DATA, WEIGHTS = 2, 3, 4, 5
PROTOCOL = tiny_protocol("pixel", "psnr_db", more="max_pairs: 2\n")
CLIP = "casme2/CASME2_RAW_selected/sub02/EP02_01f"
BOOK = "casme2/CASME2-coding-20140508.xlsx"
FACE = Path(__file__).parents[1] / "data" / "faces" / "synthetic.jpg"
RUN = "run baseline copy-template --jobs 1 --protocol {w}/tiny.yaml"


@pytest.fixture(autouse=True)
def _one_process(monkeypatch, tmp_path_factory):
    """Keep to this process: starting workers takes longer than all there is to do."""
    config = tmp_path_factory.mktemp("config") / "config.yaml"
    config.write_text("jobs: 1\n")
    monkeypatch.setenv("MEBENCH_CONFIG", str(config))


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with protocols, photos, clips and checkpoints, none of them in order."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "tiny.yaml").write_text(PROTOCOL)
    for name, old, new in (
        ("key", "max_pairs", "max_pair"),
        ("metric", "[pixel]", "[pixl]"),
        ("rank", "psnr_db", "psnr_bd"),
        ("control", "controls: []", "controls: [orakle]"),
        ("value", "size: 64", "size: large"),
    ):
        (folder / f"{name}.yaml").write_text(PROTOCOL.replace(old, new))
    black = np.zeros((4, 96, 96, 3), np.uint8)
    write_png(folder / "black.png", black[0])
    write_mp4(folder / "black.mp4", black, 100)
    write_mp4(folder / "one.mp4", black[:1], 100)
    write_mp4(folder / "whole.mp4", black, 100)
    (folder / "cut.mp4").write_bytes((folder / "whole.mp4").read_bytes()[:300])
    for name in ("zero.mp4", "zero.png", "zero.pt"):
        (folder / name).touch()
    for name in ("text.mp4", "text.png", "text.pt"):
        (folder / name).write_text("not what it is called")
    (folder / "cut.jpg").write_bytes(FACE.read_bytes()[:4000])
    shutil.copy(FACE, folder / "face.jpg")
    (folder / "nothing").mkdir()
    (folder / "texts").mkdir()
    (folder / "texts" / "notes.txt").write_text("x")
    for number in range(3):
        write_png(folder / "mixed" / f"img{number}.png", black[0, : 96 - number])
        write_png(folder / "dark" / f"img{number}.png", black[0])
    (folder / "code.pt").write_bytes(pickle.dumps(Touches(folder / "touched")))
    (folder / "thesis").mkdir()
    (folder / "thesis" / "chapter.tex").write_text("x")
    return folder


class Touches:
    """A pickle that runs code when it is loaded the careless way."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("run baseline copy-templat", USAGE, r"'copy-templat'\. Did you mean 'copy-template'"),
        ("run baseline copy-template --protocol sinthme", USAGE, r"Did you mean 'synthme'"),
        ("run baseline copy-template --protocol {w}/none.yaml", USAGE, r"none\.yaml: no such file"),
        ("run baseline copy-template --protocol {w}/key.yaml", USAGE, r"mean 'max_pairs'"),
        ("run baseline copy-template --protocol {w}/value.yaml", USAGE, r"size.*got 'large'"),
        ("run baseline copy-template --protocol {w}/metric.yaml", USAGE, r"Did you mean 'pixel'"),
        ("run baseline copy-template --protocol {w}/rank.yaml", USAGE, r"Did you mean 'psnr_db'"),
        ("run baseline copy-template --protocol {w}/control.yaml", USAGE, r"mean 'oracle'"),
        ("run baseline linear-warp -s reech=2", USAGE, r"'reech'\. Did you mean 'reach'"),
        ("run baseline copy-template --seed -1", USAGE, r"--seed.*-1"),
        ("run baseline copy-template --data synthm=.", USAGE, r"give --data synthme=ROOT"),
        (RUN + " --data synthme={w}/none", USAGE, r"none: no such folder; give"),
        (RUN + " --data synthme={w}/nothing", DATA, r"nothing: .*mebench data synth"),
        (RUN + " --out {w}/thesis", USAGE, r"thesis: is not empty.*choose another --out"),
        (RUN + " --out {w}/tiny.yaml", USAGE, r"tiny\.yaml.*choose another place"),
        ("list baslines", USAGE, r"Did you mean 'baselines'"),
        ("data synth --preset tinny --out {w}/new", USAGE, r"Did you mean 'tiny'"),
        ("data synth --preset tiny --out {w}/thesis", USAGE, r"thesis: .*choose another folder"),
        ("config set jobs many", USAGE, r"whole number from 1, got 'many'"),
        ("config set device gpu", USAGE, r"expected auto, cpu.*got 'gpu'"),
        ("config set data.casmee2 {w}", USAGE, r"Did you mean 'casme2'"),
        ("config set data.casme2 {w}/none", USAGE, r"none: no such folder; give"),
        ("score", USAGE, r"Missing argument 'PATHS"),
        ("score {w}/none", REFUSED, r"none: no such folder or zip; give"),
        ("score {w}/texts", REFUSED, r"texts: holds neither.*give another"),
        ("score {w}/thesis --metrics pixl", REFUSED, r"thesis: holds neither"),
        ("submission validate {w}/none", REFUSED, r"none: no such folder or zip; give"),
        ("submission pack {w}/none -o {w}/new.zip", REFUSED, r"none: no such folder; give"),
        ("table {w}/none", USAGE, r"none: .*give a run's folder"),
        ("table {w}/thesis", USAGE, r"thesis: holds no records; give files"),
        ("table {w}/tiny.yaml", USAGE, r"tiny\.yaml: not a JSON record"),
    ],
)
def test_wrong_words_and_places(command, code, message, w, refused, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = snapshot(w)
    found, line = refused(command.format(w=w))
    assert found == code
    assert re.search(message, line)
    assert snapshot(w) == before
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("template", "driving", "more", "code", "message"),
    [
        ("black.png", "black.mp4", "", DATA, r"black\.png: no face found.*take a photo"),
        ("face.jpg", "black.mp4", "", DATA, r"black\.mp4: no face found.*take a clip"),
        ("face.jpg", "dark", "", DATA, r"dark: no face found.*take a clip"),
        ("face.jpg", "black.mp4", "--face 7", DATA, r"face\.jpg: face 7.*give another --face"),
        ("zero.png", "black.mp4", "", DATA, r"zero\.png: .*empty.*copy it again"),
        ("text.png", "black.mp4", "", DATA, r"text\.png: not an image.*copy it again"),
        ("cut.jpg", "black.mp4", "", DATA, r"cut\.jpg: damaged or cut short.*copy it again"),
        ("dark", "black.mp4", "", DATA, r"dark: is a folder; give one image"),
        ("face.jpg", "zero.mp4", "", DATA, r"zero\.mp4: .*empty.*copy it again"),
        ("face.jpg", "text.mp4", "", DATA, r"text\.mp4: cannot be decoded.*copy it again"),
        ("face.jpg", "cut.mp4", "", DATA, r"cut\.mp4: cannot be decoded.*copy it again"),
        ("face.jpg", "none.mp4", "", DATA, r"none\.mp4: no such file; give"),
        ("face.jpg", "nothing", "", DATA, r"nothing: no numbered images.*give another"),
        ("face.jpg", "texts", "", DATA, r"texts: no numbered images.*give another"),
        ("face.jpg", "mixed", "", DATA, r"mixed/img1\.png: 96x95.*must have one size"),
        ("face.jpg", "one.mp4", "", USAGE, r"one\.mp4: one frame only.*at least two"),
        ("face.jpg", "dark", "--fps -2", USAGE, r"--fps: .*positive number, got -2"),
        ("face.jpg", "black.mp4", "--size 0", USAGE, r"--size.*32<=x<=1024"),
        ("none.png", "none.mp4", "--out {w}/thesis", USAGE, r"thesis: .*choose another --out"),
    ],
)
def test_photos_and_clips(template, driving, more, code, message, w, refused, tmp_path):
    before = snapshot(w)
    found, line = refused(
        f"generate linear-warp --template {w}/{template} --driving {w}/{driving} "
        f"--out {tmp_path}/out " + more.format(w=w)
    )
    assert found == code
    assert re.search(message, line)
    assert snapshot(w) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["none.pt", "zero.pt", "text.pt", "code.pt"])
def test_checkpoints(name, w, refused, tmp_path):
    code, line = refused(
        f"generate fomm-prior --checkpoint {w}/{name} --template {w}/face.jpg "
        f"--driving {w}/black.mp4 --out {tmp_path}/out"
    )
    assert code == WEIGHTS
    assert re.search(rf"{name}: .*(train|copy)", line)
    assert list(tmp_path.iterdir()) == []
    assert not (w / "touched").exists()


def delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def cut(path: Path) -> None:
    os.truncate(path, 900)


def empty(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "what", "named", "fix"),
    [
        (delete, "synthme.json", "synthme.json", "mebench data synth"),
        (delete, CLIP, "02/EP02_01f", "mebench data synth"),
        (empty, CLIP, CLIP, "mebench data synth"),
        (cut, BOOK, BOOK, "mebench data synth"),
        (cut, f"{CLIP}/img100.jpg", f"{CLIP}/img100.jpg", "mebench data synth"),
        (delete, "truth/landmarks", "truth/landmarks", "mebench data synth"),
    ],
)
def test_half_written_data_root(damage, what, named, fix, tiny, w, refused, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(tiny, root)
    damage(root / what)
    before = snapshot(root)
    for _ in range(2):  # the second try is no "run that is there already"
        command = f"{RUN} --data synthme={root} --out {tmp_path}/run"
        code, line = refused(command.format(w=w))
        assert code == DATA
        assert named in line
        assert fix in line
    assert os.listdir(tmp_path) == ["root"]
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("damage", "what", "message"),
    [
        (delete, CLIP, r"02/EP02_01f .*; copy it again"),
        (empty, CLIP, r"EP02_01f: .*no numbered images; copy it again"),
        (cut, BOOK, r"xlsx: cannot be read.*copy it again"),
        (cut, f"{CLIP}/img100.jpg", r"img100\.jpg: cut short.*copy it again"),
    ],
)
def test_check_of_a_damaged_copy(damage, what, message, tiny, refused, tmp_path):
    shutil.copytree(tiny / "casme2", tmp_path / "casme2")
    damage(tmp_path / what)
    code, line = refused(f"data check casme2 --strict --root {tmp_path}/casme2")
    assert code == DATA
    assert re.search(message, line)


@pytest.fixture(scope="module")
def good(tiny: Path, w: Path) -> Path:
    """Return a submission that is in order."""
    data = open_protocol(
        load_protocol(str(w / "tiny.yaml")), {"synthme": tiny}, cache=settings.cache_folder()
    )
    folder = w.parent / "good"
    for pair in data.pairs:
        image = data.templates[pair.template].image
        write_output(folder, pair, np.repeat(image[None], data.n_frames(pair), axis=0))
    method = Method(id="mine", title="Mine")
    write_manifest(folder, Manifest(protocol="tiny", method=method))
    return folder


def resize(path: Path) -> None:
    write_png(path, np.zeros((64, 60, 3), np.uint8))


def one_more(path: Path) -> None:
    shutil.copy(path.with_name("00000.png"), path)


@pytest.mark.parametrize(
    ("damage", "name", "message"),
    [
        (resize, "00003.png", r"00003\.png: 60x64, the output's first frame is 64x64; draw all"),
        (delete, "00004.png", r"frames, expected \d+ numbered.*first missing 00004\.png"),
        (one_more, "00900.png", r"frames, expected \d+ numbered from 00000"),
        (cut, "00002.png", r"00002\.png: truncated PNG; write the frame again"),
        (lambda path: path.write_text("x"), "notes.txt", r"notes\.txt: not expected; frames are"),
        (lambda path: path.write_text("x"), "00001.png", r"00001\.png: not a PNG; convert it"),
    ],
)
def test_submission_frames(damage, name, message, good, tiny, w, refused, tmp_path):
    shutil.copytree(good, tmp_path / "mine")
    damage(sorted((tmp_path / "mine" / "frames").glob("*/*"))[0] / name)
    place = f"{tmp_path}/mine --protocol {w}/tiny.yaml --data synthme={tiny}"
    for command in (f"submission validate {place}", f"score {place} --out {tmp_path}/scores"):
        code, line = refused(command)
        assert code == REFUSED
        assert re.search(message, line)
    assert sorted(os.listdir(tmp_path)) == ["mine", "scores"]
    assert sorted(os.listdir(tmp_path / "scores")) == [".state.json", "report.json"]


def test_a_file_that_is_no_zip(good, tiny, w, refused, tmp_path):
    pack(good, tmp_path / "whole.zip")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "whole.zip").read_bytes()[:5000])
    for name in (tmp_path / "cut.zip", w / "tiny.yaml"):
        code, line = refused(
            f"submission validate {name} --protocol {w}/tiny.yaml --data synthme={tiny}"
        )
        assert code == REFUSED
        assert f"{name.name}: neither a folder nor a zip archive; pack it" in line


def test_out_that_holds_another_run(tiny, w, refused, tmp_path):
    run = tmp_path / "run"
    protocol = load_protocol(str(w / "tiny.yaml"))
    mine = RunSettings("copy-template", str(w / "tiny.yaml"))
    claim(run, mine, protocol, resume=False)
    before = snapshot(tmp_path)
    command = f"{RUN} --data synthme={tiny} --out {run}".format(w=w)
    for more, message in (
        ("", r"run: holds this run already; add --resume"),
        (" --seed 1 --resume", r"run: .*\(seed 0, expected 1\); choose another --out"),
        (" --pairs 1", r"run: .*\(limit None, expected 1\); choose another --out"),
    ):
        code, line = refused(command + more)
        assert code == USAGE
        assert re.search(message, line)
    code, line = refused(command.replace("copy-template", "linear-warp"))
    assert code == USAGE
    assert "(baseline 'copy-template', expected 'linear-warp'); choose another --out" in line
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.ENOSPC, r"the disk is full; free"), (errno.EROFS, r"cannot be written; choose")],
)
@pytest.mark.parametrize(
    "command",
    [
        "data index casme2 --root {tiny}/casme2 --out {out}/index.csv",
        "data synth --preset tiny --jobs 1 --out {out}/synth",
        "submission pack {good} -o {out}/mine.zip",
        "run baseline copy-template --jobs 1 --protocol {w}/tiny.yaml --data synthme={tiny} "
        "--out {out}/run",
    ],
)
def test_full_disk_and_read_only_place(
    command, number, message, tiny, good, w, refused, tmp_path, monkeypatch
):
    def fails(source, target):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "replace", fails)
    code, line = refused(command.format(tiny=tiny, good=good, w=w, out=tmp_path))
    assert code == USAGE
    assert re.search(rf"{tmp_path}/.*: {message}", line)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
