"""video-magic: a clip in another look."""

from __future__ import annotations

from collections.abc import Iterator

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.toolbox import footage
from darkroom.engine.backends.toolbox.footage import Cut
from darkroom.engine.backends.toolbox.looks import look


def magic(given: Input, context: Context) -> Iterator[Output]:
    """Yields the clip in the look that `video_style` names, then its cover."""
    footage.seeded(context.seed)
    clip = footage.opened(given)
    style = str(given.fields.get("video_style") or "anime_style_3")
    paint = look(style, context.seed)
    cut = Cut.like(clip, notes={"style": style})
    yield from footage.written((paint(pixels) for pixels in clip.frames()), cut, context)
