"""Emotion spellings and the three classes of MEGC2019."""

from __future__ import annotations

import pytest

from mebench.errors import DatasetError
from mebench.facs.emotions import canonical_emotion, three_class


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Happiness", "happiness"),
        (" happy ", "happiness"),
        ("positive", "happiness"),
        ("Other", "others"),
        ("Others", "others"),
        ("sad", "sadness"),
        ("Contempt", "contempt"),
        ("negative", "negative"),
    ],
)
def test_spellings(raw: str, name: str) -> None:
    assert canonical_emotion(raw) == name


def test_unknown_emotion_names_the_nearest() -> None:
    with pytest.raises(DatasetError, match=r"'hapiness'.*'happiness'"):
        canonical_emotion("hapiness")


def test_three_classes_follow_the_data_set() -> None:
    assert three_class("casme2", "repression") == "negative"
    assert three_class("casme2", "sadness") is None
    assert three_class("samm", "sadness") == "negative"
    assert three_class("samm", "others") is None
    assert three_class("smic", "happiness") == "positive"
