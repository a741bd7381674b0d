"""Loads, prepares and splits the data of a protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mebench.errors import DatasetError, UsageError
from mebench.protocol.data import Fold, ProtocolData
from mebench.protocol.leaks import leaks
from mebench.protocol.pictures import PictureFile, TemplatePictures
from mebench.protocol.references import SelfReference, SynthReference, no_reference
from mebench.protocol.spec import PACKS, SYNTHME, Protocol
from mebench.protocol.splits import natural, pairs_of, test_sets
from mebench.types import Clip, Face, FaceClip, Pair, Progress, Reference, SilentProgress

if TYPE_CHECKING:
    from mebench.preprocess.crop import Crop

_SYNTH_PARTS = ("casme2", "samm", "smic")
_Answers = Callable[
    [Mapping[str, FaceClip], Mapping[str, Clip]], Callable[[Pair], Reference | None]
]
"""Makes who knows the right answers, of driving clips and recordings by key."""


@dataclass(frozen=True)
class _Preparation:
    """How clips are prepared, the same for all of a protocol."""

    protocol: Protocol
    cache: Path
    jobs: int
    progress: Progress

    gated: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def clips(self, dataset: str, root: Path) -> tuple[list[Clip], list[FaceClip]]:
        """Return the clips of one data set, as listed and prepared; remember if it is gated."""
        from mebench.datasets.base import load_dataset
        from mebench.preprocess.framing import copy_crop
        from mebench.preprocess.landmarks import choose_landmarker
        from mebench.preprocess.prepare import prepare

        copy = load_dataset(dataset, root)
        if not copy.redistribute:
            self.gated.append(dataset)
        clips = copy.clips()
        landmarker = choose_landmarker(dataset, root, how=self.protocol.landmarks)
        crop = copy_crop(clips, landmarker, self.cache, self.protocol.crop)
        self._tell(dataset, crop)
        self.told.extend(f"{dataset}: {line}" for line in copy.told)
        prepared = prepare(
            clips,
            size=self.protocol.size,
            landmarker=landmarker,
            colour=self.protocol.colour,
            cache=self.cache,
            jobs=self.jobs,
            progress=self.progress,
            crop=crop,
        )
        return list(clips), list(prepared)

    def face(self, path: Path, dataset: str, root: Path) -> tuple[Face, PictureFile]:
        """Return a template aligned, and where its picture lies with its landmarks."""
        from mebench.io.frames import read_image
        from mebench.preprocess.crop import alignment
        from mebench.preprocess.framing import choose_crop, require_large_enough
        from mebench.preprocess.landmarks import GivenLandmarks, choose_landmarker, finder
        from mebench.preprocess.prepare import prepare_image

        chosen = choose_landmarker(dataset, root, how=self.protocol.landmarks)
        if isinstance(chosen, GivenLandmarks) and not chosen.holds(path.stem):
            chosen = finder("dlib")
        image = read_image(path)
        require_large_enough(path, image.shape)
        points = chosen.points(path.stem, image)
        crop = choose_crop([(points, image.shape)], self.protocol.crop)
        self._tell(f"template {path.stem}", crop)
        face = prepare_image(image, points, self.protocol.size, key=path.stem, crop=crop)
        return face, PictureFile(path, points, alignment(points, self.protocol.size, crop))

    def _tell(self, what: str, crop: Crop) -> None:
        """Note a crop that is not the usual one: its numbers are not those of the usual crop."""
        from mebench.preprocess.crop import HEAD
        from mebench.preprocess.framing import described

        if crop != HEAD:
            self.notes.append(f"crop of {what}: {described(crop)}")


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
        UsageError: when a data root is not given, or the split does not fit the data.
        DatasetError: when a root cannot be used.
    """
    for name in protocol.dataset:
        if name not in roots:
            raise UsageError(
                f"protocol '{protocol.id}' needs --data {name}=ROOT{_advice(protocol)}"
            )
    work = _Preparation(protocol, cache, jobs, progress or SilentProgress())
    if protocol.dataset == (SYNTHME,):
        return _synthetic(protocol, roots[SYNTHME], work)
    listed: list[Clip] = []
    driving: list[FaceClip] = []
    for name in protocol.dataset:
        clips, prepared = work.clips(name, roots[name])
        listed += clips
        driving += prepared
    if protocol.composite is not None:
        driving, left = _members(protocol.composite, roots, driving)
        listed = [clip for clip in listed if clip.key not in left]
    more: list[FaceClip] = []
    for name in protocol.train_on:
        if name in roots:
            clips, prepared = work.clips(name, roots[name])
            listed += clips
            more += prepared
    faces = _given_faces(protocol, roots, work)
    data = _assemble(protocol, listed, driving, more, faces, _reference_of(protocol))
    return replace(
        data,
        gated=tuple(work.gated),
        notes=(*data.notes, *work.notes),
        told=tuple(work.told),
    )


