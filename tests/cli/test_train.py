"""``mebench train`` and ``mebench run baseline --checkpoint``."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mebench.cli.main import _run
from mebench.errors import WeightsError
from mebench.record import Record
from mebench.runner.folder import RunSettings
from mebench.runner.outputs import Place
from mebench.runner.run import run_baseline
from tests.makers import tiny_protocol

QUICK = {"train.steps": "3", "train.rehearsals": "2"}


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("protocol") / "tiny.yaml"
    path.write_text(tiny_protocol("pixel", "psnr_db", "copy-template"))
    return path


@pytest.fixture(scope="module")
def trained(protocol: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("train") / "out"
    arguments = ["train", "fomm-prior", "--protocol", str(protocol), "--preset", "scratch"]
    arguments += ["--data", f"synthme={tiny}", "--out", str(out), "-s", "train.steps=3"]
    arguments += ["-s", "train.rehearsals=2"]
    assert _run([*arguments, "--jobs", "1", "--device", "cpu"], debug=False) == 0
    return out


@pytest.mark.long
def test_training_alone_and_a_run_with_its_checkpoint_make_the_trained_run(
    trained, protocol, tiny, tmp_path
):
    settings = RunSettings("fomm-prior", str(protocol), "scratch", overrides=QUICK, limit=1)
    roots = {"synthme": tiny}
    whole = run_baseline(settings, Place(tmp_path / "whole", tmp_path / "cache", roots)).record
    model = trained / "model.pt"
    taken = replace(settings, checkpoint=str(model))
    place = Place(tmp_path / "taken", tmp_path / "cache", roots)
    record = run_baseline(taken, place).record
    assert not (tmp_path / "taken" / "training").exists()
    assert record.result.per_clip == whole.result.per_clip
    untrained = [next(r for r in one.controls if r.id == "untrained") for one in (record, whole)]
    assert untrained[0].per_clip == untrained[1].per_clip
    wanted = hashlib.sha256(model.read_bytes()).hexdigest()
    stored = Record.load(tmp_path / "taken" / "record.json").made_by
    assert stored["checkpoint_sha256"] == wanted
    assert "train_clips" not in stored


def test_a_checkpoint_that_is_not_there_is_named(protocol, tiny, tmp_path):
    settings = RunSettings("fomm-prior", str(protocol), checkpoint=str(tmp_path / "absent.pt"))
    with pytest.raises(WeightsError, match=r"absent.pt: no such checkpoint"):
        run_baseline(settings, Place(tmp_path / "run", tmp_path / "cache", {"synthme": tiny}))
    assert not (tmp_path / "run").exists()


def test_the_same_command_again_changes_nothing(trained, protocol, tiny, capsys):
    before = torch.load(trained / "model.pt", weights_only=True)["generator"]
    arguments = ["train", "fomm-prior", "--protocol", str(protocol), "--preset", "scratch"]
    arguments += ["--data", f"synthme={tiny}", "--out", str(trained), "-s", "train.steps=3"]
    arguments += ["-s", "train.rehearsals=2"]
    assert _run([*arguments, "--jobs", "1", "--device", "cpu"], debug=False) == 0
    after = torch.load(trained / "model.pt", weights_only=True)["generator"]
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert _run([*arguments, "--seed", "5"], debug=False) == 2
    assert "was trained with another seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "copy-template", "--out", "x"], "'copy-template' does not learn"),
        (["train", "fomm-prior", "--out", "x", "--device", "cuda:0"], "cuda"),
        (["run", "baseline", "fomm-prior", "--devices", "3"], "3 processes"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(arguments, words, tmp_path, tiny, capsys):
    place = ["--data", f"synthme={tiny}", "--preset", "quick"]
    if "--out" in arguments:
        arguments[arguments.index("--out") + 1] = str(tmp_path / "x")
    else:
        place += ["--out", str(tmp_path / "x")]
    assert _run([*arguments, *place], debug=False) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in told


def test_under_torchrun_the_whole_run_and_drawing_data_are_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert _run(["run", "baseline", "fomm-prior", "--out", str(tmp_path / "x")], debug=False) == 2
    assert "torchrun -m mebench train" in capsys.readouterr().err
    assert _run(["train", "fomm-prior", "--out", str(tmp_path / "x")], debug=False) == 2
    assert "--data synthme=ROOT" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_batch_job_of_several_tasks_is_one_process(monkeypatch):
    from mebench.environment import process_count, process_rank
    from mebench.methods.fomm.processes import fabric_for

    for name, value in (("NTASKS", 4), ("JOB_ID", 7), ("PROCID", 0), ("NTASKS_PER_NODE", 4)):
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    monkeypatch.setenv("SLURM_JOB_NAME", "train")
    assert (process_count(), process_rank()) == (1, 0)
    fabric = fabric_for("cpu", 1, "32-true")
    fabric.launch()
    assert (fabric.world_size, fabric.global_rank) == (1, 0)


def test_tasks_of_one_srun_train_together_or_not_at_all(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    monkeypatch.setenv("SLURM_PROCID", "2")
    assert _run(["train", "fomm-prior", "--out", str(tmp_path / "x")], debug=False) == 2
    assert "srun started 4 of this command: give --devices 4" in capsys.readouterr().err
    assert _run(["run", "baseline", "fomm-prior", "--out", str(tmp_path / "x")], debug=False) == 2
    assert "is one process" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_two_processes_never_write_one_folder(tmp_path, monkeypatch, capsys, tiny):
    from mebench.io.locks import alone_in

    monkeypatch.setenv("MEBENCH_CACHE", str(tmp_path / "cache"))
    for command in (["train", "fomm-prior"], ["run", "baseline", "fomm-prior"]):
        arguments = [*command, "--data", f"synthme={tiny}", "--out", str(tmp_path / "x")]
        with alone_in(tmp_path / "x", tmp_path / "cache"):
            assert _run(arguments, debug=False) == 2
        assert "another mebench writes here now" in capsys.readouterr().err
    with alone_in(tmp_path / "x", tmp_path / "cache"):
        pass


def test_a_place_without_locks_is_told_and_no_reason_to_stop(tmp_path, caplog):
    from mebench.io.locks import alone_in

    (tmp_path / "cache").write_text("a file where a folder should be")
    with alone_in(tmp_path / "x", tmp_path / "cache"):
        assert "no lock can be held there" in caplog.text
    with pytest.raises(ZeroDivisionError), alone_in(tmp_path / "x", tmp_path / "cache"):
        raise ZeroDivisionError
