"""What the check of a composite tells."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class CompositeReport:
    """A rebuilt composite beside the published one; every field is JSON-able.

    Attributes:
        counts: [part, what, found, published].
        sha256: of the sorted lines `Member.line`, joined by LF.
        sha256_published: of the published list, or None where none is known.
        lacking: files without which members cannot be known, and where to get them.
    """

    dataset: str
    places: dict[str, str]
    usable: bool
    complete: bool
    clips: int
    counts: tuple[tuple[str, str, int, int], ...]
    sha256: str
    sha256_published: str | None
    clips_with_frames: int | None
    missing_clips: tuple[str, ...]
    notes: tuple[str, ...]
    lacking: tuple[str, ...] = ()
    kind: Literal["composite"] = "composite"

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @property
    def problems(self) -> list[str]:
        """What makes it differ from the published composite, one line each."""
        found = [
            f"{self.dataset}: {part}: {what} {held}, published {stated}"
            for part, what, held, stated in self.counts
            if held != stated
        ]
        if not found and self.sha256_published not in (None, self.sha256):
            found = [
                f"{self.dataset}: names or labels differ from the published list: sha256 "
                f"{self.sha256[:12]}, published {str(self.sha256_published)[:12]}"
            ]
        return [*self.lacking, *found, *self.missing_clips]


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
