"""What is on the screen, and what no page may ever do."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
HOSTILE = (
    "<img src=x onerror=\"document.title='hit'\"></script><script>document.title='hit'</script>"
)


def grey_clip(frames: int, side: int) -> np.ndarray:
    """Return a clip whose frame t is a grey of 8 t: the screen tells which frame it shows."""
    greys = np.arange(frames, dtype=np.uint8)[:, None, None, None] * 8
    return np.broadcast_to(greys, (frames, side, side, 3)).copy()


def grey(canvas) -> float:
    """Return the mean grey of what is on the screen."""
    # Old releases of Playwright hide the caret by a style that the page's own policy blocks aloud.
    picture = np.asarray(Image.open(io.BytesIO(canvas.screenshot(caret="initial"))).convert("L"))
    middle = slice(picture.shape[0] // 4, -picture.shape[0] // 4)
    return float(picture[middle, middle].mean())


def watched(page, where: str, button: str, ms: int) -> list[tuple[float, int]]:
    """Press `button` of `where`; return (ms since, frame shown) of each display frame."""
    return page.evaluate(
        """([where, button, ms]) => new Promise((done) => {
          const box = document.querySelector(where), seen = [];
          document.querySelector(button).click();
          const start = performance.now();
          const look = (now) => {
            seen.push([now - start, Number(box.dataset.at)]);
            if (now - start < ms) requestAnimationFrame(look); else done(seen);
          };
          requestAnimationFrame(look);
        })""",
        [where, button, ms],
    )
