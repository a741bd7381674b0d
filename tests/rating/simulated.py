"""A panel whose truth is known: quality of methods and clips, bias and noise of raters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mebench.rating.form import Form, load_form
from mebench.rating.model import Item, Key, RatedMethod, Rating, Ratings
from mebench.record import ProtocolStamp

BUNDLE = "0123456789abcdef"
AUS = ("4", "12")


@dataclass(frozen=True)
class Truth:
    """What a simulated panel is made from.

    Attributes:
        quality: of each method, on the 1 to 5 scale.
        bias: of each rater, added to what is seen.
        noise: standard deviation of each rater.
        careless: raters who deal marks out at random.
        missing: share of clips a rater leaves out.
    """

    quality: Mapping[str, float]
    bias: Mapping[str, float]
    noise: Mapping[str, float] = field(default_factory=dict)
    careless: Sequence[str] = ()
    datasets: Sequence[str] = ("casme2", "samm")
    subjects: int = 5
    clips: int = 2
    clip_spread: float = 0.5
    real: float = 4.3
    repeats: int = 6
    reals: int = 6
    missing: float = 0.0
    form: str = "short"
    titles: Mapping[str, str] = field(default_factory=dict)


def simulate(truth: Truth, seed: int) -> tuple[Key, Ratings]:
    rng = np.random.default_rng(seed)
    form = load_form(truth.form)
    places = [
        (f"t/{data}.{subject}.clip{clip}", data, f"{data}.{subject}")
        for data in truth.datasets
        for subject in range(truth.subjects)
        for clip in range(truth.clips)
    ]
    effect = {pair: rng.normal(0, truth.clip_spread) for pair, _, _ in places}
    own = {(m, p): rng.normal(0, 0.3) for m in truth.quality for p, _, _ in places}
    raters: dict[str, tuple[Item, ...]] = {}
    ratings: list[Rating] = []
    for rater in truth.bias:
        items = _items(truth, places, rng)
        raters[rater] = tuple(items)
        for item in items:
            if rng.random() < truth.missing:
                continue
            seen = (
                truth.real + effect[item.pair]
                if item.method is None
                else truth.quality[item.method] + effect[item.pair] + own[item.method, item.pair]
            )
            ratings.append(_rating(truth, form, rater, item, seen, rng))
    key = Key(
        bundle=BUNDLE,
        protocol=ProtocolStamp(id="synthme", digest="p"),
        index_digest="i",
        form=form,
        seed=seed,
        methods={
            name: RatedMethod(title=truth.titles.get(name, name), pixel_digest=f"digest-of-{name}")
            for name in truth.quality
        },
        raters=raters,
    )
    return key, Ratings(bundle=BUNDLE, ratings=tuple(ratings))


def _items(truth: Truth, places, rng) -> list[Item]:
    shown = [(m, *place) for m in truth.quality for place in places]
    planted = [(None, *places[n]) for n in rng.permutation(len(places))[: truth.reals]]
    order = [shown[n] for n in rng.permutation(len(shown))] + planted
    order = [order[n] for n in rng.permutation(len(order))]
    items = [
        Item(
            id=f"c{number:03d}",
            kind="real" if method is None else "entry",
            method=method,
            pair=pair,
            dataset=data,
            subject=subject,
            aus=AUS,
        )
        for number, (method, pair, data, subject) in enumerate(order, start=1)
    ]
    entries = [item for item in items if item.kind == "entry"]
    for number in range(truth.repeats):
        first = entries[number]
        again = {"id": f"c{len(items) + 1:03d}", "kind": "repeat", "repeat_of": first.id}
        items.append(first.model_copy(update=again))
    return items


def _rating(truth: Truth, form: Form, rater: str, item: Item, seen: float, rng) -> Rating:
    noise = truth.noise.get(rater, 0.5)
    values = {}
    for scale in form.scales:
        if rater in truth.careless:
            mark = int(rng.integers(scale.low, scale.high + 1))
        else:
            felt = seen + truth.bias[rater] + rng.normal(0, noise)
            mark = int(np.clip(np.round(felt), scale.low, scale.high))
        values[scale.id] = mark
    aus = {}
    if truth.form == "facs":
        aus = {unit: {"present": int(rng.random() < 0.2 + 0.15 * seen)} for unit in item.aus}
    return Rating(rater=rater, item=item.id, values=values, aus=aus, seconds=20 + rng.random())


def by_hand(
    marks: Mapping[str, Mapping[str, Sequence[int | None]]],
    *,
    datasets: Sequence[str] = ("samm",),
    again: Mapping[str, Sequence[tuple[str, int, int]]] | None = None,
    reals: Mapping[str, Sequence[int]] | None = None,
    seconds: Mapping[str, float] | None = None,
) -> tuple[Key, Ratings]:
    """Return a panel from marks by rater and method, one a pair; every pair its own subject.

    Args:
        marks: None where a rater gave none.
        datasets: of the pairs in turn.
        again: by rater: method, pair and mark of each hidden repeat.
        reals: by rater: marks of the planted real clips of the first pairs.
        seconds: time a clip by rater.
    """
    raters: dict[str, tuple[Item, ...]] = {}
    ratings: list[Rating] = []
    for rater, methods in marks.items():
        items: list[Item] = []
        given: list[int | None] = []

        def add(pair: int, mark: int | None, items=items, given=given, **more) -> None:
            data = datasets[pair % len(datasets)]
            place = {"pair": f"t/{pair:02d}", "dataset": data, "subject": f"{data}.{pair}"}
            items.append(Item(id=f"c{len(items) + 1:03d}", **place, **more))
            given.append(mark)

        for method, row in methods.items():
            for pair, mark in enumerate(row):
                add(pair, mark, method=method)
        for method, pair, mark in (again or {}).get(rater, ()):
            first = next(i for i in items if i.method == method and i.pair == f"t/{pair:02d}")
            add(pair, mark, method=method, kind="repeat", repeat_of=first.id)
        for pair, mark in enumerate((reals or {}).get(rater, ())):
            add(pair, mark, kind="real")
        raters[rater] = tuple(items)
        ratings += [
            Rating(
                rater=rater,
                item=item.id,
                values={"overall": mark},
                seconds=(seconds or {}).get(rater),
            )
            for item, mark in zip(items, given, strict=True)
            if mark is not None
        ]
    names = dict.fromkeys(method for methods in marks.values() for method in methods)
    key = Key(
        bundle=BUNDLE,
        protocol=ProtocolStamp(id="synthme", digest="p"),
        index_digest="i",
        form=load_form("short"),
        seed=0,
        methods={n: RatedMethod(title=n, pixel_digest=f"digest-of-{n}") for n in names},
        raters=raters,
    )
    return key, Ratings(bundle=BUNDLE, ratings=tuple(ratings))
