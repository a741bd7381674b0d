"""Every baseline's folder says what it is: a spec that builds, a card with its parts, sources."""

from __future__ import annotations

import re

import pytest
import yaml

from mebench.cli.main import _run
from mebench.content import content_folder
from mebench.methods.catalogue import baseline_spec, load_baseline
from mebench.registry import spec_files

NAMES = [
    "copy-driving", "copy-template", "fomm", "fomm-awp", "fomm-prior", "linear-warp", "mismatched",
    "mraa", "reversed",
]  # fmt: skip
SECTIONS = ("What it is", "Data", "Use", "Limits", "Consent", "Sources")
FIELDS = {"title", "author", "year"}


def folder(name):
    return spec_files("baselines")[name].parent


def sections(card):
    parts = re.split(r"^\*\*([^*]+)\.\*\*", card, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_these_baselines_are_shipped_and_listed(capsys):
    assert sorted(spec_files("baselines")) == NAMES
    assert _run(["list", "baselines"], debug=False) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert sorted(listed) == NAMES


def test_no_baseline_folder_is_without_a_spec():
    root = content_folder("baselines")
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_card_has_its_parts(name):
    found = sections((folder(name) / "MODEL_CARD.md").read_text(encoding="utf-8"))
    assert [part for part in SECTIONS if part not in found] == []
    short = [part for part in SECTIONS if len(found[part].split()) < 4]
    assert short == []
    assert "agreed" in found["Consent"] or "passed on only" in found["Consent"]
    assert "references.bib" in found["Sources"]


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_builds_and_trainable_ones_have_all_three(name):
    spec = baseline_spec(name)
    for preset in spec.presets:
        method = load_baseline(name, preset=preset)
    if spec.status != "control":
        assert method.trainable
        assert {"quick", "default", "paper"} <= set(spec.presets)


@pytest.mark.parametrize("name", NAMES)
def test_references_are_whole_entries_and_name_the_method(name):
    text = (folder(name) / "references.bib").read_text(encoding="utf-8")
    entries = re.findall(r"^@(\w+)\{([^,]+),\n(.*?)^\}$", text, flags=re.MULTILINE | re.DOTALL)
    assert text.count("@") == len(entries)
    for _, key, body in entries:
        fields = set(re.findall(r"^  (\w+)\s*= \{.+\},?$", body, flags=re.MULTILINE))
        assert fields >= FIELDS, key
    if not name.startswith("copy-"):
        assert entries
    else:
        assert text.startswith("% No paper")


def test_specs_of_the_family_differ_in_settings_alone():
    entries = {
        yaml.safe_load((folder(name) / "baseline.yaml").read_text())["entry"]
        for name in ("fomm", "fomm-awp", "fomm-prior", "mraa")
    }
    assert len(entries) == 1
