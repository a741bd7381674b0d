"""Specs: safe YAML or JSON into strict models, and a digest that names their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from mebench.errors import UsageError, did_you_mean

Model = TypeVar("Model", bound=BaseModel)


class _StrictLoader(yaml.SafeLoader):
    """YAML without aliases (they can grow without bound) and without repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases are not allowed", None)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML or JSON file.

    Raises:
        UsageError: when the file is missing, not YAML, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({type(error).__name__})") from error
    try:
        data = yaml.load(text, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not valid YAML: {_one_line(error)}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: expected a mapping of keys, got {type(data).__name__}")
    return data


def parse(model: type[Model], data: Mapping[str, Any], where: str) -> Model:
    """Return `data` as a `model`; unknown keys are refused with the nearest known one.

    Raises:
        UsageError: one line that names `where`, the key, and what was expected.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise UsageError(f"{where}: {explain(model, error)}") from error


def explain(model: type[BaseModel], error: ValidationError) -> str:
    """Return the first problem of a validation as one line."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, first["loc"][:-1])
        return f"unknown key '{place}'.{did_you_mean(str(first['loc'][-1]), known)}"
    if first["type"] == "missing":
        return f"key '{place}' is missing"
    got = first.get("input")
    shown = repr(got)
    return f"key '{place}': {first['msg']}, got {shown if len(shown) < 60 else shown[:57] + '...'}"


def override(model: Model, pairs: Mapping[str, str], where: str) -> Model:
    """Return `model` with dotted keys replaced, values typed by the field: ``train.steps=200``.

    Raises:
        UsageError: for an unknown key or a value of the wrong type.
    """
    data = model.model_dump(mode="python")
    for dotted, text in pairs.items():
        node: Any = data
        *parents, last = dotted.split(".")
        for parent in parents:
            if not isinstance(node, dict) or parent not in node:
                known = node if isinstance(node, dict) else ()
                raise UsageError(f"{where}: unknown key '{dotted}'.{did_you_mean(parent, known)}")
            node = node[parent]
        if not isinstance(node, dict) or last not in node:
            known = node if isinstance(node, dict) else ()
            raise UsageError(f"{where}: unknown key '{dotted}'.{did_you_mean(last, known)}")
        try:
            value = yaml.load(text, Loader=_StrictLoader)
        except yaml.YAMLError as error:
            raise UsageError(f"{where}: value of '{dotted}' is not readable: {text}") from error
        node[last] = value
    return parse(type(model), data, where)


def digest(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON: sorted keys, no blanks, floats by repr.

    >>> digest({"b": 1, "a": [1.5, None]}) == digest({"a": [1.5, None], "b": 1})
    True
    """
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _fields_at(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    current: Any = model
    for part in loc:
        field = getattr(current, "model_fields", {}).get(part)
        current = getattr(field, "annotation", None)
    return list(getattr(current, "model_fields", {}))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
