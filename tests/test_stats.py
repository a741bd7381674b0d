from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats as scipy_stats

from mebench.errors import UsageError
from mebench.stats import bootstrap_interval, paired_difference, ranks_with_ties


def bootstrap_slow(values, groups, resamples, seed, level, statistic):
    """Group by group, sample by sample, with the same draws."""
    names = list(dict.fromkeys(groups))
    draws = np.random.default_rng(seed).integers(0, len(names), size=(resamples, len(names)))
    found = []
    for draw in draws:
        sample = []
        for number in draw:
            sample += [v for v, g in zip(values, groups, strict=True) if g == names[number]]
        found.append(statistic(sample))
    return np.quantile(found, [(1 - level) / 2, (1 + level) / 2])


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_interval_agrees_with_the_slow_form(statistic):
    rng = np.random.default_rng(1)
    groups = [f"s{i}" for i in rng.integers(0, 6, 23)]
    values = rng.normal(size=23).tolist()
    found = bootstrap_interval(values, groups, resamples=300, seed=4, statistic=statistic)
    slow = bootstrap_slow(values, groups, 300, 4, 0.95, getattr(np, statistic))
    assert found == pytest.approx(tuple(slow), abs=1e-12)
    assert found[0] < getattr(np, statistic)(values) < found[1]


def test_interval_of_singles_agrees_with_scipy():
    values = np.random.default_rng(2).gamma(2.0, size=60)
    ours = bootstrap_interval(values.tolist(), resamples=6000)
    theirs = scipy_stats.bootstrap(
        (values,), np.mean, n_resamples=6000, method="percentile", random_state=0
    ).confidence_interval
    assert ours == pytest.approx(tuple(theirs), abs=0.03)


def test_clips_of_one_subject_do_not_count_as_independent():
    level = np.random.default_rng(3).normal(size=8)
    values = np.repeat(level, 10).tolist()
    subjects = np.repeat(np.arange(8), 10).tolist()
    grouped = bootstrap_interval(values, subjects)
    single = bootstrap_interval(values)
    assert grouped[1] - grouped[0] > 2 * (single[1] - single[0])


def test_interval_is_repeatable_and_follows_the_seed():
    values = np.random.default_rng(0).normal(size=12).tolist()
    first = bootstrap_interval(values, seed=1)
    assert first == bootstrap_interval(values, seed=1)
    assert first != bootstrap_interval(values, seed=2)
    wider = bootstrap_interval(values, seed=1, level=0.99)
    assert wider[0] < first[0] < first[1] < wider[1]


def test_one_subject_has_no_interval():
    assert bootstrap_interval([1.0, 2.0, 3.0], ["a", "a", "a"]) is None
    assert bootstrap_interval([1.0]) is None


@pytest.mark.parametrize(
    ("values", "groups", "message"),
    [
        ([], None, "non-empty"),
        ([1.0, float("nan")], None, "value 1 is nan"),
        ([1.0, 2.0], ["a"], "got 1 for 2"),
    ],
)
def test_unusable_values_are_refused(values, groups, message):
    with pytest.raises(UsageError, match=message):
        bootstrap_interval(values, groups)


def test_an_unknown_statistic_gets_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'median'"):
        bootstrap_interval([1.0, 2.0], statistic="medain")


def test_paired_p_agrees_with_every_sign_pattern_and_with_scipy():
    rng = np.random.default_rng(5)
    a, b = rng.normal(0.6, 1, 9), rng.normal(0, 1, 9)
    difference = a - b
    totals = [abs(np.dot(s, difference)) for s in itertools.product([1, -1], repeat=9)]
    slow = np.mean([t >= abs(difference.sum()) - 1e-12 for t in totals])
    found = paired_difference(a.tolist(), b.tolist())
    assert found.p_value == pytest.approx(slow)
    assert found.p_wilcoxon == pytest.approx(scipy_stats.wilcoxon(difference).pvalue)
    assert found.mean == pytest.approx(difference.mean())
    assert found.effect == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert found.wins + found.losses == found.n == 9


def test_sampled_signs_come_near_every_sign_pattern():
    difference = np.random.default_rng(6).normal(0.4, 1, 12).tolist()
    zeros = [0.0] * 12
    exact = paired_difference(difference, zeros, resamples=5000).p_value
    sampled = paired_difference(difference, zeros, resamples=4000).p_value
    assert sampled == pytest.approx(exact, abs=0.03)


