"""The pages made from what the loaders know are up to date."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pages", DOCS / "make_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_data_set_has_its_page_up_to_date(maker: ModuleType) -> None:
    pages = maker.pages()
    written = {path.stem: path.read_text(encoding="utf-8") for path in maker.PAGES.glob("*.md")}
    assert set(written) == set(pages)
    stale = [name for name, text in pages.items() if written[name].partition(maker.MARK)[0] != text]
    assert stale == [], "run: python docs/make_pages.py"


def test_the_table_of_data_sets_is_up_to_date(maker: ModuleType) -> None:
    assert maker.index() in (DOCS / "datasets.md").read_text(encoding="utf-8")
