"""The site as people meet it: Chromium, from disk, with a mouse, a keyboard, and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mebench.protocol.spec import load_protocol
from mebench.report.site import Group, build_site
from mebench.report.site_media import Chart, Line, Player, write_sheet
from tests.browser.screen import AUDIT, HOSTILE, grey, grey_clip, watched
from tests.makers import make_record, make_row

pytestmark = pytest.mark.browser
FRAMES = 30


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("site")
    control = make_row("copy-template", {"au_consistency": 0.0, "psnr_db": 40.0})
    records = [
        make_record(name, {"au_consistency": value, "psnr_db": 30.0 + value}, (control,))
        for name, value in (("ninth", 0.9), ("tenth", 0.10), ("evil", 0.5))
    ]
    records[2].result.title = HOSTILE
    records[1].result.metrics["psnr_db"].headline = False
    lines = tuple(Line("12L", clip, "26,20 434,90", 0) for clip in ("driving", "generated"))

    def players(out, record):
        frames = grey_clip(FRAMES, 64)
        sheets = (
            write_sheet(out / "media" / "still.webp", frames[:1] + 100, "template", out),
            write_sheet(out / "media" / "clip.webp", frames, "generated", out),
        )
        chart = Chart(lines, 460, 170, 26, "1.0", "0.0", "290")
        return [
            Player("face/clip", "AU12", 100.0, FRAMES, sheets, chart, {"AU consistency": "0.9"})
        ]

    published = place / "published.csv"
    published.write_text("method,metric,data,value,source\nOld,fid,average,71.17,A paper\n")
    group = Group("synthme", records, load_protocol("synthme"))
    build_site(place / "site", [group], published, players)
    return place / "site"


def opened(page, site: Path, name: str):
    page.goto((site / name).as_uri())
    return page


def names(page) -> list[str]:
    return page.locator("#board tbody tr:visible th").all_inner_texts()


def test_a_column_sorts_both_ways_and_by_number(page, site):
    opened(page, site, "synthme.html")
    head = page.locator("#board thead th", has_text="au_consistency")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert names(page) == ["Copy-Template", "Tenth", HOSTILE, "Ninth"]
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert names(page) == ["Ninth", HOSTILE, "Tenth", "Copy-Template"]


def test_rows_are_filtered_and_controls_hidden(page, site):
    opened(page, site, "synthme.html")
    page.get_by_label("Filter").fill("nin")
    assert names(page) == ["Ninth"]
    assert page.locator("#count").inner_text() == "1 of 4 rows"
    page.get_by_label("Filter").fill("")
    page.get_by_label("control rows").uncheck()
    assert "Copy-Template" not in names(page)


def test_a_method_is_opened_played_and_stepped(page, site):
    opened(page, site, "synthme.html")
    page.get_by_role("link", name="Ninth").click()
    box = page.locator(".player").first
    box.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    for _ in range(7):
        box.locator(".next").click()
    box.locator(".back").click()
    assert box.get_attribute("data-at") == "6"
    assert box.locator(".where").inner_text() == f"6 / {FRAMES - 1}"
    box.focus()
    page.keyboard.press("ArrowRight")
    assert box.get_attribute("data-at") == "7"
    cursor = float(box.locator(".cursor").get_attribute("x1"))
    assert cursor == pytest.approx(26 + 408 * 7 / (FRAMES - 1))
    shot = grey(box.locator("canvas").nth(1))
    assert shot == pytest.approx(7 * 8, abs=3)
    assert grey(box.locator("canvas").nth(0)) == pytest.approx(100, abs=3)


def test_playing_keeps_the_clips_own_time(page, site):
    """At full speed 30 frames of 10 ms: a display frame is 17 ms, so about two frames of slack."""
    opened(page, site, "synthme--ninth.html")
    box = page.locator(".player").first
    box.scroll_into_view_if_needed()
    box.locator(".speed").select_option("0.125")
    seen = watched(page, ".player", ".player .play", 1200)
    late = [abs(at - ms / 1000 * 100 / 8) for ms, at in seen if ms > 0]
    assert len(seen) > 10
    assert max(late) <= 1.5
    box.locator(".play").click()
    assert box.locator(".play").inner_text() == "play"


def test_hostile_names_do_nothing(page, site):
    for name in ("index.html", "synthme.html", "synthme--evil.html"):
        opened(page, site, name)
        assert page.title() != "hit"
    assert page.locator("h1").inner_text().startswith("<img src=x")
    assert page.locator("main img").count() == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_accessible_and_fits(page, site, width):
    page.set_viewport_size({"width": width, "height": 800})
    for file in sorted(site.glob("*.html")):
        opened(page, site, file.name)
        assert page.evaluate(AUDIT) == [], file.name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, file.name


def test_the_keyboard_reaches_everything(page, site):
    opened(page, site, "synthme.html")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
    for wanted in (
        'id="filter"',
        'id="controls"',
        'id="all-values"',
        "skip",
        "synthme--ninth",
        "<button",
    ):
        assert any(wanted in one for one in reached), wanted
