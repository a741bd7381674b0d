"""``mebench compare``, Holm's correction and ranks that share places."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from mebench.cli.main import _run
from mebench.errors import UsageError
from mebench.record import DatasetStamp, MethodRow, MetricResult, ProtocolStamp, Record
from mebench.stats import holm, ranks_by_interval


def record(name: str, shift: float, seed: int, protocol: str = "p", pairs: int = 16) -> Record:
    rng = np.random.default_rng(seed)
    base = np.random.default_rng(0).normal(0.5, 0.2, pairs)
    keys = [f"t/s.{i // 2}.{i}" for i in range(pairs)]

    def row(title: str, values: np.ndarray) -> MethodRow:
        return MethodRow(
            id=title,
            title=title,
            pixel_digest=title,
            metrics={
                "au_consistency": MetricResult(
                    title="AU", higher_is_better=True, headline=True, value=float(values.mean())
                )
            },
            per_clip={
                key: {"au_consistency": float(v)} for key, v in zip(keys, values, strict=True)
            },
        )

    noise = rng.normal(0, 0.02, pairs)
    return Record(
        result=row(name, base + shift + noise),
        controls=[row("copy-template", np.zeros(pairs))],
        protocol=ProtocolStamp(id="synthme", digest=protocol),
        dataset=DatasetStamp(
            id="s", index_digest="i", clips=1, subjects=6, driving_subjects=6, pairs=pairs
        ),
        groups={key: f"s.{i // 2}" for i, key in enumerate(keys)},
    )


@pytest.fixture
def files(tmp_path):
    for name, shift, seed in (("good", 0.2, 1), ("same", 0.2, 2), ("bad", 0.0, 3)):
        record(name, shift, seed).save(tmp_path / f"{name}.json")
    return tmp_path


def test_what_differs_and_what_does_not(files, capsys):
    sides = [str(files / f"{name}.json") for name in ("good", "same", "bad")]
    assert _run(["compare", *sides, "--json"], debug=False) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["first"], one["second"]) for one in found] == [
        (sides[0], sides[1]), (sides[0], sides[2]), (sides[1], sides[2])
    ]  # fmt: skip
    same, *others = (one["comparison"] for one in found)
    assert same["better"] is None
    assert abs(same["difference"]["mean"]) < 0.03
    for one in others:
        assert one["better"] is True
        assert one["difference"]["mean"] == pytest.approx(0.2, abs=0.03)
        assert one["difference"]["groups"] == 8
    for one in found:
        assert one["p_holm"] >= one["comparison"]["difference"]["p_value"]


def test_a_control_of_the_record_is_a_side_too(files, capsys):
    path = files / "good.json"
    assert _run(["compare", str(path), f"{path}:copy-template"], debug=False) == 0
    out = capsys.readouterr().out
    assert "better" in out
    assert "16 (8 subjects)" in out
    assert "p (Holm)" in out


def test_what_cannot_be_compared_is_one_line(files, capsys):
    record("other", 0.0, 4, protocol="q").save(files / "other.json")
    record("fewer", 0.0, 4, pairs=10).save(files / "fewer.json")
    good = str(files / "good.json")
    for arguments, words in (
        ([good], "two results or more"),
        ([good, str(files / "other.json")], "has other protocol than"),
        ([good, str(files / "fewer.json")], "has other pairs than"),
        ([good, f"{good}:copy-tempate"], "Did you mean 'copy-template'"),
        ([good, str(files / "bad.json"), "--metric", "au_consistancy"], "Did you mean"),
        ([good, str(files / "absent.json")], "absent.json"),
    ):
        assert _run(["compare", *arguments], debug=False) != 0
        err = capsys.readouterr().err.strip().splitlines()
        assert words in err[-1], (arguments, err)
        assert len(err) == 1


def slow_holm(p_values):
    """Reject one after the other, each against all that are left."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    for place, index in enumerate(order):
        steps = [(len(order) - k) * p_values[order[k]] for k in range(place + 1)]
        adjusted[index] = min(1.0, max(steps))
    return adjusted


@pytest.mark.parametrize("seed", range(4))
def test_holm_equals_its_definition(seed):
    p_values = np.random.default_rng(seed).uniform(0, 0.2, 7).tolist()
    assert holm(p_values) == pytest.approx(slow_holm(p_values), abs=1e-15)
    ordered = [p for _, p in sorted(zip(p_values, holm(p_values), strict=True))]
    assert all(a <= b for a, b in pairwise(ordered))


def test_places_are_shared_where_the_paired_interval_holds_zero():
    rng = np.random.default_rng(5)
    base = rng.normal(0, 1, 30)
    groups = [i // 3 for i in range(30)]

    def column(shift):
        return (base + shift + rng.normal(0, 0.05, 30)).tolist()

    columns = [column(0.0), column(1.0), column(1.0), [None] * 30, column(0.5)]
    assert ranks_by_interval(columns, groups, higher_is_better=True) == [4, 1, 1, None, 3]
    ranks = ranks_by_interval(columns, groups, higher_is_better=False)
    assert ranks == [1, 3, 3, None, 2]
    with pytest.raises(UsageError, match="unequal length"):
        ranks_by_interval([[1.0], [1.0, 2.0]], higher_is_better=True)
