"""Every documented quirk, put into a SynthME export: the index stays right and the check tells."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import openpyxl
import pytest
from dataset_trees import CASME2, SAMM, rows_of

from mebench.datasets.base import Options, load_dataset
from mebench.datasets.check import CheckReport
from mebench.datasets.layout import find_clips
from mebench.io.frames import read_frames

RAW = "casme2/CASME2_RAW_selected"


def check(export: Path, dataset: str) -> CheckReport:
    return load_dataset(dataset, export / dataset).check()


def edit(path: Path, change: Callable[[openpyxl.worksheet.worksheet.Worksheet], None]) -> None:
    book = openpyxl.load_workbook(path)
    change(book.worksheets[0])
    book.save(path)


def first_clip(export: Path, dataset: str = "casme2") -> Path:
    """Return the folder of the first clip of the index."""
    clip = load_dataset(dataset, export / dataset).clips()[0]
    return clip.reader.paths[0].parent


def renamed(folder: Path, name: Callable[[int], str]) -> None:
    for path in sorted(folder.iterdir()):
        number = int("".join(c for c in path.stem.split("_")[-1] if c.isdigit()))
        path.rename(folder / name(number))


def without_spacers(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    for column in (7, 3):
        sheet.delete_cols(column)


def subjects_as_numbers(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    for row in sheet.iter_rows(min_row=2):
        row[0].value = int(row[0].value)


def blank_rows(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    last = sheet.max_row
    for row in range(last + 1, last + 7):
        sheet.cell(row, 1, "  ").number_format = "0.00"


def notes_above(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    sheet.insert_rows(1, amount=9)
    sheet.cell(2, 1, "coded by two coders")


def notes_removed(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    sheet.delete_rows(1, amount=13)


def shouted_header(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    for cell in sheet[1]:
        cell.value = cell.value and f" {str(cell.value).upper()} "


def merged_subjects(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    """Cells of one person merged by hand: all but the first lose what they held."""
    start = 2
    for row in range(3, sheet.max_row + 2):
        if row > sheet.max_row or sheet.cell(row, 1).value != sheet.cell(start, 1).value:
            if row - start > 1:
                sheet.merge_cells(start_row=start, end_row=row - 1, start_column=1, end_column=1)
            start = row
    assert sheet.merged_cells.ranges


def decimal_frames(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    for row in sheet.iter_rows(min_row=2, min_col=4, max_col=6):
        for cell in row:
            if isinstance(cell.value, int):
                cell.value = f"{cell.value},0"


@pytest.mark.parametrize(
    ("table", "quirk"),
    [
        (CASME2, merged_subjects),
        (CASME2, decimal_frames),
        (CASME2, without_spacers),
        (CASME2, subjects_as_numbers),
        (CASME2, blank_rows),
        (CASME2, notes_above),
        (CASME2, shouted_header),
        (SAMM, notes_removed),
        (SAMM, blank_rows),
    ],
)
def test_a_table_written_otherwise_gives_the_same_index(
    export: Path, tiny: Path, table: str, quirk: Callable[..., None]
) -> None:
    edit(export / table, quirk)
    dataset = table.split("/")[0]
    assert rows_of(export / dataset, dataset) == rows_of(tiny / dataset, dataset)
    report = check(export, dataset)
    assert report.complete
    assert report.refused_rows == ()


def test_edited_copies_of_a_table_are_told(export: Path) -> None:
    edit(export / CASME2, subjects_as_numbers)
    edit(export / CASME2, without_spacers)
    notes = " ".join(check(export, "casme2").notes)
    assert "spacer columns were removed" in notes
    assert "subjects are numbers" in notes


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".xls"])
def test_a_table_saved_as_csv_is_read_whatever_its_name(
    export: Path, tiny: Path, suffix: str
) -> None:
    sheet = openpyxl.load_workbook(export / CASME2).worksheets[0]
    text = io.StringIO()
    csv.writer(text).writerows(sheet.iter_rows(values_only=True))
    (export / CASME2).with_suffix(suffix).write_text(text.getvalue(), encoding="utf-8-sig")
    (export / CASME2).unlink()
    assert rows_of(export / "casme2", "casme2") == rows_of(tiny / "casme2", "casme2")


def test_numeric_and_text_cells_of_action_units_are_the_same(export: Path, tiny: Path) -> None:
    def as_text(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
        for row in sheet.iter_rows(min_row=2):
            row[7].value = f" {row[7].value} "

    assert any(row["au_raw"].isdigit() for row in rows_of(tiny / "casme2", "casme2"))
    edit(export / CASME2, as_text)
    assert rows_of(export / "casme2", "casme2") == rows_of(tiny / "casme2", "casme2")


def test_a_full_width_comma_separates_action_units(export: Path) -> None:
    edit(export / CASME2, lambda sheet: sheet.cell(2, 8, "4\uff0c11"))
    row = rows_of(export / "casme2", "casme2")[0]
    assert (row["action_units"], row["au_raw"]) == ("4+11", "4,11")
    assert check(export, "casme2").unreadable_action_units == ()


@pytest.mark.parametrize(("cell", "told"), [("/", "holds '/'"), (0, "holds '0'"), (None, "''")])
def test_no_apex_is_told_as_the_cell_holds_it(export: Path, cell: object, told: str) -> None:
    def change(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
        sheet.cell(2, 5).value = cell

    edit(export / CASME2, change)
    row = rows_of(export / "casme2", "casme2")[0]
    assert (row["apex"], row["apex_source"]) == ("", "none")
    assert told in check(export, "casme2").correction_lines[0]


def test_an_emotion_spelled_otherwise_is_mapped_and_told(export: Path, tiny: Path) -> None:
    edit(export / CASME2, lambda sheet: sheet.cell(2, 9, " Happy "))
    row = rows_of(export / "casme2", "casme2")[0]
    assert row["emotion"] == "happiness"
    assert "Happy" in row["emotion_raw"]
    assert check(export, "casme2").emotion_spellings == {"Happy": "happiness"}


def test_a_wrong_emotion_is_refused_with_file_and_row(export: Path) -> None:
    edit(export / CASME2, lambda sheet: sheet.cell(3, 9, "hapiness"))
    (line,) = check(export, "casme2").refused_rows
    assert line.startswith("CASME2-coding-20140508.xlsx row 3: unknown emotion 'hapiness'")
    assert "Did you mean 'happiness'" in line


def test_duplicate_rows_name_both(export: Path) -> None:
    def repeat(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
        sheet.append([cell.value for cell in sheet[2]])

    edit(export / CASME2, repeat)
    report = check(export, "casme2")
    assert "stands twice, first in row 2" in report.refused_rows[0]
    assert report.usable


def test_padding_and_prefix_of_frames_do_not_matter(export: Path, tiny: Path) -> None:
    renamed(first_clip(export), lambda number: f"reg_img{number:05d}.JPG")
    renamed(first_clip(export, "samm"), lambda number: f"006_{number:04d}.jpg")
    for dataset in ("casme2", "samm"):
        assert rows_of(export / dataset, dataset) == rows_of(tiny / dataset, dataset)
        assert check(export, dataset).complete


def test_missing_frames_are_named_as_runs(export: Path, tiny: Path) -> None:
    folder = first_clip(export)
    numbers = load_dataset("casme2", export / "casme2").clips()[0].frame_numbers
    for number in numbers[3:6]:
        (folder / f"img{number}.jpg").unlink()
    report = check(export, "casme2")
    (gap,) = report.missing_frames.values()
    assert gap == numbers[3:6]
    assert report.usable
    assert not report.complete
    assert rows_of(export / "casme2", "casme2") == rows_of(tiny / "casme2", "casme2")


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("CASME2_RAW_selected/CASME2_RAW_selected", "raw-selected"),
        ("deep/er/CASME2_RAW_selected", "raw-selected"),
        ("CASME2-RAW", "raw"),
        ("Cropped/Cropped", "cropped"),
        ("Cropped-updated/Cropped", "cropped"),
        ("frames", "frames"),
    ],
)
def test_any_nesting_and_every_known_name_is_found(
    export: Path, tiny: Path, name: str, layout: str
) -> None:
    (export / RAW).rename(export / "moved")
    (export / "casme2" / name).parent.mkdir(parents=True, exist_ok=True)
    (export / "moved").rename(export / "casme2" / name)
    assert rows_of(export / "casme2", "casme2") == rows_of(tiny / "casme2", "casme2")
    assert check(export, "casme2").layout == layout


def test_of_several_layouts_one_can_be_chosen(export: Path) -> None:
    shutil.copytree(export / RAW, export / "casme2/Cropped", copy_function=os.link)
    assert check(export, "casme2").layout == "raw-selected"
    assert "also there, see --layout: cropped" in check(export, "casme2").notes[0]
    chosen = load_dataset("casme2", export / "casme2", Options(layout="cropped"))
    assert chosen.check().layout == "cropped"
    assert all(clip.path.startswith("Cropped/") for clip in chosen.clips())


@pytest.mark.parametrize(
    "root", ["", "casme2", RAW, f"{RAW}/sub01", f"{RAW}/sub01/<clip>"], ids=range(5)
)
def test_a_root_too_high_or_too_low_finds_the_same_copy(
    export: Path, tiny: Path, root: str
) -> None:
    clip = next((export / RAW / "sub01").iterdir()).name
    place = export / root.replace("<clip>", clip)
    if root.count("/") > 1:
        shutil.copy(export / CASME2, place)
    dataset = load_dataset("casme2", place)
    assert len(dataset.clips()) == len(rows_of(tiny / "casme2", "casme2"))


def test_clips_as_avi_are_read(export: Path, tiny: Path) -> None:
    clips = load_dataset("casme2", tiny / "casme2").clips()
    shutil.rmtree(export / RAW)
    for clip in clips:
        target = export / "casme2/CASME2_compressed" / f"sub{clip.subject}" / f"{clip.clip_id}.avi"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_avi(target, read_frames(clip.reader.paths))
    assert rows_of(export / "casme2", "casme2") == rows_of(tiny / "casme2", "casme2")
    found = load_dataset("casme2", export / "casme2")
    assert found.check().layout == "compressed"
    assert found.clips()[0].frames().shape == clips[0].frames().shape
    assert (found.clips()[0].frames() == clips[0].frames()).all()


def write_avi(path: Path, frames: object) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=200)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def test_a_wrong_duration_of_samm_is_told(export: Path) -> None:
    edit(export / SAMM, lambda sheet: sheet.cell(15, 7, 7))
    assert "row 15" in check(export, "samm").contradictions[0]
    assert "duration 7, but" in check(export, "samm").contradictions[0]


def test_a_class_that_the_rule_does_not_give_is_a_warning(export: Path) -> None:
    edit(export / SAMM, lambda sheet: (sheet.cell(15, 9, 4), sheet.cell(15, 11, 1)))
    report = check(export, "samm")
    assert report.complete
    assert "objective class I, by rule III for AU 4" in report.contradictions[0]


def test_smic_is_labelled_by_name_not_by_folder(export: Path, tiny: Path) -> None:
    folder = first_clip(export, "smic")
    wrong = folder.parent.parent / "surprise"
    wrong.mkdir(exist_ok=True)
    folder.rename(wrong / folder.name)
    assert rows_of(export / "smic", "smic") == rows_of(tiny / "smic", "smic")
    assert (
        "label 'negative' by the clip's name, folder says 'surprise'"
        in (check(export, "smic").correction_lines[0])
    )


def test_padded_names_of_smic_are_the_same_clips(export: Path, tiny: Path) -> None:
    folder = first_clip(export, "smic")
    folder.rename(folder.with_name("s0" + folder.name[1:]))
    assert rows_of(export / "smic", "smic") == rows_of(tiny / "smic", "smic")


def test_cropped_and_vis_parts_of_smic_lie_side_by_side(export: Path, tiny: Path) -> None:
    base = export / "smic"
    shutil.copytree(base / "SMIC_all_raw/HS", base / "SMIC_all_cropped/HS", copy_function=os.link)
    shutil.copytree(base / "SMIC_all_raw/HS", base / "SMIC_all_raw/VIS", copy_function=os.link)
    assert rows_of(base, "smic") == rows_of(tiny / "smic", "smic")
    cropped = load_dataset("smic", base, Options(layout="cropped")).clips()
    assert all("SMIC_all_cropped/HS" in clip.path for clip in cropped)
    vis = load_dataset("smic-vis", base).clips()
    assert all("SMIC_all_raw/VIS" in clip.path for clip in vis)
    assert {clip.fps for clip in vis} == {25.0}
    assert len(vis) == len(cropped)


def test_two_generations_of_an_interval_the_frames_decide(export: Path) -> None:
    """07/EP06_01 is 15..68 in the files of 2014 and 2019, 56..91 in the first release."""
    clip = load_dataset("casme2", export / "casme2").clips()[0]
    folder = export / RAW / "sub07" / "EP06_01"
    folder.mkdir(parents=True)
    for number, path in zip(range(56, 92), [*clip.reader.paths] * 3, strict=False):
        os.link(path, folder / f"img{number}.jpg")
    row = ["07", "EP06_01", None, 15, 49, 68, None, 4, "others"]
    edit(export / CASME2, lambda sheet: sheet.append(row))
    dataset = load_dataset("casme2", export / "casme2")
    last = dataset.clips()[-1]
    assert (last.annotation.onset, last.annotation.apex, last.annotation.offset) == (56, 78, 91)
    assert "as the frames on disk show" in dataset.check().correction_lines[-1]
    off = load_dataset("casme2", export / "casme2", Options(corrections="off")).clips()[-1]
    assert (off.annotation.onset, off.annotation.offset) == (15, 68)


def test_corrections_change_the_index_digest(export: Path) -> None:
    def change(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
        for cell, value in zip(sheet[2], ["04", "EP12_01f", None, 261, "/", 321], strict=False):
            cell.value = value

    clip = load_dataset("casme2", export / "casme2").clips()[0]
    folder = export / RAW / "sub04" / "EP12_01f"
    folder.mkdir(parents=True)
    for number, path in zip(range(261, 322), [*clip.reader.paths] * 3, strict=False):
        os.link(path, folder / f"img{number}.jpg")
    edit(export / CASME2, change)
    default = load_dataset("casme2", export / "casme2")
    off = load_dataset("casme2", export / "casme2", Options(corrections="off"))
    assert default.annotations()[0].apex_source == "corrected"
    assert default.annotations()[0].apex == 279
    assert off.annotations()[0].apex is None
    assert default.check().index_digest != off.check().index_digest
    (applied,) = default.check().corrections
    assert applied["changes"] == {"apex": {"old": None, "new": 279}}
    assert applied["apply"] == "always"


def test_only_one_near_copy_beside_the_root_is_taken(export: Path, tmp_path: Path) -> None:
    tables = export / "tables"
    tables.mkdir()
    layouts = load_dataset("casme2", export / "casme2").layouts
    near = find_clips(tables, layouts)
    assert near is not None
    assert near.outside
    shutil.copytree(export / RAW, export / "other/CASME2_RAW_selected", copy_function=os.link)
    assert find_clips(tables, layouts) is None


@pytest.mark.parametrize("flat", [False, True])
def test_a_pack_of_the_challenge_is_read_as_teams_have_it(export: Path, flat: bool) -> None:
    base = export / "MEGC2021_generation"
    if flat:
        source = base / "source_samples"
        for part in list(source.iterdir()):
            for clip in list(part.iterdir()):
                clip.rename(source / clip.name.split("_", 1)[1])
            part.rmdir()
        template = next((base / "target_template_face").glob("*Male*"))
        template.rename(template.with_suffix(".JPG"))
    pack = load_dataset("megc2021", export)
    clips = {clip.key: clip for clip in pack.clips()}
    assert len(clips) == 9
    assert clips["casme2.19.EP01_01f"].annotation.apex == 189
    assert clips["samm.018.018_3_1"].colour == "gray"
    assert clips["smic.s20.s20_sur_01"].fps == 100
    short = clips["smic.s3.s3_po_05"]
    assert (len(short.frame_numbers), short.annotation.offset) == (30, 304659)
    assert sorted(pack.templates()) == ["normalized_asianFemale", "normalized_westernMale"]
    report = pack.check()
    assert report.complete
    assert report.synthetic
    assert not load_dataset("megc2022", export).check().complete
