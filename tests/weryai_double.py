"""The WeryAI API as its clients know it, on a real socket; with keys, as a Darkroom has it."""

from __future__ import annotations

import itertools
from typing import Any

from wire_double import KEY, Answer, Request, Wire, clip, picture, told

_CODES = {
    "policy": (2003, "The prompt was flagged: sensitive content"),
    "auth": (1002, "Authentication failed: Invalid API Key"),
    "credit": (1011, "insufficient credits"),
    "later": (1001, "rate limit"),
    "500": (5000, "server error"),
}
_HTTP = {"auth": 401, "later": 429, "500": 500}
_WORDS = {
    "quickstart": ("PENDING", "PROCESSING", "SUCCESS", "FAILED"),
    "reference": ("waiting", "processing", "succeed", "failed"),
}


class WeryAIWire(Wire):
    """Tasks that are done after a few looks; with `honours_keys` a key finds its task again."""

    def __init__(
        self, spelling: str = "reference", *, honours_keys: bool = False, looks: int = 2
    ) -> None:
        super().__init__()
        self.words = _WORDS[spelling]
        self.honours_keys = honours_keys
        self.looks = looks
        self.failure: dict[str, Any] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.canceled: list[str] = []
        self.uploads: list[bytes] = []
        self._keys: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def refusal(self, fault: str) -> Answer:
        code, message = _CODES[fault]
        body = {"status": code, "desc": message, "message": message, "success": False}
        return told(body, _HTTP.get(fault, 200))

    def answer(self, request: Request) -> Answer:
        parts = request.path.strip("/").split("/")[1:]
        if parts[0] == "result":
            made = {"png": (picture(64, 64), "image/png"), "mp4": (clip(), "video/mp4")}
            return self.file(*made[parts[1].rpartition(".")[2]])
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return self.refusal("auth")
        match request.method, parts[1:]:
            case "POST", ["upload-file"]:
                self.uploads.append(request.form["file"][0])
                address = f"https://static.example/{len(self.uploads)}"
                return _envelope({"object_url_list": [address]})
            case "POST", ["image-to-prompt"]:
                return self.take(self._prompt)
            case "POST", [name, "cancel"]:
                self.canceled.append(name)
                return _envelope(self._seen(name))
            case "POST", [*_]:
                return self.take(lambda: self._submit(request, parts[1]))
            case "GET", [name, "status"] if name in self.tasks:
                return _envelope(self._seen(name))
        return told({"status": 1003, "message": "task not exist", "success": False})

    def _prompt(self) -> Answer:
        self.billed.append("prompt")
        return _envelope({"prompt": "A lake", "cost_mill": 1234})

    def _submit(self, request: Request, kind: str) -> Answer:
        key = request.headers.get("idempotency-key", "") if self.honours_keys else ""
        name = self._keys.get(key) if key else None
        if name is None:
            name = f"task_{next(self._numbers)}"
            self.billed.append(request.json.get("prompt", ""))
            self.tasks[name] = {"kind": kind, "looks": 0, "asked": request.json}
            self._keys[key] = name
        elif self.tasks[name]["asked"] != request.json:
            body = {"status": 1012, "message": "This Idempotency-Key belongs to another request."}
            return told(body, 422)
        return _envelope({"batch_id": 7, "task_ids": [name]})

    def _seen(self, name: str) -> dict[str, Any]:
        task = self.tasks[name]
        task["looks"] += 1
        waiting, processing, done, failed = self.words
        if name in self.canceled:
            return {"task_id": name, "task_status": failed, "msg": "canceled", "error_code": 6005}
        if task["looks"] <= self.looks:
            return {"task_id": name, "task_status": waiting if task["looks"] == 1 else processing}
        if self.failure:
            return {"task_id": name, "task_status": failed, **self.failure}
        field, ending = ("videos", "mp4") if "video" in task["kind"] else ("images", "png")
        address = f"{self.url}/v1/result/{name}.{ending}"
        return {"task_id": name, "task_status": done, field: [address], "cost_mill": 8000}


def _envelope(data: Any) -> Answer:
    return told({"status": 0, "desc": "success", "message": "success", "data": data})
