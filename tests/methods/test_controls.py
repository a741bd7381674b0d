from __future__ import annotations

import cv2
import numpy as np
import pytest

from mebench.errors import UsageError, WeightsError
from mebench.methods.catalogue import baseline_spec, load_baseline
from mebench.methods.copying import CopyDriving, CopyTemplate
from mebench.methods.fomm.points import pick
from mebench.methods.interpolation import still_points, thin_plate
from mebench.methods.warp import (
    LinearWarp,
    Mismatched,
    Motion,
    Reversed,
    WarpConfig,
    alikeness,
    clip_motion,
    resampled,
    warp_by_motion,
)
from mebench.metrics.action_units import ActionUnitConsistency
from mebench.metrics.base import Case
from mebench.types import ActionUnit, Face, FaceClip, Pair, SilentProgress

SIZE, IOD = 128, 40.0
LENGTH = 14


def layout() -> np.ndarray:
    """68 points of a plain upright face, from the midpoint of the eyes, in eye distances."""
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([1.05 * np.cos(angle), 0.1 + 1.6 * np.sin(angle)], 1)
    brow = np.stack([np.linspace(-0.9, -0.22, 5), [-0.18, -0.3, -0.34, -0.31, -0.24]], 1)
    bridge = np.stack([np.zeros(4), np.linspace(0, 0.55, 4)], 1)
    nose = np.stack([np.linspace(-0.24, 0.24, 5), [0.66, 0.69, 0.72, 0.69, 0.66]], 1)
    eye = np.array(
        [(-0.7, 0), (-0.58, -0.08), (-0.42, -0.08), (-0.3, 0), (-0.42, 0.07), (-0.58, 0.07)]
    )
    lips = [(-0.5, 0.87), (-0.33, 0.8), (-0.13, 0.77), (0, 0.79), (0.13, 0.77), (0.33, 0.8)]
    below = [(0.5, 0.87), (0.33, 1.04), (0.13, 1.1), (0, 1.11), (-0.13, 1.1), (-0.33, 1.04)]
    inside = [(-0.42, 0.88), (-0.14, 0.86), (0, 0.87), (0.14, 0.86), (0.42, 0.88), (0.14, 0.97)]
    mouth = np.array([*lips, *below, *inside, (0, 0.98), (-0.14, 0.97)])
    other_eye = (eye * [-1, 1])[[3, 2, 1, 0, 5, 4]]
    parts = [jaw, brow, brow[::-1] * [-1, 1], bridge, nose, eye, other_eye, mouth]
    return np.concatenate(parts)


def landmarks(iod: float = IOD, centre: tuple[float, float] = (64, 45), tilt: float = 0.0):
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return (layout() * iod @ turn.T + np.array(centre)).astype(np.float32)


def skin(seed: int, size: int = SIZE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(rng.normal(size=(size, size, 3)), (0, 0), 1.2)
    rough = cv2.GaussianBlur(rng.normal(size=(size, size, 3)), (0, 0), 6.0)
    image = 130 + 26 * fine / fine.std() + 18 * rough / rough.std()
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


CORNERS_UP = {48: (-0.7, -0.7), 54: (0.7, -0.7)}
BROWS_DOWN = {20: (0.5, 0.8), 23: (-0.5, 0.8)}
ONSET_TO_OFFSET = np.sin(np.linspace(0, 0.75, LENGTH) * np.pi) ** 2


def moved(image: np.ndarray, points: np.ndarray, moves: dict, size: float) -> np.ndarray:
    """Frames in which Gaussian bumps at landmarks rise to `size` pixels and fall again."""
    iod = np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0))
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    flow = np.zeros((*image.shape[:2], 2), np.float32)
    for index, direction in moves.items():
        x, y = points[index]
        bump = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * (0.25 * iod) ** 2))
        flow += np.float32(size) * bump[..., None] * np.array(direction, np.float32)
    frames = []
    for strength in ONSET_TO_OFFSET:
        back = np.float32(strength) * flow
        maps = xs - back[..., 0], ys - back[..., 1]
        frames.append(cv2.remap(image, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))
    return np.stack(frames)


