from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict

from mebench.errors import UsageError
from mebench.spec import digest, override, parse, read_mapping


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    steps: int = 10
    rate: float = 0.1


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    train: Inner = Inner()
    name: str = "a"


def test_unknown_key_names_the_nearest():
    with pytest.raises(UsageError, match=r"f\.yaml: unknown key 'train\.step'.*'steps'"):
        parse(Outer, {"train": {"step": 1}}, "f.yaml")


def test_override_types_by_the_field():
    changed = override(Outer(), {"train.steps": "200", "name": "b"}, "-s")
    assert changed.train.steps == 200
    assert changed.name == "b"
    assert changed.train.rate == 0.1


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"train.stps": "3"}, "Did you mean 'steps'"),
        ({"trian.steps": "3"}, "Did you mean 'train'"),
        ({"train.steps": "many"}, "train.steps"),
    ],
)
def test_override_refuses(pairs, message):
    with pytest.raises(UsageError, match=message):
        override(Outer(), pairs, "-s")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "stands twice"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: [1\n", "not valid YAML"),
        ("- 1\n", "expected a mapping"),
        ("a: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    ],
)
def test_odd_yaml_is_one_line(tmp_path, text, message):
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_mapping(path)
    assert "\n" not in str(caught.value)


def test_digest_feels_content_not_order():
    assert digest({"a": 1, "b": [1.0]}) == digest({"b": [1.0], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest(float("nan"))
