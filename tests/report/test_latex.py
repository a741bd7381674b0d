"""LaTeX tables: read apart everywhere, compiled where pdflatex is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mebench.report.latex import render_latex
from mebench.report.rows import build_table
from tests.report.paper_records import HOSTILE, hostile_records, paper_records

BY_PART = {"by_dataset": ["au_consistency", "fid"]}
FORMS = {
    "plain": ({}, {}),
    "half widths": ({"spread": "pm"}, {"fit": True}),
    "by data set": (BY_PART, {"wide": True}),
    "siunitx": ({}, {"siunitx": True, "fit": True}),
    "siunitx, half widths": ({"spread": "pm"}, {"siunitx": True}),
    "siunitx by data set": ({**BY_PART, "spread": "none"}, {"siunitx": True, "wide": True}),
}


def columns_of(spec: str) -> int:
    return len(re.findall(r"[lrS]", re.sub(r"@\{[^}]*\}|\[[^]]*\]", "", spec)))


def width_of(line: str) -> int:
    spans = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line))
    return len(re.findall(r"(?<!\\)&", line)) + 1 + spans


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("records", [paper_records, hostile_records])
def test_every_line_fills_the_columns_and_braces_balance(form, records):
    how, look = FORMS[form]
    text = render_latex(build_table(records(), **how), **look)
    spec = re.search(r"\\begin\{tabular\}\{(.*)\}$", text, re.MULTILINE)[1]
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(lines) > len(records())
    assert {width_of(line) for line in lines} == {columns_of(spec)}
    bare = re.sub(r"\\[{}%\\]|^%.*$", "", text, flags=re.MULTILINE)
    assert bare.count("{") == bare.count("}")
    opened, closed = (
        sorted(re.findall(rf"\\{side}\{{(.*?)\}}", bare)) for side in ("begin", "end")
    )
    assert opened == closed


def test_strangers_words_stay_words():
    text = render_latex(build_table(hostile_records(), caption=HOSTILE[1]), label="a}b\\c")
    assert r"\input" not in text.replace(r"\textbackslash{}input", "")
    assert r"\verb" not in re.sub(r"\\textbackslash\{\}verb", "", text)
    assert text.count(r"\end{tabular}") == 1
    assert "{[}1ex{]}" in text
    assert r"\L{}ukasz \"{O}\u{g}\"{u}t" in text
    assert "{[}U+5FAE{]}" in text
    assert r"\label{a-b-c}" in text
    assert text.isascii()
    assert "\x1b" not in text


def test_best_is_bold_second_underlined_missing_a_dash():
    records = paper_records()
    records[0].result.metrics["fid"].value = None
    text = render_latex(build_table(records, metrics=["au_consistency", "fid"], spread="none"))
    rows = {line.split(" & ")[0].strip(): line for line in text.splitlines() if " & " in line}
    assert r"$\mathbf{0.805}$ & -- \\" in rows["fomm-prior"]
    assert r"\underline{$0.695$} & $\mathbf{75.6}$" in rows["linear-warp"]
    assert r"$1.035$ & $62.0$" in rows[r"half$^\ddagger$"]  # a partial result is never the best
    assert "half: partial, 14 of 18 outputs" in text
    assert r"claimed$^\S$ & 3" in text
    assert r"$^\S$ self-reported" in text


def test_stand_in_weights_are_marked_and_never_best():
    text = render_latex(build_table(paper_records()))
    assert r"LPIPS$^\dagger$" in text
    assert r"$^\dagger$ \textasciitilde{}seeded: stand-in weights" in text
    assert r"\mathbf{0.100}" not in text


def test_half_widths_and_intervals_say_what_they_are():
    pm = render_latex(build_table(paper_records(), spread="pm"))
    assert r"$\mathbf{0.805}$ $\pm$ $0.040$" in pm
    assert r"$\pm$ half the width of its interval" in pm
    assert r"$[0.775, 0.855]$" in render_latex(build_table(paper_records()))


def test_columns_by_data_set_stand_under_their_metric():
    text = render_latex(build_table(paper_records(), by_dataset=["au_consistency"], spread="none"))
    upper, rules, lower = text.split(r"\toprule")[1].split(r"\midrule")[0].strip().splitlines()
    assert upper.strip() == r"&  & \multicolumn{4}{c}{AU consistency $\uparrow$} \\"
    assert rules.strip() == r"\cmidrule(lr){3-6}"
    assert lower.strip() == r"Method & Rank & CASME II & SAMM & SMIC & Composite \\"


@pytest.mark.latex
def test_pdflatex_sets_every_form_with_hostile_names(tmp_path: Path):
    tables = [
        render_latex(build_table(records(), **how), **look)
        for how, look in FORMS.values()
        for records in (paper_records, hostile_records)
    ]
    page = (
        "\\documentclass[10pt]{article}\n\\usepackage{booktabs,siunitx,graphicx}\n\\begin{document}\n"
        + "\n\\clearpage\n".join(tables)
        + "\n\\end{document}\n"
    )
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "page.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"Output written on page\.pdf \((\d+) page", done.stdout)[1] == str(
        len(tables)
    )


def test_a_table_that_is_to_fit_shrinks_only_where_it_is_too_wide():
    text = render_latex(build_table(paper_records()), fit=True)
    assert r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%" in text
    assert r"\usepackage{booktabs,graphicx}" in text
    assert "resizebox" not in render_latex(build_table(paper_records()))
