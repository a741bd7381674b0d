"""The C library's memory allocator, asked to keep what it has."""

from __future__ import annotations

import ctypes
import os

import torch

_SETTINGS = (
    (-3, "MALLOC_MMAP_THRESHOLD_", 1 << 30),
    (-1, "MALLOC_TRIM_THRESHOLD_", 2**31 - 1),
    # Threads have arenas of 64 MB, which hold no large block and are given back when empty.
    (-8, "MALLOC_ARENA_MAX", 1),
)
"""Number in glibc's malloc.h, the environment variable that does the same, and the value."""


def keep_freed_memory() -> bool:
    """Let freed blocks below 1 GB be used again instead of going back to the system.

    The system fills fresh memory with zeros page by page, which costs a network on the CPU more
    than some of its layers. Results are the same. Call it before threads that compute are started:
    a thread keeps the arena that it has. The setting holds for the process and cannot be taken
    back; afterwards the process keeps the memory of its peak. A setting whose environment variable
    is there, or any in ``GLIBC_TUNABLES``, is the user's and stays. Does nothing without glibc, and
    where PyTorch computes on several threads, which then wait for each other longer than it saves.

    Returns:
        Whether anything was set.
    """
    library = _glibc() if torch.get_num_threads() == 1 else None
    if library is None or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    taken = [library.mallopt(number, value) for number, name, value in _SETTINGS if not _set(name)]
    return any(taken)


def _set(name: str) -> bool:
    return bool(os.environ.get(name))


def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        # Only glibc has this name; the numbers of the settings are its own.
        _ = library.gnu_get_libc_version, library.mallopt
    except (OSError, AttributeError, TypeError):
        return None
    return library
