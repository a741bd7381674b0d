"""The report: scores that can be checked by hand, the true ranking, every format, the records."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import kendalltau

from mebench.cli.rate_report import report as command
from mebench.errors import UsageError
from mebench.rating.bridge import compare, tau_b
from mebench.rating.rated import with_scores
from mebench.rating.report import build_report, render
from mebench.rating.scores import score_methods
from mebench.rating.unblind import unblind
from mebench.record import Record
from mebench.report.formats import FORMATS
from tests.rating.records import records_of
from tests.rating.simulated import Truth, by_hand, simulate
from tests.report.paper_records import HOSTILE

QUALITY = {"a": 4.0, "b": 3.5, "c": 3.0, "d": 2.5, "e": 2.0}
BIAS = {"R1": 0.4, "R2": -0.5, "R3": 0.0, "R4": 0.2}


def scored(*panel, **more):
    return {one.id: one for one in score_methods(unblind(*panel), **more).methods}


@pytest.fixture(scope="module")
def panel():
    truth = Truth(
        dict(zip(("fomm", "warp", "copy", "lab/odd"), (3.8, 3.4, 2.9, 2.4), strict=True)),
        BIAS,
        careless=("R4",),
        form="facs",
        missing=0.03,
        titles={"lab/odd": HOSTILE[1], "copy": HOSTILE[2], "warp": HOSTILE[0]},
    )
    key, ratings = simulate(truth, 1)
    ratings.ratings[3].values["comment"] = "<img src=x onerror=alert(1)> $x_1$ |"
    ratings.ratings[4].values["artefacts"] = ["blur", "flicker"]
    return key, ratings


@pytest.fixture(scope="module")
def records(panel):
    return records_of(*panel)


@pytest.fixture(scope="module")
def built(panel, records):
    return build_report(*panel, records=records, resamples=300)


def test_means_by_hand():
    panel = by_hand(
        {
            "R1": {"m": [5, 4, 3, 2], "n": [1, 2, 1, None]},
            "R2": {"m": [3, 2, 3, 4], "n": [1, 2, 3, 4]},
        },
        datasets=("casme2", "samm"),
        again={"R1": [("m", 0, 1)]},
    )
    found = scored(*panel)
    m, n = found["m"], found["n"]
    assert m.per_clip["overall"] == {"t/00": 4.0, "t/01": 3.0, "t/02": 3.0, "t/03": 3.0}
    assert m.parts["raw", ""].value == pytest.approx(3.25)
    assert m.parts["raw", "casme2"].value == pytest.approx(3.5)
    assert m.parts["raw", "composite"].value == pytest.approx((3.5 + 3.0) / 2)
    assert n.parts["raw", ""].value == pytest.approx((1 + 2 + 2 + 4) / 4)
    assert n.parts["share", ""].value == pytest.approx((9 / 4 - 1) / 4)
    first = [5, 4, 3, 2, 1, 2, 1]
    second = [3, 2, 3, 4, 1, 2, 3, 4]
    z = [
        (
            (x - np.mean(first)) / np.std(first, ddof=1)
            + (y - np.mean(second)) / np.std(second, ddof=1)
        )
        / 2
        for x, y in zip(first[:4], second[:4], strict=True)
    ]
    assert m.parts["z", ""].value == pytest.approx(np.mean(z))


def test_a_repeat_stands_in_only_where_the_first_look_was_not_answered():
    again = {"R1": [("m", 0, 1), ("m", 1, 5)]}
    panel = by_hand({"R1": {"m": [4, None, 3]}}, again=again)
    assert scored(*panel)["m"].per_clip["overall"] == {"t/00": 4.0, "t/01": 5.0, "t/02": 3.0}


def test_severity_does_not_move_z_and_a_constant_rater_has_none():
    panel = by_hand(
        {
            "R1": {"m": [5, 4, 5], "n": [3, 2, 3]},
            "R2": {"m": [3, 2, 3], "n": [1, 1, 1]},
            "R3": {"m": [3, 3, 3], "n": [3, 3, 3]},
        }
    )
    scores = score_methods(unblind(*panel))
    assert scores.constant == ("R3",)
    assert scores.methods[0].parts["z", ""].value > 0 > scores.methods[1].parts["z", ""].value
    assert "no z of R3: gave one mark only." in render(build_report(*panel), "text")


def test_the_true_ranking_is_recovered_though_one_rater_is_careless():
    truth = Truth(QUALITY, BIAS, careless=("R4",))
    taus = []
    for seed in range(20):
        found = scored(*simulate(truth, seed), resamples=10)
        means = [found[name].parts["raw", ""].value for name in QUALITY]
        taus.append(kendalltau(list(QUALITY.values()), means).statistic)
    assert np.mean(taus) >= 0.9
    assert min(taus) >= 0.6


def test_the_true_mean_lies_in_the_interval_over_clips_and_raters():
    # Raters are drawn anew for every panel, so that the interval has to hold for raters in general.
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(1000 + seed)
        bias = {f"R{n}": float(rng.normal(0, 0.4)) for n in range(6)}
        truth = Truth({"a": 3.4, "b": 2.8}, bias, clip_spread=0.3, subjects=6, repeats=0, reals=0)
        found = scored(*simulate(truth, seed), resamples=300)
        for name, quality in truth.quality.items():
            low, high = found[name].parts["raw", ""].interval
            inside.append(low <= quality <= high)
    assert 0.88 <= np.mean(inside) <= 1.0


def test_alike_methods_share_a_place_and_different_ones_do_not():
    marks = {
        rater: {
            "good": [4, 5, 4, 5, 4, 5],
            "same": [5, 4, 5, 4, 5, 4],
            "bad": [1, 2, 1, 2, 1, 2],
        }
        for rater in ("R1", "R2", "R3")
    }
    found = scored(*by_hand(marks))
    assert {name: one.rank for name, one in found.items()} == {"good": 1, "same": 1, "bad": 3}


def test_one_rater_or_one_subject_is_told_and_not_made_up():
    found = build_report(*by_hand({"R1": {"m": [4, 3], "n": [1, 2]}}))
    assert any("one rater" in note for note in found.notes)
    assert found.scores.methods[0].parts["raw", ""].interval is not None
    alone = scored(*by_hand({"R1": {"m": [4]}, "R2": {"m": [2]}}))
    assert alone["m"].parts["raw", ""].interval is None
    assert alone["m"].parts["raw", ""].value == 3.0


def test_who_left_clips_out_or_rated_nothing_is_told():
    key, ratings = by_hand({"R1": {"m": [4, None]}, "R2": {"m": [None, None]}, "R3": {"m": [3, 3]}})
    notes = build_report(key, ratings).notes
    assert "R1: 1 of 2 clips rated" in notes
    assert "R2: rated nothing and is left out" in notes
    less = build_report(key, ratings, without=["R3"])
    assert less.scores.methods[0].parts["raw", ""].value == 4.0
    assert "R3: left out as asked" in less.notes
    with pytest.raises(UsageError, match=r"no rater .R9. in the key\. Known: R1, R2, R3"):
        build_report(key, ratings, without=["R9"])


def changed(ratings, number=0, **values):
    first = ratings.ratings[number].model_copy(update=values)
    rest = [r for n, r in enumerate(ratings.ratings) if n != number]
    return ratings.model_copy(update={"ratings": (first, *rest)})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda r: r.model_copy(update={"bundle": "f" * 16}), "the ratings are of bundle 'ffff"),
        (lambda r: changed(r, item="c999"), "rating of item 'c999' by 'R1': the key has no such"),
        (lambda r: changed(r, rater="R7"), "by 'R7': the key has no such item"),
        (lambda r: changed(r, item="c002"), "item 'c002' of 'R1' is rated twice"),
        (lambda r: changed(r, values={"overall": 6}), "as a whole number from 1 to 5, got 6"),
        (lambda r: changed(r, values={"overall": True}), "got True"),
        (lambda r: changed(r, values={"overall": 2.5}), "got 2.5"),
        (lambda r: r.model_copy(update={"ratings": ()}), "nobody has rated anything"),
    ],
)
def test_ratings_that_do_not_fit_the_key_are_refused(change, why):
    key, ratings = by_hand({"R1": {"m": [4, 3]}})
    with pytest.raises(UsageError, match=why):
        build_report(key, change(ratings))


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_format_holds_the_scores_and_nothing_of_a_stranger_runs(built, form):
    text = render(built, form)
    best = built.scores.methods[0].parts["raw", ""].value
    assert f"{best:.2f}" in text or repr(best) in text
    if form == "html":
        assert "<script" not in text
        assert "<img src=x" not in text
        assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
        assert text.count("data:image/svg+xml;base64,") == 5
    if form == "latex":
        assert r"\input{/etc" not in text
        assert "\n[1ex]" not in text
        labels = re.findall(r"\\label\{(.*?)\}", text)
        assert len(labels) == len(set(labels)) == 6
    if form == "markdown":
        assert "<img" not in text.replace("\\<img", "")
    if form == "csv":
        assert "\n=HYPERLINK" not in text
        assert ",=HYPERLINK" not in text


def test_json_holds_everything_and_csv_one_table(built):
    data = json.loads(render(built, "json"))
    assert data["schema"] == "mebench-rating-report/1"
    wanted = ["scores", "datasets", "raters", "agreement", "artefacts", "bridge"]
    assert list(data["tables"]) == wanted
    assert [one["id"] for one in data["raters"]] == list(BIAS)
    assert data["comments"][0]["text"].startswith("<img src=x")
    rows = list(csv.DictReader(io.StringIO(render(built, "csv"))))
    assert rows[-1]["method"] == "(real)"
    raters = list(csv.DictReader(io.StringIO(render(built, "csv", "raters"))))
    assert [row["rater"] for row in raters] == list(BIAS)
    assert float(raters[0]["bias:low"]) < float(raters[0]["bias"]) < float(raters[0]["bias:high"])
    with pytest.raises(UsageError, match="no table 'rater'; it has scores, datasets, raters"):
        render(built, "csv", "rater")


def test_the_report_says_who_is_flagged_and_how_few_raters_there_are(built):
    text = render(built, "text")
    assert "† R4: agrees no better than marks dealt out at random" in text
    assert built.notes[0].startswith("R4 is flagged: agrees no better")
    assert "4 raters say little about raters in general" in text
    kappa = next(row for row in built.tables["agreement"].rows if row.id == "AU 12, Present")
    assert kappa.cells["kappa"].value is not None


def test_the_same_panel_gives_the_same_bytes(panel, records, built):
    again = build_report(*panel, records=records, resamples=300)
    for form in ("json", "html"):
        assert render(again, form) == render(built, form)


def test_tau_b_is_that_of_scipy_and_a_bootstrap_weight_is_a_repeated_point():
    rng = np.random.default_rng(0)
    for _ in range(10):
        a, b = rng.integers(0, 6, 15).astype(float), rng.normal(size=15)
        assert tau_b(a, b) == pytest.approx(kendalltau(a, b).statistic, abs=1e-12)
    assert tau_b(np.ones(4), np.arange(4.0)) is None


def test_the_bridge_turns_metrics_the_right_way_round(built):
    found = {one.key: one for one in built.bridge}
    assert found["follows"].clips.value > 0.5
    assert found["against"].clips.value == pytest.approx(found["follows"].clips.value)
    assert found["fid"].methods.value == pytest.approx(1.0)
    assert found["fid"].clips.reason == "one value for all clips"
    low, high = found["chance"].clips.interval
    assert low < 0 < high
    assert "told" not in found
    low, high = found["follows"].clips.interval
    assert 0 < low < high <= 1


def test_too_few_methods_are_told_in_the_bridge():
    panel = simulate(Truth({"a": 3.5, "b": 2.5}, BIAS), 0)
    found = compare(unblind(*panel), records_of(*panel), resamples=50)
    assert found[0].methods.value is None
    assert found[0].methods.reason == "2 methods; needs 3"
    assert found[0].clips.value is not None


def test_scores_enter_copies_of_the_records(panel, records, built):
    first = records[0]
    for copy in with_scores(
        with_scores(records, built.panel, built.scores), built.panel, built.scores
    ):
        mine = next(one for one in built.scores.methods if one.id == copy.result.id)
        given = copy.result.metrics["experts.overall"]
        assert given.value == mine.parts["raw", ""].value
        assert given.ci95 == mine.parts["raw", ""].interval
        assert given.headline
        assert given.higher_is_better
        assert given.title == "Experts: overall"
        assert not copy.result.metrics["experts.naturalness"].headline
        per_clip = {p: v["experts.overall"] for p, v in copy.result.per_clip.items()}
        known = [value for value in per_clip.values() if value is not None]
        assert np.mean(known) == pytest.approx(given.value)
        parts = copy.result.by_dataset
        mean = (parts["casme2"]["experts.overall"] + parts["samm"]["experts.overall"]) / 2
        assert parts["composite"]["experts.overall"] == pytest.approx(mean)
        notes = [note for note in copy.notes if note.startswith("experts.*: ")]
        assert len(notes) == 1
        assert "4 raters (R1, R2, R3, R4), form 'facs', bundle 0123456789abcdef" in notes[0]
    assert "experts.overall" not in first.result.metrics


def test_a_control_row_that_was_rated_gets_its_scores(panel, records, built):
    record = records[0].model_copy(deep=True)
    record.controls = [records[1].result.model_copy(deep=True)]
    record.controls.append(record.controls[0].model_copy(update={"pixel_digest": "other"}))
    record.controls[1].metrics = {}
    copy = with_scores([record], built.panel, built.scores)[0]
    assert "experts.overall" in copy.controls[0].metrics
    assert "experts.overall" not in copy.controls[1].metrics


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda r: setattr(r.result, "pixel_digest", "else"),
            r"its outputs \(else\) are not those",
        ),
        (lambda r: setattr(r.protocol, "digest", "else"), r"its protocol \(else\) are not those"),
        (lambda r: setattr(r.dataset, "index_digest", "else"), r"its clips \(else\) are not those"),
        (
            lambda r: setattr(r.result, "id", "else"),
            "the panel rated fomm, warp, copy, lab/odd only",
        ),
    ],
)
def test_records_of_something_else_are_refused(panel, records, change, why):
    record = records[0].model_copy(deep=True)
    change(record)
    with pytest.raises(UsageError, match=why):
        build_report(*panel, records=[record])


@pytest.fixture
def files(tmp_path, panel, records):
    panel[0].save(tmp_path / "key.json")
    panel[1].save(tmp_path / "ratings.json")
    options = [str(tmp_path / "ratings.json"), "--key", str(tmp_path / "key.json")]
    for number, record in enumerate(records):
        path = tmp_path / f"r{number}.json"
        record.model_copy(deep=True).save(path)
        options += ["--records", str(path)]
    return [*options, "--resamples", "200"]


def test_the_command_writes_a_report_and_records(tmp_path, files):
    out, into = tmp_path / "report.html", tmp_path / "rated"
    done = CliRunner().invoke(command, [*files, "--out", str(out), "--into", str(into)])
    assert done.exit_code == 0, done.output
    assert "<h1>Expert ratings: synthme</h1>" in out.read_text()
    names = sorted(path.name for path in into.iterdir())
    assert names == ["copy.json", "fomm.json", "lab+odd.json", "warp.json"]
    record = Record.load(into / "fomm.json")
    assert record.result.metrics["experts.overall"].value is not None
    again = [*files[:3], "--records", str(into), "--resamples", "100", "--table", "bridge"]
    assert "Follows" in CliRunner().invoke(command, again).output
    shown = CliRunner().invoke(command, [*files[:3], "--without", "R4", "--table", "scores"])
    assert "3 raters" in shown.output
    assert "Objective" not in shown.output


def test_the_command_never_writes_over_the_records_it_reads(tmp_path, files, records):
    records[0].model_copy(deep=True).save(tmp_path / "fomm.json")
    before = (tmp_path / "fomm.json").read_bytes()
    options = [*files[:3], "--records", str(tmp_path / "fomm.json"), "--into", str(tmp_path)]
    done = CliRunner().invoke(command, options)
    assert isinstance(done.exception, UsageError)
    assert "is one of the records to read" in str(done.exception)
    assert (tmp_path / "fomm.json").read_bytes() == before
    lonely = CliRunner().invoke(command, [*files[:3], "--into", str(tmp_path / "x")])
    assert "name them with --records" in str(lonely.exception)
