"""Writes docs/metrics: a page a metric family and a table of all keys, from what the code says.

    python docs/make_metric_pages.py

Words come from the families' docstrings (their paragraphs `Formula:`, `Reading:`, `Blind to:` and
`Source:`), numbers and directions from their `MetricInfo`.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from mebench.aggregate import INTERVALS
from mebench.metrics.base import Metric, MetricInfo
from mebench.metrics.catalogue import DEFAULT, METRICS, metric_class, metric_infos

PAGES = Path(__file__).parent / "metrics"
SECTIONS = ("Formula", "Reading", "Blind to", "Source")
VARIANTS = {
    "~dis": "with `--flow dis`: quicker, noisier, never in one column with the others",
    "~seeded": "with stand-in weights, where the published ones are not on the disk: no direction, "
    "never compared, never ranked",
}
WIDTH = 130
_OTHER = ("Args", "Raises", "Shapes", "Units", "Range")
_START = re.compile(rf"({'|'.join((*SECTIONS, *_OTHER))}):\s*(.*)")


@dataclass(frozen=True)
class Said:
    """What a family's docstring says: sentence, further text, sections, and whose they are."""

    sentence: str
    body: str
    sections: dict[str, str]
    owners: dict[str, type[Metric]]


def said(kind: type[Metric]) -> Said:
    """Return what a family says; a section it leaves out is that of the class it is made from."""
    sentence, body, own = _parsed(kind)
    sections, owners = dict(own), dict.fromkeys(own, kind)
    for parent in kind.__mro__[1:]:
        if issubclass(parent, Metric) and parent is not Metric:
            for name, text in _parsed(parent)[2].items():
                if name not in sections:
                    sections[name], owners[name] = text, parent
    return Said(sentence, body, sections, owners)


def _parsed(kind: type[Metric]) -> tuple[str, str, dict[str, str]]:
    lines = inspect.cleandoc(kind.__doc__ or "").splitlines()
    sections: dict[str, list[str]] = {"": []}
    name = ""
    for line in lines[1:]:
        found = _START.match(line)
        if found:
            name = found[1]
            sections[name] = [found[2]]
        elif not line.strip():
            name = ""
        else:
            sections[name].append(line.strip())
    joined = {key: " ".join(text) for key, text in sections.items()}
    kept = {key: joined[key] for key in SECTIONS if key in joined}
    return lines[0] if lines else "", joined[""], kept


def plain_infos(kind: type[Metric]) -> list[MetricInfo]:
    """Return the family's values without those that are another way of measuring one of them."""
    return [info for info in kind.infos if not info.key.endswith(tuple(VARIANTS))]


def span(info: MetricInfo) -> str:
    """Return the range in words.

    >>> span(MetricInfo("a", "a", low=0.0))
    '0 and up'
    """
    low, high = (f"{end:g}" for end in (info.low, info.high))
    if math.isinf(info.low):
        return "any" if math.isinf(info.high) else f"up to {high}"
    return f"{low} and up" if math.isinf(info.high) else f"{low} to {high}"


def direction(info: MetricInfo) -> str:
    """Return which way is better."""
    return {True: "higher", False: "lower", None: "none"}[info.higher_is_better]


def pages() -> dict[str, str]:
    """Return the text of every page by the name of its file."""
    found = {f"{family}.md": _page(family) for family in METRICS}
    return {"README.md": _index(), **found}


def _page(family: str) -> str:
    kind = metric_class(family)
    told = said(kind)
    text = f"# {family}\n\n{_prose(told.sentence)}\n\n"
    if told.body:
        text += f"{_prose(told.body)}\n\n"
    home = {name: _family_of(told.owners[name]) for name in SECTIONS}
    own = [name for name in SECTIONS if home[name] in (None, family)]
    if "Formula" in own:
        text += f"{_section(told, 'Formula')}## Values\n\n"
    text += "| key | formula | unit | range | better | reading |\n|---|---|---|---|---|---|\n"
    for info in plain_infos(kind):
        cells = (
            f"`{info.key}`",
            _cell(info.formula),
            info.unit,
            span(info),
            direction(info),
            _cell(info.reading),
        )
        text += f"| {' | '.join(cells)} |\n"
    text += "\n" + _variants(kind)
    text += "".join(_section(told, name) for name in own if name != "Formula")
    for other in sorted({str(home[name]) for name in SECTIONS if name not in own}):
        names = ", ".join(name.lower() for name in SECTIONS if home[name] == other)
        text += f"{names.capitalize()}: as [{other}]({other}.md).\n\n"
    default = "unless `--metrics` or the protocol names others" if family in DEFAULT else (
        f"where the protocol or `--metrics {family}` names it"
    )  # fmt: skip
    more = f"Computed {default}. Code: `{kind.__module__}`. All keys: [metrics](README.md)."
    return f"{text}{_wrapped(more)}\n"


