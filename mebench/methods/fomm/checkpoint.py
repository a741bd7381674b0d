"""Checkpoint files: what they hold, and one-line refusals of those that do not fit."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mebench.errors import WeightsError
from mebench.io.files import atomic_path

KIND = "mebench-fomm/1"

_DAMAGED = (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError)


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    with atomic_path(path) as temporary:
        torch.save({"kind": KIND, **content}, temporary)


def read(path: Path) -> dict[str, Any]:
    """Return a checkpoint's content; no code in the file is ever run.

    Raises:
        WeightsError: for a missing, truncated or foreign file.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint; train first or name another file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise WeightsError(
            f"{path}: not a readable checkpoint (truncated or another kind of file); "
            "copy it again or train again"
        ) from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        found = content.get("kind") if isinstance(content, dict) else type(content).__name__
        raise WeightsError(f"{path}: expected a checkpoint of kind {KIND}, got {found!r}")
    return content


def load_into(module: nn.Module, name: str, state: Any, path: Path) -> None:
    """Load one network's numbers.

    Raises:
        WeightsError: when a key is missing, unknown or of another shape; the first is named.
    """
    if not isinstance(state, Mapping):
        raise WeightsError(f"{path}: holds no '{name}'; it comes from another method or version")
    own = module.state_dict()
    for key, value in own.items():
        found = state.get(key)
        if not isinstance(found, Tensor) or found.shape != value.shape:
            got = tuple(found.shape) if isinstance(found, Tensor) else "nothing"
            raise WeightsError(
                f"{path}: {name}.{key}: expected {tuple(value.shape)}, got {got}; "
                "use the configuration it was trained with"
            )
    extra = sorted(set(state) - set(own))
    if extra:
        raise WeightsError(
            f"{path}: {name} holds unknown '{extra[0]}' ({len(extra)} in all); "
            "use the configuration it was trained with"
        )
    module.load_state_dict(dict(state))
