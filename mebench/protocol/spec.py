"""The content of ``protocols/<id>.yaml``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mebench.registry import find_spec
from mebench.spec import digest, parse, read_mapping

SYNTHME = "synthme"
PACKS = ("megc2021", "megc2022")

Splitting = Literal["share", "leave-one-subject-out", "leave-one-dataset-out", "list", "none"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SynthSettings(_Part):
    """Which SynthME export the protocol is defined on."""

    preset: Literal["tiny", "default", "full"] = "default"
    seed: int = 0


class Limits(_Part):
    """What a submission may hold at most."""

    max_frames: int = Field(1024, ge=1, le=1024)
    max_side: int = Field(1024, ge=64, le=1024)
    max_frame_bytes: int = Field(4 << 20, ge=1)


class Split(_Part):
    """Who is learnt from and who is generated.

    Attributes:
        how: ``share`` of each data set's subjects is test; one fold a subject or a data set; a
            fixed ``list``; ``none`` when all clips are test.
        share: of each data set's subjects that training never sees.
        test: subjects of the list, ``casme2.01``.
    """

    how: Splitting = "share"
    share: float = Field(0.3, gt=0, lt=1)
    test: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _list_has_names(self) -> Split:
        if (self.how == "list") != bool(self.test):
            raise ValueError("split.test names subjects exactly when split.how is 'list'")
        return self


class Protocol(_Part):
    """A protocol.

    Attributes:
        id: protocol id, kebab-case.
        title: one line for tables.
        dataset: data sets the driving clips come from.
        composite: only the clips of this composite, such as ``megc2019``, with its classes.
        train_on: more data sets to learn from, without the subjects of the driving clips.
        synth: export the ``synthme`` data set is made with.
        size: side of an aligned frame, pixels; outputs may be drawn in any view and size.
        colour: colour mode of generated frames.
        allow_gray: has no effect any more: outputs of one channel are always taken.
        split: who is learnt from and who is generated.
        templates: ``subjects`` (frame 0 of another test subject), ``self`` (frame 0 of the driving
            clip), ``pack`` (the challenge's faces), or ``files``.
        template_files: pictures, relative to the protocol's file, for ``files``.
        templates_per_driving: how many templates each driving clip is given; None for all.
        max_pairs: at most so many pairs, spread evenly over the driving subjects; None for all.
        landmarks: who finds the points; None takes given ones where there are any, else dlib.
        crop: ``auto`` (as much of the head as the pictures of a data set, or a template, show),
            ``head`` or ``face``.
        reference: the right answer: rendered ``truth``, the ``driving`` clip itself, or ``none``.
        fid_reference: other side of FID: ``case`` (the reference frames of each output, else its
            driving frames) or ``data`` (frames of all clips of the protocol's data sets).
        metrics: metric families, in table order.
        rank_by: key of the metric rows are ranked by.
        controls: rows mebench computes itself.
        missing_output: ``refuse`` an incomplete submission, or score it as ``partial``.
        length_tolerance: frames that an output may be longer or shorter; both clips are cut to
            the shorter length.
        limits: upper bounds of a submission.
        rating_form: what experts are asked: a shipped form, a path, or the form itself. It is no
            part of the digest: it changes no value that is measured.
    """

    id: str
    title: str
    dataset: tuple[str, ...]
    composite: Literal["megc2018", "megc2019"] | None = None
    train_on: tuple[str, ...] = ()
    synth: SynthSettings = SynthSettings()
    size: int = Field(128, ge=32, le=1024)
    colour: Literal["rgb", "gray"] = "rgb"
    allow_gray: bool = False
    split: Split = Split()
    templates: Literal["subjects", "self", "pack", "files"] = "subjects"
    template_files: tuple[str, ...] = ()
    templates_per_driving: int | None = Field(1, ge=1)
    max_pairs: int | None = Field(None, ge=1)
    landmarks: Literal["given", "dlib", "fan", "fan-dlib"] | None = None
    crop: Literal["auto", "head", "face"] = "auto"
    reference: Literal["truth", "driving", "none"] = "none"
    fid_reference: Literal["case", "data"] = "case"
    metrics: tuple[str, ...]
    rank_by: str
    controls: tuple[str, ...] = ()
    missing_output: Literal["refuse", "partial"] = "refuse"
    length_tolerance: int = Field(0, ge=0, le=10)
    limits: Limits = Limits()
    rating_form: str | dict[str, Any] = "facs"

    @field_validator("dataset", "train_on", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits_together(self) -> Protocol:
        if not self.dataset:
            raise ValueError("dataset names at least one data set")
        if SYNTHME in self.dataset and len(self.dataset) > 1:
            raise ValueError("dataset: synthme stands alone")
        if (self.templates == "files") != bool(self.template_files):
            raise ValueError("template_files are given exactly when templates is 'files'")
        if self.templates == "pack" and not set(self.dataset) <= set(PACKS):
            raise ValueError(f"templates: pack needs dataset to be one of {', '.join(PACKS)}")
        if self.reference == "truth" and self.dataset != (SYNTHME,):
            raise ValueError("reference: truth is known for dataset: synthme alone")
        if self.reference == "driving" and self.templates != "self":
            raise ValueError("reference: driving needs templates: self")
        return self

    @property
    def digest(self) -> str:
        """Sha256 of the spec's content, without what changes no value: form and largest side."""
        # Specs from before there was a choice of crops keep their digest.
        usual = {"crop"} if self.crop == "auto" else set()
        content = self.model_dump(mode="json", exclude={"rating_form", *usual})
        del content["limits"]["max_side"]
        return digest(content)

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of all data sets that may be read, those of the driving clips first."""
        return tuple(dict.fromkeys((*self.dataset, *self.train_on)))

    @property
    def source(self) -> str:
        """The data sets of the driving clips as one word, ``casme2+samm``."""
        return "+".join(self.dataset)


def load_protocol(name: str) -> Protocol:
    """Return a protocol by id or by path to its YAML.

    Raises:
        UsageError: for an unknown id, key or value.
    """
    path = find_spec("protocols", name)
    content = read_mapping(path)
    files, form = content.get("template_files"), content.get("rating_form")
    if isinstance(files, list):
        content = {**content, "template_files": [str(path.parent / str(file)) for file in files]}
    if isinstance(form, str) and form.endswith((".yaml", ".yml")):
        content = {**content, "rating_form": str(path.parent / form)}
    return parse(Protocol, content, str(path))
