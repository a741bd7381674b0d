"""The two pages of a rater's folder: the player and the instructions."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mebench.rating.form import FOLDER, Form
from mebench.spec import read_mapping

SCHEMA = "mebench-rating/1"


def player_page(
    form: Form, items: Sequence[Mapping[str, Any]], *, bundle: str, rater: str, stamp: str
) -> str:
    """Return index.html: the player with everything a rater is asked.

    It loads the sheets beside it and nothing else; its policy lets in its own style and script.
    """
    strings = read_mapping(FOLDER / "strings.yaml")
    style, script = _text("player.css"), _text("player.js")
    content = {
        "schema": SCHEMA,
        "bundle": bundle,
        "rater": rater,
        "title": strings["en"]["title"],
        "stamp": stamp,
        "strings": strings,
        "form": form.model_dump(mode="json", exclude={"score"}),
        "items": list(items),
    }
    return (
        _environment()
        .get_template("player.html.j2")
        .render(
            bundle=content,
            style=style,
            script=script,
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )


def instructions_page(
    form: Form, *, clips: int, bundle: str, rater: str, stamp: str, sheet: bool
) -> str:
    """Return instructions.html: how to rate, in English and Chinese, for the screen and for paper.

    `sheet` says whether a ratings.xlsx lies beside it.
    """
    style = _text("instructions.css")
    return (
        _environment()
        .get_template("instructions.html.j2")
        .render(
            form=form,
            clips=clips,
            bundle=bundle,
            rater=rater,
            stamp=stamp,
            sheet=sheet,
            style=style,
            style_hash=_hash(style),
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("mebench.rating", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(name: str) -> str:
    return Path(FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
