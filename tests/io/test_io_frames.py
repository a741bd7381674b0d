"""Decoding single images and frame folders, whole and damaged."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from mebench.errors import DatasetError
from mebench.io import frames as module
from mebench.io.frames import (
    damage,
    frame_number,
    index_folder,
    pixel_digest,
    read_frames,
    read_image,
    write_png,
)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def encoded(picture: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Pil.fromarray(picture).save(buffer, format=kind)
    return buffer.getvalue()


def test_png_round_trip_keeps_every_pixel_and_leaves_no_temporary_file(
    tmp_path: Path, picture: np.ndarray
) -> None:
    write_png(tmp_path / "a.png", picture)
    assert np.array_equal(read_image(tmp_path / "a.png"), picture)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_grey_and_sixteen_bit_images_become_three_equal_channels(
    tmp_path: Path, picture: np.ndarray
) -> None:
    grey = picture[..., 0]
    write_png(tmp_path / "grey.png", grey)
    Pil.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for name in ("grey.png", "deep.png"):
        image = read_image(tmp_path / name)
        assert all(np.array_equal(image[..., channel], grey) for channel in range(3))


def test_a_photo_is_turned_upright(tmp_path: Path, picture: np.ndarray) -> None:
    image = Pil.fromarray(picture)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "phone.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "phone.png"), np.rot90(picture, -1))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
@pytest.mark.parametrize("kept", [0.0, 0.05, 0.5, 0.99])
def test_a_file_cut_short_is_refused_by_name(
    tmp_path: Path, picture: np.ndarray, kind: str, kept: float
) -> None:
    data = encoded(picture, kind)
    path = tmp_path / f"cut.{kind.lower()}"
    path.write_bytes(data)
    assert read_image(path).shape == picture.shape
    assert damage(path) is None
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(DatasetError, match=r"cut\.\w+: .*copy it again") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)
    assert damage(path) is not None


def test_missing_and_foreign_files_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(DatasetError, match=r"text\.jpg: not an image"):
        read_image(tmp_path / "text.jpg")
    with pytest.raises(DatasetError, match=r"none\.jpg: no such file"):
        read_image(tmp_path / "none.jpg")


def test_an_image_beyond_the_limit_is_refused_before_decoding(
    tmp_path: Path, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_png(tmp_path / "big.png", picture)
    monkeypatch.setattr(module, "MAX_PIXELS", 100)
    with pytest.raises(DatasetError, match="40x48 pixels; at most 100"):
        read_image(tmp_path / "big.png")


def test_a_clip_beyond_the_memory_limit_is_refused(
    tmp_path: Path, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_png(tmp_path / "1.png", picture)
    monkeypatch.setattr(module, "MAX_CLIP_BYTES", 100)
    with pytest.raises(DatasetError, match="1 frames of 40x48 need more"):
        read_frames([tmp_path / "1.png"])


def test_frames_of_two_sizes_are_refused_by_name(tmp_path: Path, picture: np.ndarray) -> None:
    write_png(tmp_path / "1.png", picture)
    write_png(tmp_path / "2.png", picture[:-1])
    with pytest.raises(DatasetError, match=r"2\.png: 40x47 .* 40x48"):
        read_frames([tmp_path / "1.png", tmp_path / "2.png"])


def test_a_folder_is_indexed_by_number_not_by_name(tmp_path: Path, picture: np.ndarray) -> None:
    for name in ("img100.png", "img46.png", "img047.png", "Thumbs.db", "._img1.png", "cover.png"):
        (tmp_path / name).write_bytes(b"x")
    assert [(n, p.name) for n, p in index_folder(tmp_path).items()] == [
        (46, "img46.png"),
        (47, "img047.png"),
        (100, "img100.png"),
    ]
    (tmp_path / "img0100.jpg").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"img0100\.jpg.*img100\.png.*frame 100"):
        index_folder(tmp_path)


def test_frame_number_is_the_last_run_of_digits() -> None:
    assert frame_number("EP01_5-46.jpg") == 46
    assert frame_number("006_05562.jpg") == 5562
    assert frame_number("cover.jpg") is None


def test_pixel_digest_depends_on_pixels_order_shape_and_nothing_else(picture: np.ndarray) -> None:
    clip = np.stack([picture, 255 - picture])
    digest = pixel_digest(clip)
    assert digest == pixel_digest(frame for frame in clip)
    assert digest == pixel_digest(np.asfortranarray(clip))
    changed = clip.copy()
    changed[1, 3, 3, 0] ^= 1
    others = [clip[::-1], clip[:1], clip.reshape(2, 40, 48, 3), changed]
    assert len({digest, *map(pixel_digest, others)}) == 5


def names(form, numbers):
    return [form.format(number, score=f"{(number * 37) % 91:02d}") for number in numbers]


@pytest.mark.parametrize(
    "form",
    [
        "{:05d}_0.png",
        "img{}_0.jpg",
        "frame_{:04d}_128x128.png",
        "frame_{:04d}_score_0.{score}.png",
        "2014-05-08_{:03d}.png",
        "{:03d}_2014-05-08.png",
        "face{:02d}-of-30 (1).png",
        "006_{:05d}.jpg",
        "reg_img{}.jpg",
        "S{score}_{:04d}.png",
        "clip 1 {:04d} q90.png",
    ],
)
def test_the_digits_that_count_are_found_from_the_whole_folder(tmp_path, form):
    wanted = [*range(8, 14), *range(15, 30)]
    for name in names(form, wanted):
        (tmp_path / name).touch()
    found = index_folder(tmp_path)
    assert list(found) == wanted
    assert [path.name for path in found.values()] == names(form, wanted)


def test_a_number_of_the_recording_is_kept_beside_a_plain_count(tmp_path):
    for count, number in enumerate([46, 47, 50, 51]):
        (tmp_path / f"{count}_{number}.png").touch()
    assert list(index_folder(tmp_path)) == [46, 47, 50, 51]


def test_a_second_face_is_told_without_an_advice_to_delete(tmp_path):
    for frame in range(3):
        for face in range(2):
            (tmp_path / f"{frame:05d}_{face}.png").touch()
    with pytest.raises(DatasetError, match="both are frame 0; a folder holds one picture") as told:
        index_folder(tmp_path)
    assert "remove" not in str(told.value)
    assert "delete" not in str(told.value)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_bytes_behind_the_end_are_no_damage_where_the_picture_is_whole(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Pil.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b"a maker's note " * 40)
    assert damage(path) is None
    read_image(path)
    path.write_bytes(whole[: len(whole) // 2] + bytes(200))
    assert damage(path) == "cut short (no end marker)"
    with pytest.raises(DatasetError, match="damaged or cut short"):
        read_image(path)
