"""The pages made from what the loaders and the metrics know are up to date and whole."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from mebench.metrics.base import Metric, MetricInfo
from mebench.metrics.catalogue import METRICS, metric_class, metric_infos

DOCS = Path(__file__).parents[1] / "docs"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    return load("make_pages")


@pytest.fixture(scope="module")
def metrics() -> ModuleType:
    return load("make_metric_pages")


def test_every_data_set_has_its_page_up_to_date(maker: ModuleType) -> None:
    pages = maker.pages()
    written = {path.stem: path.read_text(encoding="utf-8") for path in maker.PAGES.glob("*.md")}
    assert set(written) == set(pages)
    stale = [name for name, text in pages.items() if written[name].partition(maker.MARK)[0] != text]
    assert stale == [], "run: python docs/make_pages.py"


def test_the_table_of_data_sets_is_up_to_date(maker: ModuleType) -> None:
    assert maker.index() in (DOCS / "datasets.md").read_text(encoding="utf-8")


def test_every_metric_family_has_its_page_up_to_date(metrics: ModuleType) -> None:
    made = metrics.pages()
    written = {path.name: path.read_text(encoding="utf-8") for path in metrics.PAGES.glob("*.md")}
    stale = [name for name in made.keys() | written if made.get(name) != written.get(name)]
    assert stale == [], "run: python docs/make_metric_pages.py"


def test_every_shipped_key_states_formula_range_and_direction(metrics: ModuleType) -> None:
    shipped = metric_infos(METRICS)
    assert [key for key, info in shipped.items() if not info.formula.strip()] == []
    assert [key for key, info in shipped.items() if "\n" in info.formula + info.reading] == []
    assert [
        key for key, info in shipped.items() if info.higher_is_better and info.high <= info.low
    ] == []
    index = (metrics.PAGES / "README.md").read_text(encoding="utf-8")
    rows = {
        line.split("|")[1].strip(" *`"): line.split("|")
        for line in index.splitlines()
        if "|" in line
    }
    for key, info in shipped.items():
        if not key.endswith(("~dis", "~seeded")):
            unit, span, better, level = (cell.strip() for cell in rows[key][3:7])
            assert (unit, level) == (info.unit, info.level)
            assert better in ("higher", "lower", "none")
            assert re.fullmatch(r"any|up to \d+|-?\d+ and up|-?\d+ to \d+", span), (key, span)


@pytest.mark.parametrize("family", METRICS)
def test_every_family_says_formula_reading_blind_spots_and_source(
    metrics: ModuleType, family: str
) -> None:
    found = metrics.said(metric_class(family))
    assert found.sentence.endswith(".")
    assert {name: len(text) > 30 for name, text in found.sections.items()} == dict.fromkeys(
        metrics.SECTIONS, True
    )


def test_pages_name_the_other_ways_a_value_is_measured(metrics: ModuleType) -> None:
    pages = metrics.pages()
    assert "`...~dis`" in pages["motion.md"]
    assert "`fid`, `kid` also as `...~seeded`" in pages["distribution.md"]
    assert "~" not in pages["identity.md"]
    assert "as [perceptual](perceptual.md)" in pages["perceptual_vgg.md"]


def test_a_docstring_is_taken_apart_into_its_paragraphs(metrics: ModuleType) -> None:
    class Said(Metric):
        """One sentence.

        More of it.

        Formula: a | b
        and c*.
        Blind to: colour.

        Args:
            nothing: of it.
        """

        def describe(self, case: object) -> None:
            return None

    found = metrics.said(Said)
    assert (found.sentence, found.body) == ("One sentence.", "More of it.")
    assert found.sections == {"Formula": "a | b and c*.", "Blind to": "colour."}


@pytest.mark.parametrize(
    ("ends", "words"),
    [({}, "any"), ({"low": 0.0}, "0 and up"), ({"high": 100.0}, "up to 100"),
     ({"low": -1.0, "high": 1.0}, "-1 to 1")],
)  # fmt: skip
def test_ranges_in_words(metrics: ModuleType, ends: dict[str, float], words: str) -> None:
    assert metrics.span(replace(MetricInfo("key", "title"), **ends)) == words


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in sorted(DOCS.rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(DOCS)}: {target}")
    assert broken == []


def test_show_metric_prints_what_the_page_says() -> None:
    from click.testing import CliRunner

    from mebench.cli.listing import show

    printed = CliRunner().invoke(show, ["metric", "au_amplitude"]).output
    assert "reading: 1 is right" in printed
    assert "formula: 95th percentile" in printed
