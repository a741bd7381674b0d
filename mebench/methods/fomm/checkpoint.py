"""Checkpoint files: what they hold, and one-line refusals of those that do not fit."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mebench.errors import WeightsError
from mebench.io.files import atomic_path
from mebench.io.kinds import kind_of_file

KIND = "mebench-fomm/1"

_DAMAGED = (
    RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError, TypeError,
    AssertionError, MemoryError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What `torch.load` raises on damaged files, found by damaging some."""


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    with atomic_path(path) as temporary:
        torch.save({"kind": KIND, **content}, temporary)


def read(path: Path) -> dict[str, Any]:
    """Return a checkpoint's content; no code in the file is ever run.

    Raises:
        WeightsError: for a missing, truncated or foreign file.
    """
    content = unpickled(path, "train first or name another file", "copy it again or train again")
    if isinstance(content, dict) and content.get("kind") == KIND:
        return content
    raise WeightsError(
        f"{path}: not a checkpoint of mebench ({_looks_like(content)}); give the model.pt of a "
        "run, or turn a published checkpoint into one with: mebench weights import --as NAME FILE"
    )


def unpickled(path: Path, if_missing: str, if_damaged: str) -> Any:
    """Return what a file of numbers holds; each advice ends the line of its refusal.

    Raises:
        WeightsError: for a missing or damaged file, and for one that holds more than numbers.
    """
    if path.is_dir():
        raise WeightsError(f"{path}: is a folder; give the checkpoint file in it")
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint; {if_missing}")
    what = kind_of_file(path)
    if what is not None:
        raise WeightsError(f"{path}: {what}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: holds more than numbers, or is no checkpoint; refused, because loading it "
            f"could run code; {if_damaged}"
        ) from error
    except _DAMAGED as error:
        raise WeightsError(
            f"{path}: not a readable checkpoint (truncated or another kind of file); {if_damaged}"
        ) from error


def check_member(found: str, wanted: str, path: Path) -> None:
    """Refuse the networks of another member of the family.

    Raises:
        WeightsError: when the two names differ.
    """
    if found != wanted:
        raise WeightsError(
            f"{path}: holds the networks of '{found}', expected '{wanted}'; name the baseline it "
            "was trained as"
        )


def load_into(module: nn.Module, name: str, state: Any, path: Path) -> None:
    """Load one network's numbers.

    Raises:
        WeightsError: when a key is missing, unknown or of another shape, or a number is not
            finite; the first is named.
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
        check_finite(found, f"{name}.{key}", path)
    extra = sorted(set(state) - set(own))
    if extra:
        raise WeightsError(
            f"{path}: {name} holds unknown '{extra[0]}' ({len(extra)} in all); "
            "use the configuration it was trained with"
        )
    module.load_state_dict(dict(state))


def check_finite(value: Tensor, name: str, path: Path) -> None:
    """Refuse a tensor with a number that is not finite: frames made with it would be noise.

    Raises:
        WeightsError: naming the tensor.
    """
    if value.is_floating_point() and not bool(torch.isfinite(value).all()):
        raise WeightsError(
            f"{path}: {name} has numbers that are not finite; take an earlier checkpoint"
        )


def _looks_like(content: Any) -> str:
    if not isinstance(content, dict):
        return f"it holds a {type(content).__name__}"
    if content.get("kind") is not None:
        return f"kind {content['kind']!r}, expected {KIND!r}"
    if content and all(isinstance(value, Tensor) for value in content.values()):
        return f"it holds the bare tensors of one network, {len(content)} of them"
    return f"it holds {', '.join(sorted(map(str, content))[:4]) or 'nothing'}"
