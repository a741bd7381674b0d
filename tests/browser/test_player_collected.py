"""From the keyboard to collected ratings: what the page exports is what the organiser gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mebench.rating.collect import collect
from mebench.rating.form import load_form
from mebench.rating.model import Item
from tests.browser.player import (
    BUNDLE,
    FIELDS,
    FIRST,
    NAME,
    READY,
    SECOND,
    THIRD,
    first_clip,
    opened,
    press,
)
from tests.rating.panel_files import blank, fill, make_key

pytestmark = pytest.mark.browser

ANSWERS = {"c001": FIRST, "c002": SECOND, "c003": THIRD}


def invented_key():
    key = make_key(load_form({"id": "facs", "title": {"en": "FACS"}, "fields": FIELDS}), raters=1)
    items = tuple(
        Item(id=clip, aus=tuple(one["aus"]), pair="face/clip", dataset="casme2", subject="s1")
        for clip, one in ANSWERS.items()
    )
    return key.model_copy(update={"bundle": BUNDLE, "raters": {"R1": items}})


def saved(page, folder: Path) -> Path:
    with page.expect_download() as waiting:
        press(page, "e")
    waiting.value.save_as(folder / NAME)
    return folder / NAME


def test_a_bundle_rated_by_keyboard_and_reloaded_is_collected_whole(page, folder, tmp_path):
    key = invented_key()
    opened(page, folder)
    first_clip(page)
    halfway = saved(page, tmp_path / "first")
    press(page, "n", "0", "m", "1")
    page.reload()
    page.wait_for_selector(READY.format("c002"))
    press(page, "m", "5", "n")
    press(page, "1", "5", "0", "1", "m", "3", "m", "3")
    whole = saved(page, tmp_path)
    panel = collect([whole], key, partial="refuse")
    found = {one.item: {"values": one.values, "aus": one.aus} for one in panel.ratings}
    assert found == ANSWERS
    assert all(one.complete and one.seconds > 0 for one in panel.ratings)
    sheet = fill(blank(tmp_path / "ratings.xlsx", key), ANSWERS)
    assert collect([sheet, halfway, whole], key).ratings == panel.ratings
    part = collect([halfway], key)
    assert part.notes == (f"R1 stopped halfway ({NAME}): 1 of 3 clips complete",)
