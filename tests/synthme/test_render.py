from dataclasses import replace

import cv2
import numpy as np
import pytest

from mebench.errors import UsageError
from mebench.synthme.expression import AUS, EMOTIONS, Component, Expression
from mebench.synthme.motion import common, landmark_peak, split
from mebench.synthme.portrait import Identity, portrait
from mebench.synthme.render import Camera, Nuisance, render

ANNA = Identity.from_seed(1)
VIEW = Camera(128, 128, 40.0, 63.5, 48.0)


def still(expression: Expression, who: Identity = ANNA, **more):
    return render(who, expression, Nuisance.none(), camera=VIEW, **more)


def short(text: str, amplitude: float = 0.02) -> Expression:
    return Expression.from_text(text, amplitude, seconds=0.06)


def test_same_arguments_give_the_same_bytes_and_another_seed_others():
    a, b = (render(ANNA, short("4+12"), camera=VIEW, seed=5) for _ in range(2))
    assert a.frames.tobytes() == b.frames.tobytes()
    assert a.flow.tobytes() == b.flow.tobytes()
    other = render(ANNA, short("4+12"), camera=VIEW, seed=6, with_flow=False)
    assert not np.array_equal(a.frames, other.frames)
    assert other.flow.shape == (0, 128, 128, 2)


def test_thread_count_does_not_change_a_pixel():
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        portrait.cache_clear()
        one = still(short("12"), with_flow=False).frames
        cv2.setNumThreads(2)
        portrait.cache_clear()
        two = still(short("12"), with_flow=False).frames
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(one, two)


def test_two_people_differ():
    other = Identity.from_seed(2)
    assert Identity.from_seed(1) == ANNA
    a, b = still(short("12"), with_flow=False), still(short("12"), other, with_flow=False)
    assert np.abs(a.frames[0].astype(float) - b.frames[0]).mean() > 10
    assert np.linalg.norm(a.landmarks[0] - b.landmarks[0], axis=1).mean() > 0.5


