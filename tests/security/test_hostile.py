"""Nothing a stranger sends hurts: one line that names the file, exit 3, nothing written."""

from __future__ import annotations

import os
import re
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import mebench.protocol.opening
import mebench.scoring
import mebench.submission.placing
import mebench.submission.validate
from mebench.cli.main import main
from mebench.errors import SubmissionError
from mebench.submission.decode import decoded
from mebench.submission.pack import pack
from mebench.submission.source import open_source
from mebench.submission.validate import check_submission, open_submission
from tests.makers import PAIRS, lie_anywhere, requirement, write_submission
from tests.security.hostile import CASES, FIRST, HEAD, chunk, png

PEAK_BYTES = 48 << 20
SECONDS = 20.0


@pytest.fixture
def validate(tmp_path, monkeypatch, capsys):
    """Return a call of the real command on the small protocol of the tests."""
    opened = SimpleNamespace(pairs=PAIRS)
    monkeypatch.setattr(mebench.protocol.opening, "open_protocol", lambda *_, **__: opened)
    monkeypatch.setattr(mebench.scoring, "requirement_of", lambda _: requirement())
    monkeypatch.setattr(mebench.submission.placing, "lie_of", lie_anywhere)
    place = tmp_path / "cwd"
    place.mkdir()
    monkeypatch.chdir(place)

    def call(path):
        with pytest.raises(SystemExit) as stopped:
            main(["submission", "validate", str(path), "--data", f"synthme={place}"])
        return stopped.value.code, capsys.readouterr()

    return call


def here(order):
    return np.stack(list(decoded(open_source(Path(order.path)), order)))


def everything(folder):
    return sorted(
        (str(path), path.lstat().st_size) for path in folder.rglob("*") if not path.is_dir()
    )


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_submission_is_refused_in_one_line(name, tmp_path, validate, monkeypatch):
    make, where, says = CASES[name]
    if not where.endswith(FIRST):
        # Not about a frame: the good frames beside it need no child of their own.
        monkeypatch.setattr(mebench.submission.validate, "guarded_frames", here)
    path = make(write_submission(tmp_path / "mine"))
    before = everything(tmp_path)
    tracemalloc.start()
    begun = time.monotonic()
    code, told = validate(path)
    seconds, peak = time.monotonic() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert code == 3, told.err
    line = told.err.strip()
    assert line.startswith("error: ")
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert re.search(where, told.out + line), line
    assert re.search(says, told.out + line), line
    assert str(tmp_path) not in line
    assert everything(tmp_path) == before
    assert peak < PEAK_BYTES
    assert seconds < SECONDS


def test_a_good_one_passes_the_same_command(tmp_path, validate):
    code, told = validate(write_submission(tmp_path / "mine"))
    assert (code, told.err) == (0, "")


def test_pixels_beyond_the_frame_are_never_unpacked(tmp_path, validate):
    folder = write_submission(tmp_path / "mine")
    data = png()[:HEAD] + chunk(b"IDAT", zlib.compress(bytes(1 << 26))) + chunk(b"IEND", b"")
    (folder / FIRST).write_bytes(data)
    tracemalloc.start()
    frames = open_submission(folder, requirement(), guarded=False).frames(PAIRS[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not frames[0].any()
    assert peak < 16 << 20


def test_code_in_the_current_folder_is_not_run(tmp_path, validate):
    for name in ("numpy", "PIL", "mebench", "pickle"):
        (tmp_path / "cwd" / f"{name}.py").write_text("open('escaped', 'w')\nraise SystemExit\n")
    folder = write_submission(tmp_path / "mine")
    code, told = validate(os.path.relpath(folder))
    assert (code, told.err) == (0, "")
    assert not (tmp_path / "cwd" / "escaped").exists()


def test_random_and_bit_flipped_archives_never_escape(tmp_path):
    folder = write_submission(tmp_path / "mine", seed=3)
    target = tmp_path / "fuzz.zip"
    pack(folder, target)
    stored = target.read_bytes()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            archive.write(file, file.relative_to(folder).as_posix())
    good = (stored, target.read_bytes())
    expected = open_submission(folder, requirement(), guarded=False).pixel_digest()
    before = everything(folder)
    refused = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        data = bytearray(good[seed % 2])
        if seed % 10 == 0:
            data = bytearray(rng.bytes(int(rng.integers(0, 4096))))
        elif seed % 10 == 1:
            data = data[: int(rng.integers(0, len(data)))]
        elif seed % 10 < 6:
            # The list of entries at the end, where the parser is.
            for place in rng.integers(max(0, len(data) - 900), len(data), rng.integers(1, 9)):
                data[place] ^= 1 << int(rng.integers(0, 8))
        else:
            for place in rng.integers(0, len(data), rng.integers(1, 30)):
                data[place] = int(rng.integers(0, 256))
        target.write_bytes(data)
        submission, problems = check_submission(target, requirement(), guarded=False)
        for problem in problems:
            assert problem.isprintable()
            assert problem.startswith("fuzz.zip")
        if submission is not None and not submission.missing:
            assert submission.pixel_digest() == expected
        else:
            refused += 1
    assert refused > 150
    assert everything(folder) == before


@pytest.mark.parametrize("seed", range(6))
def test_flipped_archives_are_refused_by_the_child_too(tmp_path, seed):
    target = tmp_path / "fuzz.zip"
    pack(write_submission(tmp_path / "mine", seed=seed), target)
    data = bytearray(target.read_bytes())
    data[int(np.random.default_rng(seed).integers(200, len(data) // 2))] ^= 0xFF
    target.write_bytes(data)
    with pytest.raises(SubmissionError, match=r"^fuzz\.zip"):
        open_submission(target, requirement()).pixel_digest()
