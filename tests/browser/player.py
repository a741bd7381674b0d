"""Bundles of an invented panel, and the hands that rate them."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from pathlib import Path

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from mebench.report.site_media import write_sheet
from tests.browser.screen import HOSTILE, grey_clip

FRAMES, APEX, FPS = 28, 14, 100.0
TEMPLATES = Path(__file__).parents[2] / "mebench" / "rating" / "templates"
STRINGS = yaml.safe_load((TEMPLATES / "strings.yaml").read_text(encoding="utf-8"))
BUNDLE = "0123456789abcdef"
NAME = f"ratings-{BUNDLE}-R1.json"
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
    frames = grey_clip(FRAMES, 32)
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
        "bundle": BUNDLE,
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


def write_folder(place: Path) -> Path:
    """Write a plain, a private and a hostile page of the same clips into `place`."""
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


def handed(page, text: str, name: str = "mine.json") -> None:
    file = {"name": name, "mimeType": "application/json", "buffer": text.encode()}
    page.locator("#file").set_input_files(file)


def ratings(answers: dict, **changed: object) -> str:
    head = {"schema": "mebench-ratings/1", "bundle": BUNDLE, "rater": "R1"}
    return json.dumps(head | {"saved": "", "complete": False, "answers": answers} | changed)
