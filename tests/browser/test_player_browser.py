"""The rating player as an expert meets it: Chromium, from disk, by keyboard, both sizes."""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from mebench.report.site_media import write_sheet

pytestmark = pytest.mark.browser
FRAMES, APEX, FPS = 28, 14, 100.0
TEMPLATES = Path(__file__).parents[2] / "mebench" / "rating" / "templates"
AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
STRINGS = yaml.safe_load((TEMPLATES / "strings.yaml").read_text(encoding="utf-8"))
HOSTILE = (
    "<img src=x onerror=\"document.title='hit'\"></script><script>document.title='hit'</script>"
)
NAME = "ratings-0123456789abcdef-R1.json"
READY = '#stage[data-ready="{}"]'


def scale(key: str, english: str, chinese: str) -> dict[str, object]:
    return {
        "id": key,
        "kind": "scale",
        "low": 1,
        "high": 5,
        "required": True,
        "title": {"en": english, "zh": chinese},
        "ends": {"en": ["bad", "good"], "zh": ["差", "好"]},
    }


FIELDS: list[dict[str, object]] = [
    {
        "id": "present",
        "kind": "yesno",
        "per_au": True,
        "required": True,
        "title": {"en": "Present", "zh": "出现"},
    },
    {
        "id": "intensity",
        "kind": "choice",
        "per_au": True,
        "required": False,
        "choices": ["none", "A", "B", "C", "D", "E"],
        "title": {"en": "Intensity", "zh": "强度"},
    },
    {
        "id": "other_aus",
        "kind": "aus",
        "required": False,
        "title": {"en": "Other action units", "zh": "其他动作单元"},
    },
    scale("timing", "Onset, apex, offset", "起始、顶点、结束"),
    {
        "id": "artefacts",
        "kind": "checks",
        "required": False,
        "title": {"en": "Artefacts", "zh": "伪影"},
        "choices": [
            {"id": "blur", "en": "blur", "zh": "模糊"},
            {"id": "ghost", "en": "ghosting", "zh": "重影"},
        ],
    },
    scale("overall", "Overall", "总体"),
    {
        "id": "comment",
        "kind": "text",
        "most": 1000,
        "required": False,
        "title": {"en": "Comment", "zh": "评语"},
    },
]


def invented(folder: Path) -> dict[str, object]:
    """Write three clips into `folder`; a grey of 8 t is frame t, so the screen tells the frame."""
    greys = np.arange(FRAMES, dtype=np.uint8)[:, None, None, None] * 8
    frames = np.broadcast_to(greys, (FRAMES, 32, 32, 3)).copy()
    clips = {"template": frames[:1] + 100, "driving": frames, "generated": frames + 20}
    sheets = {}
    for name, clip in clips.items():
        made = write_sheet(folder / "media" / f"{name[0] * 8}.webp", clip, name, folder)
        sheets[name] = {
            "file": made.file,
            "frames": made.frames,
            "columns": made.columns,
            "side": made.side,
        }
    return {
        "schema": "mebench-rating/1",
        "bundle": "0123456789abcdef",
        "rater": "R1",
        "title": "Expert rating",
        "stamp": "",
        "strings": STRINGS,
        "form": {"id": "facs", "title": {"en": "FACS form", "zh": "评分表"}, "fields": FIELDS},
        "items": [
            {
                "id": f"c00{number}",
                "fps": FPS,
                "frames": FRAMES,
                "apex": APEX,
                "aus": aus,
                "sheets": sheets,
            }
            for number, aus in enumerate((["6", "L12"], ["4"], ["1", "2"]), 1)
        ],
    }


