"""What raters send back: exports checked, files put together, nothing lost."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mebench.rating.collect import collect
from mebench.rating.export import save_ratings, write_csv
from mebench.rating.form import load_form
from mebench.rating.model import Ratings
from tests.rating.panel_files import (
    all_answers,
    blank,
    exported,
    fill,
    make_key,
    part,
    refused,
    write_export,
)

KEY = make_key()


def lines_of(*paths: Path, **options: Any) -> list[str]:
    return refused(paths, KEY, **options)


def export(folder: Path, answers: Any = None, name: str = "a.json", **changed: Any) -> Path:
    folder.mkdir(exist_ok=True)
    given = all_answers(KEY) if answers is None else answers
    return write_export(folder / name, exported(KEY, given, **changed))


def test_what_is_no_file_is_told(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    large = tmp_path / "large.json"
    with large.open("wb") as out:
        out.truncate((16 << 20) + 1)
    paths = [tmp_path / name for name in ("folder", "pipe", "large.json", "absent.json")]
    said = lines_of(*paths)
    assert [line.split(": ")[0] for line in said] == [path.name for path in paths]
    for line, text in zip(
        said, ("a folder", "no regular file", "larger than 16 MiB", "No such file"), strict=True
    ):
        assert text in line


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path):
    one, two = all_answers(KEY), all_answers(KEY, "R2")
    one["c001"]["values"]["overall"] = 9
    one["c002"]["values"]["timing"] = 0
    two["c003"]["aus"]["15"]["present"] = 2
    said = lines_of(export(tmp_path, one), export(tmp_path, two, "b.json", rater="R2"))
    assert [line.split(",")[0] for line in said] == [
        "a.json: clip c001", "a.json: clip c002", "b.json: clip c003",
    ]  # fmt: skip


def test_bad_files_can_be_left_out_and_are_noted(tmp_path: Path):
    bad = export(tmp_path, {"c999": {}}, "bad.json", rater="R2")
    good = export(tmp_path)
    panel = collect([bad, good], KEY, skip_bad=True)
    assert {one.rater for one in panel.ratings} == {"R1"}
    assert panel.notes[0].startswith("bad.json was left out: clip 'c999' is not one of")
    assert [one.name for one in panel.files] == ["a.json"]
    assert lines_of(bad, skip_bad=True), "nothing is left to collect"


def test_files_are_known_by_base_name_and_digest_only(tmp_path: Path):
    panel = collect([export(tmp_path / "dr-meier")], KEY)
    assert [(one.name, one.rater, one.ratings) for one in panel.files] == [("a.json", "R1", 6)]
    assert "meier" not in panel.model_dump_json()
    assert "secret" not in panel.model_dump_json()


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path):
    wrong = {"c999": {}}
    said = lines_of(export(tmp_path / "x", wrong), export(tmp_path / "y", wrong, rater="R2"))
    assert said[0].startswith(f"{tmp_path}/x/a.json: ")
    assert said[1].startswith(f"{tmp_path}/y/a.json: ")


def test_parts_sent_one_after_the_other_are_put_together(tmp_path: Path):
    whole = all_answers(KEY)
    one = export(tmp_path, part(whole, "c001", "c002", "c003"), complete=False)
    two = fill(blank(tmp_path / "b.xlsx", KEY), part(whole, "c003", "c004", "c005", "c006"))
    panel = collect([one, two, one], KEY)
    assert [(r.item, r.values, r.aus) for r in panel.ratings] == [
        (item, entry["values"], entry["aus"]) for item, entry in whole.items()
    ]
    assert [r.seconds for r in panel.ratings] == [10.0, 11.0, 12.0, None, None, None]
    assert panel.notes == ("R2: no file", "R3: no file")
    assert [one.name for one in panel.files] == ["a.json", "b.xlsx", "a.json"]


@pytest.mark.parametrize("seed", range(8))
def test_however_answers_are_spread_over_files_the_whole_comes_back(tmp_path: Path, seed: int):
    rng = np.random.default_rng(seed)
    whole = all_answers(KEY)
    spread: list[dict[str, Any]] = [{}, {}, {}]
    for item, entry in whole.items():
        for name, value in entry["values"].items():
            holder = spread[rng.integers(3)].setdefault(item, {"values": {}, "aus": {}})
            holder["values"][name] = value
        for au, given in entry["aus"].items():
            for name, value in given.items():
                holder = spread[rng.integers(3)].setdefault(item, {"values": {}, "aus": {}})
                holder["aus"].setdefault(au, {})[name] = value
    paths = [
        export(tmp_path, spread[0]),
        fill(blank(tmp_path / "b.xlsx", KEY), spread[1]),
        export(tmp_path, spread[2], "c.json"),
    ]
    panel = collect([paths[place] for place in rng.permutation(3)], KEY, partial="refuse")
    assert {one.item: {"values": one.values, "aus": one.aus} for one in panel.ratings} == {
        item: {"values": entry["values"], "aus": entry["aus"]} for item, entry in whole.items()
    }


def test_one_item_answered_in_two_halves_is_put_together(tmp_path: Path):
    whole = all_answers(KEY)["c002"]
    values = sorted(whole["values"])
    first = {"c002": {"values": {n: whole["values"][n] for n in values[:2]}, "seconds": 9}}
    rest = {n: whole["values"][n] for n in values[2:]}
    second = {"c002": {"values": rest, "aus": whole["aus"], "seconds": 4}}
    paths = [export(tmp_path, first), export(tmp_path, second, "b.json")]
    (rating,) = collect(paths, KEY).ratings
    assert (rating.values, rating.aus) == (whole["values"], whole["aus"])
    assert (rating.complete, rating.seconds) == (True, 9)


def test_two_files_that_differ_are_refused_by_name_and_settled_as_asked(tmp_path: Path):
    old, new = all_answers(KEY), all_answers(KEY)
    old["c004"]["values"]["overall"], new["c004"]["values"]["overall"] = 2, 4
    old["c001"]["aus"]["6"]["intensity"], new["c001"]["aus"]["6"]["intensity"] = "A", "C"
    late = export(tmp_path, new, "late.json", saved="2026-03-02T09:00:00+01:00")
    early = export(tmp_path, old, "early.json", saved="2026-03-02T07:59:00Z")
    assert lines_of(late, early) == [
        "R1: clip c001, Intensity [intensity] of AU 6: late.json says 'C', early.json says 'A'; "
        "leave one file out, or: --conflict newest (or first)",
        "R1: clip c004, Overall [overall]: late.json says 4, early.json says 2; leave one file "
        "out, or: --conflict newest (or first)",
    ]
    assert len(lines_of(late, early, skip_bad=True)) == 2

    def settled(how: str, *paths: Path) -> tuple[int, str]:
        panel = collect(paths, KEY, on_conflict=how)
        found = {one.item: one for one in panel.ratings}
        return found["c004"].values["overall"], panel.notes[0]

    assert settled("newest", late, early) == (
        4, "R1: 2 answers differ between late.json, early.json; the newest counts",
    )  # fmt: skip
    assert settled("first", early, late)[0] == 2
    assert settled("first", late, early)[0] == 4
    sheet = fill(blank(tmp_path / "s.xlsx", KEY), old)
    assert settled("newest", late, sheet) == (
        2, "R1: 2 answers differ between late.json, s.xlsx; the last given counts",
    )  # fmt: skip


def test_an_answer_taken_back_in_a_complete_item_is_a_difference(tmp_path: Path):
    old, new = all_answers(KEY), all_answers(KEY)
    old["c001"]["values"]["artefacts"] = ["blur"]
    new["c001"]["values"].pop("artefacts", None)
    first = export(tmp_path, old)
    second = export(tmp_path, new, "b.json", saved="2026-04-01T00:00:00Z")
    (line,) = lines_of(first, second)
    assert "clip c001, Artefacts [artefacts]: a.json says blur, b.json says nothing" in line
    newest = collect([second, first], KEY, on_conflict="newest").ratings[0]
    assert "artefacts" not in newest.values
    assert collect([first, second], KEY, on_conflict="first").ratings[0].values["artefacts"]


def test_units_in_another_order_are_no_difference(tmp_path: Path):
    one, two = all_answers(KEY), all_answers(KEY)
    one["c001"]["values"]["other_aus"], two["c001"]["values"]["other_aus"] = ["4", "9"], ["9", "4"]
    assert len(collect([export(tmp_path, one), export(tmp_path, two, "b.json")], KEY).ratings) == 6


def test_who_stopped_halfway_is_named_and_kept_or_refused(tmp_path: Path):
    whole = all_answers(KEY)
    begun = part(whole, "c001", "c002", "c003")
    del begun["c003"]["values"]["overall"]
    del begun["c003"]["aus"]["15"]["present"]
    path = export(tmp_path, begun, complete=False)
    other = export(tmp_path, all_answers(KEY, "R2"), "b.json", rater="R2")
    panel = collect([path, other], KEY)
    assert panel.notes == (
        "R1 stopped halfway (a.json): 2 of 6 clips complete, 1 begun", "R3: no file",
    )  # fmt: skip
    assert [(r.item, r.complete) for r in panel.ratings if r.rater == "R1"] == [
        ("c001", True), ("c002", True), ("c003", False),
    ]  # fmt: skip
    said = lines_of(path, other, partial="refuse")
    assert said[0] == (
        "a.json: clip c003: missing Present of AU 15, Overall; ask rater R1 for it, or: "
        "--partial keep"
    )
    assert [line.split(": ")[1] for line in said] == [
        "clip c003",
        "clip c004",
        "clip c005",
        "clip c006",
    ]


def test_an_empty_sheet_and_an_empty_export_are_a_rater_who_has_not_begun(tmp_path: Path):
    for path in (blank(tmp_path / "s.xlsx", KEY), export(tmp_path, {}, complete=False)):
        panel = collect([path], KEY)
        assert panel.ratings == ()
        assert panel.notes[0] == f"R1 stopped halfway ({path.name}): 0 of 6 clips complete"


def test_comments_are_data_without_what_steers_a_display(tmp_path: Path):
    given = all_answers(KEY)
    said = "\ud800a\r\nb\x00\x1b[2J\u202e</script><b>'; DROP\u2028=1"
    given["c001"]["values"]["comment"] = said
    given["c002"]["values"]["comment"] = "\u202e\x07"
    panel = collect([export(tmp_path, given)], KEY)
    assert panel.ratings[0].values["comment"] == "a\nb[2J</script><b>'; DROP\n=1"
    assert "comment" not in panel.ratings[1].values
    panel.save(tmp_path / "ratings.json")
    assert Ratings.load(tmp_path / "ratings.json") == panel


def test_the_order_of_files_changes_nothing(tmp_path: Path):
    paths = [
        export(tmp_path, all_answers(KEY, r), f"{r}.json", rater=r) for r in ("R1", "R2", "R3")
    ]
    one, two = collect(paths, KEY), collect(paths[::-1], KEY)
    assert one.ratings == two.ratings
    assert [(r.rater, r.item) for r in one.ratings] == [
        (rater, item.id) for rater, items in KEY.raters.items() for item in items
    ]


def test_the_short_form_needs_no_sheet_of_units(tmp_path: Path):
    key = make_key(load_form("short"))
    path = fill(blank(tmp_path / "s.xlsx", key), all_answers(key))
    assert len(collect([path], key, partial="refuse").ratings) == 6


def test_ratings_are_never_replaced_by_fewer_without_a_word(tmp_path: Path):
    out = tmp_path / "ratings.json"
    two = export(tmp_path, all_answers(KEY, "R2"), "b.json", rater="R2")
    both, one = collect([export(tmp_path), two], KEY), collect([two], KEY)
    save_ratings(out, one)
    save_ratings(out, both)
    before = out.read_bytes()
    with pytest.raises(Exception, match=r"ratings.json: holds \d+ answers that these files lack "):
        save_ratings(out, one)
    changed = both.model_copy(update={"bundle": "f" * 16})
    with pytest.raises(Exception, match=r"holds ratings of bundle 0123456789abcdef, these are of"):
        save_ratings(out, changed)
    assert out.read_bytes() == before
    save_ratings(out, one, replace=True)
    assert Ratings.load(out) == one
    out.write_text('{"schema": "other"}')
    with pytest.raises(Exception, match="holds something else than ratings"):
        save_ratings(out, one)


def test_the_table_is_blinded_unless_asked_and_no_cell_is_a_formula(tmp_path: Path):
    panel = collect([export(tmp_path)], KEY)
    count = write_csv(tmp_path / "t.csv", panel, KEY)
    text = (tmp_path / "t.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert (
        len(rows)
        == count
        == sum(len(r.values) + sum(map(len, r.aus.values())) for r in panel.ratings)
    )
    assert "secret" not in text
    assert not [v for row in rows for v in row.values() if v.startswith(("=", "+", "-", "@"))]
    first = next(row for row in rows if row["question"] == "intensity")
    assert (first["rater"], first["item"], first["au"], first["complete"]) == (
        "R1",
        "c001",
        "6",
        "1",
    )
    write_csv(tmp_path / "u.csv", panel, KEY, unblind=True)
    with (tmp_path / "u.csv").open(encoding="utf-8") as lines:
        open_rows = list(csv.DictReader(lines))
    assert [row["value"] for row in open_rows] == [row["value"] for row in rows]
    kinds = {row["item"]: (row["kind"], row["method"], row["repeat_of"]) for row in open_rows}
    assert kinds["c001"] == ("entry", "our-secret-method", "")
    assert kinds["c005"] == ("repeat", "our-secret-method", "c001")
    assert kinds["c006"] == ("real", "", "")
