"""Annotation files of the documented shape give the published counts and composites."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import full_tables as full
import pytest
from dataset_trees import save_frames

from mebench.cli.data import check, index
from mebench.datasets.base import Options, load_dataset
from mebench.datasets.composite import load_composite
from mebench.datasets.index import index_rows
from mebench.datasets.megc2019 import CHECK_VALUE
from mebench.errors import DatasetError, UsageError
from tests.commands import runner


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the three files as published, each in a folder of its own."""
    root = tmp_path_factory.mktemp("annotations")
    full.write_casme2(root / "CASME II/CASME2-coding-20140508.xlsx", full.casme2_rows())
    full.write_objective(root / "CASME II/CASME2-ObjectiveClasses.xlsx", full.casme2_rows())
    full.write_samm(root / "SAMM/SAMM_Micro_FACS_Codes_v2.xlsx", full.samm_rows())
    full.write_smic(root / "SMIC/SMIC-HS-E_annotation_orig.xlsx")
    return root


def named_as_left_out(text: str) -> list[str]:
    """Return the keys of the clips that a command says it left out."""
    return [line.split(":")[0] for line in text.splitlines() if ": left out of " in line]


def expected_lines() -> list[str]:
    """Return the composite's lines from the rows as they were written, by another way."""
    three = {"happiness": 1, "surprise": 2}
    lines = []
    for row in full.casme2_rows():
        if row.emotion in ("others", "sadness", "fear"):
            continue
        if isinstance(row.apex, int) and row.apex != row.onset:
            lines.append(f"casme2,sub{row.subject},{row.name},{three.get(row.emotion, 0)}")
    for row in full.samm_rows():
        if row.emotion != "Other":
            lines.append(f"samm,{row.subject},{row.name},{three.get(row.emotion.lower(), 0)}")
    for name in full.smic_names():
        subject, word, number = name.split("_")
        padded = f"s{int(subject[1:]):02d}"
        label = {"ne": 0, "po": 1, "sur": 2}[word]
        lines.append(f"smic,{padded},{padded}_{word}_{number},{label}")
    return sorted(lines)


def test_the_published_files_are_recognised_by_their_counts(tables: Path) -> None:
    report = load_dataset("casme2", tables / "CASME II").check(annotations_only=True)
    assert report.release == "CASME2-coding-20140508"
    assert (report.clips_annotated, report.subjects_found) == (255, 26)
    assert report.emotions_found == report.emotions_expected
    counts = {what: (found, stated) for what, found, stated in report.counts}
    assert counts["frames annotated"] == (17138, 17138)
    assert counts["objective class III"][0] == 99
    assert not [what for what in counts if "subject" in what]
    assert report.sha256 is not None
    report = load_dataset("samm", tables / "SAMM").check(annotations_only=True)
    assert report.release == "SAMM_Micro_FACS_Codes_v2"
    assert all(found == stated for _, found, stated in report.counts)
    assert [item["clip"] for item in report.corrections] == ["028/028_4_1", "032/032_3_1"]


def test_the_later_coding_and_copies_of_it_are_told_apart(tmp_path: Path) -> None:
    later = [
        replace(r, emotion="surprise")
        if f"{r.subject}/{r.name}" in ("24/EP07_01", "24/EP07_04f", "24/EP10_03")
        else r
        for r in full.casme2_rows()
    ]
    numbers = iter([1] * 30 + [2] * 18 + [3] * 93 + [4] * 15 + [5] * 18 + [6] * 2 + [7] * 79)
    later = [replace(r, objective=next(numbers)) for r in later]
    full.write_casme2(tmp_path / "CASME2-coding-20190701.xlsx", later, classes=True)
    report = load_dataset("casme2", tmp_path).check(annotations_only=True)
    assert report.release == "CASME2-coding-20190701"
    assert len(report.optional_corrections) == 5  # 3 relabelled clips, 2 apexes that are fillers
    every = load_dataset("casme2", tmp_path, Options(corrections="all"))
    assert Counter(row.emotion for row in every.annotations())["sadness"] == 7
    # Two clips that only the first release has are added.
    assert {"24/EP02_07", "09/EP02_02f"} <= {row.name for row in every.annotations()}


