"""The browser, and a page on which nothing may go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.player import write_folder
from tests.conftest import browser


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def page(chromium):
    """A page with an empty store, on which nothing may go wrong, and that may reach no network."""
    page = chromium.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB")
    said: list[str] = []
    near = ("file:", "data:", "blob:")
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda ask: ask.url.startswith(near) or said.append(ask.url))
    yield page
    page.context.close()
    assert said == []


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Return the folder of one rater of an invented panel."""
    return write_folder(tmp_path_factory.mktemp("R1"))
