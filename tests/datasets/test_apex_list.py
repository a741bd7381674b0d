"""Apexes that others published, given as a CSV."""

from pathlib import Path

import pytest

from mebench.datasets.apex_list import read_apexes, with_listed
from mebench.datasets.base import load_dataset
from mebench.errors import DatasetError, UsageError


@pytest.fixture(scope="module")
def clips(tiny: Path):
    return load_dataset("smic", tiny / "smic").clips()


def listed(tmp_path, text):
    (tmp_path / "apex.csv").write_text(text, encoding="utf-16")
    return read_apexes(tmp_path / "apex.csv")


def test_listed_apexes_fill_what_the_annotation_leaves_open(tmp_path, clips):
    assert all(clip.annotation.apex is None for clip in clips)
    first = clips[0].annotation
    wanted = first.onset + 3
    rows = f"Filename;Apex frame;;\n{first.clip_id}.avi;{wanted},0;;\nelsewhere;5;;\n;;;\n"
    found, told = with_listed(clips, listed(tmp_path, rows))
    assert found[0].annotation.apex == wanted
    assert found[0].annotation.apex_source == "listed"
    assert found[0].apex_index == 3
    assert found[1:] == list(clips[1:])
    assert told == [f"{tmp_path / 'apex.csv'}: 1 rows name no clip of this copy"]


def test_an_annotated_apex_stays(tmp_path, tiny):
    clips = load_dataset("casme2", tiny / "casme2").clips()
    row = clips[0].annotation
    text = f"subject,filename,apex\n{row.subject},{row.clip_id},{row.onset}\n"
    found, told = with_listed(clips, listed(tmp_path, text))
    assert found == list(clips)
    assert "1 clips keep the apex of their annotation" in told[0]


def test_a_name_of_several_people_needs_the_subject(tmp_path, tiny):
    clips = load_dataset("casme2", tiny / "casme2").clips()
    names = [clip.annotation.clip_id for clip in clips]
    shared = next(name for name in names if names.count(name) > 1)
    with pytest.raises(DatasetError, match=r"is a clip of several subjects.*add a column subject"):
        with_listed(clips, listed(tmp_path, f"clip,apex\n{shared},50\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clip,offset\na,5\n", "needs columns filename and apex"),
        ("", "needs columns filename and apex, got none"),
        ("clip,apex\na,five\n", "row 2: apex 'five' is no frame number"),
        ("clip,apex\na,5.5\n", "row 2: apex '5.5' is no frame number"),
        ("apex,clip\n\ninf\n", "row 3: apex 'inf' is no frame number"),
        ("clip,apex\na,nan\n", "row 2: apex 'nan' is no frame number"),
    ],
)
def test_other_tables_are_refused_in_one_line(tmp_path, text, words):
    with pytest.raises(UsageError, match=words):
        listed(tmp_path, text)


def test_an_apex_outside_its_clip_is_refused(tmp_path, clips):
    row = clips[0].annotation
    with pytest.raises(DatasetError, match=rf"apex {row.offset + 1} of .* lies outside"):
        with_listed(clips, listed(tmp_path, f"clip,apex\n{row.clip_id},{row.offset + 1}\n"))
