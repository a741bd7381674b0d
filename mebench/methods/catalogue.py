"""Reads the specs of baselines and builds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mebench.errors import UsageError
from mebench.methods.base import Baseline
from mebench.registry import choose, find_spec, load_object
from mebench.spec import override, parse, read_mapping


class PaperResult(BaseModel):
    """A number that a paper prints for this method.

    Attributes:
        metric: what was measured, in the paper's words.
        value: as printed.
        protocol: data set or protocol.
        source: where it is printed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    value: float
    protocol: str
    source: str


class BaselineSpec(BaseModel):
    """A ``baseline.yaml``.

    Attributes:
        id: the folder's name; ``vendor/name`` for foreign ones.
        title: a line for tables.
        entry: ``"module:Class"`` of a `Baseline`.
        licence: of the code, as an SPDX id.
        needs: what it cannot run without, such as ``landmarks`` or the name of network weights.
        presets: settings by preset name; each is a whole or a partial configuration.
        paper: results printed in papers.
        status: ``stable``, ``experimental``, or ``control`` for a row that is no method.
        description: what it is, in a few sentences.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    entry: str
    licence: str = "MIT"
    needs: tuple[str, ...] = ()
    presets: dict[str, dict[str, Any]] = {"default": {}}
    paper: tuple[PaperResult, ...] = ()
    status: Literal["stable", "experimental", "control"] = "stable"
    description: str = ""


def baseline_spec(name: str) -> BaselineSpec:
    """Return the spec of a baseline by id, or by path to its ``baseline.yaml``.

    Raises:
        UsageError: for an unknown id, or a file that is not a baseline's spec.
    """
    path = find_spec("baselines", name)
    return parse(BaselineSpec, read_mapping(path), str(path))


def load_baseline(
    name: str, *, preset: str = "quick", overrides: Mapping[str, str] | None = None
) -> Baseline:
    """Return a baseline with a preset's settings and ``key=value`` overrides on them.

    A method without settings for ``quick`` or ``paper`` takes its ``default``.

    Raises:
        UsageError: for an unknown baseline, preset or key, or a value of the wrong type.
    """
    spec = baseline_spec(name)
    if preset not in spec.presets and preset in ("quick", "paper") and "default" in spec.presets:
        preset = "default"
    settings = choose(f"preset of '{spec.id}'", preset, spec.presets)
    entry = load_object(spec.entry)
    if not (isinstance(entry, type) and issubclass(entry, Baseline)):
        raise UsageError(f"baseline '{spec.id}': entry '{spec.entry}' is not a Baseline class")
    where = f"baseline '{spec.id}', preset '{preset}'"
    config = parse(entry.config_model, settings, where)
    if overrides:
        config = override(config, overrides, f"baseline '{spec.id}'")
    return entry(config)
