"""A bundle as it is sent out, rated in Chromium by keyboard alone, and collected with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from mebench.rating.model import Key, Ratings
from tests.browser.player import READY, press
from tests.browser.screen import AUDIT
from tests.rating.conftest import (  # noqa: F401
    base,
    data,
    make,
    mebench,
    protocol,
    size,
    submissions,
)  # fmt: skip

pytestmark = pytest.mark.browser


def rate(page, item, marks: str) -> None:
    """Say that each target AU is present, then give a mark to each scale, all by keyboard."""
    page.wait_for_selector(READY.format(item.id))
    for key in "1" * len(item.aus) + marks:
        press(page, "m", key)


@pytest.mark.long
def test_a_bundle_is_rated_closed_opened_exported_and_collected(page, make, tmp_path):  # noqa: F811
    make(tmp_path / "panel", "--raters", 1, "--clips", 1, "--form", "facs", "--reals", 0.3)
    folder = tmp_path / "panel" / "R1"
    key = Key.load(tmp_path / "panel" / "key.json")
    items = key.raters["R1"]
    assert [item.kind for item in items].count("real") == 1
    page.goto((folder / "index.html").as_uri())
    for number, item in enumerate(items):
        if number == 2:
            page.goto((folder / "instructions.html").as_uri())
            assert page.evaluate(AUDIT) == []
            page.goto((folder / "index.html").as_uri())
        rate(page, item, f"{number % 5 + 1}345")
        assert page.evaluate(AUDIT) == []
        if number < len(items) - 1:
            press(page, "n")
    assert page.locator("#progress").inner_text() == f"{len(items)} of {len(items)} complete"
    with page.expect_download() as waiting:
        press(page, "e")
    name = waiting.value.suggested_filename
    assert name == f"ratings-{key.bundle}-R1.json"
    assert name in (folder / "instructions.html").read_text(encoding="utf-8")
    waiting.value.save_as(tmp_path / name)
    told = mebench("rate", "collect", tmp_path / name, "--key", tmp_path / "panel" / "key.json",
                   "-o", tmp_path / "ratings.json", "--partial", "refuse")  # fmt: skip
    assert f"{len(items)} of {len(items)}" in told
    found = Ratings.load(Path(tmp_path / "ratings.json")).ratings
    for number, (item, one) in enumerate(zip(items, found, strict=True)):
        scales = {"timing": number % 5 + 1, "naturalness": 3, "identity": 4, "overall": 5}
        assert (one.item, one.values) == (item.id, scales)
        assert one.aus == {au: {"present": 1} for au in item.aus}
