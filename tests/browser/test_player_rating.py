"""Rating in Chromium, from disk, by keyboard alone: nothing is lost, nothing wrong is taken."""

from __future__ import annotations

import pytest

from tests.browser.player import (
    FIRST,
    READY,
    SECOND,
    STRINGS,
    THIRD,
    exported,
    first_clip,
    handed,
    opened,
    press,
    rated,
    ratings,
    stored,
)
from tests.browser.screen import HOSTILE

pytestmark = pytest.mark.browser


def test_a_whole_bundle_is_rated_by_keyboard_alone(page, folder):
    opened(page, folder)
    first_clip(page)
    assert page.locator("#progress").inner_text() == "1 of 3 complete"
    press(page, "n", "0", "m", "1", "m", "5", "n")
    press(page, "1", "5", "0", "1", "m", "3", "m", "3")
    assert page.locator("#left").inner_text().startswith("All clips are complete")
    file = exported(page)
    assert file == {
        "schema": "mebench-ratings/1",
        "bundle": "0123456789abcdef",
        "rater": "R1",
        "saved": file["saved"],
        "complete": True,
        "answers": file["answers"],
    }
    assert file["saved"].endswith("Z")
    assert all(0 < one["seconds"] < 60 for one in file["answers"].values())
    assert rated(page) == {"c001": FIRST, "c002": SECOND, "c003": THIRD}
    assert stored(page)["answers"].keys() == file["answers"].keys()


def test_reloading_in_the_middle_loses_nothing(page, folder):
    opened(page, folder)
    first_clip(page)
    press(page, "n", "0")
    page.reload()
    page.wait_for_selector(READY.format("c002"))
    assert page.locator("#which").inner_text() == "Clip 2 of 3"
    assert page.locator("fieldset.here").get_attribute("data-field") == "timing"
    press(page, "m", "1", "m", "5")
    assert rated(page) == {"c001": FIRST, "c002": SECOND}
    press(page, "p")
    assert page.locator("fieldset[data-field=comment] textarea").input_value() == "Eye lids 好"
    assert page.locator("fieldset[data-field=other_aus] input").input_value() == "4 R12"


def test_an_answer_is_changed_cleared_and_asked_for(page, folder):
    opened(page, folder)
    press(page, "1", "n")
    press(page, "c")
    states = page.locator("#clip-list button")
    assert states.nth(0).get_attribute("aria-label") == "1: begun"
    assert states.nth(1).get_attribute("aria-label") == "2: not started"
    press(page, "Escape", "p")
    assert page.locator("fieldset.open").count() == 3
    assert "AU L12 · Present, Onset, apex, offset, Overall" in page.locator("#left").inner_text()
    page.get_by_role("radio", name="No").first.click()
    assert stored(page)["answers"]["c001"]["aus"] == {"6": {"present": 0}}
    press(page, "Delete")
    assert stored(page)["answers"] == {}
    page.locator("fieldset[data-field=other_aus] input").fill("4 nose 99")
    press(page, "Enter")
    assert page.locator("fieldset[data-field=other_aus] .wrong").inner_text().endswith("nose")
    assert stored(page)["answers"]["c001"]["values"] == {"other_aus": ["4", "99"]}


def test_a_browser_that_stores_nothing_is_told_and_still_exports(page, folder):
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
    )
    opened(page, folder)
    assert page.locator("#warning").inner_text() == STRINGS["en"]["not_saved"]
    press(page, "1", "n", "0", "g")
    assert page.locator("#warning").inner_text() == STRINGS["zh"]["not_saved"]
    assert rated(page) == {
        "c001": {"values": {}, "aus": {"6": {"present": 1}}},
        "c002": {"values": {}, "aus": {"4": {"present": 0}}},
    }


def test_what_cannot_be_read_back_is_put_aside(page, folder):
    opened(page, folder)
    press(page, "1")
    page.goto((folder / "instructions.html").as_uri())
    page.evaluate(
        """() => {
          const key = "mebench-rating/0123456789abcdef/R1", kept = JSON.parse(localStorage[key]);
          kept.answers.c002 = { values: { overall: 9 }, aus: {} };
          localStorage[key] = JSON.stringify(kept);
        }"""
    )
    opened(page, folder)
    assert "put aside" in page.locator("#warning").inner_text()
    aside = page.evaluate("Object.keys(localStorage).filter((k) => k.includes('/unread-'))")
    assert len(aside) == 1
    assert rated(page) == {"c001": {"values": {}, "aus": {"6": {"present": 1}}}}


def test_an_exported_file_goes_on_elsewhere(page, folder):
    opened(page, folder)
    handed(page, ratings({"c001": FIRST | {"seconds": 31.2}, "c002": SECOND}))
    page.get_by_text("Imported 2 clips from mine.json").wait_for()
    assert page.locator("#progress").inner_text() == "2 of 3 complete"
    assert page.locator("fieldset[data-field=comment] textarea").input_value() == "Eye lids 好"
    assert exported(page)["answers"]["c001"]["seconds"] >= 31.2
    other = SECOND | {"values": {"timing": 2, "overall": 2}}
    for button, kept in (("Keep mine", SECOND), ("Take the file's", other)):
        handed(page, ratings({"c002": other, "c003": THIRD}))
        page.get_by_role("button", name=button).click()
        assert rated(page) == {"c001": FIRST, "c002": kept, "c003": THIRD}


WRONG = (
    (ratings({"c001": FIRST})[:-9], "no readable JSON"),
    ("[]", "no export of this player"),
    (ratings({}, bundle="f" * 16), "it belongs to bundle ffffffffffffffff"),
    (ratings({}, rater="R2"), "it was saved by rater R2"),
    (ratings({"c009": FIRST}), "it names the clip c009"),
    (ratings({"c001": FIRST, "c002": FIRST}), "clip c002 has an answer"),
    (ratings({"c002": {"values": {"overall": 6}}}), "does not allow: overall"),
    (ratings({"c002": {"values": {"overall": "5"}}}), "does not allow: overall"),
    (ratings({"c002": {"values": {"comment": HOSTILE, "x": 1}}}), "does not allow: x"),
)


def test_a_wrong_file_is_refused_whole(page, folder):
    opened(page, folder)
    press(page, "1")
    for number, (text, why) in enumerate(WRONG):
        handed(page, text, f"{number}.json")
        page.get_by_text(f"{number}.json was not imported").wait_for()
        assert why in page.locator("#note").inner_text()
        assert stored(page)["answers"].keys() == {"c001"}
        assert stored(page)["answers"]["c001"]["aus"] == {"6": {"present": 1}}
