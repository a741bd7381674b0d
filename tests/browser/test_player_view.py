"""Looking in Chromium: clips in step, in their own time, and a page that everybody can use."""

from __future__ import annotations

import json

import pytest

from tests.browser.player import APEX, FPS, FRAMES, STRINGS, opened, press
from tests.browser.screen import AUDIT, grey, watched

pytestmark = pytest.mark.browser


def level(page, pane: str) -> float:
    return grey(page.locator(f'[data-pane="{pane}"] canvas'))


def test_clips_step_together_flicker_and_differ(page, folder):
    opened(page, folder)
    press(page, "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "PageDown")
    assert page.locator("#where").inner_text() == f"Frame 12 of {FRAMES - 1}"
    assert page.locator("#ms").inner_text() == "120 ms"
    assert level(page, "template") == pytest.approx(100, abs=3)
    assert level(page, "driving") == pytest.approx(12 * 8, abs=3)
    assert level(page, "generated") == pytest.approx(12 * 8 + 20, abs=3)
    press(page, "a")
    assert level(page, "driving") == pytest.approx(APEX * 8, abs=3)
    press(page, "Home", "ArrowLeft")
    assert page.locator("#stage").get_attribute("data-at") == str(FRAMES - 1)
    press(page, "d", "o")
    assert level(page, "driving") == 128
    press(page, "[", "ArrowRight", "ArrowRight", "ArrowRight")
    assert level(page, "driving") == 128 + 2 * 3 * 8
    assert level(page, "generated") == 128 + 2 * 3 * 8
    press(page, "]", "]", "f")
    seen = page.evaluate(
        """() => new Promise((done) => {
          const seen = new Set(), stage = document.getElementById("stage");
          const look = (now) => {
            seen.add(stage.dataset.at);
            if (seen.size < 3 && now < start + 700) requestAnimationFrame(look);
            else done([...seen].sort());
          };
          const start = performance.now();
          requestAnimationFrame(look);
        })"""
    )
    assert seen == ["0", str(APEX)]


@pytest.mark.parametrize(("slower", "speed"), [(0, 1.0), (3, 0.125)])
def test_playing_keeps_the_clips_own_time(page, folder, slower, speed):
    """What is on the screen is never further from the clock than one display frame (1/60 s)."""
    opened(page, folder)
    press(page, *["s"] * slower)
    seen = watched(page, "#stage", "#play", 1300)
    length = 1000 * FRAMES / FPS / speed
    frame = 1000 / FPS / speed
    wrong = []
    for ms, at in seen:
        if ms > 0:
            # A frame is right from its own time until the next one's, round the loop.
            since = (ms - at * frame + length / 2) % length - length / 2
            wrong.append(max(-since, since - frame))
    assert len(wrong) > 10
    assert max(wrong) <= 1000 / 60
    press(page, "Space")
    at = page.locator("#stage").get_attribute("data-at")
    page.wait_for_timeout(100)
    assert page.locator("#stage").get_attribute("data-at") == at


def test_without_the_loop_a_clip_ends_on_its_last_frame(page, folder):
    opened(page, folder)
    press(page, "l", "Space")
    page.wait_for_timeout(600)
    assert page.locator("#stage").get_attribute("data-at") == str(FRAMES - 1)
    assert page.locator("#play").inner_text().startswith("Play")


def test_zooming_shows_a_part_and_the_template_can_go(page, folder):
    opened(page, folder)
    wide = page.locator('[data-pane="driving"] canvas').bounding_box()["width"]
    press(page, "t", "+", "+", "Shift+ArrowLeft")
    assert page.locator('[data-pane="template"]').is_hidden()
    assert page.locator('[data-pane="driving"] canvas').bounding_box()["width"] > 1.4 * wide
    assert page.locator("#zoom").inner_text() == "×2"
    press(page, "z")
    assert page.locator("#zoom").inner_text() == "×1"


@pytest.mark.parametrize("size", [(1280, 800), (820, 1180)])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_accessible_and_fits(page, folder, size, language):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    opened(page, folder, "private.html")
    if language == "zh":
        press(page, "g")
    assert page.locator("#stamp").inner_text() == "PRIVATE: not to be passed on"
    assert page.locator("#play").inner_text().startswith(STRINGS[language]["play"])
    press(page, "1", "n", "p")
    for theme in ("dark", "light"):
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert page.evaluate(AUDIT) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert page.evaluate("document.documentElement.scrollHeight") <= size[1]
        press(page, "b")
    press(page, "?")
    assert page.locator("#key-list dd").count() > 20
    assert page.get_by_role("link", name=STRINGS[language]["instructions"]).is_visible()


def test_hostile_strings_and_ids_do_nothing(page, folder):
    opened(page, folder, "evil.html", clip="__proto__")
    assert page.locator("h1").inner_text().startswith("<img src=x")
    press(page, "1", "g", "c", "Escape", "?", "Escape")
    assert page.title() != "hit"
    assert page.locator("img, main script").count() == 0
    page.locator("fieldset.scale input").nth(7).click()
    text = page.evaluate("Object.entries(localStorage).find(([k]) => k.endsWith('</script>'))[1]")
    assert json.loads(text)["answers"]["__proto__"]["values"] == {"__proto__": 3}
    assert page.evaluate("({}).present") is None


def test_both_languages_say_the_same_things():
    def holes(text: str) -> set[str]:
        return {part.partition("}")[0] for part in text.split("{")[1:]}

    assert STRINGS["en"].keys() == STRINGS["zh"].keys()
    for key, text in STRINGS["en"].items():
        assert holes(text) == holes(STRINGS["zh"][key]), key
