"""A protocol: which clips train, which pairs must be generated, and what is known of the answer.

Reference frames always come from the data set through the protocol, never from a submission.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from mebench.environment import code_digest
from mebench.errors import DatasetError, UsageError
from mebench.registry import find_spec
from mebench.spec import digest, parse, read_mapping
from mebench.types import Clip, Face, FaceClip, Frames, Pair, Progress, Reference, SilentProgress


class SynthSettings(BaseModel):
    """Which SynthME export the protocol is defined on."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    preset: Literal["tiny", "default", "full"] = "default"
    seed: int = 0


class Limits(BaseModel):
    """What a submission may hold at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    max_frames: int = Field(1024, ge=1, le=1024)
    max_frame_bytes: int = Field(4 << 20, ge=1)


class Protocol(BaseModel):
    """The content of ``protocols/<id>.yaml``.

    Attributes:
        id: protocol id, kebab-case.
        title: one line for tables.
        dataset: data set id the pairs come from.
        synth: export the ``synthme`` data set is made with.
        size: side of every generated frame, pixels.
        colour: colour mode of generated frames.
        test_share: share of each data set's subjects that training never sees.
        templates_per_driving: how many templates each driving clip is given.
        max_pairs: at most so many pairs, spread evenly over the driving subjects; None for all.
        metrics: metric families, in table order.
        rank_by: key of the metric rows are ranked by.
        controls: rows mebench computes itself.
        missing_output: ``refuse`` an incomplete submission, or score it as ``partial``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    title: str
    dataset: Literal["synthme"]
    synth: SynthSettings = SynthSettings()
    size: int = Field(128, ge=32, le=1024)
    colour: Literal["rgb", "gray"] = "rgb"
    test_share: float = Field(0.3, gt=0, lt=1)
    templates_per_driving: int = Field(1, ge=1)
    max_pairs: int | None = Field(None, ge=1)
    metrics: tuple[str, ...]
    rank_by: str
    controls: tuple[str, ...] = ()
    missing_output: Literal["refuse", "partial"] = "refuse"
    limits: Limits = Limits()

    @property
    def digest(self) -> str:
        """Sha256 of the spec's content."""
        return digest(self)


def load_protocol(name: str) -> Protocol:
    """Return a protocol by id or by path to its YAML.

    Raises:
        UsageError: for an unknown id, key or value.
    """
    path = find_spec("protocols", name)
    return parse(Protocol, read_mapping(path), str(path))


@dataclass(frozen=True)
class ProtocolData:
    """A protocol with its clips at hand.

    Attributes:
        protocol: the spec.
        train: prepared clips of the subjects a method may learn from.
        templates: aligned template faces by id.
        driving: prepared driving clips by id.
        pairs: the outputs a submission must hold, in order.
        index_digest: sha256 over the canonical index of every clip.
        n_clips: clips in the index.
        n_subjects: subjects in the index.
        reference: returns the right answer of a pair, or None.
    """

    protocol: Protocol
    train: Sequence[FaceClip]
    templates: Mapping[str, Face]
    driving: Mapping[str, FaceClip]
    pairs: tuple[Pair, ...]
    index_digest: str
    n_clips: int
    n_subjects: int
    reference: Callable[[Pair], Reference | None] = field(repr=False)

    def group(self, pair: Pair) -> str:
        """Return the driving clip's subject, the unit of bootstraps."""
        return self.driving[pair.driving].subject

    def n_frames(self, pair: Pair) -> int:
        """Return how many frames the output of a pair must have."""
        return len(self.driving[pair.driving].frames)

    def some(self, n: int) -> ProtocolData:
        """Return the same protocol with only the first `n` pairs (for tests and quick looks)."""
        return ProtocolData(**{**self.__dict__, "pairs": self.pairs[:n]})


def open_protocol(
    protocol: Protocol,
    roots: Mapping[str, Path],
    *,
    cache: Path,
    jobs: int = 1,
    progress: Progress | None = None,
) -> ProtocolData:
    """Load, prepare and split the data of a protocol.

    Raises:
        UsageError: when a data root is not given.
        DatasetError: when a root cannot be used.
    """
    if protocol.dataset not in roots:
        raise UsageError(
            f"protocol '{protocol.id}' needs --data {protocol.dataset}=ROOT; make one with: "
            f"mebench data synth --out DIR --preset {protocol.synth.preset}"
        )
    root = roots["synthme"]
    try:
        return _open_synthme(protocol, root, cache, jobs, progress or SilentProgress())
    except DatasetError as error:
        if "mebench data synth" in str(error):
            raise
        # What the layouts' own messages advise (copy again, leave out) does not fit an export.
        raise DatasetError(
            f"{str(error).partition(';')[0]}; the export can be made again: delete {root}, then "
            f"mebench data synth --out {root} --preset {protocol.synth.preset}"
        ) from error


def split_subjects(
    subjects: Mapping[str, Sequence[str]], test_share: float
) -> tuple[set[str], set[str]]:
    """Split each data set's subjects into (train, test): the last ones in sorted order are test.

    >>> sorted(split_subjects({"samm": ["1", "2", "3"]}, 0.3)[1])
    ['samm.3']
    """
    train: set[str] = set()
    test: set[str] = set()
    for dataset, names in subjects.items():
        ordered = sorted(set(names), key=_natural)
        count = min(len(ordered) - 1, max(1, round(test_share * len(ordered))))
        cut = len(ordered) - count
        train |= {f"{dataset}.{name}" for name in ordered[:cut]}
        test |= {f"{dataset}.{name}" for name in ordered[cut:]}
    return train, test


