"""Rating forms: what an expert is asked of each clip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mebench.errors import UsageError, did_you_mean
from mebench.spec import parse, read_mapping

FOLDER = Path(__file__).parent / "templates"
_PREFIX = "form_"

Languages = dict[Literal["en", "zh"], str]
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Question(_Part):
    id: Id
    title: Languages
    required: bool = False
    per_au: bool = False


class YesNo(_Question):
    """1 or 0."""

    kind: Literal["yesno"]


class Choice(_Question):
    """One of a list, such as the FACS intensities."""

    kind: Literal["choice"]
    choices: tuple[str, ...] = Field(min_length=2)


class Scale(_Question):
    """A whole number from `low` to `high`; the scores of a method are means of these."""

    kind: Literal["scale"]
    low: int = 1
    high: int = 5
    ends: dict[Literal["en", "zh"], tuple[str, str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_steps(self) -> Scale:
        if not self.low < self.high <= self.low + 9:
            raise ValueError(f"a scale needs 2 to 10 steps, got {self.low} to {self.high}")
        return self


class Check(_Part):
    """One box of a check list."""

    id: Id
    en: str
    zh: str = ""


class Checks(_Question):
    """Any of a list."""

    kind: Literal["checks"]
    choices: tuple[Check, ...] = Field(min_length=1)


class Units(_Question):
    """Action units in FACS code."""

    kind: Literal["aus"]


class Text(_Question):
    """Free text."""

    kind: Literal["text"]
    most: int = Field(1000, ge=1, le=10_000)


Question = Annotated[YesNo | Choice | Scale | Checks | Units | Text, Field(discriminator="kind")]


class Form(_Part):
    """What an expert is asked of each clip.

    Attributes:
        id: such as ``facs`` (long) or ``short`` (overall only).
        title: shown above the questions.
        fields: the questions in order; those with `per_au` are asked for each target AU.
        score: the scale that methods are ranked by.
    """

    id: Id
    title: Languages
    fields: tuple[Question, ...] = Field(min_length=1)
    score: str = "overall"

    @model_validator(mode="after")
    def _fits_together(self) -> Form:
        names = [field.id for field in self.fields]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"question '{twice[0]}' stands twice")
        if self.score not in [scale.id for scale in self.scales]:
            raise ValueError(f"score: '{self.score}' is none of its scales")
        return self

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The scales asked once a clip, in order."""
        return tuple(f for f in self.fields if isinstance(f, Scale) and not f.per_au)


def shipped_forms() -> list[str]:
    """Return the ids of the forms mebench brings."""
    return sorted(path.stem.removeprefix(_PREFIX) for path in FOLDER.glob(f"{_PREFIX}*.yaml"))


def load_form(name: str | Mapping[str, Any]) -> Form:
    """Return a form by the id of a shipped one, by path to a YAML file, or from a mapping.

    Raises:
        UsageError: for an unknown id, key or value.
    """
    if not isinstance(name, str):
        return parse(Form, name, "rating_form")
    if name in shipped_forms():
        path = FOLDER / f"{_PREFIX}{name}.yaml"
    elif Path(name).suffix in (".yaml", ".yml", ".json"):
        path = Path(name)
    else:
        raise UsageError(
            f"no rating form '{name}'.{did_you_mean(name, shipped_forms())} "
            "A form of your own is a path to a YAML file"
        )
    return parse(Form, read_mapping(path), str(path))
