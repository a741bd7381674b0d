"""A panel from the real commands: submissions of known quality, scored, blinded, rated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mebench.cli.main import cli
from mebench.protocol.data import ProtocolData
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.rating.model import Item, Key
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import write_manifest, write_output
from tests.commands import runner
from tests.makers import tiny_protocol

KEPT = {"secret-best": 1.0, "secret-second": 0.7, "secret-third": 0.4, "secret-still": 0.0}
"""Methods by how much of the right answer's motion they keep."""
TEAM = "Team Zebra"


def mebench(*arguments: object) -> str:
    done = runner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("panel")


@pytest.fixture(scope="module")
def size() -> str:
    """Return the keys that say how many pairs there are; a module may have its own."""
    return "max_pairs: 3\n"


@pytest.fixture(scope="module")
def protocol(base: Path, size: str) -> Path:
    more = f"rating_form: short\n{size}"
    (base / "tiny.yaml").write_text(tiny_protocol("pixel", "psnr_db", more=more))
    return base / "tiny.yaml"


@pytest.fixture(scope="module")
def data(protocol: Path, base: Path, tiny: Path) -> ProtocolData:
    return open_protocol(load_protocol(str(protocol)), {"synthme": tiny}, cache=base / "cache")


@pytest.fixture(scope="module")
def submissions(data: ProtocolData, base: Path) -> Path:
    """Return a folder of submissions that keep a known share of the motion."""
    for name, share in KEPT.items():
        for pair in data.pairs:
            right = data.reference(pair).frames.astype(float)
            kept = np.rint(share * right + (1 - share) * right[:1]).astype(np.uint8)
            write_output(base / "handed-in" / name, pair, kept)
        method = Method(id=name, title=name.title(), authors=TEAM)
        write_manifest(base / "handed-in" / name, Manifest(protocol="tiny", method=method))
    return base / "handed-in"


@pytest.fixture
def make(submissions: Path, protocol: Path, tiny: Path, base: Path, monkeypatch):
    """Return a call of ``rate make`` on the submissions, small and with a known seed."""
    monkeypatch.setenv("MEBENCH_CACHE", str(base / "cache"))

    def call(out: Path, *more: object) -> str:
        return mebench(
            "rate", "make", submissions, "--protocol", protocol, "--data", f"synthme={tiny}",
            "-o", out, "--seed", 11, "--side", 32, "--jobs", 1, *more,
        )  # fmt: skip

    return call


def answered(key: Key, rater: str, mark: Callable[[Item], int]) -> str:
    """Return the export of a rater who gives each item `mark`."""
    answers = {
        item.id: {"values": {"overall": mark(item)}, "aus": {}, "seconds": 20.0}
        for item in key.raters[rater]
    }
    head = {"schema": "mebench-ratings/1", "bundle": key.bundle, "rater": rater}
    return json.dumps(
        {**head, "saved": "2026-01-01T00:00:00Z", "complete": True, "answers": answers}
    )
