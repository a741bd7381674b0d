"""The layout of a stranger's zip, read by hand before any library parses it."""

from __future__ import annotations

import struct
from typing import BinaryIO

from mebench.errors import SubmissionError

_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_COMMENT = 0xFFFF
_ZIP64_LOCATOR = 20
_LONGEST_ENTRY = 1024
"""Central bytes an entry may take on average: names that pass are at most 403 bytes."""
_AGAIN = "pack it with: mebench submission pack"


def check_layout(file: BinaryIO, label: str, max_entries: int) -> None:
    """Refuse a zip that counts wrongly, overlaps itself, or hides bytes before or after it.

    Reads at most the list of entries and 30 bytes an entry.

    Raises:
        SubmissionError: one line that names `label`.
    """
    end, entries, size, offset = _end_record(file, label)
    if entries > max_entries:
        raise SubmissionError(f"{label}: {entries} entries, at most {max_entries}")
    if offset + size != end or size > _LONGEST_ENTRY * (entries + 1):
        raise SubmissionError(f"{label}: damaged archive (list of entries); {_AGAIN}")
    file.seek(offset)
    spans = _spans(file.read(size), entries, label)
    _refuse_overlap(file, sorted(spans), offset, label)


def _end_record(file: BinaryIO, label: str) -> tuple[int, int, int, int]:
    """Return place of the end record, number of entries, size and place of their list."""
    length = file.seek(0, 2)
    start = max(0, length - _COMMENT - _END.size)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise SubmissionError(f"{label}: damaged archive (no end record); {_AGAIN}")
    fields = _END.unpack_from(tail, at)
    _, disk, first_disk, here, entries, size, offset, comment = fields
    if tail[max(0, at - _ZIP64_LOCATOR) : at].startswith(b"PK\x06\x07"):
        raise SubmissionError(f"{label}: zip64, which no submission within limits needs; {_AGAIN}")
    if disk or first_disk or here != entries:
        raise SubmissionError(f"{label}: one part of several, or damaged; {_AGAIN}")
    if at + _END.size + comment != len(tail):
        raise SubmissionError(f"{label}: bytes after the end of the archive; {_AGAIN}")
    return start + at, entries, size, offset


def _spans(listing: bytes, entries: int, label: str) -> list[tuple[int, int]]:
    """Return place and compressed size of each entry."""
    found: list[tuple[int, int]] = []
    place = 0
    while place + _CENTRAL.size <= len(listing) and len(found) < entries:
        fields = _CENTRAL.unpack_from(listing, place)
        if fields[0] != b"PK\x01\x02":
            break
        found.append((fields[16], fields[8]))
        place += _CENTRAL.size + sum(fields[10:13])
    if len(found) != entries or place != len(listing):
        raise SubmissionError(f"{label}: damaged archive (list of entries); {_AGAIN}")
    return found


def _refuse_overlap(file: BinaryIO, spans: list[tuple[int, int]], listing: int, label: str) -> None:
    after = [start for start, _ in spans[1:]] + [listing]
    for (start, packed), limit in zip(spans, after, strict=True):
        file.seek(start)
        head = file.read(_LOCAL.size)
        if len(head) != _LOCAL.size or not head.startswith(b"PK\x03\x04"):
            raise SubmissionError(f"{label}: damaged archive (an entry without head); {_AGAIN}")
        fields = _LOCAL.unpack(head)
        if start + _LOCAL.size + fields[9] + fields[10] + packed > limit:
            raise SubmissionError(f"{label}: entries overlap; {_AGAIN}")
