"""Spotting: where the apex is found, what is never touched, and what is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mebench.datasets.base import load_dataset
from mebench.errors import DatasetError, UsageError
from mebench.facs.regions import EYE_SITES, SITES
from mebench.preprocess import worker as module
from mebench.preprocess.apex import (
    middle_index,
    motion_apex,
    spot_apex,
    top_of,
    with_apexes,
)
from mebench.preprocess.landmarks import GivenLandmarks
from mebench.preprocess.lbp import divide_and_conquer, lbp_codes, lbp_difference
from mebench.preprocess.prepare import PreparedSet, prepare
from mebench.preprocess.region_motion import RegionMotion
from mebench.synthme.truth import Truth
from mebench.types import Clip

T, APEX = 60, 36


def bump(width: float = 9.0, centre: int = APEX) -> np.ndarray:
    return np.exp(-(((np.arange(T) - centre) / width) ** 2))


def motion(face: np.ndarray, eyes: np.ndarray | float = 0.0, fps: float = 200.0) -> RegionMotion:
    """Return regions that move by `face` IOD along fixed directions, the lids by `eyes`."""
    rng = np.random.default_rng(3)
    pattern = rng.standard_normal((len(SITES), 2))
    pattern /= np.linalg.norm(pattern[~EYE_SITES])
    raw = face[:, None, None] * pattern
    raw[:, EYE_SITES] = (np.zeros(len(face)) + eyes)[:, None, None] * pattern[EYE_SITES]
    raw += 2e-4 * rng.standard_normal(raw.shape)
    nothing = np.zeros((len(face), 4))
    return RegionMotion(raw, raw, nothing, nothing[:-2, 0], fps)


def test_the_apex_is_where_the_regions_moved_most() -> None:
    assert motion_apex(motion(0.02 * bump())) == pytest.approx(APEX, abs=1)
    assert motion_apex(motion(0.02 * bump(5), fps=100)) == pytest.approx(APEX, abs=1)


def test_a_held_apex_is_found_in_its_middle() -> None:
    held = np.clip(1.4 * bump(14), 0, 1)
    assert motion_apex(motion(0.02 * held)) == pytest.approx(APEX, abs=2)


def test_a_blink_is_not_the_apex_and_drift_does_not_hide_it() -> None:
    blink = 0.15 * bump(4, centre=12)
    assert motion_apex(motion(0.015 * bump(), eyes=blink)) == pytest.approx(APEX, abs=1)
    drift = np.linspace(0, 0.015, T)
    assert motion_apex(motion(0.02 * bump() + drift)) == pytest.approx(APEX, abs=3)


def test_eyes_count_when_nothing_else_moves() -> None:
    assert motion_apex(motion(np.zeros(T), eyes=0.02 * bump())) == pytest.approx(APEX, abs=1)


def test_a_still_face_has_no_apex_of_motion() -> None:
    assert motion_apex(motion(np.zeros(T))) is None


def test_the_ends_are_never_the_apex() -> None:
    assert top_of(np.linspace(0, 1, 20)) <= 18
    assert top_of(np.linspace(1, 0, 20)) >= 1
    assert top_of(np.array([0.0, 0.0, 5.0])) == 1


@pytest.fixture(scope="module")
def drawn(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[PreparedSet, list[float]]:
    """Return SMIC's prepared clips, which state no apex, and the errors of the spotted ones, ms."""
    truth = Truth(tiny)
    clips = load_dataset("smic", tiny / "smic").clips()[:2]
    prepared = prepare(
        clips,
        size=128,
        landmarker=GivenLandmarks(truth.landmarks_folder),
        cache=tmp_path_factory.mktemp("cache"),
        apex="motion",
    )
    errors = [
        1000 * abs(clip.apex_index - truth.clip(clip.key).expression.apex) / clip.fps
        for clip in prepared
    ]
    return prepared, errors


def test_drawn_clips_get_an_apex_near_the_true_one(
    drawn: tuple[PreparedSet, list[float]],
) -> None:
    prepared, errors = drawn
    assert [clip.apex_source for clip in prepared] == ["motion", "motion"]
    assert max(errors) <= 40


def test_an_index_can_be_written_with_them(drawn: tuple[PreparedSet, list[float]]) -> None:
    prepared, _ = drawn
    bare = [
        replace(clip, annotation=replace(clip.annotation, apex=None, apex_source="none"))
        for clip in prepared.clips
    ]
    first, second = with_apexes(bare, prepared.clips[:1])
    assert first.annotation.apex == first.frame_numbers[prepared[0].apex_index]
    assert first.annotation.apex_source == "motion"
    assert (second.annotation.apex, second.annotation.apex_source) == (None, "none")
    stated = replace(bare[0], annotation=replace(bare[0].annotation, apex=bare[0].frame_numbers[1]))
    assert with_apexes([stated], prepared.clips) == [stated]


def slow_pattern(grey: np.ndarray, y: int, x: int, radius: int) -> str:
    """Return the bits around a pixel, clockwise from the upper left."""
    ring = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
    return "".join(
        "1" if grey[y + radius * dy, x + radius * dx] >= grey[y, x] else "0" for dy, dx in ring
    )


