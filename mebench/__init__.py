"""mebench: prepare data for, run, score and publish micro-expression generation."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_LAZY = {
    "ActionUnit": "mebench.types",
    "Clip": "mebench.types",
    "Face": "mebench.types",
    "FaceClip": "mebench.types",
    "Pair": "mebench.types",
    "MebenchError": "mebench.errors",
    "load_dataset": "mebench.datasets.base",
    "load_protocol": "mebench.protocol.spec",
    "load_baseline": "mebench.methods.catalogue",
    "score_submission": "mebench.scoring",
    "run_baseline": "mebench.runner.run",
    "Record": "mebench.record",
}
__all__ = ["__version__", *sorted(_LAZY)]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mebench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
