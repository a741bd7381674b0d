"""Fifty submissions: ranked as they were spoilt, resumed after any cut, never done twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from mebench.calibration.damage import grain
from mebench.cli.record import record_files
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.record import Record, diff
from mebench.scorer import score_many
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import write_manifest, write_output
from tests.makers import tiny_protocol

LEVELS = 10
FAMILIES = ("pixel",)
WAYS = ("weaker", "late", "noise", "mixed", "shaken")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("many")


@pytest.fixture(scope="module")
def protocol(base: Path) -> Path:
    path = base / "tiny.yaml"
    path.write_text(tiny_protocol("pixel, motion", "psnr_db", more="max_pairs: 2\n"))
    return path


@pytest.fixture(scope="module")
def data(protocol: Path, tiny: Path, base: Path):
    return open_protocol(load_protocol(str(protocol)), {"synthme": tiny}, cache=base / "cache")


def spoilt(frames: np.ndarray, way: str, level: int, seed: int) -> np.ndarray:
    """Spoil the right answer: 0 not at all, 9 badly, in steps that are known to be one another's
    multiples."""
    share = level / (LEVELS - 1)
    still = np.repeat(frames[:1], len(frames), axis=0)
    if way == "weaker":
        return np.rint((1 - share) * frames.astype(float) + share * still).astype(np.uint8)
    if way == "late":
        n = round(0.6 * share * len(frames))
        return np.concatenate([still[:n], frames[: len(frames) - n]])
    if way == "noise":
        return grain(frames, 8 * share, seed)
    if way == "mixed":
        back = np.rint((1 - share) * frames.astype(float) + share * frames[::-1]).astype(np.uint8)
        return np.concatenate([frames[:1], back[1:]])
    moved = np.stack([np.roll(f, round(4 * share * (t % 2)), axis=1) for t, f in enumerate(frames)])
    return moved


def write(folder: Path, data, name: str, way: str, level: int) -> Path:
    place = folder / name
    for seed, pair in enumerate(data.pairs):
        write_output(place, pair, spoilt(data.reference(pair).frames, way, level, seed))
    method = Method(id=name, title=f"{way} {level}")
    write_manifest(place, Manifest(protocol=data.protocol.id, method=method))
    return place


@pytest.fixture(scope="module")
def fifty(data, base: Path) -> list[Path]:
    names = [(way, level) for way in WAYS for level in range(LEVELS)]
    return [write(base / "in", data, f"{w}-{level}", w, level) for w, level in names]


@pytest.fixture(scope="module")
def scored(fifty, data, base: Path) -> dict[str, Record]:
    return scores(fifty, data, base, jobs=2)


def scores(paths, data, base: Path, jobs: int = 1, families=FAMILIES) -> dict[str, Record]:
    out = base / "scores" if families == FAMILIES else base / "-".join(families)
    records, refused = score_many(
        paths, data, families=families, cache=base / "cache", out=out, jobs=jobs
    )
    assert not refused
    return {record.result.id: record for record in records}


def described(base: Path) -> set[Path]:
    return set((base / "cache" / "described").rglob("*.pkl"))


def orders(scored: dict[str, Record], key: str) -> list[float]:
    """Return Kendall's tau of level and damage, by way."""
    found = []
    for way in WAYS:
        rows = [scored[f"{way}-{level}"].result.metrics[key] for level in range(LEVELS)]
        sign = -1 if rows[0].higher_is_better else 1
        tau = kendalltau([sign * row.value for row in rows], range(LEVELS)).statistic
        found.append(float(tau))
    return found


def test_the_ranking_is_the_order_of_the_damage(scored):
    assert min(orders(scored, "psnr_db")) >= 0.9
    assert min(orders(scored, "ssim")) >= 0.9


@pytest.mark.slow
def test_the_ranking_by_motion_is_the_order_of_the_damage(fifty, data, base):
    found = scores(fifty, data, base, jobs=2, families=("motion",))
    assert min(orders(found, "flow_epe_px")) >= 0.9


def test_nothing_is_opened_again_when_nothing_changed(fifty, data, scored, base, monkeypatch):
    scores(fifty, data, base)  # another test may have written a file anew
    monkeypatch.setattr("mebench.scorer.open_submission", lambda *_, **__: pytest.fail("opened"))
    again = scores(fifty, data, base)
    assert {n: r.digest for n, r in again.items()} == {n: r.digest for n, r in scored.items()}


def test_one_changed_clip_is_measured_alone(fifty, data, scored, base):
    before, pair = described(base), data.pairs[0]
    path = next(path for path in fifty if path.name == "noise-3")
    kept = sorted((path / "frames" / pair.key).glob("*.png"))
    bytes_before = [file.read_bytes() for file in kept]
    write_output(path, pair, spoilt(data.reference(pair).frames, "noise", 4, 77))
    again = scores(fifty, data, base)
    changed = [name for name in again if again[name].digest != scored[name].digest]
    assert changed == ["noise-3"]
    other = data.pairs[1].key
    assert again["noise-3"].result.per_clip[other] == scored["noise-3"].result.per_clip[other]
    # One file of the metric family, one of the search for copies.
    assert len(described(base) - before) == 2
    for file, content in zip(kept, bytes_before, strict=True):
        file.write_bytes(content)


def test_scores_of_another_protocol_or_damaged_ones_are_made_again(fifty, data, scored, base):
    name = fifty[0].name
    for text in ("{", json.dumps({"basis": "another", "scores": {}})):
        (base / "scores" / ".state.json").write_text(text)
        assert scores(fifty[:1], data, base)[name].digest == scored[name].digest
    record = base / "scores" / f"{name}.json"
    record.write_text(record.read_text().replace('"value": 0.0', '"value": 0.5'))
    assert scores(fifty[:1], data, base)[name].digest == scored[name].digest


def test_a_bad_one_among_them_is_told_and_kept_apart(fifty, data, base, tmp_path):
    bad = write(tmp_path, data, "bad", "noise", 2)
    frame = next(iter(sorted((bad / "frames" / data.pairs[1].key).glob("*.png"))))
    frame.write_bytes(frame.read_bytes()[:60])
    for _ in range(2):
        records, refused = score_many(
            [bad, fifty[0]], data, families=FAMILIES, cache=base / "cache", out=tmp_path / "out"
        )
        assert [record.result.id for record in records] == [fifty[0].name]
        assert refused["bad"].startswith(f"bad/frames/{data.pairs[1].key}/00000.png")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report.pop("schema") == "mebench-score-report/1"
    beside = [tmp_path / "out" / name for name in ("report.json", f"{fifty[0].name}.json")]
    assert record_files(beside) == record_files([tmp_path / "out"]) == beside[1:]
    assert report == {"scored": [fifty[0].name], "refused": refused}


def test_a_submission_must_leave_the_report_its_place(fifty, data, base, tmp_path):
    shutil.copytree(fifty[0], tmp_path / "Report")
    records, refused = score_many(
        [tmp_path / "Report"], data, families=FAMILIES, cache=base / "cache", out=tmp_path / "out"
    )
    assert records == []
    assert refused["Report"].endswith("is where scores are reported; rename it")


def test_two_of_one_name_are_told(fifty, data, base, tmp_path):
    twin = tmp_path / f"{fifty[0].name}.zip"
    twin.write_bytes(b"")
    _, refused = score_many(
        [fifty[0], twin], data, families=FAMILIES, cache=base / "cache", out=tmp_path / "out"
    )
    assert refused == {twin.name: f"{twin.name}: shares its name with {fifty[0].name}; rename one "
                       "of them"}  # fmt: skip


def score_in_a_process(paths: list[Path], protocol: Path, tiny: Path, base: Path) -> None:
    one = open_protocol(load_protocol(str(protocol)), {"synthme": tiny}, cache=base / "cut-cache")
    score_many(paths, one, families=FAMILIES, cache=base / "cut-cache", out=base / "cut")


@pytest.mark.long
@pytest.mark.timeout(400)
def test_ten_kills_at_random_moments_leave_the_same_board(fifty, scored, base, protocol, tiny):
    """SIGKILL, ten times, from an empty cache on."""
    workers = multiprocessing.get_context("forkserver")
    workers.set_forkserver_preload(["mebench.scorer", "mebench.metrics.pixel"])
    job = (fifty, protocol, tiny, base)
    random = np.random.default_rng(3)
    for number in range(10):
        process = workers.Process(target=score_in_a_process, args=job)
        process.start()
        until = time.monotonic() + 60
        while len(list((base / "cut").glob("*-*.json"))) < 4 * number + 1:
            assert process.is_alive()
            assert time.monotonic() < until
            time.sleep(0.005)
        time.sleep(float(random.uniform(0.0, 0.1)))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
    last = workers.Process(target=score_in_a_process, args=job)
    last.start()
    last.join()
    assert last.exitcode == 0
    assert {path.stem for path in (base / "cut").glob("*-*.json")} == set(scored)
    for name, record in scored.items():
        assert diff(Record.load(base / "cut" / f"{name}.json"), record) == [], name
