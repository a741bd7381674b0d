"""Outputs with a few frames more or fewer than the driving clip: which frames are taken."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mebench.errors import SubmissionError
from mebench.io.video import read_clip_file, write_mp4
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.submission.convert import convert
from mebench.submission.lengths import (
    DRIVING_SHARE,
    Offset,
    best_offset,
    choose_frames,
    motion_curves,
)
from mebench.submission.manifest import Manifest, Method
from mebench.submission.validate import Requirement
from mebench.types import Pair
from tests.makers import tiny_protocol

STRONG = Pair("samm.009", "casme2.02.EP02_01f")
WEAK = Pair("samm.009", "casme2.02.EP04_03")
SHIFTS = [(1, 0), (0, 1), (2, 3), (5, 0), (0, 5), (8, 0), (0, 8)]


@pytest.fixture(scope="module")
def data(tiny, tmp_path_factory):
    base = tmp_path_factory.mktemp("lengths")
    text = tiny_protocol("pixel", "psnr_db", more="templates_per_driving: null\n")
    (base / "tiny.yaml").write_text(text.replace("size: 64", "size: 128"))
    spec = load_protocol(str(base / "tiny.yaml"))
    return open_protocol(spec, {"synthme": tiny}, cache=base / "cache")


def own_crop(data, pair):
    """Return what a perfect method draws on a tight crop of its own, never seen by mebench."""
    return data.reference(pair).frames[:, 25:115, 20:108]


def longer(clip, before, after):
    """Return a clip with still frames around it; a camera's noise makes them differ."""
    rng = np.random.default_rng(0)
    whole = np.concatenate([clip[:1]] * before + [clip] + [clip[-1:]] * after).astype(np.int16)
    return (whole + rng.integers(-1, 2, whole.shape)).clip(0, 255).astype(np.uint8)


def jpeg(clip):
    found = []
    for frame in clip:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=75)
        found.append(np.asarray(Image.open(buffer)))
    return np.stack(found)


@pytest.mark.parametrize("form", ["raw", "jpeg", "mp4"])
@pytest.mark.parametrize("pair", [STRONG, WEAK], ids=["strong", "weak"])
def test_the_true_shift_is_found_within_a_frame_or_said_not_to_be_clear(data, pair, form, tmp_path):
    driving = motion_curves(np.asarray(data.driving[pair.driving].frames), DRIVING_SHARE)
    told = []
    for before, after in SHIFTS if form == "raw" else SHIFTS[2:5]:
        clip = longer(own_crop(data, pair), before, after)
        if form == "jpeg":
            clip = jpeg(clip)
        elif form == "mp4":
            write_mp4(tmp_path / "clip.mp4", clip, 30)
            clip = read_clip_file(tmp_path / "clip.mp4")[0]
        found = best_offset(motion_curves(clip), driving, range(before + after + 1))
        told.append((before, found))
    clear = [(before, found) for before, found in told if found.clear]
    assert all(abs(found.offset - before) <= 1 for before, found in clear), told
    assert len(clear) >= len(told) / 2, told


def test_a_clip_at_another_speed_is_told(data):
    shown = motion_curves(np.asarray(data.driving[STRONG.driving].frames), DRIVING_SHARE)
    clip = own_crop(data, STRONG)
    slower = np.linspace(0, len(clip) - 1, len(clip) + 8).round().astype(int)
    found = best_offset(motion_curves(clip[slower]), shown, range(9))
    assert found.other_speed
    place = best_offset(motion_curves(longer(clip, 8, 0)), shown, range(9))
    assert not place.other_speed
    wanted = len(clip)
    asked = dict(tolerance=0, resample=False)
    told = choose_frames(wanted + 8, wanted, **asked, place=lambda offsets: found)
    assert told.note.endswith("another speed would fit better, for which there is --resample")
    told = choose_frames(wanted + 8, wanted, **asked, place=lambda offsets: place)
    assert "speed" not in told.note


def test_a_still_entry_has_no_place(data):
    driving = motion_curves(np.asarray(data.driving[STRONG.driving].frames), DRIVING_SHARE)
    still = np.repeat(own_crop(data, STRONG)[:1], len(driving) + 4, axis=0)
    assert not best_offset(motion_curves(still), driving, range(5)).clear