def clip(key: str, moves: dict, *units: int, seed: int = 1, size: float = 1.6) -> FaceClip:
    points = landmarks()
    return FaceClip(
        key=f"toy.{key}",
        subject=f"toy.{key[:2]}",
        frames=moved(skin(seed), points, moves, size),
        landmarks=points,
        fps=100.0,
        action_units=tuple(ActionUnit(u) for u in units),
    )


@pytest.fixture(scope="module")
def smile() -> FaceClip:
    return clip("s1.smile", CORNERS_UP, 12)


@pytest.fixture(scope="module")
def frown() -> FaceClip:
    return clip("s2.frown", BROWS_DOWN, 4, seed=2)


@pytest.fixture(scope="module")
def template() -> Face:
    return Face(skin(7), landmarks())


def fitted(clips, tmp_path) -> Mismatched:
    method = Mismatched()
    method.fit(clips, workdir=tmp_path, device="cpu", seed=0, progress=SilentProgress())
    return method


def agreement(generated, template, driving):
    metric = ActionUnitConsistency()
    case = Case(Pair("t", "d"), generated, template, driving)
    return metric.clip_values(metric.describe(case))


def test_the_controls_are_ordered_as_the_headline_metric_expects(smile, frown, template, tmp_path):
    found = {
        "linear-warp": LinearWarp().generate(template, smile),
        "copy-driving": CopyDriving().generate(template, smile),
        "mismatched": fitted([smile, frown], tmp_path).generate(template, smile),
        "reversed": Reversed().generate(template, smile),
        "copy-template": CopyTemplate().generate(template, smile),
    }
    values = {name: agreement(frames, template, smile) for name, frames in found.items()}
    score = {name: v["au_consistency"] for name, v in values.items()}
    assert score["copy-driving"] > 0.95
    assert score["linear-warp"] > 0.8
    assert score["reversed"] < 0.6
    assert score["copy-template"] == 0.0
    # Both toy clips rise and fall together without noise, so only where they move tells them apart.
    assert values["mismatched"]["motion_similarity"] < 0.25
    assert values["linear-warp"]["motion_similarity"] > 0.7
    for frames in found.values():
        assert frames.shape == smile.frames.shape
        assert frames.dtype == np.uint8


def test_linear_warp_moves_the_right_place_by_the_right_amount(smile, template):
    frames = LinearWarp().generate(template, smile)
    peak = int(np.argmax(ONSET_TO_OFFSET))
    again = clip_motion(FaceClip("g", "g", frames, template.landmarks, 100.0))
    truth = clip_motion(smile)
    corner = int(np.argmax(np.linalg.norm(truth.displacements[peak], axis=1)))
    ours, theirs = again.displacements[peak, corner], truth.displacements[peak, corner]
    assert np.linalg.norm(theirs) > 0.8
    assert np.linalg.norm(ours - theirs) < 0.3 * np.linalg.norm(theirs)


