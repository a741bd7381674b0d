"""Forms: shipped ones, one's own, in a protocol; what is wrong with one is told in a line."""

from __future__ import annotations

import pytest
import yaml

from mebench.errors import UsageError
from mebench.protocol.spec import load_protocol
from mebench.rating.form import load_form, shipped_forms
from tests.makers import tiny_protocol

OWN = {
    "id": "own",
    "title": {"en": "Own"},
    "score": "real",
    "fields": [{"id": "real", "kind": "scale", "low": 0, "high": 9, "title": {"en": "Real?"}}],
}


def changed(**more: object) -> dict:
    return {**OWN, **more}


def test_the_shipped_forms_ask_what_the_specification_asks():
    assert shipped_forms() == ["facs", "short"]
    fields = {field.id: field for field in load_form("facs").fields}
    assert [name for name, field in fields.items() if field.per_au] == ["present", "intensity"]
    assert fields["intensity"].choices == ("none", "A", "B", "C", "D", "E")
    scales = {scale.id: (scale.low, scale.high) for scale in load_form("facs").scales}
    assert scales == dict.fromkeys(("timing", "naturalness", "identity", "overall"), (1, 5))
    assert [scale.id for scale in load_form("short").scales] == ["overall"]
    for form in map(load_form, shipped_forms()):
        assert all({"en", "zh"} == set(field.title) for field in form.fields)


def test_a_protocol_names_its_form_and_keeps_its_digest(tmp_path):
    (tmp_path / "form.yaml").write_text(yaml.safe_dump(OWN))
    found = []
    for number, more in enumerate(("", "rating_form: form.yaml\n", f"rating_form: {OWN}\n")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(tiny_protocol("pixel", "psnr_db", more=more))
        found.append(load_protocol(str(path)))
    assert len({protocol.digest for protocol in found}) == 1
    assert [load_form(protocol.rating_form).id for protocol in found] == ["facs", "own", "own"]


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("fact", "no rating form 'fact'. Did you mean 'facs'"),
        ("nowhere.yaml", "nowhere.yaml: cannot be read"),
        (changed(score="overall"), "score: 'overall' is none of its scales"),
        (changed(fields=OWN["fields"] * 2), "question 'real' stands twice"),
        (changed(fields=[]), "fields"),
        (changed(fields=[{**OWN["fields"][0], "high": 0}]), "2 to 10 steps, got 0 to 0"),
        (changed(fields=[{**OWN["fields"][0], "kind": "star"}]), "Input tag 'star'"),
        (changed(fields=[{**OWN["fields"][0], "id": "__proto__"}]), "id"),
        (changed(colour="red"), "unknown key 'colour'"),
    ],
)
def test_a_wrong_form_is_told_in_one_line(form, says):
    with pytest.raises(UsageError) as told:
        load_form(form)
    assert says in str(told.value)
    assert len(str(told.value).splitlines()) == 1
