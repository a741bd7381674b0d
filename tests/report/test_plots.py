"""Figures for papers: what they show, their bytes, and the licence of their pixels."""

from __future__ import annotations

import csv
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from mebench.cli.main import _run
from mebench.errors import UsageError
from mebench.report.curve_plot import from_arrays, plot_curves, read_curves
from mebench.report.curves import HEADER
from mebench.report.figure import drawing, label, stamp_of
from mebench.report.rank_plot import plot_ranks
from mebench.report.strip_plot import moments, plot_strip
from tests.report.paper_records import HOSTILE, hostile_records, paper_record, paper_records

SUFFIXES = (".pdf", ".svg", ".png")


def clip(strength: float) -> np.ndarray:
    frames = np.full((9, 24, 24, 3), 128, np.uint8)
    for time in range(9):
        frames[time, 8:12] += np.uint8(strength * (4 - abs(4 - time)))
    return frames


def wave(height: float) -> dict[str, np.ndarray]:
    bump = np.sin(np.linspace(0, np.pi, 20))
    return {
        "driving/4L": 2 * bump,
        "driving/12R": bump,
        "driving/1L": 0.1 * bump,
        "generated/4L": height * bump,
        "generated/12R": height * bump,
        "generated/epe_px": 9 * bump,
    }


def strip(path, **more):
    rows = {"driving": clip(10), "mine": clip(5), "still": clip(0)}
    plot_strip(path, rows, apex=4, fps=200.0, width=3.0, dpi=80, **more)


def curves(path):
    plot_curves(path, [("mine", from_arrays(wave(1.5), 200.0))], width=3.0)


def ranks(path):
    plot_ranks(path, paper_records())


def look(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("draw", [strip, curves, ranks])
def test_the_same_figure_has_the_same_bytes_and_no_date(tmp_path, draw, suffix):
    a, b = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    draw(a)
    draw(b)
    data = a.read_bytes()
    assert data == b.read_bytes()
    assert data.startswith({".pdf": b"%PDF", ".svg": b"<?xml", ".png": b"\x89PNG"}[suffix])
    assert not re.search(rb"CreationDate|dc:date|20\d\d-\d\d-\d\dT|D:20\d\d", data)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"figures are \.pdf, \.svg or \.png"):
        ranks(tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_strip_shows_frames_and_their_change(tmp_path):
    strip(tmp_path / "s.png", columns=3, gain=2.0)
    picture = look(tmp_path / "s.png")
    assert (picture == 128 + 40).all(-1).any()  # the driving clip's apex
    assert (picture == 128 + 2 * 40).all(-1).any()  # its change since the onset, doubled
    assert (picture == 128 + 2 * 20).all(-1).any()  # the method's
    assert not (picture == 128 + 4 * 40).all(-1).any()


@pytest.mark.parametrize(
    ("frames", "apex", "columns", "wanted"),
    [
        (41, 10, 5, [0, 5, 10, 25, 40]),
        (9, 0, 3, [0, 1, 8]),
        (9, 8, 3, [0, 7, 8]),
        (5, 2, 5, [0, 1, 2, 3, 4]),
        (21, 10, 4, [0, 5, 10, 20]),
    ],
)
def test_strips_begin_at_the_onset_pass_the_apex_and_end_at_the_offset(
    frames, apex, columns, wanted
):
    assert moments(frames, apex, columns) == wanted


def test_more_frames_than_a_clip_has_are_refused():
    with pytest.raises(UsageError, match="expected 3 to 9 frames of this clip in a strip, got 15"):
        moments(9, 4, 15)


def test_gated_pixels_need_private_and_are_stamped(tmp_path):
    assert stamp_of((), private=False) == ""
    with pytest.raises(UsageError, match="pixels of casme2, samm may not be passed on; --private"):
        stamp_of(("casme2", "samm"), private=False)
    stamp = stamp_of(("casme2",), private=True)
    assert stamp == "PRIVATE: shows pixels of casme2, do not pass on"
    strip(tmp_path / "free.png")
    strip(tmp_path / "gated.png", stamp=stamp)
    red = [(p[..., 0] > p[..., 1] + 60).sum() for p in map(look, tmp_path.glob("*.png"))]
    assert sorted(red)[0] == 0 < sorted(red)[1]


def write_table(path, height: float, pair: str = "t/d") -> None:
    template, driving = pair.split("/")
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(HEADER)
        for name, values in wave(height).items():
            side, _, unit = name.partition("/")
            for n, value in enumerate(values):
                row = (template, driving, side, unit, n, f"{5 * n:.2f}", f"{value:.5f}")
                writer.writerow(row)


def test_curves_are_read_as_they_are_measured(tmp_path):
    write_table(tmp_path / "mine.curves.csv", 1.5)
    key, read = read_curves(tmp_path / "mine.curves.csv")
    measured = from_arrays(wave(1.5), 200.0)
    assert key == "t/d"
    assert set(read.driving) == {"4L", "12R", "1L"}
    for mine, theirs in ((read.driving, measured.driving), (read.generated, measured.generated)):
        for unit in theirs:
            np.testing.assert_allclose(mine[unit], theirs[unit], atol=1e-5)


def test_the_strongest_units_of_the_driving_clip_are_drawn(tmp_path, capsys):
    for name, height in (("mine", 1.5), ("theirs", 0.2)):
        write_table(tmp_path / f"{name}.curves.csv", height)
    files = [str(tmp_path / f"{name}.curves.csv") for name in ("mine", "theirs")]
    out = str(tmp_path / "c.svg")
    assert _run(["plot", "curves", *files, "-o", out, "--most", "2"], debug=False) == 0
    assert capsys.readouterr().out == f"AU 4L, 12R: {out}\n"
    assert _run(["plot", "curves", *files, "-o", out, "--units", "au12r"], debug=False) == 0
    assert capsys.readouterr().out == f"AU 12R: {out}\n"
    assert _run(["plot", "curves", *files, "-o", out, "--units", "12"], debug=False) == 2
    assert "no curve of AU '12'. Did you mean '12R'" in capsys.readouterr().err
    assert _run(["plot", "curves", *files, "-o", out, "--pair", "t/x"], debug=False) == 2
    assert "no pair 't/x'" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", ",".join(HEADER) + "\n",
                                  ",".join(HEADER) + "\nt,d,driving,4L,0,x,1\n",
                                  ",".join(HEADER) + "\nt,d,driving\n"])  # fmt: skip
