"""What a user sees for a wrong command: one line that names what and the fix, and its exit code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mebench.cli.main import _run
from tests.makers import make_record

DATA, USAGE, REFUSED, WEIGHTS = 4, 2, 3, 5


@pytest.fixture(scope="module")
def half_export(tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("half")
    (root / "truth").mkdir()
    (root / "truth" / "clips.json").write_text("{}")
    return root


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("rnu", USAGE, r"unknown command 'rnu'\. Did you mean 'run'\?"),
        ("data sinth", USAGE, r"Did you mean 'synth'\?"),
        (
            "run baseline fom-prior",
            USAGE,
            r"unknown baseline 'fom-prior'\. Did you mean 'fomm-prior'",
        ),
        ("run baseline fomm-prior --protocol synth", USAGE, r"Did you mean 'synthme'"),
        ("run baseline fomm-prior --preset quik", USAGE, r"quik.*Did you mean 'quick'"),
        ("run baseline fomm-prior -s train.stepps=3", USAGE, r"Did you mean 'steps'"),
        ("run baseline fomm-prior -s train.steps=lots", USAGE, r"train\.steps.*got 'lots'"),
        ("run baseline fomm-prior -s steps", USAGE, r"-s expects KEY=VALUE, got 'steps'"),
        ("run baseline fomm-prior --data synthme={none}", USAGE, r"none: no such folder"),
        ("run baseline fomm-prior --data synthme={half} --out {out}", DATA, r"mebench data synth"),
        ("run baseline fomm-prior --device cuda:9", USAGE, r"cuda:9.*--device cpu"),
        ("run baseline fomm-prior --device gpu", USAGE, r"unknown device 'gpu'"),
        (
            "run baseline fomm-prior --out {file}/run",
            USAGE,
            r"a file stands where a folder is needed",
        ),
        ("score {none}", REFUSED, r"none: no such folder or zip"),
        ("score {half}", REFUSED, r"holds neither manifest\.json nor submissions"),
        ("table {none}/record.json", USAGE, r"record\.json: cannot be read"),
        ("submission pack {half} -o {out}.zip", REFUSED, r"manifest\.json: missing"),
        ("config set dat.casme2 x", USAGE, r"unknown setting 'dat\.casme2'"),
        ("config get data.casme2", USAGE, r"not set; set it with: mebench config set"),
        ("show metric psnr", USAGE, r"Did you mean 'psnr_db'"),
        (
            "generate fomm --template {none}.png --driving {none}.mp4 --out {out}",
            USAGE,
            r"needs --checkpoint FILE",
        ),
        (
            "generate linear-warp --template {none}.png --driving {none}.mp4 --out {out}",
            DATA,
            r"none\.(png|mp4)",
        ),
        (
            "generate fomm-prior --checkpoint {file} --template {none}.png --driving {none}.mp4"
            " --out {out}",
            WEIGHTS,
            r"file\.txt",
        ),
    ],
)
def test_one_line_and_the_right_code(command, code, message, half_export, tmp_path, capsys):
    (tmp_path / "file.txt").write_text("x")
    places = {
        "none": tmp_path / "none",
        "half": half_export,
        "out": tmp_path / "out",
        "file": tmp_path / "file.txt",
    }
    assert _run(command.format(**places).split(), debug=False) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert re.search(message, lines[0])


def test_config_is_kept(capsys, tmp_path):
    assert _run(["config", "set", "data.casme2", str(tmp_path)], debug=False) == 0
    assert _run(["config", "get", "data.casme2"], debug=False) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path)


@pytest.mark.parametrize("kind", ["datasets", "baselines", "protocols", "metrics"])
def test_lists_are_not_empty_and_show_agrees(kind, capsys):
    assert _run(["list", kind], debug=False) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert len(names) >= 1
    assert _run(["show", kind.removesuffix("s"), names[0]], debug=False) == 0
    assert f"id: {names[0]}" in capsys.readouterr().out


def test_doctor_says_how_to_get_what_is_missing(capsys):
    assert _run(["doctor"], debug=False) == 0
    text = capsys.readouterr().out
    assert "mebench weights fetch fid-inception" in text
    assert "mebench config set data.samm PATH" in text


def test_a_figure_as_pdf_says_only_what_it_is(tmp_path: Path) -> None:
    make_record("a", {"au_consistency": 0.8}).save(tmp_path / "a.json")
    code = "from mebench.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "plot", "ranks", "a.json", "--out", "r.pdf"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("au_consistency: r.pdf\n", "")
