"""The board takes records in, and believes none before it has scored it again."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from mebench.board import add, by_protocol, differences, read, submissions_of, verify
from mebench.cli.main import cli
from mebench.errors import UsageError
from mebench.record import Record
from mebench.report.formats import render
from mebench.report.rows import build_table
from tests.makers import make_record


@pytest.fixture
def board(tmp_path):
    return tmp_path / "board"


def written(tmp_path, name="mine", **changes):
    record = make_record(name)
    for key, value in changes.items():
        setattr(record, key, value)
    path = tmp_path / f"{name}.json"
    record.save(path)
    return path


def test_a_record_taken_in_is_self_reported_whatever_it_claims(tmp_path, board):
    place = add(board, written(tmp_path, status="verified"))
    assert place == board / "records" / "synthme" / "mine.json"
    assert Record.load(place).status == "self-reported"
    assert Record.load(add(board, written(tmp_path, "half", status="partial"))).status == "partial"


def test_two_rows_of_one_method_are_refused_unless_replaced(tmp_path, board):
    path = written(tmp_path)
    add(board, path)
    with pytest.raises(UsageError, match=r"'mine' is on the board .* or --replace"):
        add(board, path)
    assert add(board, path, replace=True).is_file()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{}", "expected schema 'mebench-record/1', got 'None'"),
        ('{"schema": "mebench-record/9"}', "expected schema 'mebench-record/1', got"),
        ("[1", "not a JSON record"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path, board, content, why):
    path = tmp_path / "odd.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=why):
        add(board, path)
    assert not board.exists()


def test_a_record_edited_by_hand_is_told_and_the_others_are_read(tmp_path, board):
    add(board, written(tmp_path))
    place = add(board, written(tmp_path, "other"))
    data = json.loads(place.read_text())
    data["result"]["metrics"]["au_consistency"]["value"] = 0.99
    place.write_text(json.dumps(data))
    entries, problems = read(board)
    assert [entry.record.result.id for entry in entries] == ["mine"]
    assert "digest differs" in problems["records/synthme/other.json"]


def test_a_record_under_another_name_is_told(tmp_path, board):
    place = add(board, written(tmp_path))
    place.rename(place.with_name("winner.json"))
    _, problems = read(board)
    assert "belongs into records/synthme/mine.json" in problems["records/synthme/winner.json"]


@pytest.mark.parametrize("name", ["../evil", "a/b/c", "a/", "", ".hidden", "x" * 101])
def test_a_method_id_never_becomes_a_path(tmp_path, board, name):
    record = make_record()
    record.result.id = name
    path = tmp_path / "evil.json"
    record.save(path)
    with pytest.raises(UsageError, match="cannot be a file name"):
        add(board, path)


def test_a_lab_and_its_method_make_one_file(tmp_path, board):
    record = make_record("mine")
    record.result.id = "lab/mine"
    record.save(tmp_path / "lab.json")
    assert add(board, tmp_path / "lab.json") == board / "records" / "synthme" / "lab+mine.json"
    entries, problems = read(board)
    assert not problems
    (tmp_path / "subs" / "lab+mine").mkdir(parents=True)
    assert list(submissions_of(tmp_path / "subs", entries)) == ["lab/mine"]


def test_an_empty_board_says_how_to_fill_it(board):
    with pytest.raises(UsageError, match="mebench leaderboard add"):
        read(board)


def test_rows_of_another_version_stand_apart(tmp_path, board):
    add(board, written(tmp_path))
    add(board, written(tmp_path, "second"))
    other = make_record("old")
    other.protocol.digest = "q"
    other.save(tmp_path / "old.json")
    add(board, tmp_path / "old.json")
    groups = by_protocol(read(board)[0])
    assert {name: len(rows) for name, rows in groups.items()} == {"synthme": 2, "synthme@qi": 1}


def test_a_row_is_verified_by_the_same_score_and_by_no_other(tmp_path, board):
    add(board, written(tmp_path))
    entry = read(board)[0][0]
    assert verify(entry, make_record()) == []
    assert Record.load(entry.path).status == "verified"
    changed = make_record(values={"au_consistency": 0.8 + 1e-3, "psnr_db": 30.0})
    changed.result.pixel_digest = "other frames"
    told = verify(entry, changed)
    assert told == [
        "the outputs are not those of the record (pixel digest)",
        "au_consistency: record 0.8, scored again 0.801",
    ]
    assert Record.load(entry.path).status == "self-reported"


def test_a_score_of_another_protocol_verifies_nothing(tmp_path, board):
    add(board, written(tmp_path))
    other = make_record()
    other.dataset.index_digest = "others"
    with pytest.raises(UsageError, match=r"the record's clips \(i\) are not those here \(others\)"):
        verify(read(board)[0][0], other)


def test_a_value_that_cannot_be_had_here_is_a_difference():
    told, scored = make_record().result, make_record().result
    del scored.metrics["psnr_db"]
    scored.metrics["au_consistency"].value = None
    assert differences(told, scored) == [
        "au_consistency: record 0.8, scored again --",
        "psnr_db: not scored again (weights or extras are missing here)",
    ]


def test_submissions_are_found_by_id(tmp_path, board):
    add(board, written(tmp_path))
    add(board, written(tmp_path, "other"))
    (tmp_path / "subs" / "mine").mkdir(parents=True)
    found = submissions_of(tmp_path / "subs", read(board)[0])
    assert found == {"mine": tmp_path / "subs" / "mine"}


def test_the_commands_take_in_check_and_build(tmp_path, board):
    path = written(tmp_path)
    run = CliRunner().invoke
    assert run(cli, ["leaderboard", "add", str(path), "--board", str(board)]).exit_code == 0
    shown = run(cli, ["leaderboard", "check", "--board", str(board)])
    assert shown.exit_code == 0
    assert "synthme/mine: self-reported, no submission here" in shown.output
    built = run(cli, ["leaderboard", "build", "--board", str(board), "-o", str(tmp_path / "site")])
    assert built.exit_code == 0, built.output
    assert (tmp_path / "site" / "synthme--mine.html").is_file()
    assert "Zhao et al." in (tmp_path / "site" / "published.html").read_text()


def test_what_experts_gave_is_kept_though_no_score_finds_it_again(tmp_path, board):
    rated = make_record(values={"au_consistency": 0.8, "psnr_db": 30.0, "experts.overall": 3.5})
    rated.save(tmp_path / "rated.json")
    add(board, tmp_path / "rated.json")
    entry = read(board)[0][0]
    assert verify(entry, make_record()) == []
    kept = Record.load(entry.path)
    assert kept.status == "verified"
    assert kept.result.metrics["experts.overall"].value == 3.5
    text = render(build_table([kept]), "text")
    assert "experts.overall¶" in text
    assert "¶ experts.*: given by a panel of raters" in text


def test_a_record_that_hides_why_it_has_no_rank_is_not_verified():
    told, scored = make_record().result, make_record().result
    scored.unranked = "9 of 9 outputs are copies: 9 of the driving clip"
    assert differences(told, scored) == [f"what stands against a rank: {scored.unranked}"]
    assert differences(scored, scored) == []
