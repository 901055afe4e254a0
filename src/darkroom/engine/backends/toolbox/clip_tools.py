"""The tools for clips by the name of their kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.toolbox.background_remove import remove_background
from darkroom.engine.backends.toolbox.character import replace_character
from darkroom.engine.backends.toolbox.enlarge import enlarge
from darkroom.engine.backends.toolbox.erase import erase_subtitles, remove_watermark
from darkroom.engine.backends.toolbox.extend import extend
from darkroom.engine.backends.toolbox.face_change import change_face
from darkroom.engine.backends.toolbox.lips_change import change_lips
from darkroom.engine.backends.toolbox.magic import magic
from darkroom.engine.backends.toolbox.merge import merge
from darkroom.engine.backends.toolbox.subtitle_translate import translate_subtitles

Tool = Callable[[Input, Context], Iterator[Output]]

CLIP_TOOLS: Mapping[str, Tool] = {
    "video-anime-replace": replace_character,
    "video-background-remove": remove_background,
    "video-extend": extend,
    "video-face-change": change_face,
    "video-lips-change": change_lips,
    "video-magic": magic,
    "video-merge": merge,
    "video-subtitle-erase": erase_subtitles,
    "video-subtitle-translate": translate_subtitles,
    "video-upscaler": enlarge,
    "video-watermark-remove": remove_watermark,
}