def write_page(folder: Path, bundle: dict[str, object], name: str = "index.html") -> Path:
    def hashed(text: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    style = (TEMPLATES / "player.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "player.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("mebench.rating", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    text = environment.get_template("player.html.j2").render(
        bundle=bundle,
        style=style,
        script=script,
        style_hash=hashed(style),
        script_hash=hashed(script),
    )
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("R1")
    bundle = invented(place)
    write_page(place, bundle)
    (place / "instructions.html").write_text("<!doctype html><link rel=icon href='data:,'>")
    write_page(place, bundle | {"stamp": "PRIVATE: not to be passed on"}, "private.html")
    evil = copy.deepcopy(bundle)
    evil.update(title=HOSTILE, rater=HOSTILE, stamp=HOSTILE, bundle="__proto__")
    evil["form"]["title"] = {"en": HOSTILE, "zh": HOSTILE}
    for field in evil["form"]["fields"]:
        field["title"] = {"en": HOSTILE, "zh": HOSTILE}
    evil["form"]["fields"][4]["choices"] = [{"id": "__proto__", "en": HOSTILE, "zh": HOSTILE}]
    evil["form"]["fields"][5]["id"] = "__proto__"
    evil["items"][0].update(id="__proto__", aus=[HOSTILE])
    write_page(place, evil, "evil.html")
    return place


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


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


def opened(page, folder: Path, name: str = "index.html", clip: str = "c001"):
    page.goto((folder / name).as_uri())
    page.wait_for_selector(READY.format(clip))
    return page


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def exported(page) -> dict:
    with page.expect_download() as waiting:
        press(page, "e")
    assert waiting.value.suggested_filename == NAME
    return json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))


def rated(page) -> dict:
    """Return the exported answers without the seconds they took."""
    answers = exported(page)["answers"]
    return {key: {k: v for k, v in one.items() if k != "seconds"} for key, one in answers.items()}


def stored(page) -> dict:
    return json.loads(page.evaluate("localStorage['mebench-rating/0123456789abcdef/R1']"))


def level(page, pane: str) -> float:
    """Return the mean grey of what is on the screen."""
    shot = page.locator(f'[data-pane="{pane}"] canvas').screenshot()
    picture = np.asarray(Image.open(io.BytesIO(shot)).convert("L"))
    middle = slice(picture.shape[0] // 4, -picture.shape[0] // 4)
    return float(picture[middle, middle].mean())


def first_clip(page) -> None:
    """Present C, present none, other units, timing 4, both artefacts, overall 2, a comment."""
    press(page, "1", "3", "1", "0")
    press(page, "Enter")
    page.keyboard.type("au4, 12R;4")
    press(page, "Enter", "4", "2", "1", "ArrowDown", "2", "Enter")
    page.keyboard.type("Eye lids 好")
    press(page, "Escape")


FIRST = {
    "values": {
        "other_aus": ["4", "R12"],
        "timing": 4,
        "artefacts": ["blur", "ghost"],
        "overall": 2,
        "comment": "Eye lids 好",
    },
    "aus": {"6": {"present": 1, "intensity": "C"}, "L12": {"present": 1, "intensity": "none"}},
}
SECOND = {"values": {"timing": 1, "overall": 5}, "aus": {"4": {"present": 0}}}
THIRD = {
    "values": {"timing": 3, "overall": 3},
    "aus": {"1": {"present": 1, "intensity": "E"}, "2": {"present": 0, "intensity": "A"}},
}


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


def handed(page, text: str, name: str = "mine.json") -> None:
    file = {"name": name, "mimeType": "application/json", "buffer": text.encode()}
    page.locator("#file").set_input_files(file)


def ratings(answers: dict, **changed: object) -> str:
    head = {"schema": "mebench-ratings/1", "bundle": "0123456789abcdef", "rater": "R1"}
    return json.dumps(head | {"saved": "", "complete": False, "answers": answers} | changed)


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
    assert level(page, "driving") == pytest.approx(128, abs=9)
    press(page, "[", "ArrowRight", "ArrowRight", "ArrowRight")
    assert level(page, "driving") == pytest.approx(128 + 2 * 3 * 8, abs=9)
    assert level(page, "generated") == pytest.approx(128 + 2 * 3 * 8, abs=9)
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
    seen = page.evaluate(
        """() => new Promise((done) => {
          const stage = document.getElementById("stage"), seen = [];
          document.getElementById("play").click();
          const start = performance.now();
          const look = (now) => {
            seen.push([now - start, Number(stage.dataset.at)]);
            if (now - start < 1300) requestAnimationFrame(look); else done(seen);
          };
          requestAnimationFrame(look);
        })"""
    )
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