def test_linear_warp_starts_with_the_template_and_leaves_far_pixels_alone(smile, template):
    frames = LinearWarp().generate(template, smile)
    np.testing.assert_array_equal(frames[0], template.image)
    change = np.abs(frames.astype(int) - template.image)
    # A spline is nowhere exactly zero; here it is below 0.03 pixels, on skin of full contrast.
    assert change[:, :, :4].max() <= 2
    assert change[LENGTH // 2].max() > 10


def test_motion_is_brought_to_the_size_and_tilt_of_the_template():
    driving_points, tilt = landmarks(), 0.3
    start = pick(driving_points, "face-44").astype(np.float64)
    shift = np.zeros((2, 44, 2))
    shift[1] = (3.0, 0.0)
    big = landmarks(iod=80.0, centre=(128, 90), tilt=tilt)
    ys, xs = np.mgrid[:256, :256]
    ramp = np.stack([0.5 * xs, 0.5 * ys, 0 * xs], -1).round().astype(np.uint8)
    frames = warp_by_motion(Face(ramp, big), Motion(start, shift), WarpConfig(ridge=1e-3))
    x, y = big[30].astype(int)
    change = (frames[1, y, x].astype(float) - frames[0, y, x])[:2] / -0.5
    assert change == pytest.approx([6 * np.cos(tilt), 6 * np.sin(tilt)], abs=1.2)


def test_sub_pixel_motion_is_not_rounded_away(template):
    start = pick(template.landmarks, "face-44").astype(np.float64)
    shift = np.zeros((3, 44, 2))
    shift[1], shift[2] = (0.02, 0.0), (0.04, 0.0)
    frames = warp_by_motion(template, Motion(start, shift), WarpConfig()).astype(float)
    small, double = (np.abs(frames[t] - frames[0]).mean() for t in (1, 2))
    assert 0 < small < double


def test_amplitude_scales_the_motion(smile, template):
    still = LinearWarp(WarpConfig(amplitude=0.0)).generate(template, smile)
    np.testing.assert_array_equal(still, CopyTemplate().generate(template, smile))


def test_reversed_is_linear_warp_backwards(smile, template):
    forward, backward = LinearWarp().generate(template, smile), Reversed().generate(template, smile)
    np.testing.assert_array_equal(backward, forward[::-1])


def test_the_same_call_gives_the_same_bytes_on_any_number_of_threads(smile, template):
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one = LinearWarp().generate(template, smile)
        cv2.setNumThreads(4)
        four = LinearWarp().generate(template, smile)
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(one, four)


def test_tracks_kept_in_a_cache_give_the_same_frames_and_damaged_ones_are_made_again(
    smile, template, tmp_path
):
    plain = LinearWarp().generate(template, smile)
    method = LinearWarp()
    method.cache = tmp_path
    first = method.generate(template, smile)
    (stored,) = (tmp_path / "tracks").iterdir()
    read = method.generate(template, smile)
    stored.write_bytes(stored.read_bytes()[:90])
    mended = method.generate(template, smile)
    for frames in (first, read, mended):
        np.testing.assert_array_equal(frames, plain)


def test_copies_are_copies(smile, template):
    still = CopyTemplate().generate(template, smile)
    assert (still == template.image).all()
    copied = CopyDriving().generate(template, smile)
    np.testing.assert_array_equal(copied, smile.frames)
    copied[:] = 0
    assert smile.frames.any()


def test_driving_frames_are_brought_to_the_templates_size(smile):
    large = Face(skin(3, 200), landmarks(iod=60.0, centre=(100, 70)))
    frames = CopyDriving().generate(large, smile)
    assert frames.shape == (LENGTH, 200, 200, 3)
    assert abs(float(frames.mean()) - float(smile.frames.mean())) < 2


def test_mismatched_prefers_other_units_then_other_subjects(smile, tmp_path):
    def of(key, *units):
        return FaceClip(
            f"toy.{key}",
            f"toy.{key[:2]}",
            smile.frames,
            smile.landmarks,
            100.0,
            action_units=tuple(ActionUnit(u) for u in units),
        )

    method = fitted([of("s3.a", 12), of("s1.b", 4), of("s4.c", 4), of("s5.d", 4, 12)], tmp_path)
    assert method._chosen(smile).key == "toy.s4.c"


def test_of_motions_that_share_no_unit_the_least_alike_is_taken(smile, tmp_path):
    def of(key, frames):
        units = (ActionUnit(4),)
        return FaceClip(
            f"toy.{key}", f"toy.{key}", frames, smile.landmarks, 100.0, action_units=units
        )

    # One clip moves as the smile does, one the other way, and one has nothing to do with it.
    frames = np.asarray(smile.frames)
    last = frames[-1:].repeat(len(frames), axis=0)
    still = frames[:1].repeat(len(frames), axis=0)
    same, back = of("same", frames), of("back", np.concatenate([last[:1], still[1:]]))
    method = fitted([same, back, of("still", still)], tmp_path)
    assert method._chosen(smile).key == "toy.still"
    alike = {m.key: alikeness(m.motion, clip_motion(smile)) for m in method._memories}
    assert alike["toy.same"] > 0.95
    assert alike["toy.back"] < -0.5
    assert alike["toy.still"] == pytest.approx(0, abs=0.1)


def test_mismatched_remembers_few_clips_but_every_set_of_units(smile, tmp_path):
    def of(number):
        units = (ActionUnit(number % 3),)
        frames, points = smile.frames[:2], smile.landmarks
        return FaceClip(f"toy.s{number}", f"s{number}", frames, points, 100.0, action_units=units)

    method = fitted([of(number) for number in range(20)], tmp_path)
    assert {tuple(m.units) for m in method._memories} == {(0,), (1,), (2,)}
    assert len(method._memories) == len({m.key for m in method._memories}) == 8


def test_mismatched_remembers_across_save_and_load(smile, frown, template, tmp_path):
    method = fitted([smile, frown], tmp_path)
    method.save(tmp_path / "state" / "mismatched.npz")
    loaded = Mismatched()
    loaded.load(tmp_path / "state" / "mismatched.npz", device="cpu")
    np.testing.assert_array_equal(
        loaded.generate(template, smile), fitted([smile, frown], tmp_path).generate(template, smile)
    )


def test_mismatched_says_what_it_needs(smile, template, tmp_path):
    with pytest.raises(UsageError, match=r"toy\.s1\.smile: 'mismatched' needs"):
        fitted([smile], tmp_path).generate(template, smile)
    (tmp_path / "junk.npz").write_bytes(b"junk")
    with pytest.raises(WeightsError, match=r"junk\.npz: not a checkpoint"):
        Mismatched().load(tmp_path / "junk.npz", device="cpu")


def test_motion_is_stretched_in_time_with_its_ends_kept():
    line = np.linspace(0, 1, 5)[:, None, None] * np.ones((5, 3, 2))
    longer = resampled(Motion(np.zeros((3, 2)), line), 9)
    np.testing.assert_allclose(longer.displacements[:, 0, 0], np.linspace(0, 1, 9))
    assert resampled(Motion(np.zeros((3, 2)), line[:1]), 4).displacements.shape == (4, 3, 2)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("copy-template", CopyTemplate),
        ("copy-driving", CopyDriving),
        ("linear-warp", LinearWarp),
        ("reversed", Reversed),
        ("mismatched", Mismatched),
    ],
)
def test_each_control_is_found_by_its_id(name, kind):
    assert type(load_baseline(name)) is kind
    spec = baseline_spec(name)
    assert (spec.id, spec.status) == (name, "control")
    assert spec.description


