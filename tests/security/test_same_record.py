"""One submission, however it is packed, however many workers score it: one digest, one record."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile

import pytest
from PIL import Image

from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.record import Record
from mebench.report.formats import FORMATS, render
from mebench.report.rows import build_table
from mebench.scorer import score_many
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import pack, write_manifest, write_output
from tests.makers import tiny_protocol


@pytest.fixture(scope="module")
def data(tiny, tmp_path_factory):
    place = tmp_path_factory.mktemp("protocol")
    (place / "tiny.yaml").write_text(tiny_protocol("pixel", "psnr_db"))
    spec = load_protocol(str(place / "tiny.yaml"))
    return open_protocol(spec, {"synthme": tiny}, cache=place / "cache").some(4)


def submission(folder, data, frames, name="mine", title="Mine"):
    for pair in data.pairs:
        write_output(folder, pair, frames(pair))
    write_manifest(folder, Manifest(protocol="tiny", method=Method(id=name, title=title)))
    return folder


def copied_template(data):
    return lambda pair: data.templates[pair.template].image[None].repeat(data.n_frames(pair), 0)


def scored(path, data, place, jobs=1):
    # Four workers begin without what one worker found.
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
    assert scored(tmp_path / "mine.zip", data, tmp_path, jobs=4) == expected
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


NAMES = (
    r"\input{/etc/passwd} 50% $x_1$ }{ ~^#&",
    "<script>alert(1)</script>",
    "a|b ``q''",
    '=HYPERLINK("http://evil.example")',
    "007",
)


def test_team_names_go_through_the_score_into_every_table_as_text(data, tmp_path):
    one = data.some(1)
    folders = [
        submission(tmp_path / f"m{number}", one, copied_template(one), f"m{number}", title)
        for number, title in enumerate(NAMES)
    ]
    records, refused = score_many(
        folders, one, families=("pixel",), cache=tmp_path / "cache", out=tmp_path / "scores"
    )
    assert not refused
    for number, record in enumerate(records):
        record.save(tmp_path / f"{number}.json")
    table = build_table([Record.load(path) for path in sorted(tmp_path.glob("*.json"))])
    texts = {form: render(table, form) for form in FORMATS}
    assert [row["title"] for row in json.loads(texts["json"])["rows"][:5]] == list(NAMES)
    titles = [row["title"] for row in csv.DictReader(io.StringIO(texts["csv"]))]
    assert titles[3:5] == ["'" + NAMES[3], "007"]
    assert r"\input" not in texts["latex"].replace(r"\textbackslash{}input", "")
    assert "<script" not in texts["html"]
    rows = [line for line in texts["markdown"].splitlines() if line.startswith("|")]
    assert len({re.sub(r"\\.", "", line).count("|") for line in rows}) == 1
    assert any(line.startswith("007") for line in texts["text"].splitlines())
