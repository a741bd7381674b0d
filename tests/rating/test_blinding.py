"""Orders that no method gains by, whatever the numbers of methods, clips and raters."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mebench.errors import UsageError
from mebench.rating.blinding import RatedPair, order, plan_panel, spacing, williams

SIZES = {
    "methods": st.integers(1, 9),
    "pairs": st.integers(1, 24),
    "raters": st.integers(1, 7),
    "seed": st.integers(0, 2**48),
}


def spread(counts: Counter, keys: range) -> int:
    found = [counts[key] for key in keys]
    return max(found) - min(found)


def panel(methods: int, pairs: int, raters: int, seed: int, **options: float):
    rated = [RatedPair(f"t/{n}", "d", f"d.{n % 5}", ("12",), "truth") for n in range(pairs)]
    names = [f"m{n}" for n in range(methods)]
    return plan_panel(names, rated, [f"R{n}" for n in range(raters)], seed=seed, **options)


@given(st.integers(1, 12))
def test_in_a_williams_design_every_method_stands_and_follows_equally_often(methods):
    rows = williams(methods)
    for place in range(methods):
        assert set(Counter(row[place] for row in rows).values()) == {len(rows) // methods}
    followers = Counter((a, b) for row in rows for a, b in pairwise(row))
    assert len(followers) == methods * (methods - 1)
    assert len(set(followers.values())) <= 1


@settings(deadline=None)
@given(**SIZES)
def test_rounds_are_latin_for_each_rater_and_over_raters(methods, pairs, raters, seed):
    seen: dict[tuple[int, int], Counter] = {}
    for rater in range(raters):
        shown = order(methods, pairs, rater, seed=seed)
        assert sorted(shown) == [(p, m) for p in range(pairs) for m in range(methods)]
        for turn in range(methods):
            held = shown[turn * pairs : (turn + 1) * pairs]
            assert sorted(pair for pair, _ in held) == list(range(pairs))
            assert spread(Counter(method for _, method in held), range(methods)) <= 1
            for pair, method in held:
                seen.setdefault((pair, turn), Counter())[method] += 1
        for pair in range(pairs):
            at = [place for place, (other, _) in enumerate(shown) if other == pair]
            assert all(b - a > pairs // 2 for a, b in pairwise(at))
    for counts in seen.values():
        assert spread(counts, range(methods)) <= (1 if methods % 2 == 0 else 2)


@settings(deadline=None)
@given(**SIZES, repeats=st.floats(0, 0.5), reals=st.floats(0, 0.5))
def test_repeats_keep_their_distance_and_everything_is_rated_once(
    methods, pairs, raters, seed, repeats, reals
):
    plan = panel(methods, pairs, raters, seed, repeats=repeats, reals=reals)
    far = spacing(methods * pairs)
    for items in plan.values():
        place = {item.id: number for number, item in enumerate(items)}
        assert list(place) == sorted(place)
        assert len(place) == len(items)
        entries = [(item.method, item.pair) for item in items if item.kind == "entry"]
        assert len(set(entries)) == len(entries) == methods * pairs
        again = [item for item in items if item.kind == "repeat"]
        if repeats * methods * pairs >= 2 and methods * pairs >= 6:
            assert len(again) == round(repeats * methods * pairs)
        for item in again:
            first = items[place[item.repeat_of]]
            assert first.kind == "entry"
            assert (first.method, first.pair) == (item.method, item.pair)
            assert place[item.id] - place[first.id] >= far
        planted = [item for item in items if item.kind == "real"]
        assert all(item.method is None and item.real == "truth" for item in planted)
        assert len({item.pair for item in planted}) == len(planted)


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 6), st.integers(8, 20), st.integers(0, 2**48))
def test_the_same_pair_never_stands_beside_itself(methods, pairs, seed):
    for items in panel(methods, pairs, 3, seed).values():
        assert all(a.pair != b.pair for a, b in pairwise(items))


def test_a_seed_makes_a_plan_and_raters_differ():
    first, again, other = panel(3, 6, 2, 7), panel(3, 6, 2, 7), panel(3, 6, 2, 8)
    assert first == again
    assert first != other
    one, two = ([(i.method, i.pair, i.kind) for i in items] for items in first.values())
    assert one != two
    assert {i.repeat_of for i in first["R0"]} != {i.repeat_of for i in first["R1"]}


def test_every_method_is_repeated_about_as_often():
    for items in panel(4, 20, 3, 0).values():
        counts = Counter(item.method for item in items if item.kind == "repeat")
        assert sorted(counts.values()) == [2, 2, 2, 2]


def test_no_real_clip_is_planted_again_before_all_others_were():
    rated = [RatedPair(f"t/{n}", "d", "s", (), f"clip{n % 8}") for n in range(24)]
    for items in plan_panel("abcd", rated, ["R1", "R2", "R3"], seed=5).values():
        planted = [item.real for item in items if item.kind == "real"]
        assert sorted(Counter(planted).values()) == [1] * 6 + [2] * 2


def test_few_clips_are_not_repeated():
    assert all(item.kind != "repeat" for item in panel(1, 5, 1, 0, repeats=0.5)["R0"])


@pytest.mark.parametrize(
    ("methods", "pairs", "raters", "says"),
    [([], ["a"], ["R1"], "no method"), (["m"], [], ["R1"], "no pair"),
     (["m"], ["a"], [], "no rater"), (["m", "m"], ["a"], ["R1"], "'m' stands twice"),
     (["m"], ["a"], ["R", "R"], "'R' stands")],
)  # fmt: skip
def test_what_cannot_be_planned_is_told(methods, pairs, raters, says):
    with pytest.raises(UsageError, match=says):
        plan_panel(methods, [RatedPair(key, "d", "s") for key in pairs], raters)