def _members(
    composite: str, roots: Mapping[str, Path], clips: Sequence[FaceClip]
) -> tuple[list[FaceClip], set[str]]:
    """Return the clips of a composite with their classes, and the keys of the others.

    Raises:
        DatasetError: when no clip is one of the composite.
    """
    from mebench.datasets.composite import load_composite

    rebuilt = load_composite(composite, places=roots)
    label_of = {member.key: rebuilt.labels[member.label] for member in rebuilt.members}
    kept = [replace(clip, label=label_of[clip.key]) for clip in clips if clip.key in label_of]
    if not kept:
        raise DatasetError(f"none of {len(clips)} clips is in {composite}; check the data roots")
    return kept, {clip.key for clip in clips if clip.key not in label_of}


def _advice(protocol: Protocol) -> str:
    if protocol.dataset == (SYNTHME,):
        return f"; make one with: mebench data synth --out DIR --preset {protocol.synth.preset}"
    names = " ".join(f"--data {name}=ROOT" for name in protocol.sources)
    more = f" (to learn from others too: {names})" if protocol.train_on else ""
    return f", or once: mebench config set data.{protocol.dataset[0]} ROOT{more}"


def _given_faces(
    protocol: Protocol, roots: Mapping[str, Path], work: _Preparation
) -> dict[str, tuple[Face, PictureFile]]:
    """Return the templates that do not come from the clips, by id."""
    from mebench.datasets.base import load_dataset
    from mebench.datasets.megc import MegcPack

    if protocol.templates == "files":
        name = protocol.dataset[0]
        paths = [Path(file) for file in protocol.template_files]
        for path in paths:
            if not path.is_file():
                raise UsageError(f"{path}: no such template; mend template_files of the protocol")
        return {path.stem: work.face(path, name, roots[name]) for path in paths}
    found: dict[str, tuple[Face, PictureFile]] = {}
    for name in protocol.dataset if protocol.templates == "pack" else ():
        pack = load_dataset(name, roots[name])
        if not isinstance(pack, MegcPack):
            raise UsageError(f"{name} has no templates; expected one of {', '.join(PACKS)}")
        held = {stem.lower(): path for stem, path in pack.templates().items()}
        for template in pack.template_names:
            if template.lower() not in held:
                raise DatasetError(
                    f"{roots[name]}: no template {template}; copy target_template_face again"
                )
            found[template] = work.face(held[template.lower()], name, roots[name])
    return found


def _reference_of(protocol: Protocol) -> _Answers:
    if protocol.reference == "driving":
        return SelfReference
    return lambda driving, recordings: no_reference


