"""Coefficients of agreement against the worked examples of the papers that brought them."""

from __future__ import annotations

import numpy as np
import pytest

from mebench.errors import UsageError
from mebench.rating.agreement import (
    cohen_kappa,
    icc,
    krippendorff_alpha,
    mean_kappa,
    percent_agreement,
)

# Shrout and Fleiss, Psychological Bulletin 86 (1979), table 2: six targets, four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)
# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: four observers,
# twelve units, 0 is missing.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)
ALPHA_UNITS = np.where(KRIPPENDORFF == 0, np.nan, KRIPPENDORFF.astype(float)).T


def labels_of(table):
    """Both raters' labels of the cases in a contingency table."""
    cases = [
        (row, column)
        for row, counts in enumerate(table)
        for column, count in enumerate(counts)
        for _ in range(count)
    ]
    return [a for a, _ in cases], [b for _, b in cases]


def test_icc_of_shrout_and_fleiss():
    found = icc(SHROUT_FLEISS)
    assert f"{found.single.value:.2f}" == "0.29"  # table 4, ICC(2,1)
    assert f"{found.average.value:.2f}" == "0.62"  # table 4, ICC(2,k)
    assert (found.single.n, found.single.raters) == (6, 4)


def test_icc_intervals_of_the_same_example():
    # As printed by ICC() of the R package psych for this example.
    found = icc(SHROUT_FLEISS)
    low, high = found.single.interval
    assert (f"{low:.3f}", f"{high:.2f}") == ("0.019", "0.76")
    low, high = found.average.interval
    assert (f"{low:.3f}", f"{high:.2f}") == ("0.071", "0.93")


def test_a_constant_bias_costs_absolute_agreement():
    clips = np.arange(6.0)
    agreed = icc(np.stack([clips, clips], axis=1))
    assert agreed.single.value == pytest.approx(1.0)
    severe = icc(np.stack([clips, clips - 2.0], axis=1))
    assert severe.single.value < 0.7


def test_clips_with_a_missing_rating_are_left_out_of_icc_and_counted():
    holed = np.vstack([SHROUT_FLEISS, [1, np.nan, 2, 3]])
    assert icc(holed) == icc(SHROUT_FLEISS)


@pytest.mark.parametrize(
    ("ratings", "why"),
    [
        ([[3, 3], [3, 3], [3, 3]], "all ratings are the same"),
        ([[1], [2], [3]], "needs 2 raters and 2 clips rated by all, got 1 and 3"),
        ([[1, np.nan], [np.nan, 2]], "got 2 and 0"),
    ],
)
def test_icc_says_why_it_has_no_value(ratings, why):
    found = icc(ratings)
    assert found.single.value is None
    assert why in found.single.reason
    assert why in found.average.reason


@pytest.mark.parametrize(
    ("measure", "printed"), [("nominal", "0.743"), ("ordinal", "0.815"), ("interval", "0.849")]
)
def test_alpha_of_krippendorff(measure, printed):
    found = krippendorff_alpha(ALPHA_UNITS, measure)
    assert f"{found.value:.3f}" == printed  # sections C and E
    assert found.n == 11  # the twelfth unit has one value only


def test_alpha_is_the_same_whatever_the_order_of_raters_and_clips():
    mixed = ALPHA_UNITS[::-1, [2, 0, 3, 1]]
    whole, other = krippendorff_alpha(ALPHA_UNITS), krippendorff_alpha(mixed)
    assert other.value == pytest.approx(whole.value, abs=1e-12)


def test_alpha_has_an_interval_over_groups_that_holds_it():
    found = krippendorff_alpha(ALPHA_UNITS, groups=list("aabbccddeeff"))
    low, high = found.interval
    assert low < found.value < high <= 1.0
    assert krippendorff_alpha(ALPHA_UNITS, groups=["one"] * 12).interval is None
    again = krippendorff_alpha(ALPHA_UNITS, groups=list("aabbccddeeff"))
    assert again.interval == found.interval


def test_alpha_says_why_it_has_no_value():
    assert krippendorff_alpha([[2, 2], [2, 2]]).reason == "all ratings are the same"
    assert krippendorff_alpha([[1, np.nan], [np.nan, 2]]).reason == "no clip has two ratings"
    with pytest.raises(UsageError, match="Did you mean 'ordinal'"):
        krippendorff_alpha(ALPHA_UNITS, "ordnal")


def test_kappa_of_cohen():
    # Cohen, Educational and Psychological Measurement 20 (1960), table 2: N = 200.
    first, second = labels_of([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    found = cohen_kappa(first, second)
    assert f"{found.value:.3f}" == "0.492"
    assert found.n == 200


def test_kappa_of_fifty_applications():
    # The example of two readers and fifty applications that text books print: kappa 0.4.
    first, second = labels_of([[20, 5], [10, 15]])
    assert cohen_kappa(first, second).value == pytest.approx(0.4, abs=1e-12)
    assert percent_agreement([first, second]).value == pytest.approx(0.7, abs=1e-12)


def test_kappa_of_raters_who_always_say_the_same_is_undefined_not_perfect():
    found = cohen_kappa([1, 1, 1], [1, 1, 1])
    assert found.value is None
    assert found.reason == "both said '1' of every clip"
    assert cohen_kappa([1, 1, 1], [0, 0, 0]).value == 0.0
    with pytest.raises(UsageError, match="got 1 and 2"):
        cohen_kappa([1], [1, 2])


def test_mean_kappa_goes_over_pairs_of_raters_and_skips_what_one_left_out():
    first, second = labels_of([[20, 5], [10, 15]])
    alone = [None] * 50
    assert mean_kappa([first, second, alone]).value == pytest.approx(0.4, abs=1e-12)
    assert mean_kappa([first, second, first]).value == pytest.approx((0.4 + 1.0 + 0.4) / 3)
    assert mean_kappa([first]).reason == "needs two raters"
    assert mean_kappa([first, alone]).reason == "no clip was rated by both"


def test_agreement_within_one_mark():
    marks = [[1, 2, 5, None], [2, 2, 3, 4]]
    assert percent_agreement(marks).value == pytest.approx(1 / 3)
    assert percent_agreement(marks, within=1).value == pytest.approx(2 / 3)
    assert percent_agreement([[1], [None]]).reason == "no clip was rated by two"


def test_crossed_marks_whose_means_are_alike_have_no_icc():
    found = icc([[1, 2], [2, 1]])
    assert found.single.value is None
    assert found.average.reason == "clips and raters do not differ"


def test_few_coarse_marks_give_finite_numbers_or_a_reason():
    rng = np.random.default_rng(0)
    for _ in range(3000):
        marks = rng.integers(1, rng.integers(2, 6), size=rng.integers(1, 6, size=2)).astype(float)
        marks[rng.random(marks.shape) < 0.1] = np.nan
        found = icc(marks)
        for one in (found.single, found.average, krippendorff_alpha(marks)):
            assert one.value is not None or one.reason
            assert np.isfinite([one.value or 0.0, *(one.interval or ())]).all()
