"""Reads checkpoints of the published code: the facial-prior FOMM, its AWP form, and FOMM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mebench.errors import WeightsError
from mebench.methods.fomm import checkpoint

_NETWORKS = ("generator", "kp_detector")
_COUNTER = "num_batches_tracked"
_WRAPPED = "module."


@dataclass(frozen=True)
class ImportReport:
    """What was taken from a published checkpoint, and what was left.

    Attributes:
        taken: (network, tensors, numbers) for each network.
        dropped: keys of the file that no network has.
        unused: parts of the file that generating does not need, such as optimisers.
        epoch: the epoch the file states, or None.
    """

    taken: tuple[tuple[str, int, int], ...]
    dropped: tuple[str, ...]
    unused: tuple[str, ...]
    epoch: int | None = None

    def lines(self) -> list[str]:
        """Return the report for people."""
        lines = [f"{name}: {tensors} tensors, {size} numbers" for name, tensors, size in self.taken]
        if self.dropped:
            lines.append(f"dropped, no network has them: {', '.join(self.dropped)}")
        if self.unused:
            lines.append(f"not needed to generate: {', '.join(self.unused)}")
        return lines


def read_published(path: Path, networks: Mapping[str, nn.Module]) -> ImportReport:
    """Load the generator and the detector of a published checkpoint into `networks`.

    The file is ``{"generator": state, "kp_detector": state, ...}``; tensors may carry the prefix of
    a parallel wrapper, and batch norms need not count their batches. No code in it is run.

    Raises:
        WeightsError: for a missing, truncated or foreign file, and for tensors that are missing or
            of another shape; the first is named and the others are counted.
    """
    content = _load(path)
    missing = [name for name in _NETWORKS if not isinstance(content.get(name), Mapping)]
    if missing:
        held = ", ".join(sorted(map(str, content))[:6]) or "nothing"
        raise WeightsError(
            f"{path}: no '{missing[0]}' in it (holds {held}); expected a checkpoint of the "
            "published code, with generator and kp_detector"
        )
    taken, dropped = [], []
    states = {name: _plain(content[name]) for name in _NETWORKS}
    for name, state in states.items():
        _compare(path, name, networks[name], state)
    for name, state in states.items():
        own = networks[name].state_dict()
        networks[name].load_state_dict({key: state.get(key, own[key]) for key in own})
        taken.append((name, len(own), sum(value.numel() for value in own.values())))
        dropped += [f"{name}.{key}" for key in sorted(set(state) - set(own))]
    epoch = content.get("epoch")
    return ImportReport(
        tuple(taken),
        tuple(dropped),
        tuple(sorted(str(key) for key in content if key not in (*_NETWORKS, "epoch"))),
        epoch if isinstance(epoch, int) else None,
    )


def _load(path: Path) -> dict[Any, Any]:
    content = checkpoint.unpickled(
        path, "give the checkpoint you downloaded", "download it again or name another file"
    )
    if not isinstance(content, dict):
        raise WeightsError(
            f"{path}: expected a checkpoint with generator and kp_detector, "
            f"got {type(content).__name__}"
        )
    if content.get("kind") == checkpoint.KIND:
        raise WeightsError(
            f"{path}: is a checkpoint of mebench already; give it to mebench generate --checkpoint"
        )
    return content


def _plain(state: Mapping[str, Any]) -> dict[str, Tensor]:
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    if tensors and all(key.startswith(_WRAPPED) for key in tensors):
        return {key.removeprefix(_WRAPPED): value for key, value in tensors.items()}
    return tensors


def _compare(path: Path, name: str, network: nn.Module, state: Mapping[str, Tensor]) -> None:
    problems = []
    for key, value in network.state_dict().items():
        if key.endswith(_COUNTER) and key not in state:
            continue
        found = state.get(key)
        if found is None or found.shape != value.shape:
            got = "nothing" if found is None else str(tuple(found.shape))
            problems.append(f"{name}.{key}: expected {tuple(value.shape)}, got {got}")
        elif found is not None:
            checkpoint.check_finite(found, f"{name}.{key}", path)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise WeightsError(
            f"{path}: {problems[0]}{more}; it is of another method or configuration, "
            "try another --as or -s model.KEY=VALUE"
        )