def _section(told: Said, name: str) -> str:
    text = told.sections[name]
    first = text.split()[0].rstrip(".,;:")
    if first.isalpha() and len(first) > 1:
        text = text[0].upper() + text[1:]
    return f"## {name}\n\n{_prose(text)}\n\n"


def _variants(kind: type[Metric]) -> str:
    keys = {info.key for info in kind.infos}
    text = ""
    for end, words in VARIANTS.items():
        mine = [info.key for info in plain_infos(kind) if info.key + end in keys]
        if mine:
            which = "Every key" if len(mine) == len(plain_infos(kind)) else _code(mine)
            text += _wrapped(f"{which} also as `...{end}`, {words}.") + "\n\n"
    return text


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _family_of(kind: type[Metric]) -> str | None:
    named = f"{kind.__module__}:{kind.__name__}"
    return next((family for family, entry in METRICS.items() if entry == named), None)


def _index() -> str:
    text = (
        "# Metrics\n\n"
        + _wrapped(
            "Every value that mebench reports: what it is, what it needs, and the page that says "
            "how it is made and what it does not see. Values of a clip are means over all pairs, "
            f"with an interval ({INTERVALS}); values of a set are one for all pairs. How motion is "
            "measured: [motion metrics](../metrics-motion.md). Before quoting a number: "
            "[why is my FID different](../why-is-my-fid-different.md), "
            "[what SSIM rewards](../what-ssim-rewards.md)."
        )
        + "\n\n"
    )
    text += "| key | title | unit | range | better | level | needs | page |\n"
    text += "|---|---|---|---|---|---|---|---|\n"
    for family in METRICS:
        for info in plain_infos(metric_class(family)):
            key = f"**`{info.key}`**" if info.headline else f"`{info.key}`"
            cells = (
                key,
                info.title,
                info.unit,
                span(info),
                direction(info),
                info.level,
                ", ".join(info.needs),
                f"[{family}]({family}.md)",
            )
            text += f"| {' | '.join(cells)} |\n"
    text += "\n" + _wrapped(
        "Bold: shown in tables unless others are asked for. `better: none` is a diagnostic. "
        "Keys that end in `~dis` and `~seeded` are named on the pages. `needs`: `truth` is a known "
        "flow, `reference` frames of the right answer, `weights` published network weights, "
        "`identity` the extra `dlib`, `labels` FACS labels or classes."
    )
    return text + "\n"


def _cell(text: str) -> str:
    return _escaped(text).replace("|", r"\|")


def _prose(text: str) -> str:
    """Return a docstring's text as wrapped Markdown, with keys as code and pages as links."""
    text = re.sub(r"`+([^`]+)`+", r"\1", text)
    text = _escaped(text)
    return _wrapped(re.sub(r"docs/([\w-]+)\.md", r"[\1](../\1.md)", text))


def _escaped(text: str) -> str:
    return _keys().sub(r"`\1`", text).replace("*", r"\*")


@functools.lru_cache(maxsize=1)
def _keys() -> re.Pattern[str]:
    """Return what finds a key in a text; a key without ``_`` could be a word."""
    named = {info.key for info in metric_infos(METRICS).values() if "_" in info.key}
    known = "|".join(sorted((re.escape(key) for key in named), key=len, reverse=True))
    return re.compile(rf"(?<![\w`])({known})(?![\w~`])")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def main() -> None:
    """Write every page."""
    PAGES.mkdir(exist_ok=True)
    for name, text in pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
