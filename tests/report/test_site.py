"""The site: whole, inert, and nothing of it comes from elsewhere."""

from __future__ import annotations

import re

import pytest

from mebench.errors import UsageError
from mebench.protocol.spec import load_protocol
from mebench.report.site import Group, build_site
from tests.makers import make_record, make_row

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"' onload=x {{ 7*7 }}"


def records(count=3):
    values = [{"au_consistency": 0.5 + 0.1 * n, "psnr_db": None} for n in range(count)]
    control = make_row("copy-template", {"au_consistency": 0.0, "psnr_db": 40.0})
    return [
        make_record(f"method-{n}", one, (control,) if n == 0 else ())
        for n, one in enumerate(values)
    ]


def group(rows):
    return Group("synthme", rows, load_protocol("synthme"))


def test_each_protocol_and_method_has_a_page(tmp_path):
    rows = records()
    pages = {path.name for path in build_site(tmp_path / "site", [group(rows)], None)}
    assert pages == {
        "index.html", "submit.html", "synthme.html",
        *(f"synthme--method-{n}.html" for n in range(3)),
    }  # fmt: skip
    board = (tmp_path / "site" / "synthme.html").read_text()
    assert board.index("Method-2") < board.index("Method-1") < board.index("Method-0")
    assert board.index("Method-0") < board.index("Copy-Template")
    assert "0.700 [0.600, 0.800]" in board


def test_every_link_leads_somewhere(tmp_path):
    pages = build_site(tmp_path / "site", [group(records())], None)
    for page in pages:
        for link in re.findall(r'href="([^"#:,]+)"', page.read_text()):
            assert (tmp_path / "site" / link).is_file(), (page.name, link)


def test_nothing_comes_from_elsewhere(tmp_path):
    for page in build_site(tmp_path / "site", [group(records())], None):
        text = page.read_text()
        assert not re.search(r'(src|href)="(https?:)?//', text)
        assert "default-src 'none'" in text
        assert "unsafe-inline" not in text
        assert not re.search(r"<[^>]+ (style|on\w+)=", text)


def test_hostile_names_stay_text(tmp_path):
    rows = records(1)
    rows[0].result.title = HOSTILE
    rows[0].result.flags = [HOSTILE]
    rows[0].notes = [HOSTILE]
    for page in build_site(tmp_path / "site", [group(rows)], None):
        text = page.read_text()
        assert text.count("<script>") == 1
        assert "<img" not in text
        assert "49" not in re.sub(r"\d{3,}|[0-9a-f]{12,}", "", text.split("<main")[1])


def test_a_partial_row_has_no_place(tmp_path):
    rows = records()
    rows[2].status = "partial"
    build_site(tmp_path / "site", [group(rows)], None)
    text = (tmp_path / "site" / "synthme.html").read_text()
    row = next(part for part in text.split("<tr") if "Method-2" in part)
    assert '<td data-value=""></td>' in row
    assert "partial" in row


def test_a_folder_that_is_no_site_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="no site of mebench; give another folder"):
        build_site(tmp_path, [group(records())], None)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_site_is_built_again_over_itself_and_is_the_same(tmp_path):
    first = {p.name: p.read_bytes() for p in build_site(tmp_path / "s", [group(records())], None)}
    again = {p.name: p.read_bytes() for p in build_site(tmp_path / "s", [group(records())], None)}
    assert first == again


def test_a_stamp_stands_on_every_page(tmp_path):
    pages = build_site(tmp_path / "s", [group(records())], None, stamp="PRIVATE: do not pass on.")
    assert all("PRIVATE: do not pass on." in page.read_text() for page in pages)
