import importlib.util
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mebench.cli.synth import show


def load_benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "synthme.py"
    spec = importlib.util.spec_from_file_location("benchmarks_synthme", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def check(result):
    assert result["one_face"] >= 0.99, result["missed"]
    assert result["mean_error"] <= 0.06
    assert max(result["errors"].values()) <= 0.09, result["errors"]
    assert min(result["peaks"]) >= 0.005
    assert max(result["peaks"]) <= 0.031


def test_a_face_detector_agrees_with_the_truth():
    check(load_benchmark().acceptance(range(100, 103), frames_each=1))


@pytest.mark.slow
def test_a_face_detector_agrees_with_the_truth_on_many_people():
    check(load_benchmark().acceptance(range(48)))


def test_show_draws_a_contact_sheet(tiny, tmp_path):
    out = tmp_path / "sheet.png"
    made = CliRunner().invoke(
        show, ["samm", "006_1_2", "--root", str(tiny / "samm"), "-o", str(out)]
    )
    assert made.exit_code == 0, made.output
    assert out.read_bytes()[:4] == b"\x89PNG"
    missing = CliRunner().invoke(
        show, ["samm", "006_1_9", "--root", str(tiny / "samm"), "-o", str(out)]
    )
    assert "no clip '006_1_9'" in str(missing.exception)
