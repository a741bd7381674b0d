from __future__ import annotations

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import mebench.protocol.opening
import mebench.scoring
import mebench.submission.placing
from mebench.cli.main import main
from tests.makers import PAIRS, lie_anywhere, requirement, write_submission


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    opened = SimpleNamespace(pairs=PAIRS)
    monkeypatch.setattr(mebench.protocol.opening, "open_protocol", lambda *_, **__: opened)
    monkeypatch.setattr(mebench.scoring, "requirement_of", lambda _: requirement())
    monkeypatch.setattr(mebench.submission.placing, "lie_of", lie_anywhere)
    (tmp_path / "root").mkdir()

    def run(*words):
        data = ["--data", f"synthme={tmp_path / 'root'}"]
        with pytest.raises(SystemExit) as stopped:
            main(
                ["submission", *map(str, words), *([] if words[0] in {"pack", "schema"} else data)]
            )
        return stopped.value.code, capsys.readouterr()

    return run


def fill(folder):
    rng = np.random.default_rng(0)
    with (folder.parent / f"{folder.name}-outputs.csv").open() as handle:
        for row in csv.DictReader(handle):
            for number in range(int(row["frames"])):
                side = int(row["size"])
                image = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
                Image.fromarray(image).save(folder / row["folder"] / f"{number:05d}.png")


def test_from_an_empty_folder_to_a_valid_zip(call, tmp_path):
    mine = tmp_path / "mine"
    assert call("init", "-o", mine, "--id", "lab/mine", "--title", "Mine")[0] == 0
    code, told = call("validate", mine)
    assert code == 3
    assert f"output {PAIRS[0].key} is missing" in told.out
    fill(mine)
    assert call("validate", mine)[0] == 0
    assert call("pack", mine, "-o", tmp_path / "mine.zip")[0] == 0
    code, told = call("validate", tmp_path / "mine.zip", "--json")
    assert (code, json.loads(told.out)["valid"]) == (0, True)


def test_init_never_writes_over_work(call, tmp_path):
    folder = write_submission(tmp_path / "mine")
    code, told = call("init", "-o", folder)
    assert code == 2
    assert "is not empty" in told.err
    assert call("init", "-o", tmp_path / "new", "--id", "No Spaces!")[0] == 2
    assert call("init", "-o", tmp_path / "new", "--url", "http://x")[0] == 2


def test_the_report_lists_every_problem_and_no_place(call, tmp_path):
    folder = write_submission(tmp_path / "mine")
    (folder / "manifest.json").write_text("{}")
    (folder / "notes.txt").write_text("x")
    pair = folder / "frames" / PAIRS[0].key
    (pair / "00002.png").unlink()
    other = folder / "frames" / PAIRS[1].key / "00001.png"
    other.write_bytes(b"GIF89a")
    code, told = call("validate", folder, "--report", tmp_path / "report.json")
    assert code == 3
    report = json.loads((tmp_path / "report.json").read_text())
    text = " | ".join(report["problems"])
    for part in ("manifest.json: ", "notes.txt", "2 frames, expected 3", "00001.png: not a PNG"):
        assert part in text
        assert part in told.out
    assert (report["valid"], report["submission"]) == (False, "mine")
    assert str(tmp_path) not in json.dumps(report)


def test_the_schema_describes_the_manifest_init_writes(call, tmp_path):
    code, told = call("schema")
    schema = json.loads(told.out)
    assert code == 0
    assert schema["additionalProperties"] is False
    assert {"schema", "protocol", "method", "lossy", "notes", "view"} == set(schema["properties"])
    call("init", "-o", tmp_path / "mine")
    assert set(json.loads((tmp_path / "mine" / "manifest.json").read_text())) <= set(
        schema["properties"]
    )
    call("schema", "-o", tmp_path / "schema.json")
    assert json.loads((tmp_path / "schema.json").read_text()) == schema
