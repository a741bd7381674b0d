"""The trained weights in the package: what they hold, and refusals of files that do not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mebench.content import content_folder
from mebench.errors import WeightsError
from mebench.io.files import atomic_path
from mebench.io.kinds import kind_of_file
from mebench.methods.fomm.checkpoint import KIND

SUFFIX = ".safetensors"
_ABOUT = "mebench"
_ADVICE = "install mebench again, or name a checkpoint of your own"


def shipped_file(member: str, size: int) -> Path:
    """Return the weights of a baseline for images of a size.

    Raises:
        WeightsError: when none come with the package.
    """
    folder = content_folder("baselines") / member / "weights"
    path = folder / f"{size}{SUFFIX}"
    if not path.is_file():
        sizes = sorted(int(one.stem) for one in folder.glob(f"*{SUFFIX}"))
        if not sizes:
            raise WeightsError(f"no weights of '{member}' come with mebench; train it first")
        made_for = " and ".join(map(str, sizes))
        raise WeightsError(
            f"{folder}: the weights are made for model.size {made_for}, got {size}; "
            f"leave model.size at {sizes[-1]}, or train with train.start: scratch"
        )
    return path


def write_weights(
    path: Path, configuration: Mapping[str, Any], states: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Write networks as one file of numbers; the same networks give the same bytes."""
    tensors = {
        f"{name}.{key}": value.detach().cpu().contiguous()
        for name, state in states.items()
        for key, value in state.items()
    }
    about = json.dumps({"kind": KIND, "configuration": dict(configuration)}, sort_keys=True)
    with atomic_path(path) as temporary:
        # One entry: safetensors writes several in any order.
        temporary.write_bytes(save(tensors, metadata={_ABOUT: about}))


def read_weights(path: Path) -> dict[str, Any]:
    """Return what `checkpoint.read` returns of a checkpoint.

    Raises:
        WeightsError: for a missing, truncated or foreign file.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights; {_ADVICE}")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(_ABOUT, "{}"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        what = kind_of_file(path)
        raise WeightsError(
            f"{path}: {what}"
            if what
            else f"{path}: not a readable safetensors file (truncated or another kind); {_ADVICE}"
        ) from error
    found = about.get("kind", "none") if isinstance(about, dict) else "none"
    if found != KIND:
        raise WeightsError(f"{path}: holds kind {found!r}, expected {KIND!r}; {_ADVICE}")
    content: dict[str, Any] = {"configuration": about.get("configuration")}
    for key, value in tensors.items():
        network, _, name = key.partition(".")
        content.setdefault(network, {})[name] = value
    return content
