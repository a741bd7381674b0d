"""A protocol with its clips at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mebench.errors import UsageError
from mebench.preprocess.framing import whole_picture
from mebench.protocol.pictures import TemplatePictures
from mebench.protocol.spec import Protocol
from mebench.types import Face, FaceClip, Pair, Picture, Reference
from mebench.views.view import View


@dataclass(frozen=True)
class Fold:
    """One training and the pairs it is judged on.

    Attributes:
        name: such as ``casme2.01``, or ``all`` when there is one.
        train: prepared clips a method may learn from.
        pairs: the outputs of this fold.
    """

    name: str
    train: Sequence[FaceClip]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class ProtocolData:
    """A protocol with its clips at hand.

    Attributes:
        protocol: the spec.
        folds: the trainings, and the pairs of each.
        templates: aligned template faces by id.
        driving: prepared driving clips by id.
        index_digest: sha256 over the canonical index of every clip.
        n_clips: clips in the index.
        n_subjects: subjects in the index.
        reference: returns the right answer of a pair, or None.
        pictures: returns a template in its own pixels; None when only the aligned faces are known.
        notes: what a reader of the results must know, such as leaks.
        told: what is assumed of the clips, or which copy of them was taken.
        gated: data sets whose pixels must not leave the user's disk.
    """

    protocol: Protocol
    folds: tuple[Fold, ...]
    templates: Mapping[str, Face]
    driving: Mapping[str, FaceClip]
    index_digest: str
    n_clips: int
    n_subjects: int
    reference: Callable[[Pair], Reference | None] = field(repr=False)
    pictures: Callable[[str], Picture] | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    gated: tuple[str, ...] = ()

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The outputs a submission must hold, in order."""
        return tuple(pair for fold in self.folds for pair in fold.pairs)

    def picture(self, template: str) -> Picture:
        """Return a template as it is handed out, in its own pixels."""
        read = self.pictures or TemplatePictures(faces=self.templates)
        return read(template)

    def answer(self, pair: Pair, view: View) -> Reference | None:
        """Return the right answer of a pair in an output's view, or None."""
        in_view = getattr(self.reference, "in_view", None)
        if view.aligned or in_view is None:
            return self.reference(pair)
        found: Reference | None = in_view(pair, view)
        return found

    @property
    def draws_pictures(self) -> bool:
        """Whether baselines draw on whole pictures and not on aligned faces."""
        return self.protocol.templates in ("pack", "files")

    def canvas(self, template: str) -> Face:
        """Return what a baseline draws on.

        The faces of a pack and of files are pictures in their own right, which experts look at
        too: they are drawn on as they are. A frame of a recording is drawn on in its alignment.
        """
        if not self.draws_pictures:
            return self.templates[template]
        picture = self.picture(template)
        return whole_picture(picture.image, picture.landmarks)

    @property
    def train(self) -> Sequence[FaceClip]:
        """The training clips of a protocol with one fold.

        Raises:
            UsageError: when there are more.
        """
        if len(self.folds) != 1:
            raise UsageError(
                f"protocol '{self.protocol.id}' trains {len(self.folds)} times, once a fold; "
                "use `mebench run baseline`"
            )
        return self.folds[0].train

    def clips(self) -> list[FaceClip]:
        """Return every prepared clip once: driving clips, then those that are learnt from."""
        found = dict(self.driving)
        for fold in self.folds:
            found.update({clip.key: clip for clip in fold.train})
        return list(found.values())

    def group(self, pair: Pair) -> str:
        """Return the driving clip's subject, the unit of bootstraps."""
        return self.driving[pair.driving].subject

    def part(self, pair: Pair) -> str:
        """Return the data set of the driving clip."""
        return self.group(pair).partition(".")[0]

    def n_frames(self, pair: Pair) -> int:
        """Return how many frames the output of a pair must have."""
        return len(self.driving[pair.driving].frames)

    def some(self, n: int) -> ProtocolData:
        """Return the same protocol with only the first `n` pairs (for tests and quick looks)."""
        kept = set(self.pairs[:n])
        folds = [
            replace(fold, pairs=tuple(pair for pair in fold.pairs if pair in kept))
            for fold in self.folds
        ]
        return replace(self, folds=tuple(fold for fold in folds if fold.pairs))