@pytest.mark.parametrize("radius", [1, 3])
def test_patterns_are_those_of_a_slow_loop(radius: int) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (14, 17), dtype=np.uint8)
    codes = lbp_codes(grey, radius)
    bins: dict[str, int] = {}
    for y in range(radius, 14 - radius):
        for x in range(radius, 17 - radius):
            bits = slow_pattern(grey, y, x, radius)
            changes = sum(a != b for a, b in zip(bits, bits[1:] + bits[0], strict=True))
            found = int(codes[y - radius, x - radius])
            assert (found == 58) == (changes > 2)
            if changes <= 2:
                assert bins.setdefault(bits, found) == found
    assert len(set(bins.values())) == len(bins) > 5


def test_divide_and_conquer_keeps_the_larger_half() -> None:
    assert divide_and_conquer(bump()) == pytest.approx(APEX, abs=4)
    assert divide_and_conquer(np.array([0.0, 1.0, 9.0, 1.0, 0.0])) == 2
    assert divide_and_conquer(np.array([0.0, 1.0, 0.0])) == 1
    # The early peak is higher, but the later half holds more.
    early = np.zeros(18)
    early[3], early[9:15] = 5.0, 1.0
    assert divide_and_conquer(early) >= 9


def test_pattern_difference_sees_the_mouth_move(
    recording: np.ndarray, true_points: np.ndarray
) -> None:
    mouth = slice(*(int(v) for v in np.percentile(true_points[48:68, 1], [0, 100])))
    frames = np.repeat(recording[:1], 3, axis=0)
    frames[1, mouth] = np.roll(frames[1, mouth], 2, axis=1)
    none, moved, back = lbp_difference(frames, true_points)
    assert none == pytest.approx(0, abs=1e-12)
    assert back == pytest.approx(0, abs=1e-12)
    assert moved > 1e-3
    assert spot_apex(frames, true_points, 200, "lbp").index == 1


def test_landmarks_outside_the_picture_do_not_stop_the_search(recording: np.ndarray) -> None:
    points = np.full((68, 2), -500.0)
    points[36:42], points[42:48] = (0.0, 0.0), (60.0, 0.0)
    assert lbp_difference(recording, points).shape == (4,)


def test_the_middle_goes_by_frame_numbers(clips: list[Clip]) -> None:
    assert middle_index(clips[0]) == 1
    gappy = replace(clips[0], frame_numbers=(10, 11, 18, 30))
    gappy = replace(gappy, annotation=replace(gappy.annotation, offset=30))
    assert middle_index(gappy) == 2


@pytest.fixture
def bare(make_clip: Callable[..., Clip], recording: np.ndarray) -> list[Clip]:
    return [make_clip("EP01", recording, None, "none"), make_clip("EP02", recording, 11)]


def test_spotted_apexes_are_kept_and_annotated_ones_stay(
    bare: list[Clip],
    run: Callable[..., PreparedSet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = run(bare)
    assert [(c.apex_index, c.apex_source) for c in without] == [(None, "none"), (1, "annotated")]
    first = run(bare, apex="lbp")
    assert first.made == 0
    assert first[0].apex_source == "lbp"
    assert first[0].apex_index in (1, 2)
    assert (first[1].apex_index, first[1].apex_source) == (1, "annotated")
    assert [path.name for path in (tmp_path / "cache").rglob("apex-*")] == ["apex-lbp.json"]

    def forbidden(*_: object, **__: object) -> None:
        raise RuntimeError("spotted again")

    monkeypatch.setattr(module, "spot_apex", forbidden)
    again = run(bare, apex="lbp")
    assert (again[0].apex_index, again[0].apex_source) == (first[0].apex_index, "lbp")
    next((tmp_path / "cache").rglob("apex-lbp.json")).write_text('{"index": 99}')
    with pytest.raises(RuntimeError, match="spotted again"):
        run(bare, apex="lbp")


def test_a_clip_whose_apex_cannot_be_found_is_still_prepared(
    bare: list[Clip], run: Callable[..., PreparedSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise DatasetError("no face in the crop")

    monkeypatch.setattr(module, "spot_apex", failing)
    prepared = run(bare, apex="motion")
    assert (prepared[0].apex_index, prepared[0].apex_source) == (None, "none")
    assert prepared.notes == ("casme2.01.EP01: no apex spotted (no face in the crop)",)


def test_a_clip_in_which_nothing_moves_gets_its_middle_and_says_so(
    make_clip: Callable[..., Clip], run: Callable[..., PreparedSet], recording: np.ndarray
) -> None:
    still = make_clip("EP07", np.repeat(recording[:1], 5, axis=0), None, "none")
    for _ in range(2):
        prepared = run([still], apex="motion")
        assert (prepared[0].apex_index, prepared[0].apex_source) == (2, "middle")
        assert prepared.notes == (
            "casme2.01.EP07: no motion found, the middle frame is taken as its apex",
        )


def test_unknown_methods_are_refused(
    bare: list[Clip], run: Callable[..., PreparedSet], recording: np.ndarray
) -> None:
    with pytest.raises(UsageError, match="unknown apex method 'motoin'"):
        run(bare, apex="motoin")
    with pytest.raises(UsageError, match="finds no apex"):
        spot_apex(recording, np.zeros((68, 2)), 200, "none")


def test_a_lost_entry_is_made_and_spotted_again(
    bare: list[Clip], run: Callable[..., PreparedSet], tmp_path: Path
) -> None:
    run(bare, apex="middle")
    before = run(bare, apex="lbp")[0].apex_index
    shutil.rmtree(tmp_path / "cache")
    assert run(bare, apex="lbp")[0].apex_index == before
