"""The wheel holds the code and the content and nothing else, and works from an empty folder."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mebench.record import Record
from tests.makers import tiny_protocol

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = [
    r"mebench/(.+/)?[a-z0-9_]+\.py",
    r"mebench/py\.typed",
    r"mebench/(.+/)?templates/[a-z0-9_.-]+",
    r"mebench/datasets/corrections/[a-z0-9_-]+\.yaml",
    r"mebench/_content/baselines/.+\.(yaml|md|bib)",
    r"mebench/_content/baselines/fomm-prior/weights/[0-9]+\.safetensors",
    r"mebench/_content/protocols/.+\.(yaml|bib)",
    r"mebench/_content/leaderboard/(records/.+\.json|published\.csv)",
    r"mebench-[^/]+\.dist-info/.+",
]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "-o",
        str(out),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return place


def test_every_member_is_on_the_allow_list(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    stray = [name for name in names if not any(re.fullmatch(rule, name) for rule in ALLOWED)]
    assert not stray
    assert "mebench/_content/protocols/synthme.yaml" in names
    assert "mebench/_content/baselines/fomm-prior/baseline.yaml" in names
    assert "mebench/report/templates/run.html.j2" in names


def run_unpacked(unpacked: Path, empty: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(unpacked)!r}); sys.argv[0] = 'mebench'; " + (
        "from mebench.cli.main import main; import mebench; "
        f"assert mebench.__file__.startswith({str(unpacked)!r}); main()"
    )
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments]
        if sys.version_info >= (3, 11)
        else [sys.executable, "-c", code, *arguments],
        cwd=empty,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_runs_from_an_empty_folder(unpacked, tmp_path):
    version = run_unpacked(unpacked, tmp_path, "--version")
    assert version.returncode == 0, version.stderr
    assert version.stdout.startswith("mebench, version ")
    listed = run_unpacked(unpacked, tmp_path, "list", "protocols")
    assert listed.returncode == 0, listed.stderr
    assert "synthme" in listed.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_pack_validate_score_and_table_go_round_from_an_empty_folder(unpacked, tiny, tmp_path):
    def mebench(*arguments: str) -> str:
        done = run_unpacked(unpacked, tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    text = tiny_protocol("pixel", "psnr_db", more="max_pairs: 2\n")
    (tmp_path / "tiny.yaml").write_text(text)
    common = ("--protocol", "tiny.yaml", "--data", f"synthme={tiny}")
    mebench("run", "baseline", "copy-template", *common, "--out", "run", "--jobs", "1")
    mebench("submission", "pack", "run/submission", "-o", "mine.zip")
    mebench("submission", "validate", "mine.zip", *common)
    mebench("score", "mine.zip", *common, "--out", "scores", "--jobs", "1")
    ran = Record.load(tmp_path / "run" / "record.json").result
    scored = Record.load(tmp_path / "scores" / "mine.json").result
    assert scored == ran
    assert len(scored.per_clip) == 2
    table = mebench("table", "scores/mine.json", "--metrics", "psnr_db", "--format", "csv")
    row = next(csv.DictReader(io.StringIO(table)))
    assert float(row["psnr_db"]) == ran.metrics["psnr_db"].value
