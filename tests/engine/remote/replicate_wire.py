"""Replicate's predictions over a socket, as its documents describe them."""

from __future__ import annotations

from typing import Any, ClassVar

from wires import Asked, Said, Upstream

from darkroom.engine.backends.remote.replicate import Replicate

MODEL = "black-forest-labs/flux-dev"
_TEXT = {"type": "string"}
_SCHEMAS = {
    "Input": {
        "type": "object",
        "properties": {
            "prompt": _TEXT,
            "aspect_ratio": {
                "allOf": [{"$ref": "#/components/schemas/aspect_ratio"}],
                "default": "1:1",
            },
            "image": {"type": "string", "format": "uri"},
            "num_outputs": {"type": "integer", "minimum": 1, "maximum": 4},
            "seed": {"type": "integer"},
        },
    },
    "aspect_ratio": {"type": "string", "enum": ["1:1", "16:9", "21:9", "3:2"]},
}


class ReplicateWire(Upstream):
    """Predictions that start for some looks, run for some, and then end as told."""

    remote = Replicate
    variable = "REPLICATE_API_TOKEN"
    key = "r8-secret"
    cost_micro = 30_000
    look = "GET /v1/predictions/*"
    chosen: ClassVar[dict[str, Any]] = {"model": MODEL, "cost": 0.03}

    def __init__(self) -> None:
        super().__init__()
        self.looks: dict[str, int] = {}
        self.waits, self.runs = 0, 0
        self.end: dict = {}
        self.is_canceled = False

    def serve(self, asked: Asked) -> Said:
        path = asked.path
        if path.startswith("/files/"):
            return Said(self.picture)
        if asked.headers["authorization"] != f"Bearer {self.key}":
            return Said({"title": "Unauthenticated", "detail": "You did not pass a token"}, 401)
        if path == "/v1/files":
            urls = {"get": f"{self.address}/v1/files/f"}
            kept = {"name": "f", "content_type": "image/png", "size": 3, "etag": "e"}
            times = {"created_at": "2026-11-29T20:00:00Z", "expires_at": "2026-11-30T20:00:00Z"}
            return Said(
                {"id": "f", "urls": urls, "checksums": {}, "metadata": {}} | kept | times, 201
            )
        described = {"components": {"schemas": _SCHEMAS}}
        if path == f"/v1/models/{MODEL}":
            return Said({"name": "flux-dev", "latest_version": {"openapi_schema": described}})
        if path == "/v1/models/someone/upscaler/versions/abc":
            fields = {"image": _TEXT, "scale": {"type": "number", "maximum": 10}}
            schemas = {"Input": {"type": "object", "properties": fields}}
            return Said({"id": "abc", "openapi_schema": {"components": {"schemas": schemas}}})
        if path.endswith("/cancel"):
            self.is_canceled = True
            return self._said(path.split("/")[3], status="canceled")
        if asked.method == "POST":
            name = f"p{len(self.looks)}"
            self.looks[name] = 0
            self.billed += 1
            return self._said(name, 201, status="starting")
        name = path.rpartition("/")[2]
        self.looks[name] += 1
        if self.looks[name] <= self.waits:
            return self._said(name, status="starting")
        if self.looks[name] <= self.waits + self.runs:
            log = "seed 7\n 25%|##   | 5/20\n 45%|####  | 9/20"
            return self._said(name, status="processing", logs=log)
        end = {"status": "succeeded", "metrics": {"predict_time": 1.5}}
        return self._said(name, **end | {"output": [f"{self.address}/files/0.png"]} | self.end)

    def _said(self, name: str, status_code: int = 200, **more) -> Said:
        there = f"{self.address}/v1/predictions/{name}"
        whole = {
            "id": name,
            "model": MODEL,
            "version": "hidden",
            "input": {},
            "logs": "",
            "output": None,
            "error": None,
            "created_at": "2026-11-29T20:00:00Z",
            "urls": {"get": there, "cancel": f"{there}/cancel"},
        }
        return Said(whole | more, status_code)
