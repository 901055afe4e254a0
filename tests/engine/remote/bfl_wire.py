"""Black Forest Labs' tasks over a socket, as their documents describe them."""

from __future__ import annotations

from typing import Any, ClassVar

from wires import Asked, Said, Upstream

from darkroom.engine.backends.remote.bfl import BlackForestLabs

_TEXT = {"type": "string"}
_OR_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_SIDE = {"type": "integer", "minimum": 256, "maximum": 1440, "multipleOf": 32}
_SEED = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
_MARGIN = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2048}, {"type": "null"}]}
_MODELS = {
    "flux-pro-1.1": {"prompt": _OR_TEXT, "width": _SIDE, "height": _SIDE, "seed": _SEED},
    "flux-kontext-pro": {
        "prompt": _TEXT,
        "aspect_ratio": _OR_TEXT,
        "input_image": _OR_TEXT,
        "input_image_2": _OR_TEXT,
    },
    "flux-pro-1.0-expand": {
        "image": _TEXT,
        "top": _MARGIN,
        "bottom": _MARGIN,
        "left": _MARGIN,
        "right": _MARGIN,
        "seed": {"type": "integer"},
    },
}


class BflWire(Upstream):
    """Tasks that are pending for some looks, and then end as told."""

    remote = BlackForestLabs
    variable = "BFL_API_KEY"
    key = "bfl-secret"
    cost_micro = 40_000
    look = "GET /v1/*"
    chosen: ClassVar[dict[str, Any]] = {"model": "flux-pro-1.1"}

    def __init__(self) -> None:
        super().__init__()
        self.looks: dict[str, int] = {}
        self.waits = 0
        self.end: dict = {}

    def serve(self, asked: Asked) -> Said:
        if asked.path == "/openapi.json":
            return Said(_document())
        if asked.path.startswith("/files/"):
            return Said(self.picture)
        if asked.headers["x-key"] != self.key:
            return Said({"detail": "Not authenticated"}, 403)
        if asked.method == "POST":
            name = f"t{len(self.looks)}"
            self.looks[name] = 0
            self.billed += 1
            there = f"{self.address}/v1/get_result?id={name}"
            return Said({"id": name, "polling_url": there, "cost": 4.0, "output_mp": 1.0})
        [name] = asked.query["id"]
        if name not in self.looks:
            return Said({"id": name, "status": "Task not found", "result": None}, 404)
        self.looks[name] += 1
        if self.looks[name] <= self.waits:
            return Said({"id": name, "status": "Pending", "result": None, "progress": 0.5})
        sample = {"sample": f"{self.address}/files/0.png?sig={self.looks[name]}"}
        return Said({"id": name, "status": "Ready", "result": sample} | self.end)


def _document() -> dict:
    return {
        "openapi": "3.1.0",
        "paths": {
            f"/v1/{name}": {
                "post": {
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}
                        }
                    }
                }
            }
            for name in _MODELS
        },
        "components": {
            "schemas": {
                name: {"type": "object", "properties": fields} for name, fields in _MODELS.items()
            }
        },
    }
