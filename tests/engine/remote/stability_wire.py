"""Stability's answers over a socket, as its documents describe them."""

from __future__ import annotations

import base64
import functools
from typing import Any, ClassVar

from wires import SEED, Asked, Said, Upstream, png

from darkroom.engine.backends.remote.stability import Stability


class StabilityWire(Upstream):
    """Pictures at once, or under an id that is asked for some times."""

    remote = functools.partial(Stability, look_seconds=0.05)
    variable = "STABILITY_API_KEY"
    key = "sk-secret"
    cost_micro = 30_000
    look = "GET *"
    chosen: ClassVar[dict[str, Any]] = {"model": "core", "cost": 0.03}

    def __init__(self) -> None:
        super().__init__()
        self.waits = 1
        self.reason = "SUCCESS"

    def creative(self) -> dict[str, Any]:
        """The options of a model that takes longer."""
        return self.options(model="creative", extra={"prompt": "a harbour"})

    def looked_for(self) -> tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]:
        return "image-upscale", self.creative(), {"img_url": [png()]}, {}

    def serve(self, asked: Asked) -> Said:
        if asked.headers["authorization"] != f"Bearer {self.key}":
            return Said({"id": "e", "name": "unauthorized", "errors": ["no such key"]}, 401)
        assert asked.headers["accept"] == "application/json"
        picture = base64.b64encode(self.picture).decode()
        told = {"finish_reason": self.reason, "seed": SEED}
        if asked.method == "POST":
            self.billed += 1
            if asked.path.endswith("upscale/creative"):
                return Said({"id": "gen-1"}, 202 if self.waits else 200)
            return Said({"image": picture} | told)
        if self.waits:
            self.waits -= 1
            return Said({"id": "gen-1", "status": "in-progress"}, 202)
        return Said({"result": picture} | told)
