"""What raters see of outputs that are drawn in views of their own."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mebench.preprocess.crop import to_gray
from mebench.rating.bundle import Settings, make_bundles
from mebench.rating.form import load_form
from mebench.rating.sheets import Sheets
from mebench.scoring import requirement_of
from mebench.submission.validate import open_submission


def alike(a, b):
    return np.corrcoef(a.astype(float).ravel(), b.astype(float).ravel())[0, 1]


def test_each_clip_stands_beside_its_template_in_one_view(
    few, aligned, in_view, written, tmp_path, monkeypatch
):
    sent = {
        "aligned": aligned,
        "tight": in_view(128, 96, 0.46),
        "grey": {pair: to_gray(frames) for pair, frames in in_view(96, 96, 0.42, 6.0).items()},
    }
    folders = [written(name, outputs) for name, outputs in sent.items()]
    entries = [open_submission(f, requirement_of(few), guarded=False) for f in folders]
    shown = {}
    clips_of = Sheets._clips

    def seen(self, pair, method, real):
        shown[pair, method] = clips_of(self, pair, method, real)
        return shown[pair, method]

    monkeypatch.setattr(Sheets, "_clips", seen)
    panel = Settings(load_form("short"), ("R1",), reals=0.9, repeats=0.0, seed=1)
    key = make_bundles(tmp_path / "panel", entries, few, panel, cache=tmp_path / "cache")
    assert {item.kind for item in key.raters["R1"]} == {"entry", "real"}
    assert {method for _, method in shown} == {*sent, None}
    for (pair, method), clips in shown.items():
        template, driving, generated = (clips[n] for n in ("template", "driving", "generated"))
        assert template.shape[1:] == driving.shape[1:] == generated.shape[1:]
        assert len(driving) == len(generated)
        assert alike(template[0], generated[0]) > 0.98
        if method is None:
            continue
        frames = sent[method][pair]
        assert np.array_equal(generated, frames[: len(generated)])
        assert (template == template[..., :1]).all() == (frames == frames[..., :1]).all()
    sizes = {Image.open(file).size[1] for file in (tmp_path / "panel" / "R1" / "media").iterdir()}
    assert len(sizes) > 1
