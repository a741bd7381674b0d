"""Output on consoles and pipes of other encodings."""

import os
import subprocess
import sys

import pytest

from mebench.cli.terminal import readable

COMMANDS = (
    ["list", "metrics"],
    ["show", "metric", "au_consistency"],
    ["list", "protocols"],
    ["--help"],
)


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_every_encoding_gets_whole_readable_text(encoding, tmp_path):
    variables = {
        **os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }  # fmt: skip
    # One process: what is slow is starting Python, not the commands.
    code = (
        "import sys\nfrom mebench.cli.main import main\n"
        f"for command in {COMMANDS!r}:\n"
        "    try: main(list(command))\n"
        "    except SystemExit as done: assert not done.code, command\n"
    )
    with (tmp_path / "out.txt").open("wb") as target:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=variables, stdout=target, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    # click writes UTF-8 where only ASCII is said to be known.
    text = (tmp_path / "out.txt").read_bytes().decode("utf-8" if encoding == "ascii" else encoding)
    assert "Usage: mebench" in text
    assert "higher_is_better: true" in text
    assert "au_concordance" in text


def test_an_error_with_letters_of_other_lands_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mebench", "show", "Ünïcödé…学"],
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "'Ünïcödé…?'" in done.stderr.decode("cp1252")
    assert done.stderr.count(b"\n") == 1


def test_signs_are_written_by_what_they_mean():
    assert readable("Δ ≥ 0.5 ± 1 °, naïve Łódź ✓") == "delta >= 0.5 +- 1  deg, naive Lodz yes"
