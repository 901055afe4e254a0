"""OpenAI's images, videos and chat as its reference has them, on a real socket."""

from __future__ import annotations

import base64
import io
import itertools
from typing import Any

from PIL import Image

from wire_double import KEY, Answer, Request, Wire, clip, picture, told

# What each model takes beside model, prompt, n and size; what it does not know, it refuses.
TAKES = {
    "gpt-image-1": {"quality", "background", "output_format", "moderation", "user"},
    "dall-e-3": {"quality", "style", "response_format", "user"},
    "house-diffusion": {"seed", "negative_prompt", "response_format"},
}
SIZES = {
    "gpt-image-1": {"1024x1024", "1536x1024", "1024x1536", "auto"},
    "dall-e-3": {"1024x1024", "1792x1024", "1024x1792"},
}
USAGE = {
    "input_tokens": 350,
    "input_tokens_details": {"text_tokens": 50, "image_tokens": 300},
    "output_tokens": 4160,
    "total_tokens": 4510,
}
_FAULTS = {
    "policy": (400, "image_generation_user_error", "moderation_blocked"),
    "auth": (401, "invalid_request_error", "invalid_api_key"),
    "credit": (429, "insufficient_quota", "insufficient_quota"),
    "later": (429, "requests", "rate_limit_exceeded"),
    "500": (500, "server_error", None),
}


class OpenAIWire(Wire):
    """Pictures at once, videos after a few looks (`looks`)."""

    def __init__(self, looks: int = 2) -> None:
        super().__init__()
        self.looks = looks
        self.videos: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.video_fault = ""
        self.template_tokens = 0
        self._numbers = itertools.count(1)

    def refusal(self, fault: str) -> Answer:
        status, sort, code = _FAULTS[fault]
        message = f"The double was told: {fault}."
        return told(
            {"error": {"message": message, "type": sort, "param": None, "code": code}}, status
        )

    def answer(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return self.refusal("auth")
        if request.path in ("/v1/chat/completions", "/v1beta/openai/chat/completions"):
            return self._chat(request.json)
        match request.method, request.path.strip("/").split("/")[1:]:
            case "POST", ["images", "generations"]:
                return self._generate(request.json)
            case "POST", ["images", "edits"]:
                return self._edit(request)
            case "POST", ["videos"]:
                return self._video(request)
            case "GET", ["pictures", name]:
                return self.file(picture(*map(int, name.split("x"))), "image/png")
            case "GET", ["videos", name] if name in self.videos:
                return told(self._seen(name))
            case "GET", ["videos", name, "content"] if name in self.videos:
                return self.file(clip(), "video/mp4")
            case "DELETE", ["videos", name] if name in self.videos:
                self.deleted.append(name)
                return told({"id": name, "object": "video.deleted", "deleted": True})
        return told({"error": {"message": "Unknown request URL"}}, 404)

    def _generate(self, asked: dict[str, Any]) -> Answer:
        known = TAKES[asked["model"]] | {"model", "prompt", "n", "size"}
        if unknown := asked.keys() - known:
            return _bad(f"Unknown parameter: '{min(unknown)}'.")
        return self._pictures(asked)

    def _edit(self, request: Request) -> Answer:
        form = request.form
        pictures = form.get("image[]", []) + form.get("image", [])
        for one in pictures:
            Image.open(io.BytesIO(one)).load()
        if not pictures:
            return _bad("Missing required parameter: 'image'.")
        texts = {name: values[0].decode() for name, values in form.items() if "image" not in name}
        return self._pictures(texts)

    def _pictures(self, asked: dict[str, Any]) -> Answer:
        model, size = asked["model"], asked["size"]
        if size not in SIZES.get(model, {size}):
            return _bad(f"Invalid value: '{size}'.")

        def make() -> Answer:
            self.billed.append(asked["prompt"])
            if model == "dall-e-3":
                one = {"url": f"{self.url}/v1/pictures/{size}", "revised_prompt": "A lake, revised"}
            else:
                content = self.whole(picture(*map(int, size.split("x"))))
                one = {"b64_json": base64.b64encode(content).decode()}
            return told({"created": 1, "data": [one], "usage": USAGE})

        return self.take(make)

    def _chat(self, asked: dict[str, Any]) -> Answer:
        """An answer of three words to each that is asked for; a word is a token.

        So are `template_tokens`, which the model's chat template says by itself.
        """
        unknown = "max_tokens" if asked["model"] == "gpt-5" else "max_completion_tokens"
        if unknown in asked:
            return _bad(f"Unsupported parameter: '{unknown}' is not supported with this model.")
        said = [one["content"] for one in asked["messages"]]

        def make() -> Answer:
            self.billed.append(said[-1])
            choices = [
                {
                    "index": number,
                    "message": {
                        "role": "assistant",
                        "content": f"{number} of {said[-1].split()[0]}",
                    },
                    "finish_reason": "stop",
                }
                for number in range(asked.get("n", 1))
            ]
            read = sum(len(one.split()) for one in said) + self.template_tokens
            answered = 3 * len(choices)
            usage = {
                "prompt_tokens": read,
                "completion_tokens": answered,
                "total_tokens": read + answered,
            }
            answer = {
                "id": f"chatcmpl-{next(self._numbers)}",
                "object": "chat.completion",
                "created": 1711929600,
                "model": f"{asked['model']}-2026-01-01",
                "choices": choices,
            }
            return told(answer if asked["model"] == "uncounted" else answer | {"usage": usage})

        return self.take(make)

    def _video(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in request.form.items()}

        def make() -> Answer:
            name = f"video_{next(self._numbers)}"
            self.billed.append(form["prompt"].decode())
            self.videos[name] = {"seconds": form["seconds"].decode(), "looks": 0}
            return told(self._seen(name))

        return self.take(make)

    def _seen(self, name: str) -> dict[str, Any]:
        video = self.videos[name]
        video["looks"] += 1
        states = ["queued", *["in_progress"] * (self.looks - 1)]
        status = states[video["looks"] - 1] if video["looks"] <= self.looks else "completed"
        error = None
        if status == "completed" and self.video_fault:
            status, error = "failed", {"code": self.video_fault, "message": "It was blocked."}
        return {
            "id": name,
            "object": "video",
            "status": status,
            "progress": 100 if status == "completed" else video["looks"] * 10,
            "seconds": video["seconds"],
            "error": error,
        }


def _bad(message: str) -> Answer:
    return told({"error": {"message": message, "type": "invalid_request_error"}}, 400)
