"""Effects: the templates that effect-template knows."""

from __future__ import annotations

from typing import Any

from darkroom.api.call import Call, Route
from darkroom.domain.kinds.effects import TEMPLATES, Template


async def list_templates(call: Call) -> Any:
    """Every template with what it takes."""
    return [_shown(one) for one in TEMPLATES.values()]


def _shown(one: Template) -> dict[str, Any]:
    return {
        "template_config_id": one.id,
        "title": one.title,
        "image_input": one.image_input,
        "duration": one.seconds,
        "bgm": one.supports_bgm,
        "aspect_ratios": one.ratios,
        "prompt_variables": [
            {"key": variable.key, "title": variable.title, "default": variable.usual}
            for variable in one.variables
        ],
    }


ROUTES = (
    Route(
        "GET",
        "/v1/generation/effect-templates",
        list_templates,
        "The effect templates, with the pictures and words that each takes.",
        needs_key=False,
    ),
)
