"""``mebench cite`` and the bibliography."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from mebench.cli.main import _run
from mebench.metrics.catalogue import families, metric_infos
from mebench.registry import spec_files
from mebench.report.bibliography import (
    Source,
    bibtex,
    entries_of,
    find,
    mebench_bibtex,
    mebench_citation,
)
from mebench.report.metric_papers import BIBTEX, COMPOSITES, papers_of

ROOT = Path(__file__).parents[2]


def cited(command: str, capsys) -> list[str]:
    assert _run(command.split(), debug=False) == 0
    return re.findall(r"^@\w+\{([^,]+),", capsys.readouterr().out, re.MULTILINE)


def test_without_ids_it_is_mebench(capsys):
    assert cited("cite", capsys) == ["mebench"]


def test_every_kind_of_id_is_cited_once(capsys):
    found = cited("cite casme2 fomm fomm-awp fid ssim megc2019 action_units casme2", capsys)
    assert found[:2] == ["mebench", "yan2014casme2"]
    assert len(found) == len(set(found))
    assert {"siarohin2019first", "heusel2017gans", "wang2004image", "see2019megc", "li2013smic",
            "lin1989concordance", "kroeger2016fast"} <= set(found)  # fmt: skip


def test_a_protocol_is_cited_with_its_data(capsys):
    assert {"yan2014casme2", "davison2018samm", "li2013smic"} <= set(
        cited("cite reconstruction", capsys)
    )
    assert cited("cite synthme", capsys) == ["mebench"]


def test_what_has_no_paper_is_said_so(capsys):
    assert _run(["cite", "psnr_db"], debug=False) == 0
    assert capsys.readouterr().out.startswith("% metric psnr_db: no paper known to mebench\n")


def test_an_unknown_id_names_the_nearest(capsys):
    assert _run(["cite", "casme3x"], debug=False) == 2
    assert capsys.readouterr().err.startswith("error: nothing is named 'casme3x'. Did you mean")


def test_the_citation_file_says_what_the_checkout_s_says():
    mine, file = (
        yaml.safe_load(text)
        for text in (mebench_citation(), (ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    )
    for key in ("cff-version", "title", "type", "authors", "version", "license"):
        assert mine[key] == file[key]
    assert file["title"] in mebench_bibtex()


def test_every_paper_of_a_metric_is_there_and_every_one_there_is_used():
    known = entries_of(BIBTEX)
    used = set(COMPOSITES.values())
    for family in families():
        for key in metric_infos([family]):
            used |= set(papers_of(family, key))
    assert used == set(known)
    for entry in known.values():
        assert entry.count("{") == entry.count("}")
        assert re.search(r"\byear\s*= \{\d{4}\}", entry)


def test_all_shipped_references_can_be_cited():
    names = [*spec_files("baselines"), *spec_files("protocols")]
    text = bibtex(find(names))
    for path in spec_files("baselines").values():
        for key in entries_of((path.parent / "references.bib").read_text(encoding="utf-8")):
            assert f"{{{key}," in text


def test_strangers_names_open_no_entry():
    text = bibtex([Source("method", "x\n@misc{evil, title={a}}", "")])
    assert entries_of(text) == {}
    assert text.count("\n") == 1
