"""``mebench data prepare`` on copies with damage, and what it writes beside the cache."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result

from mebench.cli.data_prepare import prepare
from mebench.cli.main import main
from mebench.errors import UsageError
from tests.commands import runner

SUBJECT = "SMIC_all_raw/HS/s1/micro"


def call(*arguments: object) -> Result:
    return runner().invoke(prepare, [str(argument) for argument in arguments])


@pytest.fixture
def smic(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of SMIC's part of SynthME, with given landmarks and a cache of its own."""
    monkeypatch.setenv("MEBENCH_CACHE", str(tmp_path / "cache"))
    shutil.copytree(tiny / "smic", tmp_path / "smic")
    shutil.copytree(tiny / "truth" / "landmarks", tmp_path / "points")
    return tmp_path / "smic"


def frames_of(root: Path, clip: int) -> list[Path]:
    folders = sorted((root / SUBJECT).glob("*/*"))
    return sorted(folders[clip].iterdir())


def options(root: Path) -> tuple[object, ...]:
    points = root.parent / "points"
    return ("smic", "--root", root, "--landmarks-root", points, "--size", 48, "--apex", "middle")


def test_damaged_clips_are_left_out_and_listed(smic: Path) -> None:
    cut, empty = frames_of(smic, 0)[3], frames_of(smic, 1)[2]
    cut.write_bytes(cut.read_bytes()[:500])
    empty.write_bytes(b"")
    result = call(*options(smic))
    assert result.exit_code == 0
    assert "2 clips ready at 48 px (2 new, landmarks: given, apex: 2 middle, 2 left out)" in (
        result.stdout
    )
    table = result.stderr[result.stderr.index("left out: 2 clips") :].splitlines()
    assert len(table) == 3
    assert cut.name in table[1]
    assert f"{empty}: the file is empty" in table[2]
    told = json.loads(call(*options(smic), "--json").stdout)
    assert sorted(told["failures"]) == sorted(line.split()[0] for line in table[1:])
    assert told["apex_sources"] == {"middle": 2}
    stopped = call(*options(smic), "--on-missing", "fail")
    assert cut.name in str(stopped.exception)


def test_clips_without_frames_are_listed_too(smic: Path, tiny: Path) -> None:
    root = smic.parent / "casme2"
    shutil.copytree(tiny / "casme2", root)
    gone = sorted(root.glob("CASME2_RAW_selected/sub01/*"))[0]
    shutil.rmtree(gone)
    result = call("casme2", *options(root)[1:])
    assert "3 clips ready" in result.stdout
    (row,) = result.stderr[result.stderr.index("left out: 1 clips") :].splitlines()[1:]
    assert row.split()[0] == f"casme2.01.{gone.name}"
    assert f"no folder for clip 01/{gone.name}" in row


def test_nothing_to_prepare_is_exit_4(smic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (smic.parent / "points").iterdir():
        path.unlink()
    with pytest.raises(SystemExit) as stopped:
        main(["data", "prepare", *map(str, options(smic))])
    assert stopped.value.code == 4
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: none of 4 clips can be prepared; first: ")


def test_index_and_triples_hold_the_spotted_apexes(smic: Path, tmp_path: Path) -> None:
    index, out = tmp_path / "index.csv", tmp_path / "triples"
    result = call(*options(smic), "--index", index, "--triples", out)
    assert result.exit_code == 0
    with index.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["apex_source"] for row in rows} == {"middle"}
    for row in rows:
        middle = int(row["onset"]) + (int(row["offset"]) - int(row["onset"])) // 2
        assert int(row["apex"]) == pytest.approx(middle, abs=1)
    with (out / "triples.csv").open(encoding="utf-8") as handle:
        triples = list(csv.DictReader(handle))
    assert [row["apex"] for row in triples] == [row["apex"] for row in rows]
    assert all((out / row["apex_file"]).is_file() for row in triples)
    # This copy lies outside its export, so nothing says that its faces are nobody's.
    assert "its licence goes for these pictures" in result.stderr


def test_pictures_of_synthme_need_no_warning(tiny: Path, tmp_path: Path) -> None:
    root = tiny / "smic"
    arguments = ("smic", "--root", root, "--size", 48, "--apex", "middle")
    result = call(*arguments, "--triples", tmp_path / "triples")
    assert "4 triples in" in result.stderr
    assert "licence" not in result.stderr


def test_interpolated_frames_are_no_triples(smic: Path, tmp_path: Path) -> None:
    result = call(*options(smic), "--tim", 5, "--triples", tmp_path / "triples")
    assert isinstance(result.exception, UsageError)
    timed = json.loads(call(*options(smic), "--tim", 5, "--json").stdout)
    assert (timed["clips"], timed["made"]) == (4, 4)
