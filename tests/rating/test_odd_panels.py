"""Panels that nobody plans but that happen: one rater, one clip, no units, odd forms, no marks."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest

from mebench.errors import UsageError
from mebench.rating.blinding import RatedPair, plan_panel
from mebench.rating.form import Form, load_form
from mebench.rating.model import Item, Key, RatedMethod, Rating, Ratings
from mebench.rating.report import build_report, render
from mebench.record import ProtocolStamp

HOSTILE = "<script>alert(1)</script> \\input{x} =1+1 | 微表情\u202e"
ODD = {
    "id": "odd",
    "title": {"en": HOSTILE},
    "score": "q",
    "fields": [
        {"id": "q", "kind": "scale", "low": -4, "high": 5, "title": {"en": HOSTILE}},
        {"id": "each", "kind": "scale", "per_au": True, "title": {"en": "Each"}},
        {"id": "y", "kind": "yesno", "title": {"en": "Y"}},
        {"id": "c", "kind": "choice", "choices": ["a", "=x"], "title": {"en": "C"}},
        {
            "id": "k",
            "kind": "checks",
            "choices": [{"id": "a", "en": HOSTILE}],
            "title": {"en": "K"},
        },
        {"id": "w", "kind": "text", "title": {"en": "W"}},
    ],
}
SIZES = [
    (methods, pairs, raters, aus)
    for methods, pairs, raters in product((1, 3), (1, 4), (1, 2, 3))
    for aus in ((), ("12", "L4"))
]


def answer(field, rng: np.random.Generator, same: bool) -> object:
    if field.kind == "scale":
        return field.low if same else int(rng.integers(field.low, field.high + 1))
    if field.kind == "choice":
        return field.choices[int(rng.integers(len(field.choices)))]
    other = {"yesno": 1, "text": HOSTILE, "aus": ["4"]}
    return other[field.kind] if field.kind in other else [field.choices[0].id]


def rated(form: Form, item: Item, rater: str, how: str, rng: np.random.Generator) -> Rating:
    asked = [f for f in form.fields if how != "some" or f.id == form.score or rng.random() < 0.6]
    values = {f.id: answer(f, rng, how == "same") for f in asked if not f.per_au}
    each = {f.id: answer(f, rng, how == "same") for f in asked if f.per_au}
    return Rating(rater=rater, item=item.id, values=values, aus=dict.fromkeys(item.aus, each))


@pytest.mark.parametrize("how", ["random", "same", "some"])
@pytest.mark.parametrize("form", ["facs", "short", ODD], ids=["facs", "short", "odd"])
def test_every_panel_has_its_report_in_every_format(form, how):
    form, rng = load_form(form), np.random.default_rng(0)
    for methods, pairs, raters, aus in SIZES:
        named = {f"m{n}": RatedMethod(title=HOSTILE, pixel_digest=str(n)) for n in range(methods)}
        shown = [RatedPair(f"t/{n}", f"d{n % 2}", f"s{n}", aus, "truth") for n in range(pairs)]
        plan = plan_panel(list(named), shown, [f"R{n}" for n in range(raters)], reals=0.3)
        key = Key(
            bundle="0" * 16, protocol=ProtocolStamp(id="p", digest="x"), index_digest="i",
            form=form, seed=0, methods=named, raters=plan,
        )  # fmt: skip
        given = [rated(form, i, rater, how, rng) for rater, items in plan.items() for i in items]
        built = build_report(key, Ratings(bundle=key.bundle, ratings=tuple(given)), resamples=100)
        texts = {f: render(built, f) for f in ("text", "markdown", "latex", "csv", "json")}
        assert len(json.loads(texts["json"])["raters"]) == raters
        assert "\\input{x}" not in texts["latex"]
        assert not [f for f, text in texts.items() if f != "json" and "\u202e" in text]


def test_a_panel_without_a_mark_is_told():
    plan = plan_panel(["m"], [RatedPair("t/1", "d", "s")], ["R1"])
    key = Key(
        bundle="0" * 16, protocol=ProtocolStamp(id="p", digest="x"), index_digest="i", seed=0,
        form=load_form("short"), raters=plan,
        methods={"m": RatedMethod(title="M", pixel_digest="1")},
    )  # fmt: skip
    with pytest.raises(UsageError, match="nobody has rated anything"):
        build_report(key, Ratings(bundle=key.bundle, ratings=()), resamples=100)
