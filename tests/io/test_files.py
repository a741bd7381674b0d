from __future__ import annotations

import errno
import os

import pytest

from mebench.errors import UsageError
from mebench.io.files import atomic_folder, atomic_path, write_json


def fail_inside(place, error):
    """Write something, then fail before the block ends."""
    with place as temporary:
        half = temporary / "half" if temporary.is_dir() else temporary
        half.write_text("half")
        raise error


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "cannot be written"),
        (errno.EACCES, "cannot be written"),
        (None, "could not be written whole"),
    ],
)
def test_a_failed_write_leaves_the_old_file_and_no_half_one(tmp_path, number, message):
    target = tmp_path / "a.json"
    target.write_text("old")
    error = OSError(number, "boom") if number else OSError("short write")
    with pytest.raises(UsageError, match=rf"a\.json: {message}"):
        fail_inside(atomic_path(target), error)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_an_interrupt_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fail_inside(atomic_folder(tmp_path / "out"), KeyboardInterrupt())
    assert os.listdir(tmp_path) == []


def test_a_folder_is_replaced_whole(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    with atomic_folder(tmp_path / "out") as temporary:
        (temporary / "new").write_text("new")
    assert os.listdir(tmp_path / "out") == ["new"]


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UsageError, match="a file stands where a folder is needed"):
        write_json(tmp_path / "out" / "a.json", {})


def test_json_has_sorted_keys_and_every_digit(tmp_path):
    write_json(tmp_path / "a.json", {"b": 0.1 + 0.2, "a": "é"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == (
        '{\n  "a": "é",\n  "b": 0.30000000000000004\n}\n'
    )
