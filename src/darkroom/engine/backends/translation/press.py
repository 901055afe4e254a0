"""The press: finds text in pictures and clips, and sets its translation, in a child process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.translation import (
    captions,
    fonts,
    ocr,
    prints,
    programs,
    subtitles,
    wording,
)
from darkroom.engine.backends.translation.languages import LANGUAGES
from darkroom.errors import BadInput

Find = Callable[[Path, Sequence[str], Context], list[str]]
Set = Callable[[Path, Sequence[str], str, Context], Iterator[Output]]
_STEPS: Mapping[str, tuple[str, Find, Set]] = {
    "image-translate": ("img_url", prints.find, prints.set_texts),
    "video-subtitle-translate": ("video_url", subtitles.find, captions.set_texts),
}


class Press:
    """The child's half of translation: without `texts` it finds them, with them it sets them."""

    name: ClassVar[str] = "translation"
    kinds: ClassVar[frozenset[str]] = programs.KINDS

    def setup(self, model: str, options: Mapping[str, Any]) -> None:
        """Takes the languages to read from `reads`."""
        self._reads = tuple(options.get("reads", ()))

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yields the texts as a note of a file, or the picture or clip with their translations.

        Raises `BadInput` where there is no text, or more than is translated at once.
        """
        # One task uses one core, and Tesseract is told by the environment.
        cv2.setNumThreads(1)
        os.environ["OMP_THREAD_LIMIT"] = "1"
        field, find, set_texts = _STEPS[given.kind]
        [path] = given.files[field]
        language = LANGUAGES[given.fields["language"]]
        if "texts" in given.fields:
            yield from set_texts(path, given.fields["texts"], language.code, context)
            return
        fonts.check(language)
        texts = find(path, ocr.languages(self._reads), context)
        if not texts:
            raise BadInput("No text was found that could be translated.")
        chars = sum(map(len, texts))
        if len(texts) > wording.TEXTS_MAX or chars > wording.CHARS_MAX:
            raise BadInput(
                f"There is too much text: {len(texts)} pieces with {chars} characters; "
                f"{wording.TEXTS_MAX} with {wording.CHARS_MAX} are translated at once."
            )
        found = context.folder / "texts.txt"
        found.write_text("\n".join(texts), "utf-8")
        yield Output(found, "text/plain", notes={"texts": texts})
