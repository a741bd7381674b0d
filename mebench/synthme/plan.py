"""What an export holds, before a single frame is drawn: clips, people, cameras, expressions."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np

from mebench.errors import UsageError, did_you_mean
from mebench.synthme.expression import Component, Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.stage import Camera

FORMAT = "synthme/1"


@dataclass(frozen=True)
class Preset:
    """The size of an export: subjects of CASME II, SAMM, SMIC, clips a subject, raw frame size."""

    subjects: tuple[int, int, int]
    clips: int
    extra: int
    size: tuple[int, int]
    seconds: tuple[float, float]
    own_megc_people: bool


PRESETS = {
    "tiny": Preset((2, 2, 2), 2, 0, (160, 192), (0.17, 0.26), False),
    "default": Preset((5, 4, 3), 4, 0, (240, 320), (0.20, 0.49), True),
    "full": Preset((13, 10, 9), 7, 16, (480, 640), (0.20, 0.49), True),
}

_CASME2 = ("01", "02", "03", "05", "06", "08", "10", "11", "14", "15", "21", "22", "23")
_CASME2_CLIPS = (
    "EP02_01f",
    "EP04_03",
    "EP11_02f",
    "EP13_01",
    "EP08_04",
    "EP15_02",
    "EP18_03f",
    "EP01_05",
)
_CASME2_EMOTIONS = (
    "happiness",
    "disgust",
    "surprise",
    "others",
    "repression",
    "others",
    "disgust",
    "surprise",
)
_SAMM = ("006", "009", "010", "012", "015", "016", "017", "019", "020", "021")
_SAMM_CLIPS = ((1, 2), (5, 4), (7, 1), (3, 2), (1, 3), (7, 5), (5, 6), (2, 1))
_SAMM_EMOTIONS = (
    "anger",
    "happiness",
    "surprise",
    "anger",
    "contempt",
    "disgust",
    "sadness",
    "fear",
)
# Recordings whose frame numbers have five digits in SAMM; the others have four.
_SAMM_FIVE = {
    "006_1", "011_1", "013_1", "014_1", "016_7", "018_7", "023_1", "026_1",
    "030_1", "033_1", "034_7", "035_1", "035_7", "036_7",
}  # fmt: skip
_SMIC = ("s1", "s2", "s3", "s4", "s5", "s6", "s8", "s9", "s11")
_SMIC_CLIPS = ("ne_01", "po_01", "sur_03", "po_02", "ne_07", "sur_04", "ne_08", "po_03")
_SMIC_WORDS = {"ne": "negative", "po": "positive", "sur": "surprise"}

# folder, data set, subject, onset, apex, offset, AU text, emotion, last frame on disk.
_MEGC = (
    ("SAMM_challenge/Surprise_007_7_1", "samm", "007", 7030, 7056, 7070, "5+24", "surprise", 7070),
    ("SAMM_challenge/Positive_022_3_3", "samm", "022", 3659, 3683, 3697, "7+12", "happiness", 3697),
    ("SAMM_challenge/Negative_018_3_1", "samm", "018", 1405, 1456, 1500, "9", "disgust", 1500),
    ("casme2_challenge/Surprise_EP01_13", "casme2", "17", 76, 134, 166, "2", "surprise", 166),
    ("casme2_challenge/Positive_EP01_01f", "casme2", "19", 121, 189, 220, "12", "happiness", 220),
    ("casme2_challenge/Negative_EP19_06f", "casme2", "01", 36, 71, 161, "4+5+L10", "disgust", 161),
    ("Smic_challenge/Surprise_s20_sur_01", "smic", "s20",
     17597115, 17597132, 17597152, "1+2", "surprise", 17597152),
    ("Smic_challenge/Positive_s3_po_05", "smic", "s3",
     304630, 304643, 304660, "6+12", "positive", 304659),
    ("Smic_challenge/Negative_s11_ne_02", "smic", "s11",
     514569, 514588, 514599, "4+7", "negative", 514599),
)  # fmt: skip
TEMPLATES = ("normalized_westernMale", "normalized_asianFemale")
_USUAL_SUFFIX, _TIGHT_SUFFIX = ".jpg", ".JPG"


@dataclass(frozen=True)
class ClipPlan:
    """One clip of an export.

    Attributes:
        dataset: ``casme2``, ``samm``, ``smic`` or ``megc2021``.
        subject: subject id as loaders normalise it.
        clip_id: clip id as loaders normalise it.
        onset: number of the first frame.
        folder: where its frames lie, relative to the export.
        pattern: file name of a frame, with ``{n}`` for its number.
        gray: whether the recording has no colour.
        identity_seed: seed of the person.
        expression: what the person does.
        camera: the view, fixed for the clip.
        nuisance_seed: seed of head motion, noise and so on.
        last: number of the last frame on disk (a missing last frame is a quirk of one clip).
        origin: the data set that a clip of the challenge's pack was taken from, else "".
    """

    dataset: str
    subject: str
    clip_id: str
    onset: int
    folder: str
    pattern: str
    gray: bool
    identity_seed: int
    expression: Expression
    camera: Camera
    nuisance_seed: int
    last: int
    origin: str = ""

    @property
    def key(self) -> str:
        """``dataset.subject.clip_id``, as `mebench.types.Clip.key`."""
        return f"{self.origin or self.dataset}.{self.subject}.{self.clip_id}"

    @property
    def apex(self) -> int:
        """Number of the strongest frame."""
        return self.onset + self.expression.apex

    @property
    def offset(self) -> int:
        """Number of the last frame of the movement."""
        return self.onset + self.expression.n_frames - 1

    @property
    def identity(self) -> Identity:
        """The person."""
        return Identity.from_seed(self.identity_seed)

    def record(self) -> dict[str, object]:
        """Return everything as plain values, for a file that people can read."""
        return {
            "key": self.key,
            "folder": self.folder,
            "identity_seed": self.identity_seed,
            "nuisance_seed": self.nuisance_seed,
            "gray": self.gray,
            "frames": [self.onset, self.apex, self.offset, self.last],
            "action_units": self.expression.text,
            "expression": asdict(self.expression),
            "camera": asdict(self.camera),
        }


@dataclass(frozen=True)
class Plan:
    """All clips of an export, the pack's templates and the suffix of their files."""

    preset: str
    seed: int
    clips: tuple[ClipPlan, ...]
    templates: tuple[tuple[str, int, Camera], ...]
    template_suffix: str = _USUAL_SUFFIX

    def record(self) -> dict[str, object]:
        """Return everything as plain values."""
        # A usual export keeps the digest it had before there were others.
        more = {"template_suffix": self.template_suffix} if self.tight else {}
        return {
            **more,
            "format": FORMAT,
            "preset": self.preset,
            "seed": self.seed,
            "clips": [clip.record() for clip in self.clips],
            "templates": [[name, person, asdict(view)] for name, person, view in self.templates],
        }

    @property
    def tight(self) -> bool:
        """Whether the templates show the face alone."""
        return self.template_suffix != _USUAL_SUFFIX

    @property
    def digest(self) -> str:
        """sha256 of everything an export is made from."""
        text = json.dumps(self.record(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def of(self, dataset: str) -> tuple[ClipPlan, ...]:
        """Return the clips of one data set."""
        return tuple(clip for clip in self.clips if clip.dataset == dataset)


def make_plan(preset: str, seed: int, *, tight_templates: bool = False) -> Plan:
    """Return what an export of a preset and seed holds.

    Tight templates are tall pictures of the face alone, as packs have them.

    Raises:
        UsageError: for an unknown preset or a negative seed.
    """
    if preset not in PRESETS:
        raise UsageError(f"unknown preset '{preset}'.{did_you_mean(preset, PRESETS)}")
    if seed < 0:
        raise UsageError(f"seed is {seed}, expected 0 or more")
    size = PRESETS[preset]
    counts = _counts(size)
    n_casme2, n_samm, _ = size.subjects
    clips = [
        *_casme2(size, seed, counts[:n_casme2]),
        *_samm(size, seed, counts[n_casme2 : n_casme2 + n_samm]),
        *_smic(size, seed, counts[n_casme2 + n_samm :]),
    ]
    people = sorted({clip.identity_seed for clip in clips})
    clips += _megc(size, seed, people)
    templates = tuple(
        (
            name,
            people[k] if not size.own_megc_people else _seed_of(seed, f"template.{name}"),
            _tight_view(size) if tight_templates else Camera.fit(size.size),
        )
        for k, name in enumerate(TEMPLATES)
    )
    suffix = _TIGHT_SUFFIX if tight_templates else _USUAL_SUFFIX
    return Plan(preset, seed, tuple(clips), templates, suffix)


def _tight_view(size: Preset) -> Camera:
    """Return a view from brows to chin whose eyes are half of the width apart."""
    width = size.size[0]
    height = round(1.2 * width)
    return Camera(height, width, 0.5 * width, (width - 1) / 2, 0.3 * height)


def _counts(size: Preset) -> list[int]:
    return [size.clips + (k < size.extra) for k in range(sum(size.subjects))]


def _seed_of(seed: int, name: str) -> int:
    state = np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(1)
    return int(state[0])


def _expression(size: Preset, rng: np.random.Generator, emotion: str, fps: float) -> Expression:
    drawn = Expression.sample(rng, emotion, fps)
    seconds = float(rng.uniform(*size.seconds))
    n_frames = round(seconds * fps) + 1
    apex = int(np.clip(round(drawn.apex / drawn.n_frames * n_frames), 3, n_frames - 4))
    return replace(drawn, n_frames=n_frames, apex=apex)


def _view(size: Preset, rng: np.random.Generator) -> Camera:
    fit = Camera.fit(size.size, zoom=float(rng.uniform(0.95, 1.05)))
    return replace(
        fit,
        x=fit.x + float(rng.uniform(-0.025, 0.025)) * fit.width,
        y=fit.y + float(rng.uniform(-0.015, 0.015)) * fit.height,
        roll=float(rng.uniform(-0.03, 0.03)),
    )


def _clip(
    size: Preset,
    seed: int,
    names: tuple[str, str, str],
    emotion: str,
    fps: float,
    *,
    onset: int,
    folder: str,
    pattern: str,
    gray: bool = False,
) -> ClipPlan:
    dataset, subject, clip_id = names
    key = ".".join(names)
    rng = np.random.default_rng(_seed_of(seed, key))
    expression = _expression(size, rng, emotion, fps)
    return ClipPlan(
        dataset=dataset,
        subject=subject,
        clip_id=clip_id,
        onset=onset,
        folder=folder,
        pattern=pattern,
        gray=gray,
        identity_seed=_seed_of(seed, f"{dataset}.{subject}"),
        expression=expression,
        camera=_view(size, rng),
        nuisance_seed=int(rng.integers(0, 2**31)),
        last=onset + expression.n_frames - 1,
    )


def _casme2(size: Preset, seed: int, counts: list[int]) -> Iterator[ClipPlan]:
    for i, (subject, count) in enumerate(zip(_CASME2, counts, strict=False)):
        for j in range(count):
            name = _CASME2_CLIPS[j]
            yield _clip(
                size,
                seed,
                ("casme2", subject, name),
                _CASME2_EMOTIONS[(i * 3 + j) % 8],
                200.0,
                onset=46 + (37 * i + 61 * j) % 140,
                folder=f"casme2/CASME2_RAW_selected/sub{subject}/{name}",
                pattern="img{n}.jpg",
            )


def _samm(size: Preset, seed: int, counts: list[int]) -> Iterator[ClipPlan]:
    for i, (subject, count) in enumerate(zip(_SAMM, counts, strict=False)):
        for j in range(count):
            code, number = _SAMM_CLIPS[j]
            recording = f"{subject}_{code}"
            name = f"{recording}_{number}"
            digits = 5 if recording in _SAMM_FIVE else 4
            yield _clip(
                size,
                seed,
                ("samm", subject, name),
                _SAMM_EMOTIONS[(i * 3 + j) % 8],
                200.0,
                onset=562 + (1730 * i + 911 * j) % 7000 + (5000 if digits == 5 else 0),
                folder=f"samm/{subject}/{name}",
                pattern=f"{subject}_{{n:0{digits}d}}.jpg",
                gray=True,
            )


def _smic(size: Preset, seed: int, counts: list[int]) -> Iterator[ClipPlan]:
    for i, (subject, count) in enumerate(zip(_SMIC, counts, strict=False)):
        for j in range(count):
            word = _SMIC_CLIPS[j].split("_")[0]
            name = f"{subject}_{_SMIC_CLIPS[j]}"
            label = _SMIC_WORDS[word]
            yield _clip(
                size,
                seed,
                ("smic", subject, name),
                label,
                100.0,
                onset=559740 + 1048576 * i + 7919 * j,
                folder=f"smic/SMIC_all_raw/HS/{subject}/micro/{label}/{name}",
                pattern="image{n:06d}.bmp",
            )


def _megc(size: Preset, seed: int, people: list[int]) -> Iterator[ClipPlan]:
    for k, (folder, dataset, subject, onset, apex, offset, text, emotion, last) in enumerate(_MEGC):
        name = folder.split("/")[1]
        fps = 100.0 if dataset == "smic" else 200.0
        rng = np.random.default_rng(_seed_of(seed, f"megc2021.{name}"))
        drawn = Expression.from_text(text, 0.018, fps=fps, emotion=emotion, rng=rng)
        person = _seed_of(seed, f"{dataset}.{subject}")
        if not size.own_megc_people:
            person = people[k % len(people)]
        pattern = {
            "samm": f"{subject}_{{n:04d}}.jpg",
            "casme2": "crop_img{n:03d}.jpg",
            "smic": "reg_image{n}.bmp",
        }[dataset]
        yield ClipPlan(
            dataset="megc2021",
            subject=subject,
            clip_id=name.partition("_")[2],
            onset=onset,
            folder=f"MEGC2021_generation/source_samples/{folder}",
            pattern=pattern,
            gray=dataset == "samm",
            identity_seed=person,
            expression=replace(drawn, n_frames=offset - onset + 1, apex=apex - onset),
            camera=_view(size, rng),
            nuisance_seed=int(rng.integers(0, 2**31)),
            last=last,
            origin=dataset,
        )


def recording() -> Nuisance:
    """Return the nuisance of every exported clip; files are compressed when they are written."""
    return Nuisance.default()


def text_of(part: Component, *, graded: bool) -> str:
    """Return the FACS text of a component; `graded` adds a side A and an intensity as SAMM does."""
    if not graded:
        return part.name
    level = "A" if part.amplitude < 0.0125 else "B" if part.amplitude < 0.018 else "C"
    uneven = "A" if part.side == "both" and abs(part.asymmetry) > 0.14 else ""
    return f"{uneven}{part.name}{level}"