def test_a_drift_of_the_whole_picture_is_no_motion():
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(rough).resize((140, 140), Image.Resampling.BICUBIC))
    drift = np.stack([picture[t // 2 : 128 + t // 2, :128] for t in range(20)])
    bulge = drift.copy()
    bulge[10:, 40:80, 40:80] = drift[10:, 43:83, 40:80]
    inside = np.s_[6:9, 6:9]
    calm, moved = (motion_curves(clip)[12].reshape(16, 16, 2)[inside] for clip in (drift, bulge))
    assert np.abs(calm).max() < 0.2
    assert np.abs(moved).max() > 1.5


def offset(first, clear=True):
    return lambda offsets: Offset(first, 0.9, 0.5 if clear else 0.899)


@pytest.mark.parametrize(
    ("got", "place", "first", "note"),
    [
        (101, offset(5), 5, "5 frames more than the driving clip: they are before its onset; "
         "frames 5 to 100 taken"),
        (101, offset(0), 0, "5 frames more than the driving clip: they are after its end; "
         "frames 0 to 95 taken"),
        (101, offset(2), 2, "5 frames more than the driving clip: 2 before its onset, the others "
         "after; frames 2 to 97 taken"),
        (97, offset(1), 1, "1 frame more than the driving clip: it is before its onset; "
         "frames 1 to 96 taken"),
        (101, offset(5, clear=False), 0, "5 frames more than the driving clip: could not tell "
         "where, so the last ones are left out; frames 0 to 95 taken"),
        (104, lambda offsets: None, 0, "8 frames more than the driving clip: could not tell "
         "where, so the last ones are left out; frames 0 to 95 taken"),
    ],
)  # fmt: skip
def test_what_is_taken_is_told(got, place, first, note):
    choice = choose_frames(got, 96, tolerance=2, resample=False, place=place)
    assert choice.note == note
    assert list(choice.indices) == list(range(first, first + 96))
    assert not choice.resampled


def test_frames_that_lack_are_never_made_up():
    kept = choose_frames(94, 96, tolerance=2, resample=False, place=offset(-2))
    assert list(kept.indices) == list(range(94))
    assert kept.note.endswith("within the protocol's tolerance, kept as they are")
    why = choose_frames(91, 96, tolerance=2, resample=False, place=offset(-5))
    assert why == "5 frames fewer than the driving clip, its first ones"
    assert isinstance(choose_frames(105, 96, tolerance=2, resample=False, place=offset(0)), str)
    asked = choose_frames(91, 96, tolerance=2, resample=True, place=offset(0))
    assert asked.resampled
    assert len(asked.indices) == 96
    assert asked.note == "5 frames fewer than the driving clip: nearest 96 of 91 frames taken"


def test_converting_takes_the_frames_that_belong_to_the_driving_clip(data, tmp_path):
    clip = longer(own_crop(data, STRONG), 5, 0)
    wanted = len(clip) - 5
    folder = tmp_path / "given" / "samm.009__EP02_01f"
    folder.mkdir(parents=True)
    for number, frame in enumerate(clip):
        Image.fromarray(frame).save(folder / f"{number}.png")
    need = Requirement("tiny", {STRONG: wanted}, 128)
    mine = Manifest(protocol="tiny", method=Method(id="mine", title="Mine"))
    done = convert(
        folder.parent,
        tmp_path / "out",
        need,
        mine,
        driving=lambda pair: data.driving[pair.driving].frames,
    )
    (one,) = done.taken
    assert one.notes[0].startswith("5 frames more than the driving clip: they are before its onset")
    made = tmp_path / "out" / "frames" / STRONG.key
    assert len(list(made.iterdir())) == wanted
    assert (made / "00000.png").read_bytes() == (folder / "5.png").read_bytes()
    assert not done.lossy
    for number in range(wanted - 4, wanted + 5):
        (folder / f"{number}.png").unlink()
    with pytest.raises(SubmissionError, match=r"4 frames fewer .*--resample") as told:
        convert(folder.parent, tmp_path / "out2", need, mine)
    assert STRONG.key in str(told.value)