def _assemble(
    protocol: Protocol,
    listed: Sequence[Clip],
    clips: Sequence[FaceClip],
    more: Sequence[FaceClip],
    faces: Mapping[str, tuple[Face, PictureFile]],
    reference: _Answers,
) -> ProtocolData:
    """Split prepared clips into folds, and give each driving clip its templates."""
    from mebench.datasets.index import index_digest

    where = f"protocol '{protocol.id}'"
    tests = test_sets(protocol.split, [clip.subject for clip in clips], where)
    tested = set().union(*tests.values())
    driving = {clip.key: clip for clip in clips if clip.subject in tested}
    pairs = pairs_of(protocol, list(driving.values()), list(faces))
    if not pairs:
        people = len({clip.subject for clip in clips})
        raise UsageError(
            f"{where}: no pair is left; templates need at least two test subjects, and the split "
            f"leaves {len(tested)} of {people}; give more subjects, or another split.share"
        )
    first = _first_clips(driving.values())
    recordings = {clip.key: clip for clip in listed}
    templates = {name: face for name, (face, _) in faces.items()}
    shown: dict[str, tuple[Clip, FaceClip]] = {}
    for name in {pair.template for pair in pairs} - set(faces):
        clip = driving[name] if name in driving else first[name]
        templates[name], shown[name] = clip.face(), (recordings[clip.key], clip)
    folds = []
    notes: list[str] = []
    for name, subjects in tests.items():
        learn = [clip for clip in (*clips, *more) if clip.subject not in subjects]
        if protocol.split.how == "none":
            learn = [clip for clip in more if clip.subject not in subjects]
            left = sorted({clip.subject for clip in more} & subjects, key=natural)
            if left:
                notes.append(f"not learnt from, because driving clips show them: {', '.join(left)}")
        mine = tuple(pair for pair in pairs if driving[pair.driving].subject in subjects)
        moving = [driving[key] for key in dict.fromkeys(pair.driving for pair in mine)]
        notes += [f"leak: {line}" for line in leaks(learn, moving)]
        if mine:
            folds.append(Fold(name, learn, mine))
    return ProtocolData(
        protocol=protocol,
        folds=tuple(folds),
        templates=templates,
        driving=driving,
        index_digest=index_digest(listed),
        n_clips=len(listed),
        n_subjects=len({clip.subject for clip in (*clips, *more)}),
        reference=reference(driving, recordings),
        pictures=TemplatePictures({name: file for name, (_, file) in faces.items()}, shown),
        notes=tuple(dict.fromkeys(notes)),
    )


def _synthetic(protocol: Protocol, root: Path, work: _Preparation) -> ProtocolData:
    from mebench.synthme.truth import Truth

    try:
        Truth(root)  # refuses a folder that is not a finished export before anything is read
        listed: list[Clip] = []
        clips: list[FaceClip] = []
        for part in _SYNTH_PARTS:
            found, prepared = work.clips(part, root / part)
            listed += found
            clips += prepared
    except DatasetError as error:
        if "mebench data synth" in str(error):
            raise
        # What the layouts' own messages advise (copy again, leave out) does not fit an export.
        raise DatasetError(
            f"{str(error).partition(';')[0]}; the export can be made again: delete {root}, then "
            f"mebench data synth --out {root} --preset {protocol.synth.preset}"
        ) from error

    def truth(
        driving: Mapping[str, FaceClip], _: Mapping[str, Clip]
    ) -> Callable[[Pair], Reference | None]:
        first = _first_clips(driving.values())
        return SynthReference(
            root,
            {name: clip.key for name, clip in first.items()},
            {name: np.asarray(clip.to_source) for name, clip in first.items()},
            protocol.size,
            work.cache,
        )

    faces: dict[str, tuple[Face, PictureFile]] = {}
    reference = truth if protocol.reference == "truth" else _reference_of(protocol)
    data = _assemble(protocol, listed, clips, [], faces, reference)
    return replace(data, notes=(*data.notes, *work.notes))


def _first_clips(clips: Iterable[FaceClip]) -> dict[str, FaceClip]:
    first: dict[str, FaceClip] = {}
    for clip in sorted(clips, key=lambda clip: natural(clip.key)):
        first.setdefault(clip.subject, clip)
    return first