@pytest.mark.parametrize("edited", [False, True])
def test_megc2019_is_rebuilt_from_annotation_files(
    tables: Path, tmp_path: Path, edited: bool
) -> None:
    root = tables
    if edited:
        # Everything in one folder; copies as they go round.
        root = tmp_path
        rows = [replace(r, apex=300 if r.apex == "/" else r.apex) for r in full.casme2_rows()]
        full.write_casme2(root / "CASME2-coding-20140508.xlsx", rows)
        full.write_samm(root / "SAMM_Micro_FACS_Codes_v2.xlsx", full.samm_rows())
        full.write_smic(root / "SMIC-HS-E_annotation.xlsx", edited=True)
    composite = load_composite("megc2019", root)
    assert len(composite.members) == 442
    assert sorted(member.line for member in composite.members) == expected_lines()
    assert Counter(m.label for m in composite.members) == {0: 250, 1: 109, 2: 83}
    folds = Counter(m.subject for m in composite.members if m.part == "casme2")
    assert folds["sub17"] == 31
    assert {"sub10", "sub18"}.isdisjoint(folds)
    report = composite.check(annotations_only=True)
    assert all(found == stated for _, _, found, stated in report.counts)
    lines = "\n".join(expected_lines())
    assert report.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert report.sha256_published == CHECK_VALUE
    # Names and labels of this set are invented, so it must not pass for the published one.
    assert not report.complete
    assert "names or labels differ from the published list" in report.problems[0]


def test_the_later_coding_gives_the_same_members(tables: Path, tmp_path: Path) -> None:
    later = [
        replace(r, emotion="surprise") if r.emotion == "sadness" and r.subject == "24" else r
        for r in full.casme2_rows()
    ]
    full.write_casme2(tmp_path / "casme2/CASME2-coding-20190701.xlsx", later, classes=True)
    for part in ("SAMM", "SMIC"):
        (tmp_path / part).symlink_to(tables / part)
    members = load_composite("megc2019", tmp_path).members
    assert sorted(member.line for member in members) == expected_lines()


def test_megc2018_holds_the_objective_classes_one_to_five(tables: Path) -> None:
    report = load_composite("megc2018", tables).check(annotations_only=True)
    assert report.clips == 253
    found = {(part, what): count for part, what, count, _ in report.counts}
    assert found["casme2", "clips"] == 185
    assert found["samm", "III"] == 20


def test_five_class_sets_have_the_published_sizes(tables: Path) -> None:
    for name, folder, size in (("casme2", "CASME II", 246), ("samm", "SAMM", 136)):
        rows = index_rows(load_dataset(name, tables / folder).listed())
        assert sum(row["five_class"] is not None for row in rows) == size


@pytest.mark.parametrize("edited", [False, True])
def test_smic_e_names_the_same_micro_expressions_in_both_sheets(
    tmp_path: Path, edited: bool
) -> None:
    full.write_smic(tmp_path / "SMIC-HS-E_annotation.xlsx", edited=edited)
    dataset = load_dataset("smic-e", tmp_path)
    rows = {row.clip_id: row for row in dataset.annotations()}
    named = set(full.smic_names()) - {"s1_ne_02", "s2_sur_05"}
    further = {f"{name}_2" for name in full.SMIC_SECOND}
    assert set(rows) == (named - {"s3_ne_20"} if edited else named) | further
    assert rows["s18_sur_03"].emotion == rows["s18_sur_03_2"].emotion == "surprise"
    assert "surprise instead of negative" in rows["s18_sur_03"].corrections[0]
    report = dataset.check(annotations_only=True)
    assert report.rows == (157 if edited else 162)
    assert report.release is not None
    assert report.release.startswith("SMIC-HS-E_annotation")
    assert report.emotions_found == report.emotions_expected
    assert any("labelled 'negative', by name 'surprise'" in line for line in report.contradictions)
    dropped = [line for line in report.contradictions if "left out" in line]
    assert len(dropped) == (6 if edited else 0)
    if not edited:
        assert any("MISSING <-426679" in line for line in report.contradictions)


