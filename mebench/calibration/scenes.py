"""Pairs of synthetic people: a driving clip as recorded, and the right answer to it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from mebench.metrics.base import Case
from mebench.preprocess.canonical import eye_distance
from mebench.synthme.expression import Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.render import Camera, Rendering, render
from mebench.types import ActionUnit, Face, FaceClip, Frames, Pair, Points, Reference

EMOTIONS = ("happiness", "surprise", "disgust", "repression", "sadness", "fear", "anger", "others")
_ONE_SIDED = ("L12", "R2", "L10", "R14", "L4", "R15", "L2", "R12")
SIZE = 256
FPS = 50.0

RECORDINGS = {
    "default": Nuisance.default(),
    "no head motion": replace(Nuisance.default(), drift=0.0, tremor=0.0),
    "clean": Nuisance.none(),
}
"""How the driving clips are recorded; `default` is SynthME's default nuisance."""


def view(size: int = SIZE) -> Camera:
    """Return the aligned crop of `preprocess`: IOD .30 of the side, eyes at .40 of the height."""
    return Camera(size, size, 0.30 * size, (size - 1) / 2, 0.40 * size)


@dataclass(frozen=True)
class Scene:
    """One driving clip, one template person, and the template person making the clip's motion.

    Attributes:
        act: the driving clip's expression.
        actor: the driving person.
        person: the template person.
        recording: nuisance of the driving clip.
        seed: of that nuisance.
        driving: the recorded driving clip.
        right: the right answer as protocol ``synthme`` builds it: the expression, blinks and gaze
            of the driving clip, head, light and sensor still.
    """

    act: Expression
    actor: Identity
    person: Identity
    recording: Nuisance
    seed: int
    driving: FaceClip
    right: Rendering

    @classmethod
    def of(cls, index: int, recording: Nuisance, *, one_sided: bool = False) -> Scene:
        """Return scene `index`: equal arguments give equal pixels.

        Args:
            index: 0 or more; other people and another expression for each.
            recording: nuisance of the driving clip.
            one_sided: take an expression of one half of the face.
        """
        rng = np.random.default_rng([7, index])
        act = Expression.sample(rng, EMOTIONS[index % len(EMOTIONS)], FPS)
        if one_sided:
            text = _ONE_SIDED[index % len(_ONE_SIDED)]
            seconds = act.n_frames / FPS
            act = Expression.from_text(text, 0.02, seconds=seconds, fps=FPS, rng=rng)
        actor, person = Identity.from_seed(100 + index), Identity.from_seed(200 + index)
        seed = index + 1000
        film = render(actor, act, recording, seed=seed, camera=view(), with_flow=False)
        labels = tuple(ActionUnit(part.au, part.side) for part in act.components)
        driving = FaceClip(
            f"scene.{index}",
            f"scene.{index}",
            film.frames,
            film.landmarks[0],
            FPS,
            apex_index=act.apex,
            action_units=labels,
            apex_source="annotated",
        )
        right = render(person, act, recording.only_eyes(), seed=seed, camera=view())
        return cls(act, actor, person, recording, seed, driving, right)

    @property
    def points(self) -> Points:
        """Landmarks (68, 2) of the right answer's frame 0."""
        points: Points = self.right.landmarks[0]
        return points

    @property
    def iod(self) -> float:
        """Inter-ocular distance of the template, pixels."""
        return eye_distance(self.points)

    def made(
        self,
        act: Expression | None = None,
        person: Identity | None = None,
        *,
        head: float = 0.0,
        shift: int = 0,
    ) -> Frames:
        """Return the answer of someone else, or to something else.

        Args:
            act: expression; the driving clip's own by default.
            person: who; the template person by default.
            head: head motion, in those of the driving clip and turned around: its residue must not
                pass for agreement.
            shift: added to the seed, for other blinks and gaze.
        """
        eyes = replace(self.recording.only_eyes(), drift=-head, tremor=-min(head, 1.0))
        shown = render(
            person or self.person,
            act or self.act,
            eyes,
            seed=self.seed + shift,
            camera=view(),
            with_flow=False,
        )
        return shown.frames

    def case(self, frames: Frames, points: Points | None = None, *, answer: bool = True) -> Case:
        """Return what the metrics see of generated frames.

        Args:
            frames: (T, H, W, 3).
            points: landmarks of their frame 0; those of the right answer by default.
            answer: whether the metrics may compare with the right answer, pixel by pixel.
        """
        own = self.points if points is None else points
        right = self.right
        reference = Reference(
            right.frames, right.flow, right.landmarks, right.au_curves, right.au_names
        )
        template = Face(right.frames[0] if answer else frames[0], own)
        return Case(
            Pair("template", self.driving.key),
            frames,
            template,
            self.driving,
            reference if answer else None,
            self.driving.action_units,
        )


def other_expression(act: Expression, rng: np.random.Generator) -> Expression:
    """Return an expression that shares no action unit with `act`."""
    taken = {part.au for part in act.components}
    while True:
        other = Expression.sample(rng, EMOTIONS[int(rng.integers(len(EMOTIONS)))], act.fps)
        if not taken & {part.au for part in other.components}:
            return other


def mixed_identity(one: Identity, other: Identity, share: float) -> Identity:
    """Return a person between two: shapes and colours linear, hair style and pores of the nearer.

    `share` is 0 for `one` and 1 for `other`.
    """
    found = {}
    for field in fields(Identity):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, float):
            found[field.name] = (1 - share) * a + share * b
        elif isinstance(a, tuple):
            found[field.name] = tuple(
                (1 - share) * x + share * y for x, y in zip(a, b, strict=True)
            )
        else:
            found[field.name] = a if share < 0.5 else b
    return Identity(**found)