def make_pairs(
    driving: Sequence[FaceClip], per_driving: int, most: int | None = None
) -> tuple[Pair, ...]:
    """Give each driving clip the templates of other subjects, in rotation.

    The template id is the subject; the template is the first frame of the subject's first clip.
    Of more than `most` pairs every subject keeps its first ones, as many as any other.
    """
    subjects = sorted({clip.subject for clip in driving}, key=_natural)
    pairs = []
    for number, clip in enumerate(sorted(driving, key=lambda c: _natural(c.key))):
        others = [name for name in subjects if name != clip.subject]
        for step in range(min(per_driving, len(others))):
            pairs.append(Pair(others[(number + step) % len(others)], clip.key))
    if most is None or len(pairs) <= most:
        return tuple(pairs)
    subject_of = {clip.key: clip.subject for clip in driving}
    taken: dict[str, int] = defaultdict(int)
    turns = []
    for place, pair in enumerate(pairs):
        turns.append((taken[subject_of[pair.driving]], place))
        taken[subject_of[pair.driving]] += 1
    return tuple(pairs[place] for place in sorted(place for _, place in sorted(turns)[:most]))


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a sort key in which ``s2`` comes before ``s10``."""
    parts = re.findall(r"\d+|\D+", text)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


@dataclass(frozen=True)
class _SynthReference:
    """Renders, aligns and caches the true answer of a pair; picklable for worker processes."""

    root: Path
    template_keys: Mapping[str, str]
    to_source: Mapping[str, NDArray[np.float64]]
    size: int
    cache: Path

    def __call__(self, pair: Pair) -> Reference:
        from mebench.preprocess.crop import align_flow, align_frames, align_points
        from mebench.synthme.truth import Truth

        truth = Truth(self.root)
        key = self.template_keys[pair.template]
        code = code_digest("synthme", "preprocess")
        name = digest([truth.digest, key, pair.driving, self.size, code])
        folder = self.cache / "references" / name
        if not folder.is_dir():
            raw = truth.reference(key, pair.driving)
            matrix = self.to_source[pair.template]
            if raw.flow is None or raw.landmarks is None or raw.au_curves is None:
                raise DatasetError(f"{self.root}: truth of {pair.key} is incomplete; make it again")
            _store_reference(
                folder,
                align_frames(raw.frames, matrix, self.size),
                align_flow(raw.flow, matrix, self.size),
                np.stack([align_points(points, matrix) for points in raw.landmarks]),
                raw.au_curves,
                raw.au_names,
            )
        return _read_reference(folder)


def _store_reference(
    folder: Path,
    frames: Frames,
    flow: NDArray[np.floating],
    landmarks: NDArray[np.floating],
    au_curves: NDArray[np.floating],
    au_names: Sequence[str],
) -> None:
    from mebench.io.files import atomic_folder

    with atomic_folder(folder) as temporary:
        np.save(temporary / "frames.npy", frames)
        np.save(temporary / "flow.npy", flow.astype(np.float32))
        np.save(temporary / "landmarks.npy", landmarks.astype(np.float32))
        np.save(temporary / "au_curves.npy", au_curves.astype(np.float32))
        np.save(temporary / "au_names.npy", np.array(list(au_names), dtype="U8"))


def _read_reference(folder: Path) -> Reference:
    def read(name: str) -> NDArray[Any]:
        found: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return found

    return Reference(
        frames=read("frames"),
        flow=read("flow"),
        landmarks=read("landmarks"),
        au_curves=read("au_curves"),
        au_names=tuple(str(name) for name in read("au_names")),
    )


def _open_synthme(
    protocol: Protocol, root: Path, cache: Path, jobs: int, progress: Progress
) -> ProtocolData:
    from mebench.datasets.base import load_dataset
    from mebench.datasets.index import index_digest
    from mebench.preprocess.landmarks import GivenLandmarks
    from mebench.preprocess.prepare import prepare
    from mebench.synthme.truth import Truth

    Truth(root)  # refuses a folder that is not a finished export before anything is read
    clips: list[Clip] = []
    for dataset in ("casme2", "samm", "smic"):
        clips += load_dataset(dataset, root / dataset).clips()
    prepared = prepare(
        clips,
        size=protocol.size,
        landmarker=GivenLandmarks(root / "truth" / "landmarks"),
        colour=protocol.colour,
        cache=cache,
        jobs=jobs,
        progress=progress,
    )
    subjects: dict[str, list[str]] = defaultdict(list)
    for clip in clips:
        subjects[clip.dataset].append(clip.subject)
    train, test = split_subjects(subjects, protocol.test_share)
    driving = {clip.key: clip for clip in prepared if clip.subject in test}
    pairs = make_pairs(list(driving.values()), protocol.templates_per_driving, protocol.max_pairs)
    first = _first_clips(driving.values())
    return ProtocolData(
        protocol=protocol,
        train=[clip for clip in prepared if clip.subject in train],
        templates={name: first[name].face() for name in {pair.template for pair in pairs}},
        driving=driving,
        pairs=pairs,
        index_digest=index_digest(clips),
        n_clips=len(clips),
        n_subjects=len(train) + len(test),
        reference=_SynthReference(
            root,
            {name: clip.key for name, clip in first.items()},
            {name: np.asarray(clip.to_source) for name, clip in first.items()},
            protocol.size,
            cache,
        ),
    )


def _first_clips(clips: Iterable[FaceClip]) -> dict[str, FaceClip]:
    first: dict[str, FaceClip] = {}
    for clip in sorted(clips, key=lambda clip: _natural(clip.key)):
        first.setdefault(clip.subject, clip)
    return first
