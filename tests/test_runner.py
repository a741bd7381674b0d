"""The main job on a tiny export: the same seed gives the same record, also when it was cut."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mebench.errors import UsageError
from mebench.record import Record, diff
from mebench.report.curves import write_curves
from mebench.runner.folder import RunSettings
from mebench.runner.outputs import Place
from mebench.runner.run import RunResult, run_baseline
from mebench.scoring import requirement_of
from mebench.submission.validate import open_submission
from tests.makers import tiny_protocol

TINY = tiny_protocol("pixel, motion", "flow_epe_px", "oracle, true-warp, copy-template")
QUICK = {"train.steps": "3"}


@pytest.fixture(scope="session")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("protocol") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def settings(protocol: Path) -> RunSettings:
    return RunSettings("fomm-prior", str(protocol), "scratch", overrides=QUICK, limit=2)


@pytest.fixture(scope="session")
def first(settings: RunSettings, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("first")
    run_baseline(settings, Place(place / "run", place / "cache", {"synthme": tiny}))
    return place / "run"


def test_a_run_leaves_what_it_promises(first):
    record = Record.load(first / "record.json")
    rows = [row.id for row in record.controls]
    assert rows == ["untrained", "oracle", "true-warp", "copy-template"]
    assert (first / "submission.zip").is_file()
    assert record.dataset.pairs == 2
    assert set(record.result.per_clip) == set(record.groups)
    values = {row.id: row.metrics["flow_epe_px"].value for row in record.controls}
    assert values["oracle"] < values["true-warp"] < values["copy-template"]
    assert record.result.metrics["flow_epe_px"].n == 2
    assert record.made_by["config"]["train"]["steps"] == 3


@pytest.fixture(scope="module")
def second(
    settings: RunSettings, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunResult:
    base = tmp_path_factory.mktemp("second")
    return run_baseline(settings, Place(base / "run", base / "cache", {"synthme": tiny}, jobs=2))


@pytest.mark.long
def test_a_second_run_elsewhere_gives_the_same_record(first, second):
    assert diff(Record.load(first / "record.json"), second.record) == []


@pytest.mark.long
def test_the_curves_are_a_table(second, tmp_path):
    record, table = second.record, tmp_path / "curves.csv"
    submission = open_submission(second.folder, requirement_of(second.data))
    write_curves(table, submission, second.data, second.options)
    with table.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert {f"{row['template']}/{row['driving']}" for row in rows} == set(record.groups)
    assert {(row["clip"], row["curve"]) for row in rows} >= {("generated", "epe_px")}
    one = [r for r in rows if r["driving"] == rows[0]["driving"] and r["curve"] == "epe_px"]
    times = [float(row["ms"]) for row in one]
    assert times[0] == 0.0
    assert times == sorted(times)
    assert one[0]["value"] == ""
    assert all(float(row["value"]) >= 0.0 for row in one if row["value"])


def test_out_that_holds_a_run_is_refused_and_kept(first, settings):
    before = (first / "record.json").read_bytes()
    place = Place(first, first.parent / "cache")
    with pytest.raises(UsageError, match="holds this run already; add --resume"):
        run_baseline(settings, place)
    other = RunSettings(**{**settings.__dict__, "seed": 1})
    with pytest.raises(UsageError, match="holds a run with other settings"):
        run_baseline(other, place, resume=True)
    assert (first / "record.json").read_bytes() == before


def test_out_that_holds_something_else_is_refused(settings, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        run_baseline(settings, Place(tmp_path, tmp_path / "cache"))
    assert os.listdir(tmp_path) == ["thesis.tex"]


# A shell starts background jobs with SIGINT ignored, which children inherit.
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from mebench.cli.main import main; main()"
)


def start(out: Path, cache: Path, protocol: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", INTERRUPTIBLE]
    command += ["run", "baseline", "fomm-prior", "--preset", "scratch", "--jobs", "1"]
    command += [
        "--protocol",
        str(protocol),
        "--pairs",
        "2",
        "-s",
        "train.steps=3",
        "--out",
        str(out),
    ]
    environment = {**os.environ, "MEBENCH_CACHE": str(cache)}
    return subprocess.Popen(
        [*command, *more],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def cut(process: subprocess.Popen[str], reached: list[Path], how: signal.Signals) -> int:
    """Stop the process as soon as one of the places exists."""
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        if any(place.exists() for place in reached):
            os.killpg(process.pid, how)
            break
        time.sleep(0.02)
    process.communicate(timeout=60)
    return process.returncode


@pytest.mark.long
@pytest.mark.timeout(900)
def test_cut_in_every_stage_and_resumed_it_ends_in_the_same_record(first, protocol, tmp_path):
    out, cache = tmp_path / "run", tmp_path / "cache"
    pair = next(iter(Record.load(first / "record.json").groups))
    moments = [
        (out / "data" / "casme2", signal.SIGKILL),
        (out / "training", signal.SIGINT),
        (out / "submission" / "frames" / pair, signal.SIGKILL),
        (cache / "described", signal.SIGINT),
        (out / "controls" / "untrained" / "frames" / pair, signal.SIGKILL),
    ]
    resume: list[str] = []
    for place, how in moments:
        code = cut(start(out, cache, protocol, *resume), [place], how)
        assert code == (130 if how is signal.SIGINT else -signal.SIGKILL), place
        assert not (out / "record.json").exists()
        resume = ["--resume"]
    last = start(out, cache, protocol, *resume)
    stdout, stderr = last.communicate(timeout=200)
    assert last.returncode == 0, stderr
    assert "Facial-prior FOMM" in stdout
    assert diff(Record.load(first / "record.json"), Record.load(out / "record.json")) == []
    page = (out / "report.html").read_text()
    assert page.count("<article>") == 2
    assert json.loads((out / "run.json").read_text())["seed"] == 0
