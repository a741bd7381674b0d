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


def _of_subjects(*differences, higher=True):
    """Return a record with one clip a subject, its own row so much above the untrained one."""
    record = make_record(controls=(make_row("untrained"),))
    rows = (record.result, record.controls[0])
    for row in rows:
        row.per_clip.clear()
        row.metrics["psnr_db"].higher_is_better = higher
    record.groups.clear()
    for number, difference in enumerate(differences):
        record.groups[f"t/d{number}"] = f"subject {number}"
        for row, value in zip(rows, (30.0 + difference, 30.0), strict=True):
            row.per_clip[f"t/d{number}"] = {"psnr_db": value}
    return record


def _compared(record):
    return compare_rows(record, "mine", "untrained", "psnr_db")


def test_a_difference_is_taken_pair_by_pair():
    found = compare_rows(_record((31.0, 41.0), (30.0, 39.0)), "mine", "untrained", "psnr_db")
    assert found.difference.mean == pytest.approx(1.5)
    assert found.difference.interval == pytest.approx((1.0, 2.0))
    assert found.line() == (
        "psnr_db +1.5000 [+1.0000, +2.0000], n 2: cannot be told with 2 subjects"
    )


def test_few_subjects_tell_nothing_however_clear_they_are():
    few = _compared(_of_subjects(1.0, 1.1, 0.9, 1.2, 1.0))
    assert (few.better, few.verdict) == (None, "cannot be told with 5 subjects")
    assert few.difference.interval[0] > 0
    enough = _compared(_of_subjects(1.0, 1.1, 0.9, 1.2, 1.0, 0.8))
    assert (enough.better, enough.verdict) == (True, "better")


def test_direction_of_the_metric_decides_what_better_means():
    values = (1.0, 1.1, 0.9, 1.2, 1.0, 0.8, 1.3)
    assert _compared(_of_subjects(*values, higher=False)).verdict == "worse"
    lower = _compared(_of_subjects(*(-v for v in values), higher=False))
    assert (lower.verdict, lower.wins) == ("better", (7, 0))
    neither = _compared(_of_subjects(*values, higher=None))
    assert (neither.better, neither.verdict, neither.wins) == (None, "larger", (7, 0))


def test_an_interval_that_holds_zero_tells_nothing_apart():
    found = _compared(_of_subjects(1.0, -1.1, 0.9, -1.2, 1.0, -0.8))
    assert (found.better, found.verdict, found.wins) == (None, "not told apart", (3, 3))


def test_what_is_shown_together_is_corrected_together():
    record = _of_subjects(1.0, 1.1, 0.9, 1.2, 1.0, 0.8)
    for row in (record.result, *record.controls):
        row.metrics["ssim"] = row.metrics["psnr_db"]
        for number, values in enumerate(row.per_clip.values()):
            values["ssim"] = values["psnr_db"] * (1 if number % 2 else -1)
    alone = training_effect(record, ("psnr_db",))
    both = training_effect(record, ("psnr_db", "ssim"))
    assert [one.verdict for one in alone] == ["better"]
    assert [one.verdict for one in both] == ["cannot be told with 6 subjects"] * 2


def test_the_order_of_pairs_does_not_move_the_interval():
    record = _of_subjects(1.0, 0.3, 0.9, 2.2, 1.0, 0.8, -0.4)
    found = _compared(record)
    for row in (record.result, *record.controls):
        turned = dict(reversed(row.per_clip.items()))
        row.per_clip.clear()
        row.per_clip.update(turned)
    assert _compared(record).difference == found.difference


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