def smooth_field(places: np.ndarray) -> np.ndarray:
    """A known motion of the face in pixels: it turns a little, grows, and both cheeks rise."""
    offset = places - [64.0, 62.0]
    window = np.exp(-0.5 * (offset**2).sum(1) / 26.0**2)[:, None]
    cheeks = sum(
        np.exp(-0.5 * ((places - at) ** 2).sum(1) / 16.0**2) for at in ([48.0, 68.0], [80.0, 68.0])
    )
    turned = offset @ np.array([[0.03, 0.02], [-0.02, 0.03]]).T
    return window * turned + np.stack([0 * cheeks, -1.2 * cheeks], axis=1)


def test_the_warp_reproduces_a_known_smooth_field_from_its_points_alone(template):
    """Within 0.03 pixels on average, and 0.2 anywhere on the face, where up to 1.6 are moved."""
    points = pick(template.landmarks, "face-44").astype(np.float64)
    ys, xs = np.mgrid[:SIZE, :SIZE]
    grid = np.stack([xs.ravel(), ys.ravel()], 1).astype(np.float64)
    truth = smooth_field(grid)
    iod = float(
        np.linalg.norm(template.landmarks[42:48].mean(0) - template.landmarks[36:42].mean(0))
    )
    still = still_points(points, SIZE, SIZE)
    basis = thin_plate(points, still, grid, iod, WarpConfig().ridge)
    error = np.linalg.norm(basis @ smooth_field(points) - truth, axis=1)
    size = np.linalg.norm(truth, axis=1)
    face = cv2.fillConvexPoly(np.zeros((SIZE, SIZE)), cv2.convexHull(points.astype(np.int32)), 1)
    inside = face.ravel() > 0
    assert size.max() > 1.5
    assert error[inside].mean() < 0.03
    assert error[inside].max() < 0.2


