"""Films as cameras, phones and programs leave them: seen as a player shows them, or told."""

import struct
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from mebench.datasets.media import ClipFile
from mebench.errors import DatasetError
from mebench.io.video import clip_facts, count_frames, read_clip_file, read_driving

WIDE, HIGH = 96, 64
RATE = 25
WEIGHTS = {1: (0.2126, 0.0722), 2: (0.299, 0.114), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""Of red and blue in brightness: BT.709, nothing said, BT.601, BT.2020."""


def picture(number=0):
    """Blocks of 16 pixels of other colours, which no turn or mirror takes to themselves."""
    colours = np.random.default_rng(5).integers(0, 256, (HIGH // 16, WIDE // 16, 3))
    image = np.repeat(np.repeat(colours, 16, 0), 16, 1).astype(np.uint8)
    image[:4, :4] = 10 * number
    return image


def film(path, pictures=None, times=None, codec="libx264", **settings):
    """Write pictures, shown at `times` (1 / RATE s each)."""
    pictures = [picture(k) for k in range(8)] if pictures is None else pictures
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv444p" if codec == "libx264" else "yuv420p"
        stream.options = {"qp": "0"} if codec == "libx264" else {"qscale": "1"}
        stream.time_base = stream.codec_context.time_base = Fraction(1, RATE)
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        for number, image in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number if times is None else times[number]
            frame.time_base = Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def blocks(image):
    return np.asarray(image)[8::16, 8::16].astype(int)


def like(image, wanted, most=3):
    return image.shape == wanted.shape and np.abs(blocks(image) - blocks(wanted)).max() <= most


@pytest.mark.parametrize(
    "matrix",
    [(1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1),
     (0, 1, 1, 0), (0, 1, -1, 0), (0, -1, 1, 0), (0, -1, -1, 0)],
)  # fmt: skip
def test_all_eight_orientations_are_shown_upright(tmp_path, matrix):
    path = film(tmp_path / "a.mp4")
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (int(value * 65536) for value in matrix)
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    a, b, c, d = matrix
    y, x = np.mgrid[:HIGH, :WIDE]
    to_x, to_y = a * x + c * y, b * x + d * y
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    wanted = np.zeros((to_y.max() + 1, to_x.max() + 1, 3), np.uint8)
    wanted[to_y, to_x] = picture()
    assert like(read_clip_file(path)[0][0], wanted)


def test_a_film_turned_by_a_little_is_shown_as_it_is_and_told(tmp_path):
    path = film(tmp_path / "a.mp4")
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    turned = [int(65536 * value) for value in (0.7, 0.7, 0, -0.7, 0.7, 0)]
    data[place : place + 36] = struct.pack(">9i", *turned, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    notes = []
    assert like(read_clip_file(path, notes)[0][0], picture())
    assert any("other than quarter turns" in note for note in notes)


def test_pixels_that_are_not_square_are_made_square(tmp_path):
    path = film(tmp_path / "a.mkv", sample_aspect_ratio=Fraction(2, 1))
    notes = []
    frames, _ = read_clip_file(path, notes)
    assert like(frames[0], np.repeat(picture(), 2, axis=1)) or frames.shape == (
        8,
        HIGH,
        2 * WIDE,
        3,
    )
    assert np.abs(frames[0][8::16, 16::32].astype(int) - blocks(picture())).max() <= 4
    assert notes == [f"{path}: pixels are 2:1; made square"]


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_a_rate_that_varies_is_made_even_and_told(tmp_path, ending):
    path = film(tmp_path / f"a.{ending}", times=[0, 1, 2, 3, 6, 7, 9, 10])
    notes = []
    frames, rate = read_clip_file(path, notes)
    assert rate == pytest.approx(RATE, rel=0.03)
    shown = [round(frame[1, 1].mean() / 10) for frame in frames]
    assert shown == [0, 1, 2, 3, 3, 3, 4, 5, 5, 6, 7]
    assert any("not evenly spread in time; 8 are repeated to 11" in note for note in notes)
    assert clip_facts(path)[0] == 11


def test_a_clock_that_trembles_is_no_rate_that_varies(tmp_path):
    times = np.cumsum([0, *np.tile([33, 34, 33], 10)]).tolist()
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=1000)
        stream.width, stream.height, stream.pix_fmt = WIDE, HIGH, "yuv444p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(number % 20), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    notes = []
    assert len(read_clip_file(tmp_path / "a.mkv", notes)[0]) == len(times)
    assert notes == []


def test_a_film_that_is_cut_short_is_told_with_both_counts(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, HIGH, WIDE, 3), dtype=np.uint8)
    path = film(tmp_path / "a.avi", list(noise), codec="mpeg4")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    notes = []
    frames, _ = read_clip_file(path, notes)
    assert 0 < len(frames) < 20
    assert notes == [
        f"{path}: {len(frames)} of 20 frames can be decoded; the file is cut short or damaged",
        f"{path}: 1 of {len(frames)} frames are damaged",
    ]
    assert count_frames(path) == len(frames)
    (found,) = ClipFile.part(path, range(len(frames))).damaged()
    assert found == notes[0]


def test_what_an_edit_list_leaves_out_is_no_frame(tmp_path):
    whole = film(tmp_path / "whole.mp4", [picture(k) for k in range(20)])
    path = tmp_path / "part.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                before = round(5 / RATE / packet.time_base)
                packet.pts, packet.dts = packet.pts - before, packet.dts - before
                packet.stream = copied
                target.mux(packet)
    notes = []
    frames, _ = read_clip_file(path, notes)
    assert [round(frame[1, 1].mean() / 10) for frame in frames] == list(range(5, 20))
    assert count_frames(path) == len(frames) == 15
    assert notes == []


def test_of_several_films_the_first_is_taken_and_told(tmp_path):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", rate=RATE) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = WIDE, HIGH, "yuv444p"
        for number in range(3):
            for stream, image in zip(streams, (picture(), 255 - picture()), strict=True):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    notes = []
    assert like(read_clip_file(path, notes)[0][0], picture())
    assert notes == [f"{path}: holds 2 films; the first is taken"]


def test_a_cover_picture_is_no_film(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=RATE)
        moving = container.add_stream("libx264", rate=RATE)
        for stream, kind in ((cover, "yuvj444p"), (moving, "yuv444p")):
            stream.width, stream.height, stream.pix_fmt = WIDE, HIGH, kind
        cover.disposition = Disposition.attached_pic
        moving.options = {"qp": "0"}
        container.mux(cover.encode(av.VideoFrame.from_ndarray(255 - picture(), format="rgb24")))
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(moving.encode(frame))
        container.mux([*cover.encode(), *moving.encode()])
    notes = []
    frames, _ = read_clip_file(path, notes)
    assert len(frames) == count_frames(path) == 4
    assert like(frames[0], picture())
    assert notes == []


def test_sound_alone_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))
    for read in (read_clip_file, clip_facts):
        with pytest.raises(DatasetError, match="holds no moving images"):
            read(path)


def planes(space, full, bits):
    red, blue = WEIGHTS[space]
    r, g, b = (picture()[..., k] / 255 for k in range(3))
    y = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - y) / (2 * (1 - blue)), (r - y) / (2 * (1 - red))
    scale, most = 2 ** (bits - 8), 2**bits - 1
    if full:
        found = (y * most, u * most + 128 * scale, v * most + 128 * scale)
        return [np.clip(np.round(one), 0, most) for one in found]
    return [np.round(one * scale) for one in (16 + 219 * y, 128 + 224 * u, 128 + 224 * v)]


def coloured(path, space, full, bits, transfer=None):
    kind = {8: "yuv444p", 10: "yuv444p10le", 12: "yuv444p12le"}[bits]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDE, HIGH, kind
        context = stream.codec_context
        context.colorspace, context.color_range = space, 2 if full else 1
        if transfer is not None:
            context.color_trc = transfer
        for number in range(2):
            frame = av.VideoFrame(WIDE, HIGH, kind)
            for plane, samples in zip(frame.planes, planes(space, full, bits), strict=True):
                kept = samples.astype("u1" if bits == 8 else "<u2")
                rows = np.zeros((HIGH, plane.line_size // kept.itemsize), kept.dtype)
                rows[:, :WIDE] = kept
                plane.update(rows.tobytes())
            frame.colorspace, frame.color_range = context.colorspace, context.color_range
            if transfer is not None:
                frame.color_trc = transfer
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("space", sorted(WEIGHTS))
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_colours_are_those_that_were_filmed(tmp_path, space, full, bits):
    notes = []
    frames, _ = read_clip_file(coloured(tmp_path / "a.mkv", space, full, bits), notes)
    assert like(frames[0], picture(), 2)
    assert notes == []


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_told(tmp_path, transfer, name):
    path = coloured(tmp_path / "a.mkv", 9, False, 10, transfer)
    notes = []
    read_clip_file(path, notes)
    assert len(notes) == 1
    assert f"high dynamic range ({name})" in notes[0]


@pytest.mark.parametrize(("value", "what"), [(0, "black"), (130, "of one colour")])
def test_a_clip_that_shows_nothing_is_told(tmp_path, value, what):
    blank = [np.full((HIGH, WIDE, 3), value, np.uint8)] * 3
    notes = []
    read_driving(film(tmp_path / "a.mp4", blank), None, notes)
    assert notes == [f"{tmp_path / 'a.mp4'}: all 3 frames are {what}"]


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<html><head>", "a web page saved under this name"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "a HEIC picture"),
    ],
)
@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_what_is_no_film_is_named_as_what_it_is(tmp_path, head, words, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(head + bytes(300))
    for read in (read_clip_file, clip_facts):
        with pytest.raises(DatasetError, match=words) as caught:
            read(path)
        assert "copy it again" not in str(caught.value)


def test_frames_are_made_smaller_while_they_are_decoded(tmp_path):
    path = film(tmp_path / "a.mp4")
    seen = []

    def fit(first):
        seen.append(first.shape)
        return lambda image: image[::2, ::2]

    frames, _ = read_clip_file(path, None, fit)
    assert seen == [(HIGH, WIDE, 3)]
    assert frames.shape == (8, HIGH // 2, WIDE // 2, 3)
