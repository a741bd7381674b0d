"""Where answers stand in ratings.xlsx: one account for writing and for reading."""

from __future__ import annotations

from dataclasses import dataclass

from mebench.rating.answers import spoken, tidy
from mebench.rating.form import Check, Checks, Choice, Form, Question, Scale, Units, YesNo

RATINGS, UNITS, ABOUT, LISTS = "Ratings", "AUs", "About", "Lists"
Head = tuple[str, str]
"""What stands above a column: its title in row 1, its id in row 2."""
HEAD_ROWS = 2
CLIP: Head = ("Clip\n片段", "clip")
TARGETS: Head = ("Target AUs\n目标动作单元", "targets")
TARGET: Head = ("Target AU\n目标动作单元", "target")
TICK = "x"
REQUIRED = "*"
ABOUT_ROWS = {
    "bundle": "Bundle 评分包",
    "rater": "Rater 评分者",
    "form": "Form 评分表",
}
"""What the sheet About says of the file in column B, by its label in column A."""


@dataclass(frozen=True)
class Column:
    """A column of answers.

    Attributes:
        question: whose answers; a check list has a column a box.
        box: of a check list.
        title: how the header in row 1 begins; one that begins otherwise is a renamed one.
        head: the header: title in both languages and what to enter; the id, in row 2.
    """

    question: Question
    box: Check | None
    title: str
    head: Head

    @property
    def id(self) -> str:
        """What the column is known by: ``overall``, ``artefacts.blur``."""
        return self.head[1]


def columns(form: Form, *, per_au: bool) -> list[Column]:
    """Return the columns of the sheet Ratings, or of the sheet AUs, in the form's order."""
    found = []
    for question in form.fields:
        if question.per_au is not per_au:
            continue
        boxes = question.choices if isinstance(question, Checks) else (None,)
        found += [_column(question, box) for box in boxes]
    return found


def has_units(form: Form) -> bool:
    """Return whether a form asks anything of each target AU, and so has the sheet AUs."""
    return any(question.per_au for question in form.fields)


def one_line(text: str) -> str:
    """Return a cell's text with single blanks, as programs break lines in their own ways."""
    return " ".join(text.split())


def _column(question: Question, box: Check | None) -> Column:
    english, chinese = (one_line(tidy(spoken(question.title, lang))) for lang in ("en", "zh"))
    name = question.id
    if box is not None:
        name = f"{question.id}.{box.id}"
        english = f"{english}: {one_line(tidy(box.en))}"
        chinese = f"{chinese}：{one_line(tidy(box.zh or box.en))}"
    star = f" {REQUIRED}" if question.required else ""
    lines = [english + star, chinese if chinese != english else "", _hint(question)]
    return Column(question, box, english, ("\n".join(line for line in lines if line), name))


def _hint(question: Question) -> str:
    if isinstance(question, YesNo):
        return "1 = yes 是, 0 = no 否"
    if isinstance(question, Checks):
        return f"{TICK} = yes 是"
    if isinstance(question, Choice):
        return " ".join(question.choices)
    if isinstance(question, Units):
        return "e.g. 例 4 L12"
    if isinstance(question, Scale):
        ends = {lang: question.ends.get(lang) for lang in ("en", "zh")}
        low = " ".join(tidy(pair[0]) for pair in ends.values() if pair)
        high = " ".join(tidy(pair[1]) for pair in ends.values() if pair)
        return f"{question.low} {low}".strip() + " – " + f"{question.high} {high}".strip()
    return ""
