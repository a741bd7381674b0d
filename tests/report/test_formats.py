"""Tables in every format: strangers' words, footnotes, ties, columns by data set."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest

from mebench.cli.main import _run
from mebench.errors import UsageError
from mebench.report.formats import FORMATS, render
from mebench.report.rows import build_table
from tests.makers import make_record
from tests.report.paper_records import HOSTILE, hostile_records, paper_record, paper_records


class Page(HTMLParser):
    """Tags with their attributes, and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_runs_and_loads_nothing_whatever_the_names():
    page = Page(render(build_table(hostile_records()), "html"))
    allowed = {"html", "head", "meta", "title", "style", "body", "div", "table", "caption", "thead",
               "tr", "th", "tbody", "td", "span", "ul", "li", "br"}  # fmt: skip
    assert {tag for tag, _ in page.tags} <= allowed
    names = {name for _, attributes in page.tags for name in attributes}
    assert names <= {"lang", "charset", "name", "content", "http-equiv", "class", "tabindex",
                     "role", "aria-label", "scope", "title"}  # fmt: skip
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv"))
    assert re.fullmatch(r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert "<script>alert(1)</script>" in page.text
    assert "\\u202egnp.exe" in page.text


def test_the_page_s_style_is_the_one_its_policy_lets_in():
    import base64
    import hashlib

    text = render(build_table(paper_records()), "html")
    style = text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"sha256-{digest}" in text
    assert '<span class="best">0.805 [0.775, 0.855]</span>' in text
    assert text.count('<tr class="first">') == 1


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_no_format_lets_control_characters_through(form):
    text = render(build_table(hostile_records()), form)
    if form == "json":  # a machine reads it: the words are whole, but escaped
        assert json.loads(text)["rows"][4]["title"] == HOSTILE[4]
        text = text.replace("\u202e", "").replace("\u200b", "")
    assert [c for c in text if not c.isprintable() and c != "\n"] == []


def test_markdown_has_as_many_cells_in_each_line_and_no_live_words():
    text = render(build_table(hostile_records()), "markdown")
    lines = [re.sub(r"\\.", "", line) for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert r"\@mention www\.evil.example https\://evil.example \<b onload=x\>" in text
    assert "<ins>" in text


def test_csv_cells_of_strangers_are_no_formulas_and_numbers_stay_numbers():
    records = hostile_records()
    records[0].result.metrics["au_consistency"].value = -0.25
    rows = list(csv.DictReader(io.StringIO(render(build_table(records), "csv"))))
    assert [row["title"][0] for row in rows[2:4]] == ["'", "'"]
    assert rows[5]["title"] == "007"
    assert float(rows[0]["au_consistency"]) == -0.25
    assert rows[0]["status"] == "self-reported"
    assert rows[-1]["control"] == "1"


def test_text_keeps_007_and_aligns():
    line = next(
        x for x in render(build_table(hostile_records()), "text").splitlines() if "007" in x
    )
    assert line.startswith("007§ ")


def test_footnotes_stand_first():
    table = build_table(paper_records())
    assert [note[0] for note in table.notes[1:4]] == ["†", "‡", "§"]
    assert table.notes[0].startswith("rank: by AU consistency")


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ((0.9001, 0.9004, 0.8), ["best", "best", None]),
        ((0.9, 0.8001, 0.8004), ["best", "second", "second"]),
        ((0.9, 0.9, 0.9), [None, None, None]),
        ((0.9, None, 0.8), ["best", None, "second"]),
    ],
)
def test_values_that_print_alike_share_their_mark(values, marks):
    records = [make_record(f"m{n}", {"ssim": value}) for n, value in enumerate(values)]
    assert [row.cells["ssim"].mark for row in build_table(records).rows] == marks


def test_columns_by_data_set_hold_means_intervals_and_composite():
    table = build_table(paper_records(), by_dataset=["au_consistency"], sort="au_consistency:smic")
    assert [column.part for column in table.columns] == ["CASME II", "SAMM", "SMIC", "Composite"]
    assert [row.id for row in table.rows][:2] == ["half", "fomm-prior"]
    cells = table.rows[1].cells
    values = [cells[column.key].value for column in table.columns]
    assert values == pytest.approx([0.745, 0.805, 0.865, 0.805])
    low, high = cells["au_consistency:casme2"].ci95
    assert 0.72 <= low < 0.745 < high <= 0.77
    assert cells["au_consistency:composite"].ci95 is None
    assert cells["au_consistency:casme2"].n == 6
    assert "composite: the mean of the data sets' values" in " ".join(table.notes)
    heads = render(table, "text").splitlines()[2:4]
    assert heads[1].split("  ")[-1].strip() == "Composite ↑"
    assert "AU consistency, CASME II ↑" in render(table, "markdown")


def test_one_data_set_has_no_columns_by_data_set():
    with pytest.raises(UsageError, match="no record has 'psnr_db' by data set"):
        build_table([make_record()], by_dataset=["psnr_db"])


def test_a_record_given_twice_is_refused(tmp_path):
    record = paper_record("mine", 0.5)
    record.save(tmp_path / "a.json")
    with pytest.raises(UsageError, match="'mine' is given twice"):
        build_table([record, record])


def test_decimals_and_a_negative_zero():
    record = make_record("a", {"ssim": -0.0004})
    assert "0.000" in render(build_table([record], spread="none"), "text")
    assert "-0.000" not in render(build_table([record], spread="none"), "text")
    assert "-0.0004" in render(build_table([record], decimals=4, spread="none"), "text")


@pytest.fixture
def saved(tmp_path):
    for record in paper_records():
        record.save(tmp_path / f"{record.result.id}.json")
    return tmp_path


def test_the_file_s_name_says_the_format(saved, capsys):
    record = str(saved / "linear-warp.json")
    for name, start in (("t.tex", "% needs"), ("t.html", "<!doctype"), ("t.csv", "method,")):
        assert _run(["table", record, "--out", str(saved / name)], debug=False) == 0
        assert (saved / name).read_text(encoding="utf-8").startswith(start)
    assert capsys.readouterr().out == ""


def test_bib_holds_all_that_the_table_shows(saved, capsys):
    files = [str(saved / f"{name}.json") for name in ("fomm-prior", "linear-warp", "claimed")]
    command = ["table", *files, "--by-dataset", "fid", "--metrics", "au_consistency"]
    assert _run([*command, "--bib", str(saved / "t.bib")], debug=False) == 0
    text = (saved / "t.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{([^,]+),$", text, re.MULTILINE)
    assert len(keys) == len(set(keys))
    data = {"yan2014casme2", "davison2018samm", "li2013smic"}
    methods = {"zhang2021facialprior", "bookstein1989principal"}
    assert {"mebench", "heusel2017gans", "lin1989concordance"} | data | methods <= set(keys)
    assert "% method claimed: no paper known to mebench" in text
    assert text.count("{") == text.count("}")


def test_options_of_latex_are_refused_elsewhere(saved, capsys):
    command = ["table", str(saved / "claimed.json"), "--siunitx"]
    assert _run(command, debug=False) == 2
    assert "are for LaTeX, not text" in capsys.readouterr().err
