"""Two rows of a record, compared pair by pair."""

import pytest

from mebench.comparison import compare_rows, training_effect
from mebench.errors import UsageError
from tests.makers import PAIRS, make_record, make_row


def _record(mine, untrained):
    record = make_record(controls=(make_row("untrained"),))
    for pair, a, b in zip(PAIRS, mine, untrained, strict=True):
        record.result.per_clip[pair.key]["psnr_db"] = a
        record.controls[0].per_clip[pair.key]["psnr_db"] = b
        record.groups[pair.key] = pair.driving
    return record


def test_a_difference_is_taken_pair_by_pair():
    found = compare_rows(_record((31.0, 41.0), (30.0, 39.0)), "mine", "untrained", "psnr_db")
    assert found.difference.mean == pytest.approx(1.5)
    assert found.difference.interval == pytest.approx((1.0, 2.0))
    assert found.better is True
    assert found.line() == "psnr_db +1.5000 [+1.0000, +2.0000], n 2: better"


def test_direction_of_the_metric_decides_what_better_means():
    record = _record((31.0, 41.0), (30.0, 39.0))
    for row in (record.result, *record.controls):
        row.metrics["psnr_db"].higher_is_better = False
    assert compare_rows(record, "mine", "untrained", "psnr_db").better is False


def test_an_interval_that_holds_zero_tells_nothing_apart():
    found = compare_rows(_record((31.0, 38.0), (30.0, 39.0)), "mine", "untrained", "psnr_db")
    assert found.better is None


def test_pairs_without_a_value_are_left_out_and_too_few_are_refused():
    record = _record((31.0, None), (30.0, 39.0))
    with pytest.raises(UsageError, match="share 1 values"):
        compare_rows(record, "mine", "untrained", "psnr_db")
    assert training_effect(record, ("psnr_db",)) == []


def test_unknown_names_are_refused_with_the_nearest_one():
    record = _record((31.0, 41.0), (30.0, 39.0))
    with pytest.raises(UsageError, match=r"no row 'untraned'.*untrained"):
        compare_rows(record, "mine", "untraned", "psnr_db")
    with pytest.raises(UsageError, match=r"no metric 'psnr'.*psnr_db"):
        compare_rows(record, "mine", "untrained", "psnr")


def test_training_is_compared_where_the_record_has_an_untrained_row():
    record = _record((31.0, 41.0), (30.0, 39.0))
    assert [c.key for c in training_effect(record, ("psnr_db", "absent"))] == ["psnr_db"]
    record.controls.clear()
    assert training_effect(record, ("psnr_db",)) == []