def test_a_thin_plate_meets_its_points_is_affine_where_they_are_and_still_where_held():
    rng = np.random.default_rng(0)
    points, places = rng.uniform(0, 100, (12, 2)), rng.uniform(0, 100, (50, 2))
    nothing = np.zeros((0, 2))
    basis = thin_plate(points, nothing, places, 30.0, 0.0)
    matrix, shift = np.array([[0.02, -0.01], [0.03, 0.01]]), np.array([1.5, -2.0])
    np.testing.assert_allclose(
        basis @ (points @ matrix.T + shift), places @ matrix.T + shift, atol=1e-9
    )
    still = still_points(points, 100, 100)
    moves = rng.normal(size=(12, 2))
    exact = thin_plate(points, still, np.concatenate([points, still]), 30.0, 0.0) @ moves
    np.testing.assert_allclose(exact[:12], moves, atol=1e-9)
    np.testing.assert_allclose(exact[12:], 0.0, atol=1e-9)
    softer = thin_plate(points, still, points, 30.0, 0.1) @ moves
    assert 0.01 < np.abs(softer - moves).max() < np.abs(moves).max()


def test_the_frames_of_a_warp_are_the_template_under_the_known_field(template):
    """A grey ramp shows by its value where each pixel came from: within 0.25 pixels."""
    ys, xs = np.mgrid[:SIZE, :SIZE]
    ramp = np.stack([2 * xs, 2 * ys, 0 * xs], -1).astype(np.uint8)
    start = pick(template.landmarks, "face-44").astype(np.float64)
    moves = np.stack([0 * start, smooth_field(start)])
    frames = warp_by_motion(Face(ramp, template.landmarks), Motion(start, moves), WarpConfig())
    came_from = frames[1, ..., :2].reshape(-1, 2) / 2.0
    arrived = came_from + smooth_field(came_from)
    grid = np.stack([xs.ravel(), ys.ravel()], 1)
    face = cv2.fillConvexPoly(np.zeros((SIZE, SIZE)), cv2.convexHull(start.astype(np.int32)), 1)
    error = np.linalg.norm(arrived - grid, axis=1)[face.ravel() > 0]
    # The ramp holds halves of a pixel, which alone cost 0.19 on average.
    assert error.mean() < 0.25


def test_the_gaussian_kernel_falls_to_zero_away_from_the_face(smile, template):
    frames = LinearWarp(WarpConfig(kernel="gaussian")).generate(template, smile)
    change = np.abs(frames.astype(int) - template.image)
    assert change[:, :, :4].max() <= 1
    assert change[LENGTH // 2].max() > 10


def test_points_on_a_line_are_refused():
    line = np.linspace(0, 9, 10)[:, None] * [1.0, 2.0]
    with pytest.raises(UsageError, match="on a line; prepare the clip again"):
        still_points(line, SIZE, SIZE)