def test_smic_e_cuts_every_micro_expression_from_its_long_clip(tmp_path: Path) -> None:
    full.write_smic(tmp_path / "SMIC-HS-E_annotation_orig.xlsx")
    held = {row.clip_id: row for row in load_dataset("smic-e", tmp_path).annotations()}
    base = tmp_path / "SMIC-E_raw image/HS_long/SMIC-HS-E/HS"
    first, last = held["s3_ne_02"].onset, held["s3_ne_03"].offset
    save_frames(base / "s03/s3_ne_02", [f"image{n:06d}.jpg" for n in range(first - 5, last + 3)])
    dataset = load_dataset("smic-e", tmp_path)
    clips = {clip.clip_id: clip for clip in dataset.clips(on_missing="skip")}
    assert set(clips) == {"s3_ne_02", "s3_ne_03"}
    for name, clip in clips.items():
        assert clip.frame_numbers[0] == held[name].onset
        assert clip.path.endswith("s03/s3_ne_02")
    report = dataset.check()
    assert len(report.missing_clips) == 164
    assert not any("s3_ne_20" in line for line in report.missing_clips)
    assert any("s3/s3_ne_20: no frames in any copy" in line for line in report.frame_remarks)


def test_the_command_line_checks_and_lists_a_composite(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runner()
    result = run.invoke(check, ["megc2019", "--root", str(tables), "--annotations-only"])
    assert result.exit_code == 0
    assert ["casme2", "negative", "88", "88"] in [
        line.split() for line in result.stdout.splitlines()
    ]
    assert result.stdout.splitlines()[-1] == "NOT the published composite"
    arguments = ["megc2019", "--root", str(tables), "--annotations-only", "--json"]
    assert json.loads(run.invoke(check, arguments).stdout)["clips"] == 442
    listed = run.invoke(index, ["megc2019", "--annotations-only", "--root", str(tables)])
    # Without SMIC's frames two clips of SMIC have a name, but no row.
    assert len(listed.stdout.splitlines()) == 1 + 440
    assert named_as_left_out(listed.stderr) == ["smic.s1.s1_ne_02", "smic.s2.s2_sur_05"]
    assert "no annotation file has a row for it" in listed.stderr
    strict = run.invoke(check, [*arguments[:-1], "--strict"])
    assert isinstance(strict.exception, DatasetError)
    for part, folder in (("CASME2", "CASME II"), ("SAMM", "SAMM"), ("SMIC", "SMIC")):
        monkeypatch.setenv(f"MEBENCH_{part}_ROOT", str(tables / folder))
    assert run.invoke(check, ["megc2019", "--annotations-only"]).exit_code == 0
    monkeypatch.delenv("MEBENCH_SMIC_ROOT")
    with pytest.raises(UsageError, match=r"no folder known for smic, .* config set data\.smic"):
        load_composite("megc2019").check(annotations_only=True)


def test_every_member_is_listed_or_left_out_by_name(tables: Path, tmp_path: Path) -> None:
    """Members of one name and one interval, of two subjects or two data sets, stay apart."""
    full.write_smic(tmp_path / "SMIC/SMIC-HS-E_annotation.xlsx", edited=True)
    alike = {"EP02_20": (46, 70, 112)}
    rows = [
        replace(r, onset=alike[r.name][0], apex=alike[r.name][1], offset=alike[r.name][2])
        if r.name in alike
        else r
        for r in full.casme2_rows()
    ]
    assert sum(row.name in alike for row in rows) > 1
    full.write_casme2(tmp_path / "CASME II/CASME2-coding-20140508.xlsx", rows)
    (tmp_path / "SAMM").symlink_to(tables / "SAMM")
    composite = load_composite("megc2019", tmp_path)
    listed = [clip.key for clip in composite.listed()]
    left = named_as_left_out("\n".join(composite.left_out))
    assert left == ["smic.s1.s1_ne_02", "smic.s2.s2_sur_05", "smic.s3.s3_ne_20"]
    assert len(listed) == len(set(listed)) == 439
    assert sorted(listed + left) == sorted(member.key for member in composite.members)
    same = [key for key in listed if key.endswith(".EP02_20")]
    assert len(same) > 1


def test_members_without_frames_are_named_when_they_are_left_out(tables: Path) -> None:
    base = tables.parent / "with frames"
    for part in ("CASME II", "SAMM"):
        (base / part).mkdir(parents=True)
        for path in (tables / part).iterdir():
            (base / part / path.name).symlink_to(path)
    row = next(r for r in full.casme2_rows() if r.emotion == "disgust" and r.apex != r.onset)
    folder = base / "CASME II/CASME2_RAW_selected" / f"sub{row.subject}" / row.name
    save_frames(folder, [f"img{n}.jpg" for n in range(row.onset, row.offset + 1)])
    other = next(r for r in full.samm_rows() if r.emotion == "Anger")
    save_frames(
        base / "SAMM" / other.subject / other.name,
        [f"{other.subject}_{n:05d}.jpg" for n in range(other.onset, other.offset + 1)],
    )
    save_frames(base / "SMIC/HS/s1/micro/negative/s1_ne_01", ["image1.bmp", "image2.bmp"])
    run = runner().invoke(index, ["megc2019", "--root", str(base), "--on-missing", "skip"])
    kept = [".".join(line.split(",")[:3]) for line in run.stdout.splitlines()[1:]]
    left = named_as_left_out(run.stderr)
    assert len(kept) == 3
    assert sorted(kept + left) == sorted(m.key for m in load_composite("megc2019", base).members)


def test_megc2018_names_the_table_of_classes_it_lacks(tables: Path, tmp_path: Path) -> None:
    full.write_casme2(tmp_path / "CASME II/CASME2-coding-20140508.xlsx", full.casme2_rows())
    (tmp_path / "SAMM").symlink_to(tables / "SAMM")
    arguments = ["megc2018", "--root", str(tmp_path), "--annotations-only"]
    shown = runner().invoke(check, arguments)
    assert "missing tables: 1" in shown.stdout
    assert "casme2: no table of objective classes" in shown.stdout
    refused = runner().invoke(check, [*arguments, "--strict"])
    words = str(refused.exception)
    assert "put CASME2-ObjectiveClasses.xlsx into" in words
    assert "http://casme.psych.ac.cn/casme/e2" in words
    assert "copy it again" not in words
    listed = runner().invoke(index, arguments)
    assert "CASME2-ObjectiveClasses.xlsx" in listed.stderr
    full.write_casme2(
        tmp_path / "CASME II/CASME2-coding-20190701.xlsx", full.casme2_rows(), classes=True
    )
    (tmp_path / "CASME II/CASME2-coding-20140508.xlsx").unlink()
    assert "holds the classes of the later coding" in runner().invoke(check, arguments).stdout


def test_of_two_releases_below_one_root_it_is_told_which_was_taken(
    tables: Path, tmp_path: Path
) -> None:
    rows = full.casme2_rows()
    for release, classes in (("CASME2 2014", False), ("CASME2 2019", True)):
        name = "CASME2-coding-20190701" if classes else "CASME2-coding-20140508"
        full.write_casme2(tmp_path / release / f"{name}.xlsx", rows, classes=classes)
        folder = tmp_path / release / "CASME2_RAW_selected/sub01" / rows[0].name
        save_frames(folder, [f"img{n}.jpg" for n in range(rows[0].onset, rows[0].offset + 1)])
    told = [
        "annotation file CASME2 2014/CASME2-coding-20140508.xlsx taken, not "
        "CASME2 2019/CASME2-coding-20190701.xlsx; to read another give --table FILE, or its "
        "folder as the root",
        "frames of CASME2 2014/CASME2_RAW_selected taken, not those of "
        "CASME2 2019/CASME2_RAW_selected; to read another copy give its folder as the root",
    ]
    arguments = ["casme2", "--root", str(tmp_path), "--on-missing", "skip"]
    listed = runner().invoke(index, arguments)
    assert [line for line in listed.stderr.splitlines() if " taken, not " in line] == told
    assert set(told) <= set(load_dataset("casme2", tmp_path).check().notes)
    one = runner().invoke(
        index, ["casme2", "--root", str(tmp_path / "CASME2 2019"), *arguments[3:]]
    )
    assert " taken, not " not in one.stderr
    for part in ("SAMM", "SMIC"):
        (tmp_path / part).symlink_to(tables / part)
    composite = load_composite("megc2019", tmp_path)
    assert len(composite.listed()) == 440
    assert any(
        line.startswith("casme2: folder CASME2 2014 taken, not CASME2 2019; to choose")
        for line in composite.told
    )
    assert composite.check(annotations_only=True).notes.count(composite.told[0]) == 1
