from __future__ import annotations

import json

import pytest

from mebench.errors import UsageError
from mebench.record import Record, diff
from tests.makers import make_record


def test_round_trip_keeps_every_digit(tmp_path):
    record = make_record(values={"au_consistency": 0.1 + 0.2})
    record.save(tmp_path / "r.json")
    again = Record.load(tmp_path / "r.json")
    assert again.result.metrics["au_consistency"].value == 0.1 + 0.2
    assert again.digest == record.digest


def test_digest_ignores_time_and_place_only(tmp_path):
    a, b = make_record(), make_record()
    b.created, b.seconds, b.environment = "later", {"train": 9.0}, {"cpu_count": 64}
    assert diff(a, b) == []
    b.result.metrics["au_consistency"].value = 0.5
    b.weights["x"] = "seeded:1"
    assert diff(a, b) == ["result.metrics.au_consistency.value", "weights.x"]


def test_an_edited_record_is_refused(tmp_path):
    path = tmp_path / "r.json"
    make_record().save(path)
    data = json.loads(path.read_text())
    data["result"]["metrics"]["au_consistency"]["value"] = 0.99
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match=r"r\.json: edited after it was written"):
        Record.load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a JSON record"),
        ("[]", "expected schema"),
        ('{"schema": "mebench-record/9"}', "got 'mebench-record/9'"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        Record.load(path)


def test_non_finite_values_cannot_be_written(tmp_path):
    record = make_record(values={"au_consistency": float("inf")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        record.save(tmp_path / "r.json")
    assert not list(tmp_path.iterdir())
