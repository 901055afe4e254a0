"""Another background, or none, behind what a picture shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.cutout import outline
from darkroom.engine.backends.toolbox.matting import own_colours, refined

Progress = Callable[[float], None]


def cut_out(picture: Pixels, progress: Progress) -> Pixels:
    """Returns the subject of RGBA uint8 (h, w, 4) with its own opacity and colours, as RGBA.

    A picture that came cut out already (with transparent places) keeps the opacity it has.
    """
    pixels, given = np.ascontiguousarray(picture[..., :3]), picture[..., 3]
    if float((given < 128).mean()) > 0.01:
        return picture
    front = outline(pixels)
    progress(0.5)
    opacity = refined(pixels, front)
    progress(0.75)
    clean = own_colours(pixels, opacity)
    progress(0.9)
    alpha = np.clip(opacity * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.dstack([clean, alpha])
