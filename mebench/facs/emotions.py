"""Emotion names as data sets spell them, and the classes recognition papers map them to."""

from __future__ import annotations

import re

from mebench.errors import DatasetError, did_you_mean

SPELLINGS: dict[str, tuple[str, ...]] = {
    "happiness": ("happy", "positive", "po"),
    "surprise": ("surprised", "sur"),
    "disgust": ("disgusted",),
    "repression": ("repressed",),
    "tense": ("tenseness", "tension"),
    "anger": ("angry",),
    "contempt": (),
    "sadness": ("sad",),
    "fear": ("fearful",),
    "others": ("other",),
    "negative": ("ne",),
}
"""Canonical name and the other spellings that mean it."""

UNKNOWN = "unknown"
"""Stands for the emotion where an annotation file names none."""

_CANONICAL = {word: name for name, words in SPELLINGS.items() for word in (name, *words)}
_THREE_CLASS = {
    "happiness": "positive",
    "surprise": "surprise",
    "disgust": "negative",
    "repression": "negative",
    "anger": "negative",
    "contempt": "negative",
    "sadness": "negative",
    "fear": "negative",
    "negative": "negative",
}
_LEFT_OUT = {"casme2": {"sadness", "fear"}}


def combined_emotion(raw: object) -> str:
    """Return the canonical names of a cell that may hold several, as ``happiness+surprise``.

    Raises:
        DatasetError: for an unknown word, with the nearest known one.

    >>> combined_emotion("Surprise+Positive")
    'happiness+surprise'
    """
    names = {canonical_emotion(word) for word in re.split(r"[+,/;&]", str(raw)) if word.strip()}
    return "+".join(name for name in SPELLINGS if name in names) or canonical_emotion(raw)


def canonical_emotion(raw: object) -> str:
    """Return the canonical name of an emotion cell.

    Raises:
        DatasetError: for an unknown word, with the nearest known one.

    >>> canonical_emotion(" Happy ")
    'happiness'
    """
    word = " ".join(str(raw).split()).lower()
    if word in _CANONICAL:
        return _CANONICAL[word]
    shown = word if len(word) <= 40 else word[:37] + "..."
    raise DatasetError(f"unknown emotion {shown!r}.{did_you_mean(word, SPELLINGS)}")


def three_class(dataset: str, emotion: str) -> str | None:
    """Return "negative", "positive" or "surprise", or None where MEGC2019 leaves the emotion out.

    Several emotions at once have a class when it is the same for all of them.

    Source: MEGC2019 composite list; CASME II sadness and fear are left out, SAMM's are negative.

    >>> three_class("samm", "fear"), three_class("casme2", "fear")
    ('negative', None)
    """
    if emotion in _LEFT_OUT.get(dataset, ()):
        return None
    classes = {_THREE_CLASS.get(name) for name in emotion.split("+")}
    return classes.pop() if len(classes) == 1 else None


_FIVE_CLASS = {
    "casme2": frozenset({"happiness", "disgust", "repression", "surprise", "others"}),
    "samm": frozenset({"anger", "contempt", "happiness", "surprise", "others"}),
}


def five_class(dataset: str, emotion: str) -> str | None:
    """Return the emotion where papers' five-class sets keep it: CASME II (246 clips), SAMM (136).

    Names, not numbers: repositories number the classes differently.

    >>> five_class("casme2", "repression"), five_class("samm", "fear")
    ('repression', None)
    """
    return emotion if emotion in _FIVE_CLASS.get(dataset, ()) else None
