"""A language model's chat that translates by heart, on a real socket, with faults as asked."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from typing import Any

import pytest

from wire_double import KEY, Answer, Request, Wire, told

# A user's machine need not have them. Where all is installed on purpose, nothing is left out.
needs_ocr = pytest.mark.skipif(
    not all(map(shutil.which, ("tesseract", "fc-match"))) and "DARKROOM_TEST_OCR" not in os.environ,
    reason="no Tesseract or fontconfig on this machine: nothing with text is translated",
)
GERMAN = {
    "SUMMER FESTIVAL": "SOMMERFEST",
    "Music every evening": "Jeden Abend Musik",
    "Free entry for children": "Kinder haben freien Eintritt",
    "Good morning everybody": "Einen guten Morgen allen",
    "The train leaves at seven": "Der Zug geht um sieben",
}


class Translator(Wire):
    """Chat completions; `slips` are answers that are no translation, given first, one each.

    Where it `refuses` it says so in the field for that.
    """

    def __init__(self, words: Mapping[str, str] = GERMAN) -> None:
        super().__init__()
        self.words = words
        self.slips: list[str] = []
        self.knows_schemas = True
        self.refuses: str | None = None

    def refusal(self, fault: str) -> Answer:
        status, code = {"policy": (400, "content_filter"), "later": (429, "rate_limit_exceeded")}[
            fault
        ]
        return told({"error": {"message": f"The double was told: {fault}.", "code": code}}, status)

    def answer(self, request: Request) -> Answer:
        assert request.headers.get("authorization") == f"Bearer {KEY}"
        assert request.path == "/v1/chat/completions"
        asked = request.json
        if "response_format" in asked and not self.knows_schemas:
            return told({"error": {"message": "response_format is not supported"}}, 400)
        texts = json.loads(asked["messages"][1]["content"])
        said = json.dumps({"translations": [self.words.get(one, one) for one in texts]})

        def make() -> Answer:
            self.billed.append(asked["messages"][-1]["content"])
            return told(_completion(self.slips.pop(0) if self.slips else said, self.refuses))

        return self.take(make)


def _completion(content: str, refusal: str | None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None if refusal else content,
                    "refusal": refusal,
                },
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }
