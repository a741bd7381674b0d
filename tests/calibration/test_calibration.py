"""The calibration suite: known damage, and what is read from what the values make of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from mebench.calibration import suite
from mebench.calibration.controls import controls
from mebench.calibration.ladders import FEELS, LADDERS, Ladder
from mebench.calibration.plot import ladder_figure
from mebench.calibration.reading import area, feelings, plain, rank_correlation, separation
from mebench.calibration.scenes import RECORDINGS, Scene, mixed_identity
from mebench.calibration.suite import CONTROLS, OTHERS, Plan, Results, measure
from mebench.calibration.tables import blind_spots, known_rows, overview_rows, owed_rows
from mebench.cli.main import cli
from mebench.errors import UsageError
from mebench.metrics.base import MetricInfo
from mebench.metrics.catalogue import families, metric_infos
from mebench.synthme.identity import Identity
from tests.commands import runner

LADDER = next(ladder for ladder in LADDERS if ladder.name == "wrong AU")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene.of(0, RECORDINGS["default"])


def invented(columns: dict[str, list[np.ndarray]]) -> Results:
    """Values along the wrong-AU ladder: a list of (S,) rows, one a level, by key."""
    results = Results()
    for number, level in enumerate(LADDER.levels):
        results.clips[LADDER.name, level] = {key: rows[number] for key, rows in columns.items()}
        results.sets[LADDER.name, level] = {}
    return results


def read(results: Results, *keys: str):
    return {one.key: one for one in feelings(results, [MetricInfo(key, key) for key in keys])}


def test_every_ladder_starts_at_the_right_answer_and_leaves_it(scene):
    for ladder in LADDERS:
        at = Scene.of(1, RECORDINGS["clean"], one_sided=True) if ladder.one_sided else scene
        start, end = (ladder.make(at, level) for level in (ladder.levels[0], ladder.levels[-1]))
        assert list(ladder.levels) == sorted(set(ladder.levels))
        assert np.array_equal(start, at.right.frames), ladder.name
        assert end.shape == start.shape
        assert not np.array_equal(end, start), ladder.name


def test_what_a_value_should_feel_is_said_of_known_values_and_ladders():
    assert set(FEELS) <= {plain(key) for key in metric_infos(families())}
    assert {name for names in FEELS.values() for name in names} <= {
        ladder.name for ladder in LADDERS
    }


def test_the_other_side_is_the_same_motion_mirrored():
    scene = Scene.of(0, RECORDINGS["clean"], one_sided=True)
    ladder = next(ladder for ladder in LADDERS if ladder.name == "other side")
    width = scene.right.frames.shape[2]
    own, swapped = (
        np.abs(np.diff(ladder.make(scene, level)[[0, scene.act.apex]].astype(int), axis=0)).sum(
            axis=(0, 1, 3)
        )
        for level in (0, 1)
    )
    left = slice(0, width // 2)
    assert own[left].sum() < 0.25 * own.sum()
    assert swapped[left].sum() > 0.75 * swapped.sum()


def test_mixed_people_lie_between():
    one, other = Identity.from_seed(1), Identity.from_seed(2)
    half = mixed_identity(one, other, 0.5)
    assert mixed_identity(one, other, 0.0) == one
    assert mixed_identity(one, other, 1.0) == other
    assert half.jaw_width == pytest.approx((one.jaw_width + other.jaw_width) / 2)


def test_controls_bring_what_they_are_named_for(scene):
    cases = dict(controls(scene))
    right = scene.right.frames
    assert np.array_equal(cases["oracle"].generated, right)
    assert np.array_equal(cases["reversed"].generated, right[::-1])
    assert (cases["static"].generated == right[0]).all()
    assert cases["64 px"].generated.shape[1:3] == (64, 64)
    assert all(len(case.generated) == len(scene.driving.frames) for case in cases.values())


def test_a_value_that_falls_with_the_level_is_told_from_the_first_step_on():
    rng = np.random.default_rng(0)
    clips = rng.normal(0, 0.01, 6)
    falling = [1.0 - 0.2 * step + clips for step in range(5)]
    noise = [rng.normal(0, 1, 6) for _ in range(5)]
    found = read(invented({"au_consistency": falling, "ssim": noise}), "au_consistency", "ssim")
    fall = found["au_consistency"]
    assert (fall.spearman, fall.spearman_clips) == pytest.approx((-1.0, -1.0))
    assert fall.told == 0.25
    assert fall.owed
    assert found["ssim"].told is None
    assert blind_spots(found.values()) == {"au_consistency": [], "ssim": ["wrong AU"]}
    assert owed_rows(found.values())[0]["feels it"] == "yes"


def test_a_value_that_does_not_move_feels_nothing():
    flat = [np.full(4, 0.5)] * 5
    found = read(invented({"au_consistency": flat}), "au_consistency")["au_consistency"]
    assert found.spearman == 0.0
    assert found.told is None
    assert owed_rows([found])[0]["feels it"] == "NO"


def test_a_level_told_by_chance_below_one_that_is_not_does_not_count():
    rows = [np.zeros(6), np.ones(6), np.zeros(6), np.ones(6), np.full(6, 2.0)]
    assert read(invented({"ssim": rows}), "ssim")["ssim"].told == 0.75


def test_missing_values_leave_their_clip_out():
    rows = [np.array([1.0, 2.0, np.nan]) - step for step in range(5)]
    found = read(invented({"ssim": rows}), "ssim")["ssim"]
    assert found.n == 2
    assert found.curve[0] == 1.5


def test_a_value_of_a_set_is_told_by_its_jackknife():
    results = invented({})
    for step, level in enumerate(LADDER.levels):
        without = np.array([step - 0.1, step, step + 0.1]) * 0.5
        results.sets[LADDER.name, level]["fid"] = (step * 0.5, without)
    found = read(results, "fid")["fid"]
    assert found.spearman == pytest.approx(1.0)
    assert found.spearman_clips is None
    assert found.told == 0.25


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order():
    good, bad = np.array([0.9, 0.8, 0.3]), np.array([0.1, 0.5])
    assert area(good, bad) == pytest.approx(5 / 6)
    assert np.isnan(area(good, bad[:0]))
    assert rank_correlation([0, 1, 2], np.array([3.0, 2.0, 1.0])) == pytest.approx(-1.0)


SHORT = tuple(
    Ladder(one.name, one.unit, one.levels[:1] + one.levels[-1:], one.make)
    for one in LADDERS
    if one.name in ("wrong AU", "weaker")
)


def shorten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(suite, "LADDERS", SHORT)
    patch.setattr("mebench.calibration.reading.LADDERS", SHORT)


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> tuple[Plan, Results]:
    """Two scenes, two levels of two ladders and the clips of others, by the motion alone."""
    cache = tmp_path_factory.mktemp("cache")
    plan = Plan(2, cache, ("wrong AU", "weaker", OTHERS), families=("action_units",))
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        return plan, measure(plan)


@pytest.fixture
def small(measured, monkeypatch) -> tuple[Plan, Results]:
    """Return what was measured; the ladders are short in this test alone, not in those after it."""
    shorten(monkeypatch)
    return measured


def test_consistency_feels_other_action_units_and_not_the_size(small):
    plan, results = small
    found = {
        (one.key, one.ladder): one
        for one in feelings(results, metric_infos(plan.families).values())
    }
    wrong = found["au_consistency", "wrong AU"].curve
    assert wrong[0] > 0.8
    assert wrong[1] < 0.5
    assert found["au_amplitude", "weaker"].curve[1] < 0.6 * found["au_amplitude", "weaker"].curve[0]
    assert separation(results).disjoint == 1.0
    assert {row["value"] for row in overview_rows(list(found.values()))} >= {"au_consistency"}
    assert ladder_figure(list(found.values())).startswith(b"\x89PNG")


def test_what_is_measured_is_kept(small, monkeypatch):
    plan, results = small
    monkeypatch.setattr(suite, "_cases", lambda *_: pytest.fail("measured again"))
    again = measure(plan)
    for key, values in results.clips.items():
        for name, row in values.items():
            np.testing.assert_array_equal(row, again.clips[key][name])


def test_known_behaviour_stands_beside_real_faces():
    results = Results()
    results.clips[CONTROLS, "oracle"] = {"au_consistency": np.array([0.9, np.nan, 1.0])}
    assert known_rows(results, ("au_consistency",)) == [
        {"generated": "oracle", "real faces": "0.96", "au_consistency": "0.95"}
    ]


@pytest.mark.parametrize(
    "plan", [{"parts": ("noize",)}, {"recording": "cleen"}, {"pairs": 1}], ids=str
)
def test_a_wrong_plan_is_refused(tmp_path, plan):
    with pytest.raises(UsageError) as error:
        measure(Plan(**{"pairs": 2, "cache": tmp_path, **plan}))
    assert "\n" not in str(error.value)


def test_doctor_tells_what_the_values_feel(small, monkeypatch, tmp_path):
    _, results = small
    monkeypatch.setattr(suite, "measure", lambda *_: results)
    shown = CliRunner().invoke(cli, ["doctor", "--calibrate", "--out", str(tmp_path / "o")])
    assert shown.exit_code == 0, shown.output
    assert "au_consistency" in shown.output
    assert "blind to:" in shown.output
    assert (tmp_path / "o" / "ladders.csv").read_text().startswith("value,ladder,level")
    assert (tmp_path / "o" / "ladders.png").read_bytes().startswith(b"\x89PNG")
    found = runner().invoke(cli, ["doctor", "--calibrate", "--json"])
    assert json.loads(found.stdout)["separation"]["key"] == "au_consistency"
