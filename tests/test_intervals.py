"""The intervals of a row: made over subjects, corrected, and named in the record."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mebench.aggregate import INTERVALS, add_clip_values
from mebench.metrics.base import Metric, MetricInfo
from mebench.record import Record
from mebench.report.rows import build_table
from mebench.stats import bootstrap_interval
from mebench.types import Pair
from tests.makers import make_record, make_row


class Given(Metric):
    infos = (MetricInfo("error", "error", higher_is_better=False),)

    def describe(self, case):
        return case

    def clip_values(self, described):
        return {"error": described}


def test_a_mean_has_the_corrected_interval_over_subjects():
    values = np.random.default_rng(0).exponential(1.0, 24)
    pairs = [Pair(f"t{n}", f"d{n}") for n in range(24)]
    subjects = [f"s{n // 3}" for n in range(24)]
    row = make_row(values={})
    row.per_clip = {pair.key: {} for pair in pairs}
    add_clip_values(row, Given(), pairs, values.tolist(), subjects, seed=0)
    found = row.metrics["error"]
    assert found.ci95 == bootstrap_interval(values, subjects, seed=0, method="bca")
    plain = bootstrap_interval(values, subjects, seed=0)
    # Errors are skewed to the right, and so is what they say of the mean.
    assert found.ci95[0] > plain[0]
    assert found.ci95[1] > plain[1]


def test_the_record_and_the_table_say_how_intervals_were_made(tmp_path):
    record = make_record()
    record.intervals = INTERVALS
    record.save(tmp_path / "r.json")
    again = Record.load(tmp_path / "r.json")
    assert "BCa" in again.intervals
    assert "BCa bootstrap over driving subjects" in build_table([again]).caption


def test_a_record_from_before_still_loads_and_is_told_from_newer_ones(tmp_path):
    old = make_record("old")
    old.save(tmp_path / "old.json")
    data = json.loads((tmp_path / "old.json").read_text())
    del data["intervals"]
    (tmp_path / "old.json").write_text(json.dumps(data))
    loaded = Record.load(tmp_path / "old.json")
    assert loaded.digest == old.digest
    new = make_record("new")
    new.intervals = INTERVALS
    notes = build_table([loaded, new]).notes
    assert "intervals of old: 95 % percentile bootstrap over driving subjects" in notes
    assert f"intervals of new: {INTERVALS}" in notes


@pytest.mark.parametrize("value", ["", INTERVALS])
def test_the_method_is_part_of_what_the_digest_covers(tmp_path, value):
    record = make_record()
    record.intervals = value
    record.save(tmp_path / "r.json")
    data = json.loads((tmp_path / "r.json").read_text())
    data["intervals"] = "by eye"
    (tmp_path / "r.json").write_text(json.dumps(data))
    with pytest.raises(Exception, match="edited after it was written"):
        Record.load(tmp_path / "r.json")
