"""Whether an output shows its template at all, and what a reader should know of how it lies."""

from __future__ import annotations

from mebench.views.fit import Fit
from mebench.views.view import View

LIMIT = 0.70
"""An output whose correlation is below this is refused."""
DOUBTFUL = 0.95
"""Below this the other templates are tried too: a swapped pair is the most frequent mistake."""
BETTER = 0.02
"""By how much another template must fit better to be named."""
TOLD = 0.90
"""Below this a fit is told."""
_CONTRAST = 2.0
_UPRIGHT = 45.0


def view_of(found: Fit, shape: tuple[int, int]) -> View:
    """Return the view of an output of a height and width."""
    return View(found.to_picture, shape, found.found, found.correlation, found.seen)


def refusal(found: Fit, view: View, template: str, other: tuple[str, float] | None) -> str:
    """Return why an output is refused, or an empty string.

    Args:
        found: the fit.
        view: the view it stands for.
        template: id of the template the output should show.
        other: another template and its correlation, where it fits better.
    """
    if found.contrast < _CONTRAST:
        return "frame 0 is black or of one colour; write its frames again"
    sure = other is not None and other[1] >= DOUBTFUL
    if found.mirrored and not sure:
        return f"frame 0 is '{template}' mirrored left to right; flip its frames"
    fits = f"it fits '{other[0]}' ({other[1]:.2f})" if other is not None else ""
    if fits and found.correlation >= LIMIT:
        return (
            f"frame 0 fits '{template}' with a correlation of {found.correlation:.2f}, but {fits} "
            "better; two outputs may be swapped"
        )
    if found.correlation < LIMIT:
        seen = f" and shows {found.seen:.0%} of its face" if found.seen < 0.9 else ""
        return (
            f"frame 0 does not show '{template}' (correlation {found.correlation:.2f}, at least "
            f"{LIMIT:.2f} is needed){seen}; {fits or 'look at it with submission validate --sheet'}"
        )
    if abs(view.rotation) > _UPRIGHT:
        return f"frame 0 is turned by {view.rotation:.0f} degrees; turn its frames upright"
    return ""


def remarks(view: View) -> list[str]:
    """Return what is unusual about a view that is taken nevertheless."""
    if view.correlation < TOLD:
        return [
            f"frame 0 resembles its template with a correlation of {view.correlation:.2f} only; "
            "look at it with submission validate --sheet"
        ]
    return []
