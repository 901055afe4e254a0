"""Registries: the models of video and of pictures by mode, as clients of the wire look them up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from darkroom.api.call import Call, Route
from darkroom.domain import catalogue
from darkroom.domain.catalogue import Catalogue
from darkroom.domain.kinds import image, video
from darkroom.domain.kinds.kind import Kind


def _entry(shelf: Catalogue, key: str, kind: Kind) -> dict[str, Any]:
    model = shelf.models[key]
    bounds = catalogue.bounds(kind.name, model.kinds[kind.name])
    entry = {
        "model_key": key,
        "title": model.name,
        "durations": bounds["durations"],
        "aspect_ratios": bounds["aspect_ratios"],
        "resolutions": bounds["resolutions"],
        # The server takes these fields of every model's requests.
        "has_generate_audio": kind.outputs == "videos",
        "has_negative_prompt": "negative_prompt" in kind.input.__struct_fields__,
        "prompt_length_limit": bounds["prompt_chars_max"],
        "output_limit": bounds["outputs_max"],
    }
    if kind.files:
        several = bounds["images_max"]
        entry |= {
            "support_multiple_images": several > 1,
            "support_first_last_frame": "multi-image-to-video" in model.kinds,
            "upload_image_limit": several or 1,
        }
    return entry


def _listing(kinds: tuple[Kind, ...]) -> Callable[[Call], Awaitable[Any]]:
    async def registry(call: Call) -> Any:
        """The models that this server serves, by mode."""
        shelf = call.edge.catalogue
        return {
            kind.name.replace("-", "_"): [
                _entry(shelf, key, kind)
                for key in shelf.models
                if shelf.backend(key, kind.name) is not None
            ]
            for kind in kinds
        }

    return registry


ROUTES = (
    Route(
        "GET",
        "/v1/video/models",
        _listing(video.KINDS),
        "The models of video by mode, with what each takes.",
        needs_key=False,
    ),
    Route(
        "GET",
        "/v1/image/models",
        _listing(image.KINDS),
        "The models of pictures by mode, with what each takes.",
        needs_key=False,
    ),
)
