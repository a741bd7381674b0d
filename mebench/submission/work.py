"""An output's frame 0 to fit to its template, in values that reach another process cheaply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mebench.types import Image

if TYPE_CHECKING:
    from mebench.views.fit import Fit
    from mebench.views.target import Target


@dataclass(frozen=True)
class FitOrder:
    """One fit.

    Attributes:
        path: the submission, absolute.
        key: ``template/driving``.
        frame: the output's frame 0.
        target: the template.
        only: the one plain view that the team declared, or None.
    """

    path: str
    key: str
    frame: Image
    target: Target
    only: str | None = None
    work: ClassVar[str] = "fitting it to its template"

    def run(self) -> Fit:
        """Return the fit."""
        from mebench.views.fit import fit

        return fit(self.frame, self.target, only=self.only)