@pytest.mark.parametrize("text", ["1+2", "12", "10", "17", "20", "9"])
def test_flow_carries_frame_0_onto_the_apex(text):
    expression = short(text, 0.03)
    made = still(expression)
    t = expression.apex
    y, x = np.mgrid[0:128, 0:128].astype(np.float32)
    there = made.flow[t] + np.stack([x, y], -1)
    none = made.frames[0].astype(np.float32)
    apex = made.frames[t].astype(np.float32)
    back = cv2.remap(apex, there, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    size = np.linalg.norm(made.flow[t], axis=-1)
    moved = size > 0.5 * size.max()
    unmoved_error = np.abs(apex - none)[moved].mean()
    assert size.max() > 0.8
    # What is left is interpolation and the folds that come with the action unit.
    assert np.abs(back - none)[moved].mean() < 0.75 * unmoved_error


def test_flow_and_landmarks_tell_the_same_story():
    expression = short("1+4+12", 0.02)
    made = render(ANNA, expression, replace(Nuisance.none(), drift=1.0), camera=VIEW)
    for t in (expression.apex, expression.n_frames - 1):
        for i in (19, 21, 22, 24, 30, 33, 48, 54, 57, 8):
            x, y = made.landmarks[0, i]
            sampled = cv2.getRectSubPix(np.ascontiguousarray(made.flow[t, ..., 0]), (1, 1), (x, y))
            assert sampled[0, 0] == pytest.approx(
                made.landmarks[t, i, 0] - made.landmarks[0, i, 0], abs=0.03
            )


def test_frame_0_is_neutral_whatever_the_nuisance():
    plain = still(short("12"))
    strong = replace(Nuisance.default(), noise=0.0, motion_blur=0.0, blink=50.0, gaze=4.0)
    noisy = render(ANNA, short("12"), strong, camera=VIEW, seed=3)
    assert np.array_equal(plain.frames[0], noisy.frames[0])
    assert not noisy.flow[0].any()


@pytest.mark.parametrize("switch", vars(Nuisance.none()))
def test_every_nuisance_can_be_switched_on_alone(switch):
    expression = Expression.from_text("12", 0.0, seconds=0.3)
    on = replace(Nuisance.none(), **{switch: 20.0 if switch == "blink" else 3.0})
    if switch == "motion_blur":
        on, quiet = replace(on, tremor=40.0), replace(Nuisance.none(), tremor=40.0)
    else:
        quiet = Nuisance.none()
    one = render(ANNA, expression, on, camera=VIEW, seed=2, with_flow=False)
    two = render(ANNA, expression, quiet, camera=VIEW, seed=2, with_flow=False)
    assert np.abs(one.frames.astype(int) - two.frames).max() > 2


def test_blink_closes_the_eye():
    on = replace(Nuisance.none(), blink=50.0)
    made = render(ANNA, Expression.from_text("12", 0.0), on, camera=VIEW, seed=2, with_flow=False)
    gap = made.landmarks[:, 41, 1] - made.landmarks[:, 37, 1]
    assert gap.min() < 0.25 * gap[0]


@pytest.mark.parametrize(
    ("au", "point", "right", "down"),
    [
        (1, 22, 0, -1), (2, 25, 0, -1), (4, 22, -0.6, 0.8), (9, 35, 0, -1), (10, 52, 0, -1),
        (12, 54, 0.7, -0.7), (14, 54, 1, 0), (15, 54, 0, 1), (17, 57, 0, -1), (20, 54, 0.95, 0.3),
        (24, 52, 0, 1), (24, 56, 0, -1), (25, 66, 0, 1), (26, 8, 0, 1), (5, 43, 0, -1),
        (7, 47, 0, -1), (23, 54, -1, 0),
    ],
)  # fmt: skip
def test_an_action_unit_moves_its_region_its_way_and_the_other_side_not(au, point, right, down):
    scene = portrait(ANNA)
    mirror = {22: 21, 25: 18, 35: 31, 52: 50, 54: 48, 43: 38, 47: 40, 56: 58}

    def move(side, index):
        at = scene.landmarks[index][None]
        first = split(scene.geometry, au, side, at[:, 0], at[:, 1])
        moved = at + first
        return (first + common(scene.geometry, au, side, moved[:, 0], moved[:, 1]))[0]

    own = move(1, point)
    assert own @ np.array([right, down]) > (0.2 if point in (8, 57, 66) else 0.4)
    if point in mirror:
        assert np.linalg.norm(move(1, mirror[point])) < 0.35 * np.linalg.norm(own)
        twin = move(-1, mirror[point])
        assert twin == pytest.approx(own * (-1, 1), abs=0.15)


@pytest.mark.parametrize("au", AUS)
def test_fields_are_smooth_local_and_of_unit_size(au):
    scene = portrait(ANNA)
    x, y = np.meshgrid(np.arange(-2.5, 2.5, 0.02), np.arange(-2.2, 3.2, 0.02))
    field = common(scene.geometry, au, 1, x, y)
    size = np.linalg.norm(field, axis=-1)
    assert size.max() <= 1.01
    steps = np.abs(np.diff(field, axis=0)).max(), np.abs(np.diff(field, axis=1)).max()
    assert max(steps) < 0.45  # of the peak, within 2 % of the IOD: no tears
    assert size[(np.abs(x) > 1.7) | (y < -1.5) | (y > 2.7)].max() < 0.05


def test_sampled_expressions_are_micro():
    rng = np.random.default_rng(0)
    scene = portrait(ANNA)
    for k in range(120):
        e = Expression.sample(rng, EMOTIONS[k % len(EMOTIONS)], 200.0)
        assert 0.17 <= e.n_frames / e.fps <= 0.5
        curves = e.curves()
        assert not curves[0].any()
        assert np.abs(curves.sum(axis=1).argmax() - e.apex) <= 3
        assert curves[-1].max() <= 0.36 * curves.max()
        move = np.zeros((68, 2))
        for part, size in zip(e.components, curves[e.apex], strict=True):
            for side in (-1, 1):
                if part.side == "both" or side == (1 if part.side == "L" else -1):
                    move += size * common(scene.geometry, part.au, side, *scene.landmarks.T)
                    move += size * split(scene.geometry, part.au, side, *scene.landmarks.T)
        assert 0.005 <= np.linalg.norm(move, axis=1).max() <= 0.03, e.text


def test_sides_are_the_persons_own():
    made = still(Expression((Component(12, "L", 0.05),), 20, 200.0, 9))
    shift = np.linalg.norm(made.landmarks[9] - made.landmarks[0], axis=1)
    assert shift[54] > 5 * shift[48]
    turned = Expression((Component(12, "L", 0.05),), 20, 200.0, 9).mirrored()
    assert turned.names == ("R12",)


def test_unknown_emotion_is_refused_with_a_suggestion():
    with pytest.raises(UsageError, match="Did you mean 'happiness'"):
        Expression.sample(np.random.default_rng(0), "hapiness", 200.0)


def test_overlapping_units_are_held_below_the_micro_limit():
    drawn = [Expression.sample(np.random.default_rng(seed), "others") for seed in range(200)]
    both = [e for e in drawn if len(e.components) == 2]
    peaks = [landmark_peak(e.sizes()) for e in both]
    assert max(peaks) == pytest.approx(0.0288, abs=1e-4)
    assert max(p.amplitude for e in both for p in e.components) > 0.02