def test_many_clips_of_few_subjects_are_no_evidence():
    rng = np.random.default_rng(7)
    difference = np.repeat([0.5, 0.4, 0.6], 30) + rng.normal(0, 0.01, 90)
    zeros = np.zeros(90).tolist()
    subjects = np.repeat(["a", "b", "c"], 30).tolist()
    assert paired_difference(difference.tolist(), zeros).p_value < 0.001
    grouped = paired_difference(difference.tolist(), zeros, subjects)
    assert grouped.p_value == pytest.approx(0.25)
    assert grouped.groups == 3


def test_swapping_the_methods_mirrors_the_result():
    rng = np.random.default_rng(8)
    a, b = rng.normal(1, 1, 20).tolist(), rng.normal(0, 1, 20).tolist()
    forth, back = paired_difference(a, b), paired_difference(b, a)
    assert forth.mean == pytest.approx(-back.mean)
    assert forth.p_value == pytest.approx(back.p_value)
    assert (forth.wins, forth.losses) == (back.losses, back.wins)


def test_equal_methods_differ_by_nothing():
    found = paired_difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert found.mean == 0.0
    assert found.p_value == 1.0
    assert found.p_wilcoxon is None
    assert found.effect is None
    assert found.interval == (0.0, 0.0)


def test_unequal_numbers_of_pairs_are_refused():
    with pytest.raises(UsageError, match="differ in number: 2 and 1"):
        paired_difference([1.0, 2.0], [1.0])


def test_ranks_share_ties_and_skip_after_them():
    assert ranks_with_ties([0.8, None, 0.9, 0.8, 0.1], higher_is_better=True) == [2, None, 1, 2, 4]
    assert ranks_with_ties([3.0, 1.0, 2.0], higher_is_better=False) == [3, 1, 2]
    assert ranks_with_ties([float("nan"), 5.0], higher_is_better=True) == [None, 1]


def test_near_values_tie_within_the_tolerance_of_the_best_of_them():
    values = [1.00, 0.99, 0.985, 0.50]
    assert ranks_with_ties(values, higher_is_better=True, tolerance=0.012) == [1, 1, 3, 4]


@pytest.mark.parametrize("seed", range(3))
def test_bca_is_that_of_scipy_where_every_value_is_its_own_group(seed):
    from scipy.stats import bootstrap

    values = np.random.default_rng(seed).exponential(1.0, 25)
    ours = bootstrap_interval(values, resamples=20000, method="bca")
    theirs = bootstrap(
        (values,), np.mean, n_resamples=20000, method="BCa", random_state=seed
    ).confidence_interval
    spread = theirs.high - theirs.low
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.04 * spread)
    plain = bootstrap_interval(values, resamples=20000)
    assert ours[0] > plain[0]
    assert ours[1] > plain[1]


def test_bca_of_groups_equals_its_definition():
    from scipy.stats import norm

    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(9), rng.integers(1, 5, 9))
    values = rng.exponential(1.0, 9)[groups] + rng.normal(0, 0.1, len(groups))
    draw = np.random.default_rng(7)
    means = []
    for _ in range(4000):
        chosen = draw.integers(0, 9, 9)
        means.append(np.concatenate([values[groups == g] for g in chosen]).mean())
    means = np.array(means)
    bias = norm.ppf((np.mean(means < values.mean()) + np.mean(means <= values.mean())) / 2)
    without = np.array([values[groups != g].mean() for g in range(9)])
    gaps = without.mean() - without
    skew = (gaps**3).sum() / (6 * (gaps**2).sum() ** 1.5)
    ends = []
    for share in (0.025, 0.975):
        z = bias + norm.ppf(share)
        ends.append(np.quantile(means, norm.cdf(bias + z / (1 - skew * z))))
    ours = bootstrap_interval(values, groups.tolist(), resamples=40000, method="bca")
    assert ours == pytest.approx(ends, abs=0.06 * (ends[1] - ends[0]))


def test_bca_of_equal_values_is_a_point():
    assert bootstrap_interval([0.5] * 6, method="bca") == (0.5, 0.5)
    with pytest.raises(UsageError, match="Did you mean 'bca'"):
        bootstrap_interval([1.0, 2.0], method="bcaa")
