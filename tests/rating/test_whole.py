"""From submissions to a ranking by experts: the commands, with raters whose truth is known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from mebench.board import differences
from mebench.errors import UsageError
from mebench.rating.model import Item, Key
from mebench.record import Record
from tests.rating.conftest import KEPT, answered, mebench

pytestmark = pytest.mark.long

BIAS = {"R1": 0.0, "R2": 0.6, "R3": -0.6, "R4": 0.0, "R5": 0.0}
CARELESS = "R5"


@pytest.fixture(scope="module")
def size() -> str:
    return "templates_per_driving: 2\n"


@pytest.fixture(scope="module")
def panel(base: Path) -> Path:
    return base / "rating"


@pytest.fixture
def rated(panel: Path, make, base: Path, protocol: Path, tiny: Path) -> Path:
    """Return the folder with ratings.json of a panel whose raters are known."""
    if not (panel / "ratings.json").exists():
        make(panel / "bundles", "--raters", 5)
        key = Key.load(panel / "bundles" / "key.json")
        rng = np.random.default_rng(4)
        easy = {item.pair: rng.normal(0, 0.4) for item in key.raters["R1"]}

        def mark(number: int, rater: str):
            rng = np.random.default_rng([4, number])

            def of(item: Item) -> int:
                if rater == CARELESS:
                    return int(rng.integers(1, 6))
                quality = 1.8 + 2.4 * (1.0 if item.method is None else KEPT[item.method])
                felt = quality + easy[item.pair] + BIAS[rater] + rng.normal(0, 0.5)
                return int(np.clip(np.rint(felt), 1, 5))

            return of

        for number, rater in enumerate(key.raters):
            (panel / f"{rater}.json").write_text(answered(key, rater, mark(number, rater)))
        told = mebench("rate", "collect", *sorted(panel.glob("R*.json")), "--key",
                       panel / "bundles" / "key.json", "-o", panel / "ratings.json")  # fmt: skip
        assert "R5" in told
        mebench("score", base / "handed-in", "--protocol", protocol, "--data", f"synthme={tiny}",
                "--out", panel / "scores", "--jobs", 1)  # fmt: skip
    return panel


def report(rated: Path, *more: object) -> dict:
    key = rated / "bundles" / "key.json"
    return json.loads(
        mebench("rate", "report", rated / "ratings.json", "--key", key, "--format", "json", *more)
    )


def test_the_report_finds_the_ranking_the_biases_and_the_careless_rater(rated):
    told = report(rated)
    rows = told["tables"]["scores"]["rows"]
    means = {row["id"]: row["cells"]["overall"]["value"] for row in rows if row["id"] in KEPT}
    assert len(means) == len(KEPT)
    true = [KEPT[name] for name in means]
    assert kendalltau(true, list(means.values())).statistic >= 0.9
    raters = {row["id"]: row for row in told["raters"]}
    assert [name for name, row in raters.items() if row["flags"]] == [CARELESS]
    # What the careless one deals out shifts the panel's mean, and with it every bias alike.
    looking = report(rated, "--without", CARELESS)
    middle = np.mean([bias for name, bias in BIAS.items() if name != CARELESS])
    for row in looking["raters"]:
        # Whether intervals hold it as often as they say is measured in test_panel.
        assert row["bias"] == pytest.approx(BIAS[row["id"]] - middle, abs=0.25)


def test_experts_enter_the_records_and_stay_when_they_are_checked(rated, base):
    out = base / "with experts"
    report(rated, "--records", rated / "scores", "--into", out)
    key = Key.load(rated / "bundles" / "key.json")
    for name in KEPT:
        record = Record.load(out / f"{name}.json")
        score = record.result.metrics["experts.overall"]
        assert 1 <= score.value <= 5
        assert score.n == len({item.pair for item in key.raters["R1"]})
        assert key.bundle in " ".join(record.notes)
        scored = Record.load(rated / "scores" / f"{name}.json")
        assert differences(record.result, scored.result) == []
    table = mebench("table", out, "--sort", "experts.overall", "--metrics", "experts.overall")
    # What is made of frames of the right answer has a mark: it has no rank.
    order = [line.split()[0].strip("#") for line in table.splitlines() if line.startswith("Secret")]
    assert order == ["Secret-Best", "Secret-Second", "Secret-Third", "Secret-Still"]


def test_a_record_of_other_frames_gets_no_experts(rated, base, tmp_path):
    shutil.copytree(rated / "scores", tmp_path / "scores")
    other = Record.load(tmp_path / "scores" / "secret-best.json")
    other.result.pixel_digest = "0" * 64
    other.save(tmp_path / "scores" / "secret-best.json")
    with pytest.raises(UsageError, match="secret-best"):
        report(rated, "--records", tmp_path / "scores", "--into", tmp_path / "out")
    assert not (tmp_path / "out").exists()
