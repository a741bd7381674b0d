"""``mebench rate collect`` as an organiser calls it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mebench.cli.main import main
from mebench.rating.model import Ratings
from tests.rating.panel_files import (
    all_answers,
    blank,
    exported,
    fill,
    make_key,
    part,
    write_export,
)

KEY = make_key()


def export(folder: Path, answers: Any = None, name: str = "a.json", **changed: Any) -> Path:
    given = all_answers(KEY) if answers is None else answers
    return write_export(folder / name, exported(KEY, given, **changed))


@pytest.fixture
def command(tmp_path: Path, monkeypatch, capsys):
    KEY.save(tmp_path / "key.json")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["rate", "collect", "--key", "key.json", *arguments])
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


def test_collect_prints_how_far_each_rater_came(command, tmp_path: Path):
    export(tmp_path, part(all_answers(KEY), "c001", "c002"), complete=False)
    fill(blank(tmp_path / "b.xlsx", KEY, "R2"), all_answers(KEY, "R2"))
    code, out, err = command("a.json", "b.xlsx", "--csv", "flat.csv")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["R1", "a.json", "2", "of", "6", "10.5", "0", "of", "1"] in rows
    assert ["R2", "b.xlsx", "6", "of", "6", "--", "1", "of", "1"] in rows
    assert "ratings: ratings.json" in out
    assert "note: R1 stopped halfway (a.json): 2 of 6 clips complete" in err
    assert (tmp_path / "flat.csv").exists()
    assert len(Ratings.load(tmp_path / "ratings.json").ratings) == 8


def test_collect_lists_problems_one_a_line_and_writes_nothing(command, tmp_path: Path):
    wrong = all_answers(KEY)
    wrong["c001"]["values"]["overall"] = 9
    wrong["c002"]["values"]["overall"] = 0
    export(tmp_path, wrong)
    code, out, err = command("a.json", "absent.json")
    lines = err.splitlines()
    assert code == 3
    assert out == ""
    assert [line.split(":")[0] for line in lines] == ["refused"] * 3 + ["error"]
    assert lines[-1].startswith("error: 3 problems; nothing was written")
    assert not (tmp_path / "ratings.json").exists()


def test_collect_keeps_what_was_collected_and_never_writes_over_its_inputs(command, tmp_path):
    export(tmp_path)
    export(tmp_path, all_answers(KEY, "R2"), "b.json", rater="R2")
    assert command("a.json", "b.json")[0] == 0
    code, _, err = command("a.json")
    assert code == 2
    assert "holds" in err
    assert "R2 c001" in err
    assert command("a.json", "--replace")[0] == 0
    assert command("a.json", "--out", "a.json")[0] == 2
    assert command("a.json", "--out", "key.json")[0] == 2
    assert command("a.json", "--unblind")[0] == 2
    assert command("a.json", "--csv", "./ratings.json")[0] == 2
