"""``mebench record verify`` and ``diff``."""

from __future__ import annotations

import json

import pytest

from mebench.cli.main import _run
from mebench.report.records import ABSENT, differences
from tests.makers import make_record


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "good.json"
    make_record().save(path)
    return path


def edited(path, **keys):
    other = path.with_name("edited.json")
    other.write_text(json.dumps({**json.loads(path.read_text()), **keys}))
    return other


def test_whole_records_are_told_with_what_they_are(record, capsys):
    assert _run(["record", "verify", str(record)], debug=False) == 0
    line = capsys.readouterr().out
    assert line.startswith(
        f"ok       {record}: mine on synthme, verified, mebench-record/1, digest "
    )


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"status": "partial"}, "edited after it was written"),
        ({"schema": "mebench-record/2"}, "schema 'mebench-record/2', this mebench reads "
         "'mebench-record/1'; install a newer mebench"),
        ({"schema": "mebench-record/0"}, "score the submission again"),
        ({"schema": "another"}, "expected schema 'mebench-record/1', got 'another'"),
        ({"shcema": 1}, "shcema"),
        ({"digest": "00"}, "edited after it was written"),
        ({"created": "never"}, None),
    ],
)  # fmt: skip
def test_damage_is_told_on_a_line_and_the_others_are_still_checked(record, capsys, keys, problem):
    other = edited(record, **keys)
    code = _run(["record", "verify", str(other), str(record)], debug=False)
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("ok ")
    if problem is None:  # when it was made is not what it says
        assert (code, lines[0][:3]) == (0, "ok ")
    else:
        assert code == 2
        assert lines[0].startswith(f"damaged  {other}: ")
        assert problem in lines[0]
        assert told.err == "error: 1 of 2 records cannot be used; score them again\n"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '{"schema": "mebench-record/1"}', "\x00\x01", "007",
     '{"schema": "mebench-record/1\\u001b[2J"}'],
)  # fmt: skip
def test_what_is_no_record_is_told_on_one_clean_line(tmp_path, capsys, text):
    path = tmp_path / "r.json"
    path.write_text(text, encoding="utf-8")
    assert _run(["record", "verify", str(path), str(tmp_path / "none.json")], debug=False) == 2
    told = capsys.readouterr()
    assert [line.split()[0] for line in told.out.splitlines()] == ["damaged", "damaged"]
    assert "Traceback" not in told.err
    assert "\x1b" not in told.out


def test_verify_as_json(record, capsys):
    assert _run(["record", "verify", "--json", str(record), str(edited(record, status="partial"))],
                debug=False) == 2  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert [one["problem"] == "" for one in found] == [True, False]
    assert found[0]["method"] == "mine"


def test_differences_have_values_and_leave_time_and_place_out():
    a, b = make_record(), make_record(values={"au_consistency": 0.9})
    b.created, b.seconds, b.environment = "later", {"train": 9.0}, {"cpu_count": 64}
    b.notes = ["new"]
    found = {one.key: (one.a, one.b) for one in differences(a, b)}
    assert found["result.metrics.au_consistency.value"] == (0.8, 0.9)
    assert found["notes"] == ([], ["new"])
    assert found["result.metrics.psnr_db"][1] == ABSENT
    assert not any(key.split(".")[0] in ("created", "seconds", "environment") for key in found)
    assert differences(a, a) == []


def test_diff_prints_what_differs_and_says_so_only_when_asked(tmp_path, capsys):
    for name, value in (("a", 0.8), ("b", 0.9)):
        make_record(values={"au_consistency": value}).save(tmp_path / f"{name}.json")
    a, b = str(tmp_path / "a.json"), str(tmp_path / "b.json")
    assert _run(["record", "diff", a, b], debug=False) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if ".value" in x)
    assert line.split() == ["result.metrics.au_consistency.value", "0.8", "0.9", "+0.1"]
    assert _run(["record", "diff", a, b, "--exit-code"], debug=False) == 1
    assert _run(["record", "diff", a, a, "--exit-code"], debug=False) == 0
    assert "no difference but time and place" in capsys.readouterr().out
    assert _run(["record", "diff", a, b, "--most", "1"], debug=False) == 0
    assert "more; --most" in capsys.readouterr().err
    assert _run(["record", "diff", a, b, "--json"], debug=False) == 0
    assert len(json.loads(capsys.readouterr().out)) > 1
