"""One submission, however it is packed, however many workers score it: one digest, one record."""

from __future__ import annotations

import zipfile

import pytest
from PIL import Image

from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.scorer import score_many
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import pack, write_manifest, write_output
from tests.makers import tiny_protocol


@pytest.fixture(scope="module")
def data(tiny, tmp_path_factory):
    place = tmp_path_factory.mktemp("protocol")
    (place / "tiny.yaml").write_text(tiny_protocol("pixel", "psnr_db"))
    spec = load_protocol(str(place / "tiny.yaml"))
    return open_protocol(spec, {"synthme": tiny}, cache=place / "cache").some(2)


def submission(folder, data, frames, name="mine"):
    for pair in data.pairs:
        write_output(folder, pair, frames(pair))
    write_manifest(folder, Manifest(protocol="tiny", method=Method(id=name, title="Mine")))
    return folder


def copied_template(data):
    return lambda pair: data.templates[pair.template].image[None].repeat(data.n_frames(pair), 0)


def scored(path, data, place, jobs=1):
    # Two workers begin without what one worker found.
    records, refused = score_many(
        [path], data, families=("pixel",), cache=place / f"cache{jobs}",
        jobs=jobs, out=place / "scores",
    )  # fmt: skip
    assert not refused
    return records[0].result


def test_packing_and_jobs_do_not_change_the_record(data, tmp_path):
    folder = submission(tmp_path / "mine", data, copied_template(data))
    expected = scored(folder, data, tmp_path)
    pack(folder, tmp_path / "mine.zip")
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    with zipfile.ZipFile(tmp_path / "other.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in reversed(files):
            archive.write(file, file.relative_to(folder).as_posix())
    assert scored(tmp_path / "mine.zip", data, tmp_path) == expected
    assert scored(tmp_path / "other.zip", data, tmp_path) == expected
    assert scored(tmp_path / "mine.zip", data, tmp_path, jobs=2) == expected
    for file in folder.rglob("*.png"):
        with Image.open(file) as image:
            image.load()
            image.save(file, compress_level=0)
    again = scored(folder.rename(tmp_path / "again"), data, tmp_path)
    assert again == expected


def test_copies_are_flagged_and_a_bad_neighbour_stops_nobody(data, tmp_path):
    stolen = submission(tmp_path / "a", data, lambda pair: data.reference(pair).frames, "a")
    bad = submission(tmp_path / "b", data, copied_template(data), "b")
    next(bad.rglob("00001.png")).write_bytes(b"GIF89a")
    honest = submission(tmp_path / "c", data, copied_template(data), "c")
    records, refused = score_many(
        [stolen, bad, honest], data, families=("pixel",), cache=tmp_path / "cache",
        out=tmp_path / "scores",
    )  # fmt: skip
    assert list(refused) == ["b"]
    assert "00001.png: not a PNG" in refused["b"]
    told, silent = (record.result.flags for record in records)
    assert sum("exact copies of the reference" in flag for flag in told) == len(data.pairs)
    assert silent == []