def test_other_tables_are_no_curves(tmp_path, text):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(UsageError, match=r"c\.csv: (not a table of curves|holds no curves)"):
        read_curves(tmp_path / "c.csv")


def test_ranks_name_methods_in_order_and_mark_shared_places(tmp_path):
    alike = paper_record("alike", 0.61)
    for number, pair in enumerate(alike.result.per_clip.values()):
        pair["au_consistency"] += 0.05 if number % 4 in (0, 3) else -0.05
    records = [paper_record("linear-warp", 0.61), alike, paper_record("best", 0.72)]
    plot_ranks(tmp_path / "shared.png", records)
    plot_ranks(tmp_path / "apart.png", [records[0], records[2]])
    band = np.array([0xE8, 0xED, 0xF3])
    found = {path.stem: (look(path) == band).all(-1).sum() for path in tmp_path.glob("*.png")}
    assert found["apart"] == 0
    assert found["shared"] > 5000


def test_ranks_of_an_unknown_metric(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'fid'"):
        plot_ranks(tmp_path / "r.png", paper_records(), metric="fidd")


def test_strangers_names_are_only_words(tmp_path):
    plot_ranks(tmp_path / "r.pdf", hostile_records())
    plot_ranks(tmp_path / "r.svg", hostile_records())
    methods = [(name, from_arrays(wave(n), 200.0)) for n, name in enumerate(HOSTILE)]
    plot_curves(tmp_path / "c.svg", methods)
    rows = {"driving": clip(1), **{name: clip(n) for n, name in enumerate(HOSTILE)}}
    plot_strip(tmp_path / "s.svg", rows, apex=4, fps=100.0, columns=3)
    pages = [path.read_text(encoding="utf-8") for path in tmp_path.glob("*.svg")]
    assert len(pages) == 3
    for page in pages:
        live = [(tag.tag, *tag.attrib) for tag in ElementTree.fromstring(page).iter()]
        assert not any("script" in word or word.startswith("on") for tag in live for word in tag)


def test_names_are_kept_short_and_shown_in_legends():
    assert label("_hidden") == " _hidden"
    assert label("\x1b[2J") == "\\x1b[2J"
    assert len(label("x" * 500)) == 40


def test_a_figure_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), drawing(tmp_path / "a.png", width=1, height=1):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_figures_do_not_change_how_others_draw(tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    ranks(tmp_path / "a.png")
    assert dict(matplotlib.rcParams) == before
