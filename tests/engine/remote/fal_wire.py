"""fal's queue over a socket, as its documents describe it."""

from __future__ import annotations

from typing import Any, ClassVar

from wires import Asked, Said, Upstream

from darkroom.engine.backends.remote.fal import Fal

MODEL = "fal-ai/flux/dev"
_TEXT = {"type": "string"}
_FIELDS = {
    MODEL: {
        "prompt": _TEXT,
        "seed": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "num_images": {"type": "integer", "minimum": 1, "maximum": 4},
        "image_size": {
            "anyOf": [
                {"$ref": "#/components/schemas/ImageSize"},
                {"type": "string", "enum": ["square_hd", "landscape_16_9"]},
            ]
        },
    },
    "fal-ai/flux/dev/image-to-image": {
        "prompt": _TEXT,
        "image_url": _TEXT,
        "strength": {"type": "number"},
        "seed": {"type": "integer"},
    },
    "fal-ai/kling-video/v2/image-to-video": {
        "prompt": _TEXT,
        "image_url": _TEXT,
        "duration": {"type": "string", "enum": ["5", "10"]},
        "aspect_ratio": {"type": "string", "enum": ["16:9", "9:16", "1:1"]},
        "negative_prompt": _TEXT,
    },
}


class FalWire(Upstream):
    """The queue: a request waits for some looks, runs for some, and is then complete."""

    remote = Fal
    variable = "FAL_KEY"
    key = "fal-secret"
    cost_micro = 25_000
    look = "GET */status"
    chosen: ClassVar[dict[str, Any]] = {"model": MODEL, "cost": 0.025}

    def __init__(self) -> None:
        super().__init__()
        self.looks: dict[str, int] = {}
        self.end = None
        # How many looks find it waiting, and then running.
        self.waits, self.runs = 0, 0

    def serve(self, asked: Asked) -> Said:
        path = asked.path
        if path == "/api/openapi/queue/openapi.json":
            return Said(_described(asked.query["endpoint_id"][0]))
        if path.startswith("/files/"):
            return Said(self.picture)
        if asked.headers["authorization"] != f"Key {self.key}":
            return Said({"detail": "Cannot access application. Authentication is required."}, 401)
        if asked.method == "POST":
            request_id = f"request-{len(self.looks)}"
            self.looks[request_id] = 0
            self.billed += 1
            # The address drops the model's path below its app, as fal's own does.
            there = f"{self.address}/fal-ai/flux/requests/{request_id}"
            return Said(
                {
                    "status": "IN_QUEUE",
                    "request_id": request_id,
                    "response_url": there,
                    "status_url": f"{there}/status",
                    "cancel_url": f"{there}/cancel",
                    "queue_position": 0,
                }
            )
        request_id = path.split("/requests/")[1].split("/")[0]
        if asked.method == "PUT":
            if self.looks[request_id] <= self.waits:
                self.billed -= 1
            return Said({"status": "CANCELLATION_REQUESTED"}, 202)
        if not path.endswith("/status"):
            return self.end or Said({"images": [{"url": f"{self.address}/files/1.png"}]})
        self.looks[request_id] += 1
        if self.looks[request_id] <= self.waits:
            return Said({"status": "IN_QUEUE", "queue_position": 1}, 202)
        if self.looks[request_id] <= self.waits + self.runs:
            return Said({"status": "IN_PROGRESS", "logs": None}, 202)
        return Said({"status": "COMPLETED", "logs": None, "metrics": {"inference_time": 1.0}})


def _described(model: str) -> dict:
    size = {"properties": {"width": {"type": "integer"}, "height": {"type": "integer"}}}
    schema = {"$ref": "#/components/schemas/Input"}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {
        "openapi": "3.0.4",
        "paths": {f"/{model}": {"post": {"requestBody": body}}},
        "components": {
            "schemas": {
                "Input": {"type": "object", "properties": _FIELDS[model]},
                "ImageSize": {"type": "object", **size},
            }
        },
    }
