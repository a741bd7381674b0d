from __future__ import annotations

import csv
import io
import json

import pytest

from mebench.errors import UsageError
from mebench.record import Record
from mebench.report.formats import FORMATS, render
from mebench.report.rows import build_table
from tests.makers import make_record, make_row

HOSTILE = r"a|b & 50% $x_1$ \input{x} <script>~^#{}"


def table(**options):
    records = [
        make_record("a", {"au_consistency": 0.8, "psnr_db": None}),
        make_record("b", {"au_consistency": 0.9, "psnr_db": 31.5}),
        make_record("c", {"au_consistency": 0.7, "psnr_db": 30.5}, (make_row("copy-template"),)),
    ]
    return build_table(records, **options)


def test_best_and_second_are_marked_among_methods_only():
    marks = {row.id: row.cells["au_consistency"].mark for row in table().rows}
    assert marks == {"a": "second", "b": "best", "c": None, "copy-template": None}


def test_sorting_puts_controls_last_and_missing_values_behind():
    rows = table(sort="psnr_db").rows
    assert [row.id for row in rows] == ["b", "c", "a", "copy-template"]


def test_text_shows_values_intervals_and_reasons():
    text = render(table(), "text")
    assert "0.900 [0.800, 1.000]" in text
    assert "--" in text
    assert "no motion" in text
    assert "Copy-Template (control)" in text


LEARNT = {"train_clips": 9, "train_digest": "d"}


@pytest.mark.parametrize(
    ("made_by", "known"),
    [
        ([{"baseline": "fomm", **LEARNT}], True),
        ([{"baseline": "fomm", "folds": {"a": LEARNT, "b": LEARNT}}], True),
        ([{"baseline": "fomm", **LEARNT}, {"baseline": "linear-warp", **LEARNT}], True),
        ([{}], False),
        ([{"baseline": "fomm", "checkpoint_sha256": "c"}], False),
        ([{"baseline": "fomm", **LEARNT}, {}], False),
    ],
    ids=["trained", "folds", "two", "outside", "checkpoint", "one of two outside"],
)
def test_only_of_what_mebench_trained_it_is_said_that_training_never_saw_the_subjects(
    made_by, known
):
    records = [
        make_record(f"m{place}").model_copy(update={"made_by": made})
        for place, made in enumerate(made_by)
    ]
    caption = build_table(records).caption
    assert ("driving clips of 2 subjects that training never saw." in caption) == known
    assert ("driving clips of 2 subjects. " in caption) != known


def test_a_leak_that_was_found_is_not_denied_by_the_caption():
    record = make_record("m").model_copy(
        update={"made_by": LEARNT, "notes": ["leak: subject casme2.01 is in both"]}
    )
    assert "never saw" not in build_table([record]).caption


def test_without_intervals():
    assert "[" not in render(table(spread="none"), "markdown").split("\n\n")[1]


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_hostile_titles_stay_text(form):
    record = make_record()
    record.result.title = HOSTILE
    text = render(build_table([record]), form)
    line = next(line for line in text.splitlines() if "50" in line and "script" in line)
    if form == "latex":
        assert r"\textbackslash{}input\{x\}" in line
        assert r"50\% \$x\_1\$" in line
        assert line.count(" & ") == len(record.result.metrics)
    if form == "markdown":
        assert r"a\|b" in line
        assert r"\<script\>" in line


def test_csv_reads_back_and_disarms_formulas():
    record = make_record("007")
    record.result.title = "=HYPERLINK(1)"
    rows = list(csv.DictReader(io.StringIO(render(build_table([record]), "csv"))))
    assert rows[0]["method"] == "007"
    assert rows[0]["title"].startswith("'=")
    assert float(rows[0]["au_consistency"]) == 0.8


def test_json_reads_back():
    data = json.loads(render(table(), "json"))
    assert data["rows"][1]["cells"]["au_consistency"]["value"] == 0.9


def test_latex_is_balanced():
    text = render(table(), "latex")
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert r"$\mathbf{0.900}$" in text
    body = [line for line in text.splitlines() if line.strip().endswith(r"\\") and " & " in line]
    assert {line.replace(r"\&", "").count("&") for line in body} == {3}


def test_records_that_cannot_be_compared_are_refused():
    other = make_record("b")
    other.protocol.digest = "another"
    with pytest.raises(UsageError, match="'mine' and 'b' differ in protocol"):
        build_table([make_record(), other])


@pytest.mark.parametrize("options", [{"metrics": ["psnr"]}, {"sort": "psnr"}])
def test_unknown_metric_names_the_nearest(options):
    with pytest.raises(UsageError, match="Did you mean 'psnr_db'"):
        table(**options)


def test_the_effect_of_training_is_told_pair_by_pair():
    record = make_record(
        values={"psnr_db": 31.0}, controls=(make_row("untrained", {"psnr_db": 30.0}),)
    )
    notes = build_table([record]).notes
    assert (
        "training changed psnr_db +1.0000 [+1.0000, +1.0000], n 2: cannot be told with 2 subjects "
        "(paired with mine before training)" in notes
    )
    assert not any("training changed" in note for note in build_table([make_record()]).notes)


def test_where_nothing_is_a_headline_all_that_can_be_better_is_shown():
    record = make_record("a", {"au_consistency": 0.8, "psnr_db": 31.5})
    for result in record.result.metrics.values():
        result.headline = False
    record.result.metrics["psnr_db"].higher_is_better = None
    assert [column.key for column in build_table([record]).columns] == ["au_consistency"]


def test_remarks_on_the_outputs_stand_below_the_numbers():
    record = make_record("a", {"au_consistency": 0.8})
    record.result.flags = ["output x/y: 3 of 9 frames are exact copies of the driving clip", "more"]
    text = render(build_table([record]), "latex")
    assert "first of 2 remarks on its outputs: output x/y: 3 of 9 frames are exact copies" in text


def test_a_row_that_can_have_no_rank_neither_leads_nor_is_marked():
    records = [
        make_record(name, {"au_consistency": value})
        for name, value in (("copy", 0.99), ("good", 0.9), ("weak", 0.2))
    ]
    records[0].result.unranked = "10 of 10 outputs are copies: 10 of the driving clip"
    table = build_table(records)
    copy, good, weak = table.rows
    assert (copy.place, good.place) == ("none", "1")
    assert weak.rank is not None
    assert copy.cells["au_consistency"].mark is None
    assert good.cells["au_consistency"].mark == "best"
    for form in ("text", "markdown", "latex", "html"):
        shown = render(table, form)
        assert "none" in shown
        assert "no rank and no mark, 10 of 10 outputs are copies: 10 of the driving clip" in shown


def test_columns_have_one_order_before_and_after_a_record_was_written(tmp_path):
    values = {
        "psnr_db": 31.0,
        "au_consistency": 0.9,
        "au_concordance": 0.8,
        "change_explained": 0.7,
    }
    record = make_record("a", values)
    record.save(tmp_path / "a.json")
    first = ["au_consistency", "au_concordance", "change_explained"]
    for one in (record, Record.load(tmp_path / "a.json")):
        assert [column.key for column in build_table([one]).columns][:3] == first
