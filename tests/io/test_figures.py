"""Figures need no display and no backend, and never cost a result."""

import os
import subprocess
import sys

import pytest

from mebench.io.figures import beside_a_result, new_figure

NOTEBOOK = "module://matplotlib_inline.backend_inline"


@pytest.mark.parametrize("backend", [NOTEBOOK, "module://nowhere.at_all", "qtagg", "no such thing"])
def test_what_a_shell_asks_of_matplotlib_changes_nothing(backend, tmp_path):
    code = (
        "import os, sys\n"
        "from mebench.io.figures import new_figure\n"
        "figure = new_figure(2, 1)\n"
        "figure.subplots().plot([1, 2])\n"
        "figure.savefig(sys.argv[1])\n"
        "print(os.environ['MPLBACKEND'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")],
        env={**os.environ, "MPLBACKEND": backend, "DISPLAY": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == backend
    assert (tmp_path / "a.png").stat().st_size > 500


def test_an_error_of_drawing_is_one_line(caplog):
    with beside_a_result("losses.png"):
        raise RuntimeError("no\nfont")
    assert [record.getMessage() for record in caplog.records] == [
        "losses.png: was not drawn (no font); the results are complete"
    ]


def test_an_interruption_is_none_of_its_business():
    with pytest.raises(KeyboardInterrupt), beside_a_result("losses.png"):
        raise KeyboardInterrupt


def test_no_module_draws_with_pyplot():
    from pathlib import Path

    import mebench

    for path in Path(mebench.__file__).parent.rglob("*.py"):
        assert "pyplot" not in path.read_text(encoding="utf-8"), path


def test_a_figure_is_drawn_in_memory():
    assert type(new_figure(1, 1).canvas).__name__ == "FigureCanvasAgg"
