"""Rows that know the answer: the answer itself, and the best that any warp can do."""

from __future__ import annotations

from mebench.errors import UsageError
from mebench.preprocess.known_flow import moved_by
from mebench.protocol.data import ProtocolData
from mebench.types import Frames, Pair

ORACLE = "oracle"
TRUE_WARP = "true-warp"
TITLES = {
    ORACLE: "Oracle (re-rendered truth)",
    TRUE_WARP: "True warp (the template moved by the true flow)",
}


def answer(data: ProtocolData, name: str, pair: Pair) -> Frames:
    """Return the frames of a row that knows the answer, in the template's alignment.

    Raises:
        UsageError: when the protocol does not know it.
    """
    reference = data.reference(pair)
    if reference is None or (name == TRUE_WARP and reference.flow is None):
        what = "true flow" if name == TRUE_WARP else "truth"
        raise UsageError(f"protocol '{data.protocol.id}' has no {what} for the row '{name}'")
    if reference.flow is None or name == ORACLE:
        return reference.frames
    return moved_by(data.templates[pair.template].image, reference.flow)
