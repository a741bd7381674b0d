"""Files and folders that operating systems leave between people's own."""

from __future__ import annotations

_LEFT = {
    ".ds_store": "macOS", "__macosx": "macOS", ".spotlight-v100": "macOS", ".trashes": "macOS",
    ".fseventsd": "macOS", ".apdisk": "macOS", "icon\r": "macOS",
    "thumbs.db": "Windows", "ehthumbs.db": "Windows", "desktop.ini": "Windows",
    "$recycle.bin": "Windows", "system volume information": "Windows",
}  # fmt: skip


def left_by(name: str) -> str | None:
    """Return which system leaves files or folders of a name, or None.

    >>> left_by("._00001.png"), left_by("Thumbs.db"), left_by("00001.png")
    ('macOS', 'Windows', None)
    """
    if name.startswith("._"):
        return "macOS"
    return _LEFT.get(name.lower())
