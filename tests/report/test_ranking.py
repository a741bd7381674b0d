"""Places in tables of several methods."""

from __future__ import annotations

import csv
import io
import json

import pytest

from mebench.record import DatasetStamp, MethodRow, MetricResult, ProtocolStamp, Record
from mebench.report.formats import render
from mebench.report.rows import build_table

PAIRS = tuple(f"t{n}/d{n}" for n in range(12))
WOBBLE = (0.03, -0.03, 0.02, -0.02, 0.01, -0.01) * 2


def row(name: str, mean: float, wobble: float = 0.0, **how) -> MethodRow:
    values = [mean + wobble * step for step in WOBBLE]
    key = how.pop("key", "au_consistency")
    result = MetricResult(
        title=key, higher_is_better=True, headline=True, value=sum(values) / 12, n=12
    ).model_copy(update=how)
    return MethodRow(
        id=name,
        title=name,
        pixel_digest=name,
        metrics={key: result},
        per_clip={pair: {key: value} for pair, value in zip(PAIRS, values, strict=True)},
    )


def record(own: MethodRow, controls: tuple[MethodRow, ...] = (), status: str = "verified"):
    return Record(
        result=own,
        controls=list(controls),
        protocol=ProtocolStamp(id="p", digest="p"),
        dataset=DatasetStamp(
            id="d", index_digest="i", clips=12, subjects=12, driving_subjects=12, pairs=12
        ),
        groups={pair: f"subject{n}" for n, pair in enumerate(PAIRS)},
        status=status,
    )


def ranks(*records: Record, **options) -> dict[str, int | None]:
    return {one.id: one.rank for one in build_table(records, **options).rows}


GOOD = record(row("good", 0.80), (row("oracle", 0.95),))
SAME = record(row("same", 0.799, wobble=1.0))
WORSE = record(row("worse", 0.60))


def test_methods_that_a_paired_interval_does_not_tell_apart_share_a_place():
    assert ranks(WORSE, SAME, GOOD) == {"good": 1, "same": 1, "worse": 3, "oracle": None}


def test_a_steady_small_difference_is_told_apart_though_the_intervals_overlap():
    close = record(row("close", 0.79, wobble=1.0))
    assert ranks(record(row("good", 0.80, wobble=1.0)), close) == {"good": 1, "close": 2}


def test_lower_is_better_where_the_metric_says_so():
    down = [record(row(n, v, higher_is_better=False)) for n, v in (("a", 0.5), ("b", 0.1))]
    assert ranks(*down) == {"a": 2, "b": 1}


def test_partial_results_have_no_place_and_push_nobody_down():
    partial = record(row("partial", 0.99), status="partial")
    assert ranks(partial, GOOD, WORSE) == {"partial": None, "good": 1, "worse": 2, "oracle": None}


@pytest.mark.parametrize(
    "how",
    [
        {"key": "lpips~seeded"},
        {"higher_is_better": None},
        {"level": "set"},
        {"headline": False},
    ],
)
def test_what_must_not_rank_gives_no_places(how):
    records = [record(row("a", 0.8, **how)), record(row("b", 0.2, **how))]
    built = build_table(records, metrics=[how.get("key", "au_consistency")])
    assert [one.rank for one in built.rows] == [None, None]
    assert "rank" not in render(built, "text").splitlines()[2]


def test_one_method_alone_gets_no_rank_column():
    built = build_table([GOOD])
    assert built.ranked_by == ""
    assert "rank" not in render(built, "markdown")


def test_every_format_shows_the_places():
    built = build_table([GOOD, SAME, WORSE])
    text = render(built, "text").splitlines()
    assert text[2].split()[:2] == ["method", "rank"]
    assert [line.split()[:2] for line in text[4:7]] == [
        ["good", "1"],
        ["same", "1"],
        ["worse", "3"],
    ]
    assert max(len(line) for line in text[2:8]) < 80
    assert any("share a place" in note for note in built.notes)
    rows = {one["method"]: one["rank"] for one in csv.DictReader(io.StringIO(render(built, "csv")))}
    assert rows == {"good": "1", "same": "1", "worse": "3", "oracle": ""}
    data = json.loads(render(built, "json"))
    assert data["ranked_by"] == "au_consistency"
    assert [one["rank"] for one in data["rows"]] == [1, 1, 3, None]
    body = [line for line in render(built, "latex").splitlines() if " & " in line]
    assert body[0].split(" & ")[1] == "Rank"
    assert [line.split(" & ")[1].strip() for line in body[1:]] == ["1", "1", "3", ""]
    assert "{lrr}" in render(built, "latex")
