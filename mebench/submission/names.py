"""Which output a file named by a team is; a name that fits two outputs fits none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mebench.types import Pair

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_JOINED = re.compile(r"(western|west|asian|european|europe)(male|female)|(male|female)(west|asian)")
_WORDS = re.compile(r"[a-z0-9]+")
_ALIKE = {
    "west": "western", "europe": "western", "european": "western",
    "happiness": "positive", "happy": "positive", "disgust": "negative", "surprised": "surprise",
    "casmeii": "casme2",
}  # fmt: skip
_FACES: dict[str, frozenset[str]] = {
    "normalized_westernmale": frozenset({"western", "male"}),
    "normalized_asianfemale": frozenset({"asian", "female"}),
    "template_female_asian": frozenset({"asian", "female"}),
    "template_female_europe": frozenset({"western", "female"}),
    "template_male_asian": frozenset({"asian", "male"}),
    "template_male_europe": frozenset({"western", "male"}),
}
"""Templates of MEGC2021 and MEGC2022, which teams name by origin and sex."""
_FACE_WORDS = frozenset({"western", "asian", "male", "female"})
_EMOTIONS = frozenset({"positive", "negative", "surprise"})
_CHALLENGE = {
    "samm.007.007_7_1": "surprise",
    "samm.022.022_3_3": "positive",
    "samm.018.018_3_1": "negative",
    "casme2.17.EP01_13": "surprise",
    "casme2.19.EP01_01f": "positive",
    "casme2.01.EP19_06f": "negative",
    "smic.s20.s20_sur_01": "surprise",
    "smic.s3.s3_po_05": "positive",
    "smic.s11.s11_ne_02": "negative",
}
"""The nine driving clips of MEGC2021 and MEGC2022, one an emotion and data set."""


@dataclass(frozen=True)
class Match:
    """What a name was taken for: the pair, or why there is none.

    Attributes:
        pair: the output, or None.
        why: how it was recognised, or why not.
        candidates: ``template/driving`` of all that fit, where there are several.
    """

    pair: Pair | None
    why: str
    candidates: tuple[str, ...] = ()


def words(name: str) -> list[str]:
    """Return the words of a file or folder name, lower case, spellings made alike.

    >>> words("Surprise_007_7_1-normalized_westMale")
    ['surprise', '007', '7', '1', 'normalized', 'western', 'male']
    """
    text = _CAMEL.sub(" ", name).lower()
    text = _JOINED.sub(lambda found: " ".join(part for part in found.groups() if part), text)
    return [_ALIKE.get(word, word) for word in _WORDS.findall(text)]


class Matcher:
    """Recognises the outputs of a protocol by the names teams give them."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._pairs = tuple(pairs)
        self._driving = tuple(dict.fromkeys(pair.driving for pair in self._pairs))
        self._templates = tuple(dict.fromkeys(pair.template for pair in self._pairs))

    def match(self, name: str) -> Match:
        """Return the one output `name` stands for, or why there is none."""
        said = words(name)
        found = self._driving_of(said)
        if not found:
            return Match(None, "names no driving clip of the protocol")
        if len({clip for clip, _ in found}) > 1:
            clips = {clip for clip, _ in found}
            return self._several(
                "fits several driving clips", [p for p in self._pairs if p.driving in clips]
            )
        driving, used = found[0]
        problem = _contradiction(driving, said)
        if problem:
            return Match(None, problem)
        rest = [word for place, word in enumerate(said) if place not in used]
        mine = [pair for pair in self._pairs if pair.driving == driving]
        named = self._templates_of(rest)
        if not named and len(mine) == 1:
            return Match(mine[0], "driving clip named; it has one template")
        fitting = [pair for pair in mine if pair.template in named]
        if len(named) > 1:
            return self._several("fits several templates", fitting)
        if not named:
            return self._several("names the driving clip but no template", mine)
        if not fitting:
            return Match(None, f"'{driving}' is not driven onto '{next(iter(named))}' here")
        return Match(fitting[0], "driving clip and template named")

    def _several(self, why: str, pairs: Sequence[Pair]) -> Match:
        return Match(None, why, tuple(pair.key for pair in pairs))

    def _driving_of(self, said: list[str]) -> list[tuple[str, frozenset[int]]]:
        """Return clips with the places of the words that name them, the most exact ones only."""
        found = [(clip, span) for clip in self._driving for span in _spans(_clip_names(clip), said)]
        # 'casme2.01.EP02_01f' also reads as 'EP02_01f' of somebody else: the longer name counts.
        kept = [(clip, span) for clip, span in found if not any(span < other for _, other in found)]
        if kept:
            return kept
        return [
            (clip, frozenset(place for place, word in enumerate(said) if word in wanted))
            for clip, emotion in _CHALLENGE.items()
            for wanted in [{clip.split(".")[0], emotion}]
            if clip in self._driving and wanted <= set(said) and len(_EMOTIONS & set(said)) == 1
        ]

    def _templates_of(self, rest: list[str]) -> set[str]:
        faces = frozenset(rest) & _FACE_WORDS
        found: set[str] = set()
        spans: list[tuple[str, frozenset[int]]] = []
        for template in self._templates:
            wanted = _FACES.get(template.lower())
            if wanted is not None:
                # 'male and female' in one name is no template, rather than two.
                found |= {template} if wanted <= faces else set()
            else:
                spans += [(template, span) for span in _spans([words(template)], rest)]
        exact = {name for name, span in spans if not any(span < other for _, other in spans)}
        return found | exact


def _clip_names(clip: str) -> list[list[str]]:
    """Return the ways to write a clip's id: whole, with its subject, and alone."""
    dataset, _, rest = clip.partition(".")
    subject, _, alone = rest.partition(".")
    if not alone:
        return [words(clip)]
    texts = (clip, rest, f"sub{subject}_{alone}", f"{dataset}_{alone}", alone)
    return [words(text) for text in dict.fromkeys(texts)]


def _spans(names: list[list[str]], said: list[str]) -> list[frozenset[int]]:
    return [
        frozenset(range(start, start + len(name)))
        for name in names
        for start in range(len(said) - len(name) + 1)
        if name and said[start : start + len(name)] == name
    ]


def _contradiction(driving: str, said: list[str]) -> str:
    emotion = _CHALLENGE.get(driving)
    others = (_EMOTIONS & set(said)) - {emotion}
    if emotion is None or not others:
        return ""
    return f"says '{min(others)}', but '{driving}' shows {emotion}"
