"""The C library's memory allocator, asked to keep what it has."""

from __future__ import annotations

import ctypes
import os

_MMAP_THRESHOLD = (-3, "MALLOC_MMAP_THRESHOLD_", 1 << 30)
_TRIM_THRESHOLD = (-1, "MALLOC_TRIM_THRESHOLD_", 2**31 - 1)


def keep_freed_memory() -> bool:
    """Let freed blocks below 1 GB be used again instead of going back to the system.

    Fresh memory is filled with zeros by the system page by page, which costs a network on the CPU
    more than some of its layers. The numbers are the same. The setting holds for the process and
    cannot be taken back; between uses the process holds what it needed at its peak. What the user
    set in ``MALLOC_MMAP_THRESHOLD_``, ``MALLOC_TRIM_THRESHOLD_`` or ``GLIBC_TUNABLES`` stays. Does
    nothing without glibc. Says whether anything was set.
    """
    library = _glibc()
    if library is None or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    done = False
    for setting, variable, size in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
        if variable not in os.environ:
            done = bool(library.mallopt(setting, size)) or done
    return done


def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        # Only glibc has this name; the numbers of the settings are its own.
        _ = library.gnu_get_libc_version, library.mallopt
    except (OSError, AttributeError, TypeError):
        return None
    return library
