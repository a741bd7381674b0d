"""Any folder of clips is a data set: what is found, how it is called, what a CSV may say of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from dataset_trees import save_frames
from PIL import Image

from mebench.cli.data import check, index
from mebench.datasets.base import Dataset, Options, load_dataset
from mebench.errors import DatasetError
from mebench.io.video import write_mp4
from mebench.preprocess.landmarks import choose_landmarker
from mebench.types import Clip


def save(root: Path, *names: str, first: int = 1, count: int = 4) -> Path:
    for name in names:
        save_frames(root / name, [f"img{n:03d}.png" for n in range(first, first + count)])
    return root


def save_file(path: Path, count: int = 6, fps: float = 50.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shades = np.arange(count, dtype=np.uint8)[:, None, None, None] * 20
    frames = np.broadcast_to(shades, (count, 32, 32, 3))
    if path.suffix != ".gif":
        write_mp4(path, frames, fps)
        return path
    first, *rest = (Image.fromarray(np.array(frame)) for frame in frames)
    first.save(path, save_all=True, append_images=rest, duration=round(1000 / fps))
    return path


def loaded(root: Path, csv: str | None = None) -> Dataset:
    if csv is not None:
        (root / "clips.csv").write_text(csv, encoding="utf-8")
    return load_dataset("clips", root)


def by_key(dataset: Dataset) -> dict[str, Clip]:
    return {clip.key: clip for clip in dataset.clips()}


def test_folders_and_files_below_subjects_are_clips_of_those_subjects(tmp_path: Path) -> None:
    save(tmp_path, "anna/smile 01", "bo/smile", first=46)
    save_file(tmp_path / "bo/frown.mp4")
    save_file(tmp_path / "bo/wink.gif", fps=25)
    dataset = loaded(tmp_path)
    clips = by_key(dataset)
    assert list(clips) == [
        "clips.anna.smile-01", "clips.bo.frown", "clips.bo.smile", "clips.bo.wink",
    ]  # fmt: skip
    folder, file, gif = (clips[f"clips.{name}"] for name in ("bo.smile", "bo.frown", "bo.wink"))
    assert (folder.fps, file.fps, gif.fps) == (200, 50, 25)
    assert folder.frame_numbers == (46, 47, 48, 49)
    assert file.frame_numbers == tuple(range(1, 7))
    assert (folder.annotation.onset, folder.annotation.apex, folder.annotation.offset) == (
        46, None, 49,
    )  # fmt: skip
    assert [len(clip.frames()) for clip in clips.values()] == [4, 6, 4, 6]
    assert abs(int(file.frames()[3, 0, 0, 0]) - 60) < 8
    assert folder.annotation.au_unknown
    assert dataset.told == [
        "200 frames per second assumed for 2 of 4 clips, which state no rate (anna/smile 01, "
        "bo/smile); say it in a column fps of clips.csv"
    ]
    assert not dataset.redistribute


def test_clips_that_lie_elsewhere_are_subjects_of_their_own_and_it_is_told(tmp_path: Path) -> None:
    save(tmp_path, "one", "deep/er/two")
    dataset = loaded(tmp_path)
    assert list(by_key(dataset)) == ["clips.deep-er-two.deep-er-two", "clips.one.one"]
    assert any("2 of 2 clips are taken for subjects of their own" in line for line in dataset.told)


def test_a_root_without_clips_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        load_dataset("clips", tmp_path / "nowhere")
    (tmp_path / "up/empty").mkdir(parents=True)
    with pytest.raises(DatasetError, match="empty: no folder of frames and no clip file") as caught:
        loaded(tmp_path / "up/empty").clips()
    assert "\n" not in str(caught.value)


def test_folders_that_hold_everything_are_looked_through(tmp_path: Path) -> None:
    save(tmp_path, "export/all/anna/a", "export/all/anna/b")
    assert list(by_key(loaded(tmp_path))) == ["clips.anna.a", "clips.anna.b"]


def test_a_folder_that_is_one_clip_is_taken(tmp_path: Path) -> None:
    save(tmp_path, "smile")
    assert list(by_key(loaded(tmp_path / "smile"))) == ["clips.smile.smile"]


def test_pictures_beside_clips_are_no_frames_and_it_is_told(tmp_path: Path) -> None:
    save(tmp_path, "anna/a", "anna/b")
    save_frames(tmp_path / "anna", ["photo1.jpg", "photo2.jpg", "photo3.jpg"])
    save_frames(tmp_path / "bo/c", ["x.png", "y.png"])
    save(tmp_path, "bo/d", ".hidden/e", "__MACOSX/f")
    dataset = loaded(tmp_path)
    assert list(by_key(dataset)) == ["clips.anna.a", "clips.anna.b", "clips.bo.d"]
    text = "\n".join(dataset.check().notes)
    assert "anna: 3 images beside clips are not taken as frames" in text
    assert "c: 2 images, 0 of them numbered" in text


def test_keys_are_safe_path_parts_and_no_two_are_alike(tmp_path: Path) -> None:
    names = ["a b", "a-b", "a.b", "A-B", "笑", "哭", "x" * 90, "plain", "do..ts", "a$b"]
    save(tmp_path, *(f"{subject}/{name}" for subject in ("s.1", "s-1") for name in names))
    keys = [clip.key for clip in loaded(tmp_path).clips()]
    assert len({key.casefold() for key in keys}) == len(keys) == 20
    parts = [key.split(".") for key in keys]
    assert {len(each) for each in parts} == {3}  # no dot is left inside subject or clip
    assert all(part.isascii() and part.replace("-", "").replace("_", "").isalnum()
               for each in parts for part in each)  # fmt: skip
    assert all(len(key) < 200 for key in keys)
    assert any(key.endswith(".plain") for key in keys)  # what is safe stays as it is


@pytest.mark.parametrize(
    ("mark", "sign", "end"), [("", ",", "\n"), ("\ufeff", ";", "\r\n"), ("", "\t", "\r\n")]
)
def test_a_csv_says_who_how_fast_from_where_to_where_and_what(
    tmp_path: Path, mark: str, sign: str, end: str
) -> None:
    save(tmp_path, "one", "two", first=10, count=9)
    save_file(tmp_path / "three.mp4")
    lines = [
        ["Clip", "SUBJECT", "fps", "Onset", "apex", "Offset", "AUs", "Emotion", "lamp"],
        ["one", "anna", "100", "11", "13", "16", '"4+L10"', "Happy", "left"],
        ["two", "anna", "", "", "", "", "4++?(", "bored", "left"],
        ["THREE.mp4", "bo", "", "2", "/", "5", "", "", ""],
    ]
    (tmp_path / "labels.csv").write_bytes(
        (mark + end.join(sign.join(cells) for cells in lines) + end).encode()
    )
    dataset = loaded(tmp_path)
    one, two, three = dataset.clips()
    assert (one.key, one.fps, one.frame_numbers) == ("clips.anna.one", 100, tuple(range(11, 17)))
    assert (one.annotation.apex, one.annotation.apex_source) == (13, "annotated")
    assert [unit.au for unit in one.annotation.action_units] == [4, 10]
    assert one.annotation.emotion == "happiness"
    assert (two.key, two.frame_numbers) == ("clips.anna.two", tuple(range(10, 19)))
    assert (two.annotation.emotion, two.annotation.emotion_raw) == ("unknown", "bored")
    assert (three.key, three.fps, len(three.frames())) == ("clips.bo.three", 50, 4)
    assert abs(int(three.frames()[0, 0, 0, 0]) - 20) < 8  # frame 2 of the file is the second one
    (line,) = dataset.check().unreadable_action_units
    assert "labels.csv row 3: " in line
    notes = dataset.check().notes
    assert "labels.csv: columns ignored: lamp" in notes
    assert "emotion 'bored' counts as unknown (1 of 3 clips)" in notes
    assert any("assumed for 1 of 3 clips" in note for note in notes)


def test_commas_inside_semicolons_part_no_cells(tmp_path: Path) -> None:
    save(tmp_path, "s/one")
    (clip,) = loaded(tmp_path, "clip;fps;AUs\ns/one;29,97;4,7,9,10,12,14\n").clips()
    assert clip.fps == 29.97
    assert len(clip.annotation.action_units) == 6


def test_a_clip_without_a_row_is_left_out_and_told(tmp_path: Path) -> None:
    save(tmp_path, "s/one", "s/two")
    dataset = loaded(tmp_path, "clip\none\n")
    assert list(by_key(dataset)) == ["clips.s.one"]
    assert dataset.check().extra_clips == (str(tmp_path / "s/two"),)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (",x,,,", "row 3: names no clip; fill the column clip, or delete the row"),
        ("a/one,,,,", r"row 3: clip 'a/one' stands twice, first in row 2; keep one of them"),
        ("a/two,,5,,2", r"row 3: onset 5 must lie before offset 2.*; correct one of them"),
        ("a/two,,3,,3", r"row 3: onset 3 must lie before offset 3"),
        ("a/two,,2,8,5", r"row 3: apex 8 lies outside onset\.\.offset, 2\.\.5; correct it"),
        ("a/two,,0,,5", r"row 3: onset 0 lies outside the clip's frames 1\.\.9 \(by the images'"),
        ("a/two,,1,,77", r"row 3: offset 77 lies outside the clip's frames 1\.\.9"),
        ("b/file,,0,,3", r"row 3: onset 0 lies outside the clip's frames 1\.\.6 \(counted from 1"),
        ("a/two,,two,,5", "row 3: onset 'two' is no frame number; write a whole number"),
        ("two,,,,", r"row 3: clip 'two' may be a/two, b/two; write its whole path"),
    ],
)
def test_a_row_that_cannot_be_true_is_one_line_with_file_and_row(
    tmp_path: Path, row: str, words: str
) -> None:
    save(tmp_path, "a/one", "a/two", "b/two", count=9)
    save_file(tmp_path / "b/file.mp4")
    dataset = loaded(tmp_path, f"clip,subject,onset,apex,offset\na/one,,,,\n{row}\n")
    with pytest.raises(DatasetError, match=rf"clips\.csv {words}") as caught:
        dataset.clips()
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("rate", ["0", "-5", "fast", "inf", "1e9"])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, rate: str) -> None:
    save(tmp_path, "a/one")
    with pytest.raises(DatasetError, match=rf"row 2: fps '{rate}' is no rate; write frames per"):
        loaded(tmp_path, f"clip,fps\na/one,{rate}\n").clips()


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        (b"", "the file is empty"),
        (b"name,fps\nx,1\n", "no column 'clip' in the first row"),
        (b"clip,clip\nx,y\n", "column 'clip' stands twice"),
        ("clip\nsp\xe4t\n".encode("latin-1"), "not a CSV in UTF-8; save it as"),
        (b"PK\x03\x04\xff\xff", "not a CSV in UTF-8"),
    ],
)
def test_a_csv_that_cannot_be_read_says_how_to_mend_it(
    tmp_path: Path, csv: bytes, words: str
) -> None:
    save(tmp_path, "a/one")
    (tmp_path / "clips.csv").write_bytes(csv)
    with pytest.raises(DatasetError, match=words) as caught:
        load_dataset("clips", tmp_path).clips()
    assert "clips.csv" in str(caught.value)


def test_clips_that_cannot_be_read_are_named_and_may_be_left_out(tmp_path: Path) -> None:
    save(tmp_path, "a/one")
    (tmp_path / "a/cut.mp4").write_bytes(b"not a film")
    csv = "clip\na/one\na/cut\na/gone 1\n"
    with pytest.raises(DatasetError, match=r"clip a/cut: .*cut\.mp4: cannot be decoded"):
        loaded(tmp_path, csv).clips()
    dataset = load_dataset("clips", tmp_path)
    assert [clip.key for clip in dataset.clips(on_missing="skip")] == ["clips.a.one"]
    text = "\n".join(dataset.left_out)
    assert "cut.mp4" in text
    assert "clips.csv row 4: clip a-gone-1/a-gone-1 ('a/gone 1') does not lie below" in text
    told = CliRunner().invoke(index, ["clips", "--root", str(tmp_path), "--on-missing", "skip"])
    assert "row 4" in told.stderr
    report = dataset.check()
    assert report.usable
    assert not report.complete


def test_several_csv_files_and_a_layout_are_told(tmp_path: Path) -> None:
    save(tmp_path, "a/one")
    for name in ("x.csv", "y.csv"):
        (tmp_path / name).write_text("clip,subject\none,zoe\n")
    dataset = loaded(tmp_path)
    assert list(by_key(dataset)) == ["clips.a.one"]
    assert any("none of 2 CSV files read (x.csv, y.csv)" in note for note in dataset.notes)
    chosen = load_dataset("clips", tmp_path, Options(table=Path("y.csv")))
    assert [clip.key for clip in chosen.clips()] == ["clips.zoe.a-one"]
    with pytest.raises(DatasetError, match="no layouts; drop --layout"):
        load_dataset("clips", tmp_path, Options(layout="raw")).clips()


def test_a_link_that_leads_back_up_has_an_end(tmp_path: Path) -> None:
    save(tmp_path, "a/one")
    (tmp_path / "a/up").symlink_to(tmp_path, target_is_directory=True)
    assert list(by_key(loaded(tmp_path))) == ["clips.a.one"]


def test_the_commands_check_and_index_them(tmp_path: Path) -> None:
    save(tmp_path, "a/one", "b/two")
    shown = CliRunner().invoke(check, ["clips", "--root", str(tmp_path), "--strict"])
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[-1] == "usable"
    assert "assumed for 2 of 2 clips" in shown.stdout
    listed = CliRunner().invoke(index, ["clips", "--root", str(tmp_path)])
    assert [line.split(",")[:3] for line in listed.stdout.splitlines()[1:]] == [
        ["clips", "a", "one"], ["clips", "b", "two"],
    ]  # fmt: skip
    assert "assumed for 2 of 2 clips" in listed.stderr


def test_points_of_an_export_are_not_taken_for_clips_under_other_keys(tiny: Path) -> None:
    assert choose_landmarker("casme2", tiny / "casme2").name == "given"
    assert choose_landmarker("clips", tiny / "casme2").name == "dlib"
