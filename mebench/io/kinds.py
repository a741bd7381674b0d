"""What a file is that is not what its name says, and what to do then."""

from __future__ import annotations

from pathlib import Path

HEAD = 64
"""Bytes at the beginning of a file that are enough to tell."""

_BRANDS = {
    b"heic": "a HEIC picture, as phones take them; save it as JPEG or PNG",
    b"heix": "a HEIC picture, as phones take them; save it as JPEG or PNG",
    b"heim": "a HEIC picture, as phones take them; save it as JPEG or PNG",
    b"mif1": "a HEIF picture, as phones take them; save it as JPEG or PNG",
    b"msf1": "a HEIF sequence of pictures; save it as mp4 or as numbered PNG files",
    b"hevc": "a HEIC sequence of pictures; save it as mp4 or as numbered PNG files",
    b"avif": "an AVIF picture; save it as JPEG or PNG",
    b"avis": "an AVIF sequence of pictures; save it as mp4 or as numbered PNG files",
}
_STARTS = {
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; run 'git lfs pull' there",
    b"\x00\x05\x16\x07": "what a Mac leaves beside a file; the file itself has no '._' in its name",
    b"%PDF": "a PDF document; save its picture as PNG",
    b"\x1f\x8b": "a gzip archive; unpack it first",
    b"Rar!": "a RAR archive; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"8BPS": "a Photoshop file; save it as PNG",
    b"\x76\x2f\x31\x01": "an OpenEXR picture; save it as 8- or 16-bit PNG",
    b"#?RADIANCE": "a Radiance HDR picture; save it as 8- or 16-bit PNG",
}
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<svg")


def kind_of(head: bytes) -> str | None:
    """Return what a file is by its first `HEAD` bytes, with what to do; None for anything else.

    >>> kind_of(b"version https://git-lfs.github.com/spec/v1")
    "a Git LFS pointer, not the file itself; run 'git lfs pull' there"
    """
    for start, what in _STARTS.items():
        if head.startswith(start):
            return what
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_PAGES[:3]):
        return "a web page saved under this name; download the file itself"
    if text.startswith(_PAGES[3:]):
        return "an XML or SVG text, not a picture or a film; save it as PNG"
    return None


def kind_of_file(path: Path) -> str | None:
    """Return `kind_of` a file; None where it cannot be read."""
    try:
        with path.open("rb") as handle:
            return kind_of(handle.read(HEAD))
    except OSError:
        return None
