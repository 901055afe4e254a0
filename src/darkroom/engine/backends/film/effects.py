"""Effects: a request by a template, as the request for a clip that it stands for."""

from __future__ import annotations

from darkroom.domain import sizes
from darkroom.domain.kinds.effects import TEMPLATES
from darkroom.engine.backends.contract import Input

_RESOLUTION = "720p"


def as_clip(given: Input) -> Input:
    """An effect-template's input as one of image-to-video, or of several pictures in order."""
    fields = given.fields
    template = TEMPLATES[fields["template_config_id"]]
    ratio = fields["aspect_ratio"] or template.ratios[0]
    size = sizes.resolve(ratio, _RESOLUTION)
    clip = {
        "prompt": template.words(fields["prompt_inputs"]),
        "negative_prompt": "",
        "duration": template.seconds,
        "aspect_ratio": ratio,
        "width": size.width,
        "height": size.height,
        "generate_audio": fields["bgm"],
    }
    pictures = given.files["image_url"]
    if template.image_input == 1:
        return Input("image-to-video", given.model, clip, {"image": pictures})
    return Input("multi-image-to-video", given.model, clip, {"images": pictures})
