"""Who is learnt from, who is generated, and which template each driving clip is given."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mebench.errors import UsageError, did_you_mean
from mebench.protocol.spec import Protocol, Split
from mebench.types import FaceClip, Pair


def natural(text: str) -> list[tuple[int, str]]:
    """Return a sort key in which ``s2`` comes before ``s10``."""
    parts = re.findall(r"\d+|\D+", text)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


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
        ordered = sorted(set(names), key=natural)
        count = min(len(ordered) - 1, max(1, round(test_share * len(ordered))))
        cut = len(ordered) - count
        train |= {f"{dataset}.{name}" for name in ordered[:cut]}
        test |= {f"{dataset}.{name}" for name in ordered[cut:]}
    return train, test


def test_sets(split: Split, subjects: Sequence[str], where: str) -> dict[str, set[str]]:
    """Return the test subjects of each fold by its name; subjects are ``dataset.subject``.

    Raises:
        UsageError: for a listed subject that is not there, or a fold that nobody could learn for.
    """
    known = sorted(set(subjects), key=natural)
    if split.how == "none":
        return {"all": set(known)}
    if split.how == "list":
        for name in split.test:
            if name not in known:
                raise UsageError(
                    f"{where}: split.test: no subject '{name}' in the data."
                    f"{did_you_mean(name, known)}"
                )
        return {"all": set(split.test)}
    parts: dict[str, list[str]] = defaultdict(list)
    for name in known:
        dataset, _, subject = name.partition(".")
        parts[dataset].append(subject)
    if split.how == "share":
        return {"all": split_subjects(parts, split.share)[1]}
    if split.how == "leave-one-subject-out":
        found = {name: {name} for name in known}
    else:
        found = {part: {f"{part}.{name}" for name in names} for part, names in parts.items()}
    if len(found) < 2:
        raise UsageError(
            f"{where}: split {split.how} needs two or more, the data have {', '.join(found)}"
        )
    return found


def make_pairs(
    driving: Sequence[FaceClip], per_driving: int, most: int | None = None
) -> tuple[Pair, ...]:
    """Give each driving clip the templates of other subjects, in rotation.

    The template id is the subject; the template is the first frame of the subject's first clip.
    Of more than `most` pairs every subject keeps its first ones, as many as any other.
    """
    subjects = sorted({clip.subject for clip in driving}, key=natural)
    pairs = []
    for number, clip in enumerate(sorted(driving, key=lambda c: natural(c.key))):
        others = [name for name in subjects if name != clip.subject]
        for step in range(min(per_driving, len(others))):
            pairs.append(Pair(others[(number + step) % len(others)], clip.key))
    return fewer(pairs, {clip.key: clip.subject for clip in driving}, most)


def pairs_of(
    protocol: Protocol, driving: Sequence[FaceClip], templates: Sequence[str]
) -> tuple[Pair, ...]:
    """Return the pairs of a protocol; `templates` are the ids of given faces, where it has any."""
    per_driving = protocol.templates_per_driving
    if protocol.templates == "subjects":
        everyone = len({clip.subject for clip in driving})
        return make_pairs(driving, per_driving or everyone, protocol.max_pairs)
    ordered = sorted(driving, key=lambda clip: natural(clip.key))
    pairs = []
    for number, clip in enumerate(ordered):
        if protocol.templates == "self":
            pairs.append(Pair(clip.key, clip.key))
            continue
        count = min(per_driving or len(templates), len(templates))
        for step in range(count):
            place = (number + step) % len(templates) if count < len(templates) else step
            pairs.append(Pair(templates[place], clip.key))
    return fewer(pairs, {clip.key: clip.subject for clip in driving}, protocol.max_pairs)


def fewer(
    pairs: Sequence[Pair], subject_of: Mapping[str, str], most: int | None
) -> tuple[Pair, ...]:
    """Return at most so many pairs, spread evenly over the driving subjects, in their order."""
    if most is None or len(pairs) <= most:
        return tuple(pairs)
    taken: dict[str, int] = defaultdict(int)
    turns = []
    for place, pair in enumerate(pairs):
        turns.append((taken[subject_of[pair.driving]], place))
        taken[subject_of[pair.driving]] += 1
    return tuple(pairs[place] for place in sorted(place for _, place in sorted(turns)[:most]))
